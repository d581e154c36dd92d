//go:build python && unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythonSnippet runs what the README says in Python, with the interpreter that
// $PYTHON names, beside a model file of 2 latent dimensions. It needs numpy.
func TestPythonSnippet(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, b := range codeBlocks(string(readme)) {
		if b.kind != "python" {
			continue
		}
		count++
		cmd := exec.CommandContext(t.Context(), os.Getenv("PYTHON"), "-c", b.text)
		cmd.Dir = exampleFiles(t)
		output, err := cmd.CombinedOutput()
		if got := string(output); err != nil || !strings.HasPrefix(got, "2 ") || !strings.HasSuffix(got, "\n(3, 3, 1, 32)\n") {
			t.Errorf("%v\n%s", err, got)
		}
	}
	if count == 0 {
		t.Error("the README has no Python snippet")
	}
}
