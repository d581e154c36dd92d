package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vaectl/internal/catalog"
	"vaectl/internal/fetch"
	"vaectl/mnist"
)

// toyData is a catalog like the public one, but of small data sets: an "mnist"
// that is told by the bytes inside and a "kmnist" that is told by the packed
// files. The files are by "set/name".
func toyData() (catalog.Catalog, map[string][]byte) {
	var sets catalog.Catalog
	files := map[string][]byte{}
	for i, s := range catalog.Public() {
		if s.Name == "fashion-mnist" {
			continue
		}
		s.Mirrors = []string{"http://vaectl.invalid/one/", "http://vaectl.invalid/two/"}
		for j := range s.Files {
			f := &s.Files[j]
			f.Count /= 2000
			var plain bytes.Buffer
			check := func(err error) {
				if err != nil {
					panic(err)
				}
			}
			if f.Kind == catalog.Labels {
				labels := make([]byte, f.Count)
				for k := range labels {
					labels[k] = byte((3*k + i) % 10)
				}
				check(mnist.WriteLabels(&plain, labels))
			} else {
				pix := make([]byte, f.Count*28*28)
				for k := range pix {
					pix[k] = byte(k * (k + i + j) >> 3)
				}
				check(mnist.WriteImages(&plain, &mnist.Images{Rows: 28, Cols: 28, Pix: pix}))
			}
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, err := w.Write(plain.Bytes())
			check(err)
			check(w.Close())
			sum := sha256.Sum256(plain.Bytes())
			if f.Digest.Covers == catalog.Packed {
				sum = sha256.Sum256(packed.Bytes())
			}
			f.Digest.SHA256 = hex.EncodeToString(sum[:])
			files[s.Name+"/"+f.Name] = packed.Bytes()
		}
		sets = append(sets, s)
	}
	return sets, files
}

// hasty makes a client that does not wait between two tries.
func hasty(silence time.Duration) *fetch.Client {
	c := fetch.NewClient(silence)
	c.Wait = 0
	return c
}

// runToyData is vaectl with the toy catalog.
func runToyData(args []string) int {
	sets, _ := toyData()
	return execute(context.Background(), args, &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, catalog: sets, newClient: hasty})
}

// serveToyData serves the toy files as MODE/SET/NAME below the URL that it
// returns; the modes are good and bad mirrors.
func serveToyData(t *testing.T) string {
	_, files := toyData()
	var mu sync.Mutex
	seen := map[string]bool{}
	again := func(path string) bool {
		mu.Lock()
		defer mu.Unlock()
		before := seen[path]
		seen[path] = true
		return before
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mode, file, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.URL.Host == "proxied.invalid" {
			mode, file = "good", strings.TrimPrefix(r.URL.Path, "/")
		}
		data, found := files[file]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		serve := func() { http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data)) }
		switch mode {
		case "good":
			serve()
		case "slow": // a few bytes at a time
			for len(data) > 0 {
				n := min(len(data), 100)
				w.Write(data[:n])
				w.(http.Flusher).Flush()
				data = data[n:]
			}
		case "mute":
			<-r.Context().Done()
		case "wrong":
			io.WriteString(w, "<html>please log in")
		case "other": // sound, but of another data set
			w.Write(files["k"+file])
		case "moved":
			http.Redirect(w, r, "/good/"+file, http.StatusFound)
		case "busy", "down":
			if mode == "busy" && again(r.URL.Path) {
				serve()
				return
			}
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "cut", "stump": // half the file; cut gives the rest when asked
			if mode == "cut" && r.Header.Get("Range") != "" {
				serve()
				return
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			w.WriteHeader(http.StatusOK)
			w.Write(data[:len(data)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// An interrupted download says so, exits with 130 and is resumed by the next.
func TestInterruptedFetch(t *testing.T) {
	sets, files := toyData()
	ctx, cancel := context.WithCancel(t.Context())
	dir := filepath.Join(t.TempDir(), "data")
	interrupt := true
	var ranges []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := files["mnist/"+path.Base(r.URL.Path)]
		w.Header().Set("ETag", `"1"`)
		if from := r.Header.Get("Range"); from != "" {
			ranges = append(ranges, from)
		}
		if interrupt && strings.HasSuffix(r.URL.Path, "/train-images-idx3-ubyte.gz") {
			interrupt = false
			w.Write(data[:3000])
			w.(http.Flusher).Flush()
			for { // until the client has them
				part, err := os.Stat(filepath.Join(dir, path.Base(r.URL.Path)+fetch.PartSuffix))
				if err == nil && part.Size() > 3000 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			cancel()
			<-r.Context().Done()
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	defer server.Close()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	c := &console{in: os.Stdin, out: os.Stdout, err: stderr, getenv: func(string) string { return "" }, catalog: sets, newClient: hasty}
	args := []string{"data", "fetch", "--dir", dir, "--mirror", server.URL}
	if status := execute(ctx, args, c); status != exitInterrupted {
		t.Errorf("exit status %d, want %d", status, exitInterrupted)
	}
	said, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := "vaectl: interrupted while fetching train-images-idx3-ubyte.gz\nhint: the same command goes on where it broke off\n"
	if !strings.HasSuffix(string(said), want) {
		t.Errorf("said %q", said)
	}
	if report := sets.Inspect(dir); report.State != catalog.Incomplete || len(report.Files) != 3 {
		t.Errorf("left %s, %d files", report.State, len(report.Files))
	}
	if status := execute(t.Context(), args, c); status != 0 {
		t.Errorf("the second time: exit status %d", status)
	}
	if got := fmt.Sprint(ranges); got != "[bytes=3000-]" {
		t.Errorf("asked for %s, want the rest", got)
	}
	if report := sets.Inspect(dir); report.State != catalog.Verified {
		t.Errorf("in the end %s: %v", report.State, report.Err)
	}
}
