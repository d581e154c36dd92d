package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Two trainings on one model file, in processes of their own: the second is
// refused whatever it calls the file, and one that was killed hinders nobody.
func TestSecondTrainingIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("vae.safetensors", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	training := func(epochs, model string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "vaectl", "train", "--data", "sample",
			"--limit-train", "16", "--limit-val", "16", "--epochs", epochs, "--quiet", "-m", model)
		cmd.Dir = dir
		return cmd
	}

	first := training("10000", "vae.safetensors")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	for { // until it has saved an epoch
		if _, err := os.Stat(filepath.Join(dir, "vae.safetensors")); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the first training ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}

	for _, name := range []string{"vae.safetensors", "link", filepath.Join(dir, "link")} {
		said, err := training("1", name).CombinedOutput()
		want := fmt.Sprintf("vaectl: saving the model: %q is being written by process %d\nhint: -m names another file\n", name, first.Process.Pid)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || string(said) != want {
			t.Errorf("%v, said %q, want %q", err, said, want)
		}
	}
	if said, err := training("1", "other.safetensors").CombinedOutput(); err != nil {
		t.Errorf("another file: %v, said %q", err, said)
	}

	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	lock := filepath.Join(dir, ".vae.safetensors.lock")
	if _, err := os.Stat(lock); err != nil {
		t.Fatalf("the killed training left no lock file, so this test says nothing: %v", err)
	}
	next := training("1", "link")
	next.Args = append(next.Args, "--overwrite")
	if said, err := next.CombinedOutput(); err != nil {
		t.Errorf("after the kill: %v, said %q", err, said)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*.lock")); err != nil || len(left) > 0 {
		t.Errorf("%s is left, %v", strings.Join(left, ", "), err)
	}
}
