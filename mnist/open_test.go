package mnist

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// images and labels are small files of n 2x2 images, whose first byte is tag.
func images(n int, tag byte) []byte {
	pix := upTo(4 * n)
	pix[0] = tag
	return idx(0x803, []uint32{uint32(n), 2, 2}, pix...)
}

func labels(n int) []byte { return idx(0x801, []uint32{uint32(n)}, upTo(n)...) }

func writeDir(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenDir(t *testing.T) {
	for _, test := range []struct {
		name                   string
		files                  map[string][]byte
		val                    int // images
		trainLabels, valLabels bool
	}{
		{"plain", map[string][]byte{
			"train-images-idx3-ubyte": images(3, 1), "train-labels-idx1-ubyte": labels(3),
			"t10k-images-idx3-ubyte": images(2, 2), "t10k-labels-idx1-ubyte": labels(2)}, 2, true, true},
		{"gzip", map[string][]byte{
			"train-images-idx3-ubyte.gz": pack(t, images(3, 1)), "train-labels-idx1-ubyte.gz": pack(t, labels(3)),
			"t10k-images-idx3-ubyte.gz": pack(t, images(2, 2)), "t10k-labels-idx1-ubyte.gz": pack(t, labels(2))}, 2, true, true},
		{"dots", map[string][]byte{
			"train-images.idx3-ubyte": images(3, 1), "train-labels.idx1-ubyte": labels(3),
			"t10k-images.idx3-ubyte": images(2, 2), "t10k-labels.idx1-ubyte": labels(2)}, 2, true, true},
		{"EMNIST", map[string][]byte{
			"emnist-letters-train-images-idx3-ubyte.gz": pack(t, images(3, 1)), "emnist-letters-train-labels-idx1-ubyte.gz": pack(t, labels(3)),
			"emnist-letters-test-images-idx3-ubyte.gz": pack(t, images(2, 2)), "emnist-letters-test-labels-idx1-ubyte.gz": pack(t, labels(2)),
			"emnist-letters-mapping.txt": []byte("1 65 97\n")}, 2, true, true},
		{"unpacked beside packed", map[string][]byte{
			"train-images-idx3-ubyte": images(3, 1), "train-images-idx3-ubyte.gz": []byte("never read")}, 0, false, false},
		{"packed in name only", map[string][]byte{"train-images-idx3-ubyte.gz": images(3, 1)}, 0, false, false},
		{"train labels only", map[string][]byte{
			"train-images-idx3-ubyte": images(3, 1), "train-labels-idx1-ubyte": labels(3), "t10k-images-idx3-ubyte": images(2, 2)}, 2, true, false},
		{"val labels only", map[string][]byte{
			"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": images(2, 2), "t10k-labels-idx1-ubyte": labels(2)}, 2, false, true},
	} {
		d, err := OpenDir(writeDir(t, test.files))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if d.Name != "idx" || d.Train.Name != "train" || d.Train.Len() != 3 || d.Train.Pix[0] != 1 {
			t.Errorf("%s: %q, train is %+v", test.name, d.Name, d.Train)
		}
		if (d.Val != nil) != (test.val > 0) {
			t.Errorf("%s: val is %+v", test.name, d.Val)
			continue
		}
		if (d.Train.Labels != nil) != test.trainLabels || test.trainLabels && !bytes.Equal(d.Train.Labels, upTo(3)) {
			t.Errorf("%s: train labels %v", test.name, d.Train.Labels)
		}
		if d.Val == nil {
			continue
		}
		if d.Val.Name != "val" || d.Val.Len() != test.val || d.Val.Pix[0] != 2 {
			t.Errorf("%s: val is %+v", test.name, d.Val)
		}
		if (d.Val.Labels != nil) != test.valLabels || test.valLabels && !bytes.Equal(d.Val.Labels, upTo(2)) {
			t.Errorf("%s: val labels %v", test.name, d.Val.Labels)
		}
	}
}

// A folder of a file's name, as archives make them, is not that file.
func TestOpenDirSkipsFolders(t *testing.T) {
	dir := writeDir(t, map[string][]byte{"train-images.idx3-ubyte": images(3, 1)})
	if err := os.Mkdir(filepath.Join(dir, "train-images-idx3-ubyte"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(dir); err != nil {
		t.Error(err)
	}
}

func TestOpenDirRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"nothing", nil, "no training images: looked for train-images-idx3-ubyte or train-images.idx3-ubyte, plain or .gz, with or without a prefix such as emnist-letters-"},
		{"no training images", map[string][]byte{"t10k-images-idx3-ubyte": images(2, 2)}, "no training images: looked for"},
		{"names that are nearly right", map[string][]byte{
			"mytrain-images-idx3-ubyte": images(2, 2), "train-images-idx1-ubyte": images(2, 2), "train-images-idx3-ubyte.zip": images(2, 2)}, "no training images: looked for"},
		{"bad magic", map[string][]byte{"train-images-idx3-ubyte": []byte("<html>")}, "train-images-idx3-ubyte: bad magic number 0x3c68746d: "},
		{"bad labels", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "train-labels-idx1-ubyte": images(3, 1)},
			"train-labels-idx1-ubyte: magic number 0x00000803 is that of an IDX file of images"},
		{"cut test images", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": images(3, 1)[:20]},
			"t10k-images-idx3-ubyte: data end in image 2"},
		{"labels too few", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "train-labels-idx1-ubyte": labels(2)},
			"train-labels-idx1-ubyte has 2 labels, but train-images-idx3-ubyte has 3 images"},
		{"labels too many", map[string][]byte{
			"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": images(2, 2), "t10k-labels-idx1-ubyte": labels(9)},
			"t10k-labels-idx1-ubyte has 9 labels, but t10k-images-idx3-ubyte has 2 images"},
		{"odd width", map[string][]byte{"train-images-idx3-ubyte": idx(0x803, []uint32{1, 2, 3}, upTo(6)...)},
			"train-images-idx3-ubyte: images are 2x3: vaectl trains on even heights and widths"},
		{"odd height", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": idx(0x803, []uint32{1, 3, 2}, upTo(6)...)},
			"t10k-images-idx3-ubyte: images are 3x2: vaectl trains on even heights and widths"},
		{"two heights", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": idx(0x803, []uint32{1, 4, 2}, upTo(8)...)},
			"images of two sizes: train-images-idx3-ubyte has 2x2, t10k-images-idx3-ubyte has 4x2"},
		{"two widths", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": idx(0x803, []uint32{1, 2, 4}, upTo(8)...)},
			"images of two sizes: train-images-idx3-ubyte has 2x2, t10k-images-idx3-ubyte has 2x4"},
		{"two spellings", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "train-images.idx3-ubyte": images(3, 1)},
			"train-images-idx3-ubyte and train-images.idx3-ubyte are two files for one purpose: keep one of them"},
		{"t10k and test", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "t10k-images-idx3-ubyte": images(3, 1), "test-images-idx3-ubyte": images(3, 1)},
			"t10k-images-idx3-ubyte and test-images-idx3-ubyte are two files for one purpose: keep one of them"},
		{"two data sets", map[string][]byte{"emnist-digits-train-images-idx3-ubyte": images(3, 1), "emnist-letters-test-images-idx3-ubyte": images(3, 1)},
			"files of two data sets, emnist-digits-train-images-idx3-ubyte and emnist-letters-test-images-idx3-ubyte: keep each in a directory of its own"},
		{"test labels without images", map[string][]byte{"train-images-idx3-ubyte": images(3, 1), "t10k-labels-idx1-ubyte": labels(3)},
			"t10k-labels-idx1-ubyte: there are no images that these labels belong to"},
	} {
		dir := writeDir(t, test.files)
		d, err := OpenDir(dir)
		if want := "data directory " + dir + ": " + test.want; d != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %v", test.name, err, want)
		}
		if none := strings.HasPrefix(test.want, "no training images"); errors.Is(err, ErrNoImages) != none {
			t.Errorf("%s: is ErrNoImages: %v", test.name, !none)
		}
	}

	file := filepath.Join(writeDir(t, map[string][]byte{"file": images(1, 1)}), "file")
	if _, err := OpenDir(file); err == nil || err.Error() != "data directory "+file+": is a file: want the directory that holds the IDX files" || errors.Is(err, ErrNoImages) {
		t.Errorf("a file: got %v", err)
	}
	missing := file + "less"
	if _, err := OpenDir(missing); err == nil || err.Error() != "data directory "+missing+": no training images: it does not exist" || !errors.Is(err, ErrNoImages) {
		t.Errorf("a missing directory: got %v", err)
	}
}

func TestOpen(t *testing.T) {
	mine := writeDir(t, map[string][]byte{"train-images-idx3-ubyte": images(1, 1)})
	fetched := writeDir(t, map[string][]byte{"train-images-idx3-ubyte": images(1, 2)})
	broken := writeDir(t, map[string][]byte{"train-images-idx3-ubyte": []byte("<html>")})
	empty := t.TempDir()
	missing := filepath.Join(empty, "missing")
	const sample = 255 // stands for the embedded digits
	for _, test := range []struct {
		name     string
		spec     string
		env      Env
		want     byte // first byte of the training images; 0: an error
		fellBack bool
		err      string
	}{
		{"sample", "sample", Env{Data: mine, Fetched: fetched}, sample, false, ""},
		{"directory", fetched, Env{Data: mine}, 2, false, ""},
		{"missing directory", missing, Env{Data: mine, Fetched: fetched}, 0, false, "data directory " + missing},
		{"no name", "", Env{Data: mine}, 0, false, "no data set named"},
		{"auto: $VAECTL_DATA first", "auto", Env{Data: mine, Fetched: fetched}, 1, false, ""},
		{"auto: then fetched", "auto", Env{Fetched: fetched}, 2, false, ""},
		{"auto: then the sample", "auto", Env{}, sample, true, ""},
		{"auto: nothing fetched", "auto", Env{Fetched: missing}, sample, true, ""},
		{"auto: fetched in part", "auto", Env{Fetched: empty}, sample, true, ""},
		{"auto: fetched but broken", "auto", Env{Fetched: broken}, 0, false, "data directory " + broken},
		{"auto: $VAECTL_DATA missing", "auto", Env{Data: missing, Fetched: fetched}, 0, false, "$VAECTL_DATA: data directory " + missing},
		{"auto: $VAECTL_DATA empty", "auto", Env{Data: empty, Fetched: fetched}, 0, false, "$VAECTL_DATA: data directory " + empty},
		{"auto: $VAECTL_DATA broken", "auto", Env{Data: broken, Fetched: fetched}, 0, false, "$VAECTL_DATA: data directory " + broken},
	} {
		d, fellBack, err := Open(test.spec, test.env)
		if fellBack != test.fellBack {
			t.Errorf("%s: fellBack is %v", test.name, fellBack)
		}
		switch {
		case test.want == 0:
			if d != nil || err == nil || !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("%s: got %v, %v, want %s", test.name, d, err, test.err)
			}
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want == sample:
			if d.Name != "sample" {
				t.Errorf("%s: got %q", test.name, d.Name)
			}
		case d.Train.Pix[0] != test.want:
			t.Errorf("%s: opened set %d, want %d", test.name, d.Train.Pix[0], test.want)
		}
	}
}

func TestSystemEnv(t *testing.T) {
	t.Setenv("VAECTL_DATA", "some/where")
	env := SystemEnv()
	if env.Data != "some/where" {
		t.Errorf("Data is %q", env.Data)
	}
	cache, err := os.UserCacheDir()
	if want := filepath.Join(cache, "vaectl", "mnist"); err == nil && env.Fetched != want {
		t.Errorf("Fetched is %q, want %q", env.Fetched, want)
	}
}

func TestFindFiles(t *testing.T) {
	dir := writeDir(t, map[string][]byte{
		"emnist-train-images-idx3-ubyte.gz": nil, "emnist-test-labels-idx1-ubyte": nil, "emnist-test-images-idx3-ubyte": nil, "notes.txt": nil})
	train, val, err := FindFiles(dir)
	if want := (SplitFiles{Images: "emnist-train-images-idx3-ubyte.gz"}); err != nil || train != want {
		t.Errorf("train: got %v, %v", train, err)
	}
	if want := (SplitFiles{"emnist-test-images-idx3-ubyte", "emnist-test-labels-idx1-ubyte"}); val != want {
		t.Errorf("val: got %v", val)
	}

	dir = writeDir(t, map[string][]byte{"t10k-labels-idx1-ubyte": nil})
	if _, val, err = FindFiles(dir); !errors.Is(err, ErrNoImages) || val.Labels != "t10k-labels-idx1-ubyte" {
		t.Errorf("no training images: got %v, %v", val, err)
	}
	if _, _, err = FindFiles(filepath.Join(dir, "nowhere")); !errors.Is(err, ErrNoImages) {
		t.Errorf("no directory: got %v", err)
	}
}
