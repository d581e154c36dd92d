package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unseen lists the error texts that no test can bring about without more machinery
// than they are worth, each with the reason.
var unseen = map[string]string{
	"building the model of %s: %w":            "what reads a model checks all that this does",
	"drawing: %w":                             "a chart refuses nothing that the commands let through",
	"encoding the training images: %w":        "needs a model whose numbers overflow for these images and not for others",
	"laying out the image: %w":                "needs a model of images beyond 256x256, of 130 MB",
	"preparing the training: %w":              "the flags and the data set are checked as closely before",
	"the time is up":                          "never shown: it ends a training that went well",
	"training: diverged %s: %w":               "needs a step whose loss is finite and whose weights are not, on every kind of CPU",
	"while looking for neighbours":            "needs an interrupt between two parts of a command",
	"while reading latent vectors from stdin": "needs an interrupt between two reads of a row",
}

// textArguments says which argument of a call is a text, or a part of one, that
// an error shows.
var textArguments = map[string]int{
	"usagef": 0, "fmt.Errorf": 0, "errors.New": 0,
	"floatFlag": 4, "inputFiles": 2, "readingError": 0,
}

// TestEveryErrorTextIsSeen fails for a text of an error or a hint in this package
// that no test asserts: no "stderr" line of a scenario, and no string in a Go test,
// has all its words in their order. It reads the tests rather than watch them run,
// so that it needs none of them; that the texts appear is what those tests check.
func TestEveryErrorTextIsSeen(t *testing.T) {
	asserted, texts := assertions(t), errorTexts(t)
	for text, where := range texts {
		seen, excepted := seenIn(asserted, text), unseen[text] != ""
		if !seen && !excepted {
			t.Errorf("%s: no test sees %q", where, text)
		}
		if seen && excepted {
			t.Errorf("%s: a test sees %q: it is no exception", where, text)
		}
	}
	for text := range unseen {
		if texts[text] == "" {
			t.Errorf("no error says %q: it is no exception", text)
		}
	}
	if len(texts) < 100 {
		t.Errorf("%d texts found: the search for them must be broken", len(texts))
	}
}

// errorTexts returns the texts of errors and hints in the package's source, formats
// with their verbs, and where each stands.
func errorTexts(t *testing.T) map[string]string {
	texts := map[string]string{}
	for _, path := range goFiles(t, false) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if e := textOf(n); e != nil {
					for _, s := range literals(e, decl) {
						if strings.ContainsFunc(strings.Join(pieces(s), ""), isLetter) {
							texts[s] = fset.Position(e.Pos()).String()
						}
					}
				}
				return true
			})
		}
	}
	return texts
}

// textOf returns the expression of the text where n makes an error, else nil.
func textOf(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		if i, ok := textArguments[name(n.Fun)]; ok && i < len(n.Args) {
			return n.Args[i]
		}
	case *ast.CompositeLit:
		switch name(n.Type) {
		case "hintError":
			return n.Elts[1]
		case "interruptedError":
			return n.Elts[0]
		}
	}
	return nil
}

// name is that of a function or a type, with its package's before it.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return name(e.X) + "." + e.Sel.Name
	}
	return ""
}

// literals returns the strings in e, and those that decl assigns to e's variables.
func literals(e ast.Node, decl ast.Decl) []string {
	var list []string
	assigned := map[string]bool{}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				list = append(list, s)
			}
		case *ast.Ident:
			assigned[n.Name] = true
		}
		return true
	})
	if decl == nil {
		return list
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
			for i := range a.Lhs {
				if assigned[name(a.Lhs[i])] {
					list = append(list, literals(a.Rhs[i], nil)...)
				}
			}
		}
		return true
	})
	return list
}

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// pieces are the parts of a format between its verbs.
func pieces(format string) []string { return verb.Split(format, -1) }

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// seenIn reports whether one of the assertions has all pieces of the text in order.
func seenIn(asserted []string, text string) bool {
assertion:
	for _, rest := range asserted {
		for _, piece := range pieces(text) {
			i := strings.Index(rest, piece)
			if i < 0 {
				continue assertion
			}
			rest = rest[i+len(piece):]
		}
		return true
	}
	return false
}

var (
	screenLine = regexp.MustCompile(`(?m)^(?:\[[!a-z]+\] )?(?:stderr (?:-count=[0-9]+ )?|grep )'(.*)'(?: tty)?$`)
	escape     = regexp.MustCompile(`\\([^a-zA-Z])`)
)

// assertions returns what the tests look for: the patterns that the scenarios
// expect on stderr or a terminal, without their backslashes, and all strings of
// the Go tests.
func assertions(t *testing.T) []string {
	t.Helper()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var list []string
	for _, path := range scripts {
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range screenLine.FindAllSubmatch(script, -1) {
			pattern := strings.ReplaceAll(string(line[1]), "''", "'")
			list = append(list, escape.ReplaceAllString(pattern, "$1"))
		}
	}
	for _, path := range goFiles(t, true) {
		if path == "errortexts_test.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, literals(file, nil)...)
	}
	return list
}

// goFiles returns the package's Go files, its tests or the others.
func goFiles(t *testing.T, tests bool) []string {
	t.Helper()
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range all {
		if strings.HasSuffix(path, "_test.go") == tests {
			list = append(list, path)
		}
	}
	return list
}
