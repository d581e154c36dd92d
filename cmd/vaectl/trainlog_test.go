package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A reader of the log that goes away does not end the training, neither on
// stdout, where a closed pipe would by default, nor elsewhere.
func TestTrainingOutlivesItsLog(t *testing.T) {
	model := filepath.Join(t.TempDir(), "vae.safetensors")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := exec.CommandContext(t.Context(), "vaectl", "train", "--data", "sample",
		"--limit-train", "16", "--limit-val", "16", "--epochs", "2", "--quiet", "--log", "-", "-m", model)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("training: %v", err)
	}
	if said := stderr.String(); strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "note: the log ends here") {
		t.Errorf("said %q", said)
	}
	m, err := readModel(model)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.History) != 2 {
		t.Errorf("%d epochs, want 2", len(m.History))
	}
}

// Every key of a log line is in the help.
func TestLogFieldsAreDocumented(t *testing.T) {
	line, err := json.Marshal(logRecord{})
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(line, &keys); err != nil {
		t.Fatal(err)
	}
	if want := reflect.TypeFor[logRecord]().NumField(); len(keys) != want {
		t.Errorf("%d keys for %d fields", len(keys), want)
	}
	words := strings.FieldsFunc(logFields, func(r rune) bool { return strings.ContainsRune(" ,;:\n", r) })
	for key := range keys {
		found := false
		for _, w := range words {
			found = found || w == key
		}
		if !found {
			t.Errorf("the help does not explain %q", key)
		}
	}
}
