package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// send asks for the file, or for what follows the bytes in p if they came from
// the same URL and it is still the same file.
func (c *Client) send(ctx context.Context, from string, p *part) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "vaectl")
	// The bytes as they are stored: net/http would unpack what a server labels
	// as packed for the way.
	req.Header.Set("Accept-Encoding", "identity")
	if p.size > 0 && p.Validator != "" && p.URL == from {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		req.Header.Set("If-Range", p.Validator)
	}
	resp, err := c.HTTP.Do(req)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the caller names the URL
	}
	return resp, err
}

// accept makes p ready for the body of an answer, and returns the number of bytes
// that the whole file will have, -1 if the server does not say.
func (p *part) accept(from string, resp *http.Response) (total int64, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.ContentLength, p.begin(origin{from, validator(resp.Header)})
	case http.StatusPartialContent:
		offset, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
		etag := resp.Header.Get("ETag")
		moved := strings.HasPrefix(p.Validator, `"`) && etag != "" && etag != p.Validator
		if p.size > 0 && ok && offset == p.size && !moved {
			p.pieced = true
			return total, nil
		}
		p.discard()
		return 0, &againError{errors.New("answers with another part than was asked for"), 0}
	case http.StatusRequestedRangeNotSatisfiable:
		p.discard()
		return 0, &againError{errors.New("the part kept here does not fit its file any more"), 0}
	}
	err = errors.New("answers " + strings.TrimSpace(resp.Status))
	if temporary := []int{408, 429, 500, 502, 503, 504}; slices.Contains(temporary, resp.StatusCode) {
		return 0, &againError{err, retryAfter(resp.Header.Get("Retry-After"))}
	}
	return 0, err
}

// validator is what tells later whether the file is still the same: a strong
// ETag, or the date of its last change.
func validator(h http.Header) string {
	if etag := h.Get("ETag"); strings.HasPrefix(etag, `"`) && len(etag) < maxValidator {
		return etag
	}
	if date := h.Get("Last-Modified"); len(date) < maxValidator {
		return date
	}
	return ""
}

// parseContentRange parses "bytes 100-199/200"; total is -1 for "*".
func parseContentRange(s string) (offset, total int64, ok bool) {
	s, found := strings.CutPrefix(s, "bytes ")
	first, rest, found2 := strings.Cut(s, "-")
	_, size, found3 := strings.Cut(rest, "/")
	offset, err := strconv.ParseInt(first, 10, 64)
	if !found || !found2 || !found3 || err != nil {
		return 0, 0, false
	}
	if size == "*" {
		return offset, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return offset, total, err == nil && total > offset
}

// retryAfter is the wait that a server asks for, in seconds or as a date.
func retryAfter(s string) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if date, err := http.ParseTime(s); err == nil {
		return max(time.Until(date), 0)
	}
	return backoff
}
