package fetch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestBrokenOffIsResumed(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "" {
			serveHalf(rw, `"1"`)
		}
		serveContent(rw, r, `"1"`)
	}, func(w *world) {
		if err := w.get("a", "b"); err != nil {
			t.Error(err)
		}
		w.want(true, false, "a", `a bytes=65536- if "1"`)
		w.wantWaited(time.Second)
		if len(w.failed) != 1 || w.failed[0] != "a: broke off after 65536 bytes: unexpected EOF: 1s" {
			t.Errorf("told of %q", w.failed)
		}
	})
}

// What one Get leaves, the next goes on with, first at the mirror it came from.
func TestPartIsResumed(t *testing.T) {
	for _, test := range []struct {
		name     string
		validate func(h http.Header)
		want     string // the second Get's request
	}{
		{"strong ETag", func(h http.Header) { h.Set("ETag", `"1"`) }, `b bytes=65536- if "1"`},
		{"date", func(h http.Header) {
			h.Set("ETag", `W/"1"`)
			h.Set("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT")
		}, "b bytes=65536- if Sat, 01 Jan 2000 00:00:00 GMT"},
		{"weak ETag", func(h http.Header) { h.Set("ETag", `W/"1"`) }, "a"},
		{"nothing", func(http.Header) {}, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			whole := false
			in(t, func(rw http.ResponseWriter, r *http.Request) {
				test.validate(rw.Header())
				switch {
				case whole && r.Header.Get("Range") != "":
					rw.Header().Set("Content-Range", "bytes 65536-131071/131072")
					rw.WriteHeader(http.StatusPartialContent)
					rw.Write(content[65536:])
				case whole:
					serveContent(rw, r, "")
				case r.Host == "b":
					serveHalf(rw, "")
				default:
					rw.WriteHeader(404)
				}
			}, func(w *world) {
				w.client.Tries = 1
				if w.get("a", "b") == nil {
					t.Fatal("half a file was taken")
				}
				w.want(false, strings.HasPrefix(test.want, "b"), "a", "b")
				whole, w.asked = true, nil
				if err := w.get("a", "b"); err != nil {
					t.Error(err)
				}
				w.want(true, false, test.want)
			})
		})
	}
}

// withPart leaves the first half of content behind, of b and with ETag "1", and
// then lets handle answer a Get from a and b.
func withPart(t *testing.T, handle http.HandlerFunc, test func(w *world)) {
	t.Helper()
	broken := true
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if broken {
			serveHalf(rw, `"1"`)
		}
		handle(rw, r)
	}, func(w *world) {
		tries := w.client.Tries
		w.client.Tries = 1
		if w.get("b") == nil {
			t.Fatal("half a file was taken")
		}
		w.want(false, true, "b")
		w.client.Tries, w.asked, w.failed, broken = tries, nil, nil, false
		test(w)
	})
}

const askRest = `b bytes=65536- if "1"`

func TestPartDoesNotFit(t *testing.T) {
	for _, test := range []struct {
		name   string
		handle http.HandlerFunc
		asked  []string
	}{
		{"changed since", func(rw http.ResponseWriter, r *http.Request) { serveContent(rw, r, `"2"`) }, []string{askRest}},
		{"ranges are ignored", func(rw http.ResponseWriter, r *http.Request) { rw.Write(content) }, []string{askRest}},
		{"changed, and If-Range is ignored", func(rw http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Range")
			serveContent(rw, r, `"2"`)
		}, []string{askRest, "b"}},
		{"another range", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				r.Header.Set("Range", "bytes=65535-")
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, "b"}},
		{"no range said", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				rw.WriteHeader(http.StatusPartialContent)
				rw.Write(content[65536:])
				return
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, "b"}},
		{"shorter than the part", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				rw.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, "b"}},
		{"other bytes under the same ETag", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				rw.Header().Set("Content-Range", "bytes 65536-131071/131072")
				rw.WriteHeader(http.StatusPartialContent)
				rw.Write(make([]byte, 65536))
				return
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, "b"}},
		{"a range unasked", func(rw http.ResponseWriter, r *http.Request) {
			if r.Host == "b" {
				rw.Header().Set("Content-Range", "bytes 0-131071/131072")
				rw.WriteHeader(http.StatusPartialContent)
				rw.Write(content)
				return
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, "b", "b", "b", "a"}},
		{"gone from its mirror", func(rw http.ResponseWriter, r *http.Request) {
			if r.Host == "b" {
				rw.WriteHeader(404)
				return
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, "a"}},
		{"the rest comes in pieces", func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "bytes=65536-" {
				r.Header.Set("Range", "bytes=65536-99999")
			}
			serveContent(rw, r, `"1"`)
		}, []string{askRest, `b bytes=100000- if "1"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withPart(t, test.handle, func(w *world) {
				if err := w.get("a", "b"); err != nil {
					t.Error(err)
				}
				w.want(true, false, test.asked...)
			})
		})
	}
}

// A part survives what does not touch it.
func TestPartIsKept(t *testing.T) {
	withPart(t, func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(404) }, func(w *world) {
		if w.get("a", "b", "nowhere") == nil {
			t.Fatal("got a file")
		}
		w.want(false, true, askRest, "a")
	})
}

func TestStrangePart(t *testing.T) {
	for _, part := range []string{"", "\n", "no JSON\nabc", `{"url":"http://b/file"`, `{"url":1}` + "\n", strings.Repeat("x", 1<<16)} {
		in(t, func(rw http.ResponseWriter, r *http.Request) { serveContent(rw, r, "") }, func(w *world) {
			w.path = t.TempDir() + "/file"
			if err := os.WriteFile(w.path+PartSuffix, []byte(part), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := w.get("b"); err != nil {
				t.Errorf("part %.20q: %v", part, err)
			}
			w.want(true, false, "b")
		})
	}
}

func TestInterrupt(t *testing.T) {
	half, cancel := true, func() {}
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if !half {
			serveContent(rw, r, `"1"`)
			return
		}
		rw.Header().Set("ETag", `"1"`)
		rw.Write(content[:4000])
		rw.(http.Flusher).Flush()
		time.Sleep(5 * time.Second)
		cancel()
		<-r.Context().Done()
	}, func(w *world) {
		var ctx context.Context
		ctx, cancel = context.WithCancel(w.t.Context())
		if err := w.client.Get(ctx, w.file("a", "b"), w); err != context.Canceled {
			t.Errorf("got %v", err)
		}
		w.want(false, true, "a")
		w.wantWaited(5 * time.Second)
		half, w.asked = false, nil
		if err := w.get("a", "b"); err != nil || w.failed != nil {
			t.Errorf("got %v, told of %q", err, w.failed)
		}
		w.want(true, false, `a bytes=4000- if "1"`)
	})
}

// Between two tries, too.
func TestInterruptWhileWaiting(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Retry-After", "25")
		rw.WriteHeader(503)
	}, func(w *world) {
		ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
		defer cancel()
		if err := w.client.Get(ctx, w.file("a", "b"), w); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		w.want(false, false, "a")
		w.wantWaited(3 * time.Second)
	})
}

// A disk that does not take the file is no reason to ask other mirrors.
func TestDiskErrors(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) { serveContent(rw, r, "") }, func(w *world) {
		if err := os.WriteFile(strings.TrimSuffix(w.path, "/file"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		err := w.get("a", "b")
		var mirrors *MirrorsError
		if err == nil || errors.As(err, &mirrors) {
			t.Errorf("directory is a file: %v", err)
		}
	})
	in(t, func(rw http.ResponseWriter, r *http.Request) { serveContent(rw, r, `"1"`) }, func(w *world) {
		if err := os.MkdirAll(w.path, 0o777); err != nil {
			t.Fatal(err)
		}
		err := w.get("a", "b")
		var mirrors *MirrorsError
		if err == nil || errors.As(err, &mirrors) || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("file is a directory: %v", err)
		}
		if len(w.asked) != 1 {
			t.Errorf("asked %q", w.asked)
		}
	})
}

func TestParseContentRange(t *testing.T) {
	for s, want := range map[string][2]int64{
		"bytes 100-199/200": {100, 200},
		"bytes 0-0/1":       {0, 1},
		"bytes 5-9/*":       {5, -1},
	} {
		offset, total, ok := parseContentRange(s)
		if !ok || offset != want[0] || total != want[1] {
			t.Errorf("%q: %d, %d, %v", s, offset, total, ok)
		}
	}
	for _, s := range []string{"", "bytes", "bytes */200", "bytes 100-199", "100-199/200", "bytes x-1/2", "bytes 1-2/x", "bytes 9-9/9", "bytes 1-2/99999999999999999999"} {
		if _, _, ok := parseContentRange(s); ok {
			t.Errorf("%q: taken", s)
		}
	}
}
