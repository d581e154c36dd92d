package imagefile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"d/b.png", "d/a.JPG", "d/10.jpeg", "d/notes.txt", "d/.hidden.png", "d/.git/x.png", "d/sub/c.png",
		"d/t10k-images-idx3-ubyte.gz", "d/t10k-labels-idx1-ubyte.gz", "d/train-images.idx3-ubyte",
		"star*.png", "starry.png", "empty/readme",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	inD := []string{"d/10.jpeg", "d/a.JPG", "d/b.png", "d/sub/c.png", "d/t10k-images-idx3-ubyte.gz", "d/train-images.idx3-ubyte"}
	tests := []struct {
		arg  string
		want []string
		err  string
	}{
		{arg: "d/notes.txt", want: []string{"d/notes.txt"}},
		{arg: "missing.png", want: []string{"missing.png"}},
		{arg: "d", want: inD},
		{arg: "d/", want: inD},
		{arg: "d/*.png", want: []string{"d/b.png"}},
		{arg: "d/[ab].*", want: []string{"d/a.JPG", "d/b.png"}},
		{arg: "star*.png", want: []string{"star*.png"}},
		{arg: "s*.png", want: []string{"star*.png", "starry.png"}},
		{arg: "*", err: "directory empty: no images: looked for .png, .jpg and .jpeg pictures, and IDX files named ...idx3-ubyte, plain or .gz"},
		{arg: "x*.png", err: `no file matches "x*.png"`},
		{arg: "x[.png", err: `pattern "x[.png": syntax error in pattern`},
	}
	for _, tt := range tests {
		got, failed := Files(tt.arg)
		for i := range got {
			got[i] = filepath.ToSlash(got[i])
		}
		if !slices.Equal(got, tt.want) || (failed == nil) != (tt.err == "") || failed != nil && !strings.Contains(failed.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q, %s", tt.arg, got, failed, tt.want, tt.err)
		}
	}
}
