package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An interrupted training says where it was, keeps what was saved, and exits
// with 130.
func TestInterruptedTraining(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "vae.safetensors")
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // once the first epoch is saved
		for {
			if _, err := os.Stat(model); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	args := []string{"train", "--data", "sample", "--limit-train", "32", "--limit-val", "16", "--epochs", "10000", "--no-summary", "-m", model}
	status := execute(ctx, args, &console{in: os.Stdin, out: os.Stdout, err: stderr, getenv: func(string) string { return "" }})
	if status != exitInterrupted {
		t.Errorf("exit status %d, want %d", status, exitInterrupted)
	}
	said, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	last := lines[max(len(lines)-2, 0):]
	if len(last) < 2 || !strings.HasPrefix(last[0], "vaectl: interrupted in epoch ") || !strings.Contains(last[1], "holds the model after epoch ") {
		t.Errorf("said %q", last)
	}
	if _, err := readModel(model); err != nil {
		t.Error(err)
	}
}
