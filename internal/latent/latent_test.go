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
	"testing/iotest"

	"vaectl/internal/npy"
)

// readAll reads rows until the end or an error.
func readAll(in []byte, f Format, dim int) (rows []Row, err error) {
	r, err := NewReader(bytes.NewReader(in), f, dim)
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

func writeAll(t *testing.T, f Format, rows []Row, logVar bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, f, len(rows[0].Z), logVar)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	rows := []Row{
		{ID: "a.png", Label: "7", Z: []float32{1.5, -0.1}},
		{ID: `odd, "na	me".png`, Label: "007", Z: []float32{math.MaxFloat32, math.SmallestNonzeroFloat32}},
		{ID: "line\nbreak", Label: "seven", Z: []float32{1.0 / 3, float32(math.Copysign(0, -1))}},
		{ID: "{<é>}", Z: []float32{1e-7, -2e20}},
	}
	for _, f := range Formats() {
		f := Format(f)
		want := slices.Clone(rows)
		if f == NPY {
			for i := range want {
				want[i].ID, want[i].Label = "", ""
			}
		}
		for _, forced := range []Format{"", f} {
			got, err := readAll(writeAll(t, f, rows, false), forced, 2)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s as %q: read back %v, %v", f, forced, got, err)
			}
		}
		with := slices.Clone(rows)
		for i := range with {
			with[i].LogVar = []float32{-3, 2}
		}
		if f == NPY { // there log_var is as good as z
			for i := range want {
				want[i].Z = []float32{want[i].Z[0], want[i].Z[1], -3, 2}
			}
		}
		got, err := readAll(writeAll(t, f, with, true), "", len(want[0].Z))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s with log_var: read back %v, %v", f, got, err)
		}
	}
}

func TestWritten(t *testing.T) {
	rows := []Row{{ID: "a\tb", Label: "7", Z: []float32{0.5, -1}, LogVar: []float32{-3, 2}}}
	header := make([]byte, 0, 128)
	header = append(header, npy.Magic+"\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }"...)
	header = append(header, bytes.Repeat([]byte{' '}, 127-len(header))...)
	for f, want := range map[Format]string{
		CSV:    "id,label,z_1,z_2,log_var_1,log_var_2\na\tb,7,0.5,-1,-3,2\n",
		TSV:    "id\tlabel\tz_1\tz_2\tlog_var_1\tlog_var_2\n\"a\tb\"\t7\t0.5\t-1\t-3\t2\n",
		NDJSON: `{"id":"a\tb","label":7,"z":[0.5,-1],"log_var":[-3,2]}` + "\n",
		NPY:    string(header) + "\n\x00\x00\x00\x3f\x00\x00\x80\xbf\x00\x00\x40\xc0\x00\x00\x00\x40",
	} {
		if got := writeAll(t, f, rows, true); string(got) != want {
			t.Errorf("%s:\n%q\nwant\n%q", f, got, want)
		}
	}
	if _, err := NewWriter(io.Discard, Numbers, 2, false); err == nil {
		t.Error("numbers can be written")
	}
}

// array is an npy file of version 1 with the given dictionary and data.
func array(dict string, data ...byte) string {
	return npy.Magic + "\x01\x00" + string([]byte{byte(len(dict)), byte(len(dict) >> 8)}) + dict + string(data)
}

var (
	oneTwo = []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40} // 1, 2 in float32
	half8  = []byte{0, 0, 0, 0, 0, 0, 0xe0, 0x3f}    // 0.5 in float64
)

func TestReadAccepts(t *testing.T) {
	want := []Row{{Z: []float32{1, -2.5}}, {Z: []float32{3e-5, 4}}}
	for _, in := range []string{
		"1,-2.5\n3e-5,4\n", "1 -2.5\n3e-5\t4", "\n 1, -2.5\r\n\r\n3e-5 ,4\r\n\n", "\ufeff1,-2.5\n3e-5,4\n",
		"z_2,other,z_1\n-2.5,x,1\n4,y,3e-5\n", "z_1,z_2\r\n1,-2.5\r\n3e-5,4\r\n", "\ufeffz_1,z_2\n1,-2.5\n3e-5,4\n",
		"z_2\tother\tz_1\n-2.5\tx,y\t1\n4\ty\t3e-5\n",
		"{\"z\":[1,-2.5]}\n{\"z\":[3e-5,4.0],\"Z\":1,\"id\":null}\n",
		" {\n \"z\": [\n 1,\n -2.5 ]\n}{\"z\":[0.00003,4]}", // as jq prints, and with nothing between
	} {
		got, err := readAll([]byte(in), "", 2)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	one := []Row{{Z: []float32{1, 2}}}
	for _, in := range []string{
		array("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", oneTwo...),
		array("{'descr':'<f4','fortran_order':False,'shape':(2,)}\n", oneTwo...),
		array(`{ "shape" : (1,2) , "descr":"<f4", "fortran_order" : False, }   `, oneTwo...),
		npy.Magic + "\x02\x00\x34\x00\x00\x00{'descr':'<f4','fortran_order':False,'shape':(1,2)} " + string(oneTwo),
	} {
		got, err := readAll([]byte(in), "", 2)
		if err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	got, err := readAll([]byte(array("{'descr':'<f8','fortran_order':False,'shape':(2,)}", append(half8, half8...)...)), "", 1)
	if err != nil || !reflect.DeepEqual(got, []Row{{Z: []float32{0.5}}, {Z: []float32{0.5}}}) {
		t.Errorf("a column of float64: %v, %v", got, err)
	}
	got, err = readAll([]byte(`{"id":3,"label":7,"z":[1]}{"id":"x","label":"7a","z":[1]}`), "", 1)
	if err != nil || !reflect.DeepEqual(got, []Row{{ID: "3", Label: "7", Z: []float32{1}}, {ID: "x", Label: "7a", Z: []float32{1}}}) {
		t.Errorf("ids and labels: %v, %v", got, err)
	}
}

func TestReadErrors(t *testing.T) {
	long := strings.Repeat("1", 2<<20)
	tests := []struct {
		in, want string
		forced   Format
	}{
		{in: "", want: "no rows in the input"},
		{in: " \n\n", want: "no rows in the input"},
		{in: "\ufeff", want: "no rows in the input"},
		{in: "1,2,3\n", want: "line 1: 3 columns: the model takes 2"},
		{in: "1,2\n\n1\n", want: "line 3: 1 columns: the model takes 2"},
		{in: "1,two\n", want: `line 1: column 2 is "two": must be a number`},
		{in: "1,NaN\n", want: `line 1: column 2 is "NaN": must be a finite number`},
		{in: "1,2\n-inf,2\n", want: `line 2: column 1 is "-inf": must be a finite number`},
		{in: "1,1e39\n", want: `line 1: column 2 is "1e39": must be a finite number`},
		{in: "id,z_1\na,1\n", want: "line 1: no column z_2: the model has z_1 to z_2"},
		{in: "z_1,z_2,z_3\n1,2,3\n", want: "line 1: column z_3 is one too many: the model has z_1 to z_2"},
		{in: "id,z_1,z_2\na,1,2\nb,1\n", want: "line 3: the number of columns differs from the header's"},
		{in: "id,z_1,z_2\na,1,x\n", want: `line 2: z_2 is "x": must be a number`},
		{in: "id\tz_1\tz_2\n\na\t1\tx\n", want: `line 3: z_2 is "x": must be a number`},
		{in: "id,z_1,z_2\na,1,\n", want: `line 2: z_2 is "": must be a number`},
		{in: "id,z_1,z_2\na,Inf,1\n", want: `line 2: z_1 is "Inf": must be a finite number`},
		{in: "id,z_1,z_2\n\"a,1,2\n", want: `line 2: column 8: extraneous or missing " in quoted-field`},
		{in: "id,z_1,z_2\n", want: "no rows in the input"},
		{in: "x" + long, want: "line 1 is longer than 1048576 bytes: this is no row of latent vectors"},
		{in: "1,2\n" + long, want: "line 2 is longer than 1048576 bytes: this is no row of latent vectors"},
		{in: "z_1,z_2\n1,2\n\"" + long, want: "the row after line 2 is longer than 1048576 bytes: this is no row of latent vectors"},
		{in: "\x89PNG\r\n\x1a\n", want: `line 1: 1 columns: the model takes 2`},
		{in: "1,2\n", forced: CSV, want: "line 1: no column z_1: the model has z_1 to z_2"},
		{in: "id,z_1,z_2\na,1,2\n", forced: TSV, want: "line 1: no column z_1: the model has z_1 to z_2"},
		{in: "z_1,z_2\n1,2\n", forced: Numbers, want: `line 1: column 1 is "z_1": must be a number`},
		{in: "", forced: CSV, want: "no rows in the input"},
		{in: "", forced: NDJSON, want: "no rows in the input"},
		{in: "1,2\n", forced: "xml", want: `format "xml" cannot be read: must be one of csv, tsv, ndjson, npy, numbers`},

		{in: `{"z":[1,2]}{"z":[1]}`, want: "row 2: z has 1 numbers: the model takes 2"},
		{in: `{"id":"a"}`, want: "row 1: no z: must be an array of 2 numbers"},
		{in: `{"z":null}`, want: "row 1: z has 0 numbers: the model takes 2"},
		{in: `{"z":7}`, want: "row 1: z is 7: must be an array of 2 numbers"},
		{in: `{"z":[1,null]}`, want: `row 1: z[1] is "null": must be a number`},
		{in: `{"z":["1",2]}`, want: `row 1: z[0] is "\"1\"": must be a number`},
		{in: `{"z":[1,1e99]}`, want: `row 1: z[1] is "1e99": must be a finite number`},
		{in: `{"z":[1,NaN]}`, want: "row 1: invalid character 'N' looking for beginning of value"},
		{in: `{"z":[1,2],"id":[]}`, want: "row 1: id is []: must be a string or a number"},
		{in: `{"z":[1,2]}` + "\n[1,2]\n", want: "row 2 is a JSON array: must be an object"},
		{in: `{"z":[1,2]}` + "\n{", want: "row 2: the input ends within the object"},
		{in: `{"z":[` + long, want: "row 1 is longer than 1048576 bytes: this is no row of latent vectors"},

		{in: "1,2\n", forced: NPY, want: "the input ends in the npy header"},
		{in: "1,2,3,4,5\n", forced: NPY, want: `not an npy file: it does not begin with \x93NUMPY`},
		{in: array("{'descr':'>f4','fortran_order':False,'shape':(1,2)}", oneTwo...), want: `npy header: descr is ">f4": must be '<f4' or '<f8', little-endian float32 or float64`},
		{in: array("{'descr':'<f4','fortran_order':True,'shape':(1,2)}", oneTwo...), want: "npy header: the array is in Fortran order: must be in C order, as numpy.ascontiguousarray makes it"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(1,2,1)}", oneTwo...), want: "npy header: the array has 3 dimensions: must have 2, rows and 2 columns"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(2,1)}", oneTwo...), want: "npy header: the array has 1 columns: the model takes 2"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(9,)}", oneTwo...), want: "npy header: the array has 9 columns: the model takes 2"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(0,2)}"), want: "no rows in the input"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(9223372036854775807,2)}", oneTwo...), want: "the input ends in row 2 of 9223372036854775807 that the npy header names"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(1,2)}", oneTwo[:7]...), want: "the input ends in row 1 of 1 that the npy header names"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(1,2)}", append(oneTwo, 0)...), want: "bytes after the last of 1 rows that the npy header names"},
		{in: array("{'descr':'<f4','fortran_order':False,'shape':(1,2)}", 0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f), want: "row 1: z_2 is NaN: must be a finite number in 32 bits"},
	}
	for _, tt := range tests {
		_, err := readAll([]byte(tt.in), tt.forced, 2)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.60q: %v, want %s", tt.in, err, tt.want)
		}
	}
}

// An error of the source is reported as it is, wherever it strikes.
func TestReadFaults(t *testing.T) {
	fault := errors.New("cable pulled")
	row := []Row{{ID: "a", Z: []float32{1, 2}}}
	for _, f := range append(Formats(), string(Numbers)) {
		whole := []byte("1,2\n")
		if Format(f) != Numbers {
			whole = writeAll(t, Format(f), row, false)
		}
		for n := range len(whole) {
			r, err := NewReader(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(fault)), Format(f), 2)
			var into Row
			for err == nil {
				err = r.Read(&into)
			}
			if !errors.Is(err, fault) {
				t.Fatalf("%s: after %d bytes: %v", f, n, err)
			}
		}
	}
}
