// Package fetch downloads files over HTTP, each from the first mirror that has
// the right one.
//
// What belongs here is what lies between a list of URLs and a file on disk:
// resuming, giving up on silent connections, trying again, checking, and putting
// the file in its place. Which files these are, and how they are told from wrong
// ones, the caller knows.
//
// It stands on net/http alone. hashicorp/go-retryablehttp repeats requests but
// does not go on in the middle of an answer, which is most of the work here;
// cavaliergopher/grab resumes without asking whether the file is still the same
// one, and has no limit on silence.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"vaectl/internal/atomicfile"
)

// Client says how patient a download is.
type Client struct {
	HTTP    *http.Client
	Silence time.Duration // a connection that gives nothing for so long is given up
	Tries   int           // requests to a mirror that answers, but not as it should
	Wait    time.Duration // before the second try; it doubles from one to the next
	MaxWait time.Duration // a mirror that asks for a longer wait is passed over
}

// NewClient returns a client of common patience that uses the proxy which
// $HTTP_PROXY, $HTTPS_PROXY and $NO_PROXY name.
func NewClient(silence time.Duration) *Client {
	return &Client{
		HTTP:    &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}},
		Silence: silence,
		Tries:   4,
		Wait:    time.Second,
		MaxWait: 30 * time.Second,
	}
}

// File is what to download.
type File struct {
	Path  string                // where it goes; missing directories are made
	URLs  []string              // where it is, the first to be tried first
	Limit int64                 // the most bytes that it can have
	Check func(io.Reader) error // reads the file and returns an error if it is a wrong one
}

// A Watcher is told how a download goes on.
type Watcher interface {
	// Progress is called with the bytes that are there, those of an earlier
	// part included, and their number in all, -1 if that is not known.
	Progress(done, total int64)
	// Failed is called when a request did not give the file and another one
	// follows: to the same URL after the wait, or to the next if wait is Next.
	Failed(url string, err error, wait time.Duration)
}

// Next, as a wait, says that the next mirror follows.
const Next time.Duration = -1

// MirrorsError says why none of the mirrors gave the file.
type MirrorsError struct {
	URLs []string
	Errs []error // one a URL
}

func (e *MirrorsError) Error() string {
	var why []string
	for i, err := range e.Errs {
		why = append(why, fmt.Sprintf("%s: %v", e.URLs[i], err))
	}
	return strings.Join(why, "; ")
}

func (e *MirrorsError) Unwrap() []error { return e.Errs }

// Get downloads a file. It puts it in its place whole and checked, or leaves what
// was there. A wrong file is not kept. Of one that broke off, f.Path with
// PartSuffix keeps what came, if the server let it be resumed; the next Get of
// the same file goes on from there, beginning with the same mirror.
//
// The error is that of ctx, a *MirrorsError, or one of the local disk.
func (c *Client) Get(ctx context.Context, f File, w Watcher) error {
	p, err := openPart(f.Path + PartSuffix)
	if err != nil {
		return err
	}
	defer p.close()
	failed := &MirrorsError{URLs: p.firstOf(f.URLs)}
	for i, url := range failed.URLs {
		err := c.mirror(ctx, url, f, p, w)
		var disk *diskError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &disk):
			return disk.err
		}
		failed.Errs = append(failed.Errs, err)
		if i+1 < len(failed.URLs) {
			w.Failed(url, err, Next)
		}
	}
	return failed
}

// diskError is one that another mirror does not mend.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }

// againError is one that another request to the same mirror may mend.
type againError struct {
	err  error
	wait time.Duration // what to wait, or backoff
}

func (e *againError) Error() string { return e.err.Error() }
func (e *againError) Unwrap() error { return e.err }

// backoff is a wait that the number of tries sets.
const backoff time.Duration = -1

// mirror tries one mirror as often as that makes sense.
func (c *Client) mirror(ctx context.Context, url string, f File, p *part, w Watcher) error {
	for try := 1; ; try++ {
		err := c.request(ctx, url, f, p, w)
		var again *againError
		if ctx.Err() != nil || !errors.As(err, &again) {
			return err
		}
		wait := again.wait
		if wait == backoff {
			wait = c.Wait << (try - 1)
		}
		if try >= c.Tries || wait > c.MaxWait {
			return again.err
		}
		w.Failed(url, again.err, wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// request makes one request for what p lacks. When p has all, it puts the file in
// its place.
func (c *Client) request(ctx context.Context, url string, f File, p *part, w Watcher) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	silent := fmt.Errorf("silent for %v", c.Silence)
	watchdog := time.AfterFunc(c.Silence, func() { giveUp(silent) })
	defer watchdog.Stop()

	answered := false
	err := c.receive(ctx, url, f.Limit, p, func(total int64) {
		answered = true
		watchdog.Reset(c.Silence)
		w.Progress(p.size, total)
	})
	if context.Cause(ctx) == silent {
		err = silent
		if answered {
			err = &againError{silent, backoff}
		}
	}
	if err != nil {
		return err
	}
	return place(f, p)
}

// receive makes the request and adds the answer to p, which then is complete or
// the error is not nil. It calls step before each read
// and at the end.
func (c *Client) receive(ctx context.Context, url string, limit int64, p *part, step func(total int64)) error {
	resp, err := c.send(ctx, url, p)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	total, err := p.accept(url, resp)
	if err != nil {
		return err
	}
	if total > limit {
		p.discard()
		return fmt.Errorf("offers %d bytes: the file has at most %d", total, limit)
	}
	buf := make([]byte, 1<<15)
	for err == nil {
		step(total)
		var n int
		n, err = resp.Body.Read(buf)
		if errDisk := p.write(buf[:n]); errDisk != nil {
			return errDisk
		}
		if p.size > limit {
			p.discard()
			return fmt.Errorf("sends more than %d bytes, which is the most that the file has", limit)
		}
	}
	step(total)
	if err != io.EOF {
		return &againError{fmt.Errorf("broke off after %d bytes: %w", p.size, err), backoff}
	}
	if total >= 0 && p.size != total {
		return &againError{fmt.Errorf("broke off after %d of %d bytes", p.size, total), backoff}
	}
	return nil
}

// place checks what p holds and makes it the file. A part that turns out wrong
// goes; one that was put together from several answers deserves another try.
func place(f File, p *part) error {
	var wrong error
	err := atomicfile.Write(f.Path, func(out io.Writer) error {
		in := io.TeeReader(p.reader(), out)
		if wrong = f.Check(in); wrong != nil {
			return wrong
		}
		_, err := io.Copy(io.Discard, in) // what Check left
		return err
	})
	if err == nil {
		p.discard()
		return nil
	}
	if wrong == nil || !errors.Is(err, wrong) {
		return &diskError{err}
	}
	pieced := p.pieced
	p.discard()
	err = fmt.Errorf("gives a wrong file: %w", wrong)
	if pieced {
		return &againError{err, 0}
	}
	return err
}
