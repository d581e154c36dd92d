package npy

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestHeader(t *testing.T) {
	for _, shape := range [][]int{{}, {3}, {3, 2}, {0, 28, 28}, {1 << 40, 1}} {
		var b bytes.Buffer
		if err := WriteHeader(&b, shape...); err != nil {
			t.Fatal(err)
		}
		if b.Len()%64 != 0 {
			t.Errorf("%v: the data begin at %d", shape, b.Len())
		}
		h, err := ReadHeader(&b)
		if err != nil || h.Descr != "<f4" || h.Fortran || b.Len() != 0 || len(h.Shape) != len(shape) {
			t.Errorf("%v: read back %+v, %v, %d bytes left", shape, h, err, b.Len())
		}
		for i, n := range shape {
			if h.Shape[i] != uint64(n) {
				t.Errorf("%v: read back %v", shape, h.Shape)
			}
		}
	}
}

func TestParse(t *testing.T) {
	const good = "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2), }"
	h, err := parseHeader(good)
	if want := (Header{Descr: "|u1", Fortran: true, Shape: []uint64{1, 2}}); err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("%+v, %v", h, err)
	}
	tests := []struct{ old, new, want string }{
		{good, "", "the dictionary ends where { should be"},
		{good, "[]", `"[]" stands where { should be`},
		{" }", "", "the dictionary ends where a key and a colon should be"},
		{", }", "", "the dictionary ends where a comma or } should be"},
		{", }", "} 7", `"7" stands where nothing more should be`},
		{"'descr':", "descr:", `"descr: '|u1', 'fortran_order': True, 'sh" stands where a key and a colon should be`},
		{"'descr':", "'descr", `"|u1', 'fortran_order': True, 'shape': (1" stands where a key and a colon should be`},
		{"'|u1'", "[('x', '<f4')]", `"[('x', '<f4')], 'fortran_order': True, '" stands where one element type should be`},
		{"True", "1", `"1, 'shape': (1, 2), }" stands where True or False should be`},
		{"(1, 2)", "[1, 2]", `"[1, 2], }" stands where a tuple of sizes should be`},
		{"(1, 2)", "(-1, 2)", `"-1, 2), }" stands where a tuple of sizes should be`},
		{"(1, 2)", "(1 2)", `"2), }" stands where a tuple of sizes should be`},
		{"(1, 2)", "(9223372036854775808, 2)", `"9223372036854775808, 2), }" stands where a tuple of sizes should be`},
		{"(1, 2)", "(" + strings.Repeat("1,", 33) + ")", `"1,), }" stands where a tuple of sizes should be`},
		{"'shape'", "'descr'", `"descr" appears twice`},
		{"'shape'", "'form'", `key "form" is not known`},
		{"'shape': (1, 2), ", "", `no key "shape"`},
	}
	for _, tt := range tests {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if _, err := parseHeader(text); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", text, err, tt.want)
		}
	}
}

func TestReadHeaderErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "the input ends in the npy header"},
		{Magic + "\x01\x00\x10", "the input ends in the npy header"},
		{Magic + "\x01\x00\x10\x00{'descr'", "the input ends in the npy header"},
		{Magic + "\x09\x00\x10\x00", "npy version 9 is not known: must be 1, 2 or 3"},
		{Magic + "\x03\x00\xff\xff\xff\xff", "npy header of 4294967295 bytes: must be at most 65536"},
		{Magic + "\x01\x00\x02\x00[]", `npy header: "[]" stands where { should be`},
	}
	for _, tt := range tests {
		if _, err := ReadHeader(strings.NewReader(tt.in)); err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, 2, 1)
	if err := w.Write([]float32{1}, []float32{2}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write([]float32{-1, 0}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHeader(&b)
	if err != nil || !reflect.DeepEqual(h.Shape, []uint64{2, 2, 1}) {
		t.Errorf("%+v, %v", h, err)
	}
	if want := "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x80\xbf\x00\x00\x00\x00"; b.String() != want {
		t.Errorf("data %q", b.String())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
