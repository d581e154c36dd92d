package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// A bar is never wider than its terminal, down to what its label takes, and tells
// more the wider that is.
func TestBarFits(t *testing.T) {
	escapes := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	for columns := 20; columns <= 200; columns++ {
		var b bytes.Buffer
		bar := newBar(&b, 60000, columns)
		bar.Describe("epoch 10/10 val_loss 0.1234") // draws it
		shown := escapes.ReplaceAllString(b.String(), "")
		widest := 0
		for line := range strings.SplitSeq(shown, "\r") {
			widest = max(widest, utf8.RuneCountInString(strings.TrimRight(line, " ")))
		}
		if least := len("epoch 10/10 val_loss 0.1234   0% |#|"); widest >= max(columns, least+3) {
			t.Errorf("%d columns: a line of %d: %q", columns, widest, shown)
		}
		for from, part := range map[int]string{80: "/60000", 110: "samples/"} {
			if columns >= from && !strings.Contains(shown, part) {
				t.Errorf("%d columns: no %s in %q", columns, part, shown)
			}
		}
		if columns < 60 && strings.Contains(shown, "60000") {
			t.Errorf("%d columns: %q", columns, shown)
		}
	}
}
