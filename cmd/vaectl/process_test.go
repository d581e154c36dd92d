package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaectl/internal/modelfile"
	"vaectl/internal/train"
)

// process is vaectl in a process of its own, with what it says on stderr.
type process struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// begin starts "vaectl ARGS...", which TestMain has put in the path.
func begin(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), "vaectl", args...)}
	p.Cmd.Stderr = &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// end waits for the process and returns its exit status, -1 after a kill.
func (p *process) end(t *testing.T) int {
	t.Helper()
	if err := p.Wait(); err != nil && p.ProcessState == nil {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// awaitFile returns once there is a file at path.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func readState(t *testing.T, path string) *modelfile.State {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := modelfile.ReadState(f, train.StateLayout)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// endless is a training that goes on until it is told not to.
func endless(model string) []string {
	return []string{"train", "--data", "sample", "--limit-train", "32", "--limit-val", "16", "--epochs", "10000", "--no-summary",
		"--checkpoint-every", "0", "-m", model}
}

// The first signal saves the training, and what is said leads on from there.
func TestSignalSavesTheTraining(t *testing.T) {
	// Whatever started this test may have ignored SIGHUP, for the children too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		model := filepath.Join(t.TempDir(), "it's a model")
		p := begin(t, endless(model)...)
		awaitFile(t, model)
		if err := p.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if got := p.end(t); got != status {
			t.Errorf("%v: exit status %d, want %d", sig, got, status)
		}
		lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
		last := lines[max(len(lines)-2, 0):]
		_, command, found := strings.Cut(last[len(last)-1], "to go on: ")
		if !found || !strings.HasPrefix(last[0], "vaectl: interrupted in epoch ") {
			t.Fatalf("%v: said %q", sig, lines)
		}
		if s := readState(t, model+".state"); len(s.History) == 0 {
			t.Errorf("%v: the state is that of the start", sig)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command+" --stop-after 1ms").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "going on in epoch ") {
			t.Errorf("%v: %s: %v, said %q", sig, command, err, out)
		}
	}
}

// The second signal ends the process in the middle of a step, which harms no file.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	model := filepath.Join(t.TempDir(), "vae.safetensors")
	p := begin(t, "train", "--data", "sample", "--batch-size", "2000", "--limit-val", "16", "--no-summary", "-m", model)
	awaitFile(t, model+".state")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := p.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.end(t); got != 130 && got != 143 {
		t.Errorf("exit status %d", got)
	}
	if said := p.stderr.String(); said != "" {
		t.Errorf("said %q", said)
	}
	if s := readState(t, model+".state"); s.Position.Step != 0 {
		t.Errorf("the state is that after step %d", s.Position.Step)
	}
}

// nohup stays in force.
func TestIgnoredHangUp(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	model := filepath.Join(t.TempDir(), "vae.safetensors")
	p := begin(t, endless(model)...)
	awaitFile(t, model+".state")
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if err := p.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.end(t); got != 130 {
		t.Errorf("exit status %d, want 130", got)
	}
}

// A log that nobody reads any more does not end a training.
func TestClosedLog(t *testing.T) {
	model := filepath.Join(t.TempDir(), "vae.safetensors")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "vaectl", "train", "--data", "sample", "--limit-train", "32", "--limit-val", "16", "--epochs", "2", "-m", model)
	cmd.Stderr, cmd.Stdout = w, w
	err = cmd.Run()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := readModel(model); err != nil || len(m.History) != 2 {
		t.Errorf("the model: %+v, %v", m, err)
	}
}
