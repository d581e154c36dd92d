package latent

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// Whatever is read can be written in every format and is then the same; and how
// the bytes arrive does not matter. dim and forced say what is expected.
func FuzzRead(f *testing.F) {
	formats := []Format{"", CSV, TSV, NDJSON, NPY, Numbers}
	f.Fuzz(func(t *testing.T, in []byte, dim, forced byte) {
		d, format := int(dim%4)+1, formats[int(forced)%len(formats)]
		rows, err := readAll(in, format, d)
		again, errAgain := drain(iotest.OneByteReader(bytes.NewReader(in)), format, d)
		if again != len(rows) || (err == nil) != (errAgain == nil) {
			t.Fatalf("%d rows, %v; byte by byte %d rows, %v", len(rows), err, again, errAgain)
		}
		for _, row := range rows {
			if len(row.Z) != d || slices.ContainsFunc(row.Z, func(x float32) bool { return !finite(x) }) {
				t.Fatalf("row %v", row)
			}
		}
		if len(rows) == 0 {
			if err == nil {
				t.Fatal("no rows and no error")
			}
			return
		}
		for _, f := range Formats() {
			f := Format(f)
			got, err := readAll(writeAll(t, f, rows, false), f, d)
			if err != nil {
				t.Fatalf("%s: written again, the rows are refused: %v", f, err)
			}
			want := slices.Clone(rows)
			for i := range want {
				for _, s := range []*string{&want[i].ID, &want[i].Label} {
					switch {
					case f == NPY:
						*s = ""
					case f == NDJSON && !utf8.ValidString(*s): // JSON is UTF-8
						*s = got[i].ID
						if s == &want[i].Label {
							*s = got[i].Label
						}
					case f != NDJSON: // as encoding/csv says of quoted fields
						*s = strings.ReplaceAll(*s, "\r\n", "\n")
					}
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: written and read again, %v is %v", f, want, got)
			}
		}
	})
}

// drain counts the rows that r holds.
func drain(r io.Reader, f Format, dim int) (rows int, err error) {
	in, err := NewReader(r, f, dim)
	if err != nil {
		return 0, err
	}
	var row Row
	for {
		if err := in.Read(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		rows++
	}
}
