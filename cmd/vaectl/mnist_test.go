//go:build mnist

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"vaectl/internal/catalog"
	"vaectl/internal/fetch"
	"vaectl/mnist"
)

// TestFullMNIST trains one epoch with default settings on the full MNIST that
// $VAECTL_DATA names and holds it to what others measured with this recipe.
func TestFullMNIST(t *testing.T) {
	if os.Getenv("VAECTL_DATA") == "" {
		t.Fatal("$VAECTL_DATA must name the directory of MNIST's four files")
	}
	path := filepath.Join(t.TempDir(), "vae.safetensors")
	log := vaectl(t, "train", "--epochs", "1", "-m", path)
	m := regexp.MustCompile(`loss: ([0-9.]+) .* val_loss: ([0-9.]+)`).FindStringSubmatch(log)
	if m == nil {
		t.Fatalf("no epoch line in %q", log)
	}
	for i, most := range []float64{0.2173, 0.2016} {
		if x, err := strconv.ParseFloat(m[i+1], 64); err != nil || !(x <= most) {
			t.Errorf("%s is above %v", m[i+1], most)
		}
	}
	file, err := readModel(path)
	if err != nil {
		t.Fatal(err)
	}
	if file.Data.Name != "mnist" || file.Data.Train != 60000 || file.Data.Val != 10000 {
		t.Errorf("trained on %+v", file.Data)
	}
}

// TestFetchFullMNIST fetches the files that $VAECTL_DATA names, whatever their
// spelling there, from a server of this machine.
func TestFetchFullMNIST(t *testing.T) {
	from := os.Getenv("VAECTL_DATA")
	train, val, err := mnist.FindFiles(from)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := map[string]string{
			"/train-images-idx3-ubyte.gz": train.Images, "/train-labels-idx1-ubyte.gz": train.Labels,
			"/t10k-images-idx3-ubyte.gz": val.Images, "/t10k-labels-idx1-ubyte.gz": val.Labels,
		}[r.URL.Path]
		http.ServeFile(w, r, filepath.Join(from, name))
	}))
	defer server.Close()
	dir := t.TempDir()
	vaectl(t, "data", "fetch", "--dir", dir, "--mirror", server.URL)
	vaectl(t, "data", "verify", dir)
	if report := catalog.Public().Inspect(dir); report.State != catalog.Verified || report.Set != "mnist" {
		t.Errorf("%s, %s: %v", report.State, report.Set, report.Err)
	}
}

// vaectl runs a command line that must succeed and returns what it says on stderr.
func vaectl(t *testing.T, args ...string) string {
	t.Helper()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	status := execute(t.Context(), args, &console{in: os.Stdin, out: os.Stdout, err: stderr, getenv: os.Getenv, catalog: catalog.Public(), newClient: fetch.NewClient})
	said, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", said)
	if status != 0 {
		t.Fatalf("exit status %d", status)
	}
	return string(bytes.TrimSpace(said))
}
