package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A command that finds itself interrupted says where it was, exits with 130, and
// leaves nothing behind.
func TestInterruptedAtOnce(t *testing.T) {
	dir := t.TempDir()
	model, codes, out := filepath.Join(dir, "model"), filepath.Join(dir, "codes"), filepath.Join(dir, "out")
	for name, content := range map[string][]byte{model: trainTestModel(t, 2), codes: []byte("0.5,1\n")} {
		if err := os.WriteFile(name, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"train", "--data", "sample", "-m", os.DevNull, "--no-summary"}, "in epoch 1 after step 0 of 563\nhint: no model was saved"},
		{[]string{"plot", "latent", "--data", "sample", "-m", model, "-o", out, "--format", "png"}, "while encoding"},
		{[]string{"eval", "--data", "sample", "--limit", "4", "-m", model, "-o", out}, "while measuring"},
		{[]string{"bench", "-o", out}, "while measuring"},
		{[]string{"decode", "-m", model, "-o", out}, "while reading stdin"},
		{[]string{"decode", "-m", model, "-o", out, codes}, "while reading latent vectors"},
		{[]string{"decode", "-m", model, "--out-dir", out, codes}, "while decoding"},
		{[]string{"sample", "-m", model, "-o", out, "--latents"}, "while writing rows"},
		{[]string{"data", "export", "--data", "sample", "--png", out}, "after 0 of 100 images"},
	} {
		stderr, err := os.Create(filepath.Join(dir, "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		status := execute(ctx, c.args, &console{in: os.Stdin, out: os.Stdout, err: stderr, getenv: func(string) string { return "" }})
		said, err := os.ReadFile(stderr.Name())
		if err != nil {
			t.Fatal(err)
		}
		if status != exitInterrupted || !strings.HasSuffix(string(said), "interrupted "+c.says+"\n") {
			t.Errorf("%s: exit status %d, said %q", c.args, status, said)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: left something behind", c.args)
		}
	}
}
