package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a network without sockets, so that all waiting happens on the fake
// clock of synctest.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { close(m.done); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// dial knows every host but those whose names start with "no".
func (m *memory) dial(_ context.Context, _, addr string) (net.Conn, error) {
	if strings.HasPrefix(addr, "no") {
		return nil, fmt.Errorf("no such host")
	}
	here, there := net.Pipe()
	m.conns <- there
	return here, nil
}

// world is a client, a server and a directory to download to.
type world struct {
	t       *testing.T
	client  *Client
	path    string
	asked   []string // "host" or "host from N if VALIDATOR", one a request
	failed  []string
	started time.Time
}

// in runs test in a bubble, with a server that handle answers for. The content
// is what f.Check accepts.
func in(t *testing.T, handle http.HandlerFunc, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{make(chan net.Conn), make(chan struct{})}
		w := &world{t: t, client: NewClient(20 * time.Second), path: filepath.Join(t.TempDir(), "dir", "file"), started: time.Now()}
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			ask := r.Host
			if from := r.Header.Get("Range"); from != "" {
				ask += " " + from + " if " + r.Header.Get("If-Range")
			}
			w.asked = append(w.asked, ask)
			handle(rw, r)
		})}
		go server.Serve(m)
		transport := &http.Transport{DialContext: m.dial}
		w.client.HTTP = &http.Client{Transport: transport}
		test(w)
		transport.CloseIdleConnections()
		server.Close()
	})
}

var content = bytes.Repeat([]byte("0123456789abcdef"), 1<<13) // 128 KiB

func (w *world) file(hosts ...string) File {
	f := File{Path: w.path, Limit: int64(len(content)) + 100, Check: func(r io.Reader) error {
		got, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, content) {
			err = fmt.Errorf("%d bytes, of them wrong ones", len(got))
		}
		return err
	}}
	for _, h := range hosts {
		f.URLs = append(f.URLs, "http://"+h+"/file")
	}
	return f
}

func (w *world) Progress(int64, int64) {}

func (w *world) Failed(url string, err error, wait time.Duration) {
	w.failed = append(w.failed, fmt.Sprintf("%s: %v: %v", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/file"), err, wait))
}

func (w *world) get(hosts ...string) error { return w.client.Get(w.t.Context(), w.file(hosts...), w) }

// want checks what is on disk and what was asked for.
func (w *world) want(file, part bool, asked ...string) {
	w.t.Helper()
	got, err := os.ReadFile(w.path)
	if file && !bytes.Equal(got, content) {
		w.t.Errorf("the file has %d bytes (%v), want %d", len(got), err, len(content))
	}
	if !file && !errors.Is(err, os.ErrNotExist) {
		w.t.Errorf("a file of %d bytes was left (%v)", len(got), err)
	}
	if _, err := os.Stat(w.path + PartSuffix); (err == nil) != part {
		w.t.Errorf("part: %v, want one: %v", err, part)
	}
	entries, err := os.ReadDir(filepath.Dir(w.path))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Error(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			w.t.Errorf("%s was left", e.Name())
		}
	}
	if !reflect.DeepEqual(w.asked, asked) {
		w.t.Errorf("asked for %q, want %q", w.asked, asked)
	}
}

func (w *world) wantWaited(d time.Duration) {
	w.t.Helper()
	if got := time.Since(w.started); got != d {
		w.t.Errorf("waited %v, want %v", got, d)
	}
}

func wantErr(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error\n got %v\nwant %s", err, want)
	}
}

func serveContent(rw http.ResponseWriter, r *http.Request, etag string) {
	if etag != "" {
		rw.Header().Set("ETag", etag)
	}
	http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(content))
}

// serveHalf breaks off in the middle of the whole file.
func serveHalf(rw http.ResponseWriter, etag string) {
	rw.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if etag != "" {
		rw.Header().Set("ETag", etag)
	}
	rw.Write(content[:len(content)/2])
	panic(http.ErrAbortHandler)
}

func TestGet(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("accepts encoding %q", r.Header.Get("Accept-Encoding"))
		}
		// Some servers label a .gz file as packed for the way.
		rw.Header().Set("Content-Encoding", "gzip")
		serveContent(rw, r, `"1"`)
	}, func(w *world) {
		if err := w.get("a", "b"); err != nil {
			t.Error(err)
		}
		w.want(true, false, "a")
	})
}

func TestProgress(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if len(r.Header.Get("Range")) > 0 {
			serveContent(rw, r, `"1"`)
			return
		}
		serveHalf(rw, `"1"`)
	}, func(w *world) {
		log := &progressLog{world: w}
		if err := w.client.Get(w.t.Context(), w.file("a"), log); err != nil {
			t.Fatal(err)
		}
		size := int64(len(content))
		if n := len(log.done); log.done[0] != 0 || log.done[n-1] != size || !log.rises() || log.totals != size*int64(n) {
			t.Errorf("progress %v, totals sum up to %d", log.done, log.totals)
		}
	})
}

type progressLog struct {
	*world
	done   []int64
	totals int64
}

func (l *progressLog) Progress(done, total int64) {
	l.done = append(l.done, done)
	l.totals += total
}

func (l *progressLog) rises() bool {
	for i := 1; i < len(l.done); i++ {
		if l.done[i] < l.done[i-1] {
			return false
		}
	}
	return true
}

func TestMirrorsInTurn(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.Host {
		case "gone":
			http.NotFound(rw, r)
		case "portal":
			io.WriteString(rw, "<html>please log in")
		case "short":
			rw.(http.Flusher).Flush() // no length: the end is not seen to be early
			rw.Write(content[:100])
		case "large":
			rw.Write(content)
			rw.Write(content)
		case "larger":
			rw.Header().Set("Content-Length", "100000000000")
			rw.Write(content)
		case "loop":
			http.Redirect(rw, r, "http://loop/file", http.StatusFound)
		case "moved":
			http.Redirect(rw, r, "http://good/elsewhere", http.StatusFound)
		default:
			serveContent(rw, r, "")
		}
	}, func(w *world) {
		if err := w.get("nowhere", "gone", "portal", "short", "large", "larger", "moved"); err != nil {
			t.Error(err)
		}
		w.want(true, false, "gone", "portal", "short", "large", "larger", "moved", "good")
		want := []string{
			"nowhere: no such host: -1ns",
			"gone: answers 404 Not Found: -1ns",
			"portal: gives a wrong file: 19 bytes, of them wrong ones: -1ns",
			"short: gives a wrong file: 100 bytes, of them wrong ones: -1ns",
			"large: sends more than 131172 bytes, which is the most that the file has: -1ns",
			"larger: offers 100000000000 bytes: the file has at most 131172: -1ns",
		}
		if !reflect.DeepEqual(w.failed, want) {
			t.Errorf("failures\n got %q\nwant %q", w.failed, want)
		}
		w.wantWaited(0)

		// Nothing but failures: the file that is there stays.
		w.asked = nil
		err := w.get("gone", "portal", "loop")
		wantErr(t, err, "http://gone/file: answers 404 Not Found; http://portal/file: gives a wrong file: 19 bytes, of them wrong ones; "+
			"http://loop/file: stopped after 10 redirects")
		var mirrors *MirrorsError
		if !errors.As(err, &mirrors) || len(mirrors.Errs) != 3 {
			t.Errorf("a %T, want a MirrorsError of 3", err)
		}
		w.asked = nil
		w.want(true, false)
	})
}

func TestNothingIsLeftOffline(t *testing.T) {
	in(t, nil, func(w *world) {
		wantErr(t, w.get("nowhere", "nobody"), "http://nowhere/file: no such host; http://nobody/file: no such host")
		w.want(false, false)
		if _, err := os.Stat(filepath.Dir(w.path)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory was made: %v", err)
		}
	})
}

func TestBusy(t *testing.T) {
	for _, test := range []struct {
		name, after string
		status      int
		waited      time.Duration
	}{
		{"as long as the server says", "7", 503, 7 * time.Second},
		{"at once", "0", 429, 0},
		{"until a date", time.Date(2000, 1, 1, 0, 0, 9, 0, time.UTC).Format(http.TimeFormat), 503, 9 * time.Second},
		{"a date long gone", time.Date(1990, 1, 1, 0, 0, 9, 0, time.UTC).Format(http.TimeFormat), 503, 0},
		{"by itself", "", 500, time.Second},
		{"nonsense", "soon", 502, time.Second},
		{"less than nothing", "-5", 504, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			busy := true
			in(t, func(rw http.ResponseWriter, r *http.Request) {
				if busy {
					busy = false
					if test.after != "" {
						rw.Header().Set("Retry-After", test.after)
					}
					rw.WriteHeader(test.status)
					return
				}
				serveContent(rw, r, "")
			}, func(w *world) {
				if err := w.get("a"); err != nil {
					t.Error(err)
				}
				w.want(true, false, "a", "a")
				w.wantWaited(test.waited)
				if len(w.failed) != 1 || !strings.HasSuffix(w.failed[0], fmt.Sprint(": ", test.waited)) {
					t.Errorf("told of %q", w.failed)
				}
			})
		})
	}
}

func TestBusyForever(t *testing.T) {
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(503)
	}, func(w *world) {
		wantErr(t, w.get("a"), "http://a/file: answers 503 Service Unavailable")
		w.want(false, false, "a", "a", "a", "a")
		w.wantWaited(1*time.Second + 2*time.Second + 4*time.Second)
	})
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Retry-After", "86400")
		rw.WriteHeader(429)
	}, func(w *world) {
		wantErr(t, w.get("a", "b"), "http://a/file: answers 429 Too Many Requests; http://b/file: answers 429 Too Many Requests")
		w.want(false, false, "a", "b")
		w.wantWaited(0)
	})
}

func TestSilence(t *testing.T) {
	// Before the answer: the next mirror.
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Host == "mute" {
			<-r.Context().Done()
			return
		}
		serveContent(rw, r, "")
	}, func(w *world) {
		if err := w.get("mute", "b"); err != nil {
			t.Error(err)
		}
		w.want(true, false, "mute", "b")
		w.wantWaited(20 * time.Second)
		if want := []string{"mute: silent for 20s: -1ns"}; !reflect.DeepEqual(w.failed, want) {
			t.Errorf("told of %q", w.failed)
		}
	})
	// In the middle: on from there. Slow, but never silent for long, is fine.
	in(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			serveContent(rw, r, `"1"`)
			return
		}
		rw.Header().Set("ETag", `"1"`)
		for i := range 10 {
			rw.Write(content[i*1000 : (i+1)*1000])
			rw.(http.Flusher).Flush()
			time.Sleep(19 * time.Second)
		}
		<-r.Context().Done()
	}, func(w *world) {
		if err := w.get("a"); err != nil {
			t.Error(err)
		}
		w.want(true, false, "a", `a bytes=10000- if "1"`)
		w.wantWaited(9*19*time.Second + 20*time.Second + time.Second)
		if want := []string{"a: silent for 20s: 1s"}; !reflect.DeepEqual(w.failed, want) {
			t.Errorf("told of %q", w.failed)
		}
	})
}
