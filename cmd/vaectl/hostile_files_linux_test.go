//go:build !race

package main

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"maps"
	"strings"
	"testing"

	"vaectl/internal/train"
	"vaectl/nn"
)

// fill repeats text up to n bytes.
func fill(text string, n int) string { return strings.Repeat(text, n/len(text)) }

// hostileModels are model files.
func hostileModels(t *testing.T, model []byte, large int) map[string][]byte {
	t.Helper()
	length := binary.LittleEndian.Uint64(model)
	header, body := string(model[8:8+length]), model[8+length:]
	with := func(header string, body []byte) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), body...)
	}
	bare := func(header string) []byte { return with(header, nil) }
	// edit replaces a piece of the header, and inner one of the JSON within it.
	edit := func(from, to string) []byte {
		if strings.Count(header, from) != 1 {
			t.Fatalf("%s is in the header %d times", from, strings.Count(header, from))
		}
		return with(strings.Replace(header, from, to, 1), body)
	}
	inner := func(from, to string) []byte {
		quote := strings.NewReplacer(`"`, `\"`)
		return edit(quote.Replace(from), quote.Replace(to))
	}
	numbered := func(format string) string { // many different keys
		var b strings.Builder
		for i := 0; b.Len() < large-100; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}

	files := map[string][]byte{
		"empty":                      nil,
		"a byte":                     {7},
		"zeros":                      make([]byte, large),
		"longest header, no bytes":   {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"header beyond the file":     append([]byte{0, 0, 0x40, 0, 0, 0, 0, 0}, "{}"...),
		"deep arrays":                bare(`{"a":` + fill("[", large-10)),
		"deep arrays, closed":        bare(`{"a":` + fill("[", large/2-10) + fill("]", large/2-10) + "}"),
		"deep objects":               bare(fill(`{"a":`, large)),
		"many tensors":               bare("{" + numbered(`"%x":{},`) + "}"),
		"many sound tensors":         bare("{" + numbered(`"%x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`) + "}"),
		"many keys of one tensor":    bare(`{"a":{` + numbered(`"%x":0,`) + "}}"),
		"much metadata":              bare(`{"__metadata__":{` + numbered(`"%x":"",`) + "}}"),
		"many dimensions":            edit(`"shape":[3,3,1,32]`, `"shape":[`+fill("1,", large/2)+"1]"),
		"a long number":              edit(`"shape":[3,3,1,32]`, `"shape":[`+fill("1", large/2)+"]"),
		"a long key":                 bare(`{"` + fill("a", large-20) + `":0}`),
		"a long key of escapes":      bare(`{"` + fill(`\u0001`, large-20) + `":0}`),
		"huge shape":                 edit(`"shape":[3,3,1,32]`, `"shape":[18446744073709551615,18446744073709551615]`),
		"offsets beyond the file":    edit(`"data_offsets":[0,`, `"data_offsets":[18446744073709551615,`),
		"a long seed":                inner(`"seed":1`, `"seed":`+fill("1", large/2)),
		"deep config":                inner(`"seed":1`, `"seed":`+fill("[", large/2)),
		"many settings":              inner(`"seed":1`, `"seed":1,`+numbered(`"%x":0,`)[:large/2]+"0"),
		"a long history of nothing":  inner(`[{"epoch":1`, "["+fill("{},", large/2)+`{"epoch":1`),
		"a long history of numbers":  inner(`[{"epoch":1`, "["+fill("1,", large/2)+`{"epoch":1`),
		"large images":               inner(`"height":28,"width":28`, `"height":4096,"width":4096`),
		"images of 2^31 pixels":      inner(`"height":28,"width":28`, `"height":2147483646,"width":2147483646`),
		"many latent dimensions":     inner(`"latent_dim":2`, `"latent_dim":1024`),
		"cut":                        model[:len(model)-1],
		"grown":                      append(bytes.Clone(model), 0),
		"header alone":               model[:8+length],
		"large images, sound header": bare(headerOf(t, header, 900, 2)),
		"largest of all":             bare(headerOf(t, header, 4096, 1024)),
	}
	return files
}

// headerOf is the header of a model of side x side pixels in which all is as it
// should be: only the tensors' bytes are missing behind it.
func headerOf(t *testing.T, sound string, side, latent int) string {
	t.Helper()
	c := defaultConfig()
	c.Height, c.Width, c.LatentDim = side, side, latent
	var top map[string]any
	if err := json.Unmarshal([]byte(sound), &top); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	top["__metadata__"].(map[string]any)["config"] = string(config)
	model, err := nn.New(train.ModelConfig(c))
	if err != nil {
		t.Fatal(err)
	}
	offset := 0
	for _, p := range model.Params() {
		end := offset + 4*p.Len()
		top[p.Name] = map[string]any{"dtype": "F32", "shape": p.Shape, "data_offsets": []int{offset, end}}
		offset = end
	}
	header, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	return string(header)
}

// idxFile is an IDX file: magic number, sizes, data.
func idxFile(magic uint32, data []byte, sizes ...uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, n := range sizes {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, data...)
}

// zipped is a gzip stream of n bytes of zeros after a head, in members of a few
// MB, so that it is quickly made however long.
func zipped(t *testing.T, head []byte, n int) []byte {
	t.Helper()
	member := func(content []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	stream := member(head)
	const zeros = 4 << 20
	if n > zeros {
		stream = append(stream, bytes.Repeat(member(make([]byte, zeros)), n/zeros)...)
	}
	return append(stream, member(make([]byte, n%zeros))...)
}

// hostileImages are IDX files of images; some are sound, but of a size that the
// sound model does not take and no training either.
func hostileImages(t *testing.T, _ []byte, large int) map[string][]byte {
	t.Helper()
	const magic = 0x803
	header := func(sizes ...uint32) []byte { return idxFile(magic, nil, sizes...) }
	bomb := 256 * large
	return map[string][]byte{
		"empty":                   nil,
		"magic number alone":      header(),
		"header alone":            header(60000, 28, 28),
		"2^32-1 images":           header(1<<32-1, 28, 28),
		"2^31-1 images":           idxFile(magic, make([]byte, 100), 1<<31-1, 28, 28),
		"60000x60000 pixels":      idxFile(magic, make([]byte, 100), 1, 60000, 60000),
		"4096x4096, 127 times":    idxFile(magic, make([]byte, 100), 127, 4096, 4096),
		"no images":               header(0, 28, 28),
		"no pixels":               header(1, 0, 28),
		"half of an image":        idxFile(magic, make([]byte, 28*14), 1, 28, 28),
		"a byte too many":         idxFile(magic, make([]byte, 28*28+1), 1, 28, 28),
		"labels":                  idxFile(0x801, make([]byte, 10), 10),
		"floats":                  idxFile(0xd03, make([]byte, 100), 1, 5, 5),
		"17 dimensions":           idxFile(0x811, make([]byte, 100), 1, 5, 5),
		"zeros":                   make([]byte, large),
		"gzip header alone":       {0x1f, 0x8b, 8},
		"gzip of nothing":         zipped(t, nil, 0),
		"gzip, endless name":      append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0}, fill("a", large)...),
		"gzip, endless extra":     {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
		"gzip within gzip":        zipped(t, zipped(t, header(1, 28, 28), 28*28), 0),
		"many gzip members":       bytes.Repeat(zipped(t, nil, 0), large/32),
		"10 kB bomb":              zipped(t, header(1<<31-1, 1, 1), 10<<20),
		"10 kB bomb at the end":   zipped(t, header(1, 28, 28), 10<<20),
		"large bomb":              zipped(t, header(1<<31-1, 1, 1), bomb),
		"large bomb, two by two":  zipped(t, header(1<<29-1, 2, 2), bomb),
		"large bomb at the end":   zipped(t, header(1, 28, 28), bomb),
		"large bomb, sound":       zipped(t, header(uint32(bomb/(30*30)), 30, 30), bomb/(30*30)*(30*30)),
		"large bomb, many pixels": zipped(t, header(uint32(bomb>>24), 4096, 4096), bomb),
	}
}

// hostileLabels are IDX files of labels for one image.
func hostileLabels(*testing.T, []byte, int) map[string][]byte {
	const magic = 0x801
	return map[string][]byte{
		"empty":         nil,
		"header alone":  idxFile(magic, nil, 60000),
		"2^31-1 labels": idxFile(magic, make([]byte, 100), 1<<31-1),
		"too many":      idxFile(magic, make([]byte, 2), 2),
		"images":        idxFile(0x803, make([]byte, 16), 1, 4, 4),
	}
}

// hostileSizes are sound images, too large for a training.
func hostileSizes(t *testing.T, _ []byte, _ int) map[string][]byte {
	t.Helper()
	sound := func(side uint32) []byte {
		return zipped(t, idxFile(0x803, nil, 1, side, side), int(side*side))
	}
	return map[string][]byte{
		"900x900":   sound(900),
		"1024x1024": sound(1024),
		"4096x4096": sound(4096),
	}
}

// hostilePictures are PNG and JPEG files.
func hostilePictures(t *testing.T, _ []byte, large int) map[string][]byte {
	t.Helper()
	const magic = "\x89PNG\r\n\x1a\n"
	chunk := func(kind string, data []byte) string {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		b = append(append(b, kind...), data...)
		return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
	}
	head := func(width, height uint32, depth, color, interlace byte) string {
		b := binary.BigEndian.AppendUint32(nil, width)
		b = binary.BigEndian.AppendUint32(b, height)
		return magic + chunk("IHDR", append(b, depth, color, 0, 0, interlace))
	}
	deflated := func(n int) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		if _, err := w.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	end := chunk("IEND", nil)
	files := map[string]string{
		"empty":               "",
		"text":                "this is no picture",
		"magic number alone":  magic,
		"2^31-1 pixels wide":  head(1<<31-1, 1, 8, 0, 0) + chunk("IDAT", deflated(large)) + end,
		"2^62 pixels":         head(1<<31-1, 1<<31-1, 8, 0, 0) + chunk("IDAT", deflated(large)) + end,
		"60000x60000, deep":   head(60000, 60000, 16, 6, 1) + chunk("IDAT", deflated(large)) + end,
		"4096x4096, cut":      head(4096, 4096, 8, 0, 0) + chunk("IDAT", deflated(4000*4097)) + end,
		"5000x5000":           head(5000, 5000, 8, 0, 0) + chunk("IDAT", deflated(large)) + end,
		"a header alone":      head(28, 28, 8, 0, 0),
		"no pixels":           head(28, 28, 8, 0, 0) + end,
		"too few pixels":      head(28, 28, 8, 0, 0) + chunk("IDAT", deflated(28)) + end,
		"bomb":                head(28, 28, 8, 0, 0) + chunk("IDAT", deflated(16*large)) + end,
		"chunk of 2^31 bytes": head(28, 28, 8, 0, 0) + "\x7f\xff\xff\xfftEXtabc",
		"many chunks":         head(28, 28, 8, 0, 0) + fill(chunk("tEXt", nil), large),
		"wrong checksum":      head(28, 28, 8, 0, 0)[:32] + "\x00",
		"no palette":          head(28, 28, 8, 3, 0) + chunk("IDAT", deflated(29*28)) + end,
	}
	var sound bytes.Buffer
	if err := jpeg.Encode(&sound, image.NewGray(image.Rect(0, 0, 28, 28)), nil); err != nil {
		t.Fatal(err)
	}
	photo := sound.String()
	frame := strings.Index(photo, "\xff\xc0") // its size is five bytes on
	sized := func(height, width string, progressive bool) string {
		kind := "\xc0"
		if progressive {
			kind = "\xc2"
		}
		return photo[:frame+1] + kind + photo[frame+2:frame+5] + height + width + photo[frame+9:]
	}
	maps.Copy(files, map[string]string{
		"JPEG, magic number alone":    "\xff\xd8\xff",
		"JPEG, cut":                   photo[:len(photo)-20],
		"JPEG, 65535x65535":           sized("\xff\xff", "\xff\xff", false),
		"JPEG, progressive, as large": sized("\xff\xff", "\xff\xff", true),
		"JPEG, 4096x4096":             sized("\x10\x00", "\x10\x00", false),
		"JPEG, progressive 4096x4096": sized("\x10\x00", "\x10\x00", true),
		"JPEG, no height":             sized("\x00\x00", "\x00\x1c", false),
		"JPEG, many segments":         "\xff\xd8" + fill("\xff\xfe\x00\x02", large),
		"JPEG, fill bytes":            "\xff\xd8" + fill("\xff", large),
	})
	return byteFiles(files)
}

func byteFiles(texts map[string]string) map[string][]byte {
	files := map[string][]byte{}
	for name, text := range texts {
		files[name] = []byte(text)
	}
	return files
}

// hostileLatents are tables of latent vectors.
func hostileLatents(_ *testing.T, _ []byte, large int) map[string][]byte {
	npy := func(version string, length int, header string) string {
		size := binary.LittleEndian.AppendUint16(nil, uint16(length))
		if version != "\x01" {
			size = binary.LittleEndian.AppendUint32(nil, uint32(length))
		}
		return "\x93NUMPY" + version + "\x00" + string(size) + header
	}
	array := func(rest string) string {
		header := "{'descr': '<f4', " + rest + "}\n"
		return npy("\x01", len(header), header) + fill("\x00", 64)
	}
	files := map[string]string{
		"npy, magic number alone": "\x93NUMPY",
		"npy, header of 4 GB":     npy("\x02", 1<<32-1, "{"),
		"npy, long header":        npy("\x02", large, fill(" ", large)),
		"npy, deep header":        npy("\x01", 60000, fill("(", 60000)),
		"npy, 2^40 rows":          array("'fortran_order': False, 'shape': (1099511627776, 2), "),
		"npy, columns first":      array("'fortran_order': True, 'shape': (1099511627776, 2), "),
		"npy, 2^126 numbers":      array("'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807), "),
		"npy, many dimensions":    array("'fortran_order': False, 'shape': (" + fill("1, ", 60000) + "), "),
		"npy, negative":           array("'fortran_order': False, 'shape': (-1, 2), "),
		"npy, NaN":                strings.Replace(array("'fortran_order': False, 'shape': (8, 2), "), fill("\x00", 64), fill("\x00\x00\xc0\x7f", 64), 1),
		"NDJSON, deep":            `{"z":` + fill("[", large),
		"NDJSON, deep, elsewhere": `{"z":[0,0],"a":` + fill(`{"a":`, large),
		"NDJSON, a long vector":   `{"z":[` + fill("0,", large) + `0]}`,
		"NDJSON, a long text":     `{"id":"` + fill(`\u0001`, 4*large) + `","z":[0,0]}`,
		"NDJSON, many keys":       `{` + fill(`"a":0,`, 8*large) + `"z":[0,0]}`,
		"NDJSON, a long number":   `{"z":[` + fill("1", large) + `,0]}`,
		"NDJSON, open":            `{` + fill("\n", large),

		"empty":              "",
		"blank lines":        fill("\n", large),
		"spaces":             fill(" ", large),
		"a long line":        fill("1,", large),
		"a long number":      fill("1", large),
		"zeros":              fill("\x00", large),
		"many columns":       "z_1,z_2" + fill(",z_1", large) + "\n1,2\n",
		"an open quote":      "z_1,z_2\n\"" + fill("a\n", large),
		"quotes":             "z_1,z_2\n" + fill("\"", large),
		"not a number":       "NaN,0\n",
		"infinite":           "1e999,0\n",
		"a long row":         "z_1,z_2\n0,0" + fill(",0", large),
		"too many":           fill("0,0\n", 2<<20),
		"too many, header":   "z_1,z_2\n" + fill("0,0\n", 2<<20),
		"one dimension more": "0,0,0\n",
		"not UTF-8":          "z_1,z_2\n\xff\xfe,0\n",
	}
	return byteFiles(files)
}
