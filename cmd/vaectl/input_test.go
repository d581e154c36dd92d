package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A source that has nothing to say yet does not keep an interrupt waiting.
func TestInterruptWhileReading(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(model, trainTestModel(t, 2), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"encode", "decode"} {
		silent, mouth, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		status := execute(ctx, []string{command, "-m", model}, &console{
			in: silent, out: stderr, err: stderr, getenv: func(string) string { return "" },
		})
		said, err := os.ReadFile(stderr.Name())
		if status != exitInterrupted || err != nil || !strings.HasPrefix(string(said), "vaectl: interrupted while ") {
			t.Errorf("%s: exit status %d, said %q, %v", command, status, said, err)
		}
		mouth.Close()
		silent.Close()
		stderr.Close()
	}
}
