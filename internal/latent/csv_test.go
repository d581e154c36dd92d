package latent

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func readAll(t *testing.T, in string, dim int) (rows []Row, err error) {
	t.Helper()
	r, err := NewReader(strings.NewReader(in), dim)
	if err != nil {
		return nil, err
	}
	var row Row
	for {
		if err := r.Read(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		kept := row
		kept.Z = slices.Clone(row.Z)
		rows = append(rows, kept)
	}
}

func TestRoundTrip(t *testing.T) {
	want := []Row{
		{ID: "a.png", Label: "7", Z: []float32{1.5, -0.1}},
		{ID: `odd, "name".png`, Z: []float32{math.MaxFloat32, math.SmallestNonzeroFloat32}},
		{ID: "line\nbreak", Z: []float32{1.0 / 3, float32(math.Copysign(0, -1))}},
	}
	for _, logVar := range []bool{false, true} {
		var b bytes.Buffer
		w, err := NewCSVWriter(&b, 2, logVar)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range want {
			if logVar {
				row.LogVar = []float32{-3, 2}
			}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		header, _, _ := strings.Cut(b.String(), "\n")
		if wantHeader := map[bool]string{false: "id,label,z_1,z_2", true: "id,label,z_1,z_2,log_var_1,log_var_2"}[logVar]; header != wantHeader {
			t.Errorf("header %s, want %s", header, wantHeader)
		}
		got, err := readAll(t, b.String(), 2)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("log_var %v: read back %v, %v", logVar, got, err)
		}
	}
}

func TestReadAccepts(t *testing.T) {
	want := []Row{{Z: []float32{1, -2.5}}, {Z: []float32{3e-5, 4}}}
	for _, in := range []string{
		"1,-2.5\n3e-5,4\n", "1 -2.5\n3e-5\t4", "\n 1, -2.5\r\n\r\n3e-5 ,4\r\n\n",
		"z_2,other,z_1\n-2.5,x,1\n4,y,3e-5\n", "z_1,z_2\r\n1,-2.5\r\n3e-5,4\r\n",
	} {
		got, err := readAll(t, in, 2)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "no rows in the input"},
		{" \n\n", "no rows in the input"},
		{"1,2,3\n", "line 1: 3 columns: the model takes 2"},
		{"1,2\n\n1\n", "line 3: 1 columns: the model takes 2"},
		{"1,two\n", `line 1: column 2 is "two": must be a number`},
		{"1,NaN\n", `line 1: column 2 is "NaN": must be a finite number`},
		{"1,2\n-inf,2\n", `line 2: column 1 is "-inf": must be a finite number`},
		{"1,1e39\n", `line 1: column 2 is "1e39": must be a finite number`},
		{"id,z_1\na,1\n", "line 1: no column z_2: the model has z_1 to z_2"},
		{"z_1,z_2,z_3\n1,2,3\n", "line 1: column z_3 is one too many: the model has z_1 to z_2"},
		{"id,z_1,z_2\na,1,2\nb,1\n", "line 3: the number of columns differs from the header's"},
		{"id,z_1,z_2\na,1,x\n", `line 2: z_2 is "x": must be a number`},
		{"id,z_1,z_2\na,1,\n", `line 2: z_2 is "": must be a number`},
		{"id,z_1,z_2\na,Inf,1\n", `line 2: z_1 is "Inf": must be a finite number`},
		{"id,z_1,z_2\n\"a,1,2\n", `line 2: column 8: extraneous or missing " in quoted-field`},
		{strings.Repeat("x", 2<<20), "line 1 is longer than 1048576 bytes: this is no table of latent vectors"},
		{"1,2\n" + strings.Repeat("1", 2<<20), "line 2 is longer than 1048576 bytes"},
		{"\x89PNG\r\n\x1a\n", `line 1: 1 columns: the model takes 2`},
	}
	for _, tt := range tests {
		_, err := readAll(t, tt.in, 2)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.40q: %v, want %s", tt.in, err, tt.want)
		}
	}
}
