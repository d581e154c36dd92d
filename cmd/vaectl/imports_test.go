package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed lists, for each package, which of our packages it may import: the
// plan of the house. Imports run downwards only, and the leaves (isa, mnist,
// grid) know nothing of the others.
var allowed = map[string][]string{
	"cmd/vaectl": {
		"grid", "internal/animation", "internal/atomicfile", "internal/bench", "internal/catalog", "internal/chart",
		"internal/eval", "internal/fetch", "internal/gemm", "internal/imagefile", "internal/isa", "internal/latent", "internal/lockfile",
		"internal/modelfile", "internal/npy", "internal/parallel", "internal/spool", "internal/steer",
		"internal/termimage", "internal/train", "mnist", "nn", "optim",
	},
	"internal/bench": {
		"internal/gemm", "internal/isa", "internal/modelfile", "internal/parallel", "internal/train", "mnist", "nn", "optim",
	},
	"internal/eval":       {"internal/parallel", "mnist", "nn"},
	"internal/steer":      {},
	"internal/train":      {"internal/gemm", "internal/isa", "internal/modelfile", "internal/parallel", "mnist", "nn", "optim"},
	"internal/catalog":    {"mnist"},
	"internal/fetch":      {"internal/atomicfile"},
	"internal/modelfile":  {},
	"internal/imagefile":  {"mnist"},
	"internal/latent":     {"internal/npy"},
	"internal/npy":        {"internal/spool"},
	"internal/spool":      {},
	"internal/atomicfile": {},
	"internal/termimage":  {},
	"internal/chart":      {"internal/modelfile"},
	"internal/animation":  {},
	"internal/imagetest":  {},
	"internal/lockfile":   {"internal/atomicfile"},
	"internal/faultfs":    {"internal/atomicfile"},
	"nn":                  {"conv", "internal/gemm", "internal/isa", "internal/parallel", "internal/vec"},
	"conv":                {"internal/gemm", "internal/parallel", "internal/vec"},
	"internal/gemm":       {"internal/isa"},
	"internal/vec":        {"internal/isa"},
	"internal/isa":        {},
	"internal/parallel":   {},
	"optim":               {"internal/isa", "internal/vec"},
	"mnist":               {},
	"mnist/sample/gen":    {"mnist"},
	"grid":                {},
}

func TestImportsRunDownwards(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "asm") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s has no line in the plan", pkg)
		}
		seen[pkg] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, found := strings.CutPrefix(imported, "vaectl/"); found && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which the plan does not allow", pkg, ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("the plan lists %s, which has no Go file", pkg)
		}
	}
}
