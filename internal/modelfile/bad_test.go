package modelfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
)

// split takes a file apart, and join makes one whose length field is right.
func split(b []byte) (header string, body []byte) {
	n := binary.LittleEndian.Uint64(b)
	return string(b[8 : 8+n]), b[8+n:]
}

func join(header string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), body...)
}

// replace returns b with one piece of its header exchanged.
func replace(t testing.TB, b []byte, from, to string) []byte {
	t.Helper()
	header, body := split(b)
	if strings.Count(header, from) != 1 {
		t.Fatalf("%s is not in the header once: %s", from, header)
	}
	return join(strings.Replace(header, from, to, 1), body)
}

type badFile struct {
	name string
	file []byte
	want string
}

// badFiles are files that Read must refuse, with the start of its error.
func badFiles(t testing.TB) []badFile {
	t.Helper()
	good := encode(t, small())
	header, body := split(good)
	edit := func(from, to string) []byte { return replace(t, good, from, to) }
	// In a header the JSON of config, history and data stands in a string.
	inner := func(from, to string) []byte {
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		return edit(quote.Replace(from), quote.Replace(to))
	}
	value := func(i int, v float32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[len(b)-len(body)+4*i:], math.Float32bits(v))
		return b
	}
	bare := func(header string) []byte { return join(header, nil) }

	const (
		bias   = `"decoder.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
		kernel = `"encoder.kernel":{"dtype":"F32","shape":[3,2],"data_offsets":[8,32]}`
	)
	n := len(good)
	inf := float32(math.Inf(1))
	return []badFile{
		// Not the right kind of file.
		{"empty", nil, "the file is empty"},
		{"seven bytes", good[:7], "not a safetensors file: it has 7 bytes"},
		{"png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "not a safetensors file of vaectl: its header would have 727905341920923785 bytes, at most 4194304 are accepted"},
		{"header too large", binary.LittleEndian.AppendUint64(nil, maxHeader+1), "not a safetensors file of vaectl: its header would have 4194305 bytes"},
		{"header of no bytes", bare(""), "not a safetensors file: its header is not a JSON object"},
		{"header is an array", bare("[]"), "not a safetensors file: its header is not a JSON object"},
		{"header after a space", join(" "+header, body), "not a safetensors file: its header is not a JSON object"},
		{"no metadata", bare("{}"), "a safetensors file, but not a vaectl model: its metadata names no format"},
		{"other program", edit(`"format":"vaectl"`, `"format":"pt"`), `a safetensors file, but not a vaectl model: its metadata names the format "pt"`},
		{"other program's element type", join(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, []byte{0}), "a safetensors file, but not a vaectl model"},
		{"very long format", edit(`"format":"vaectl"`, `"format":"`+strings.Repeat("é", 4000)+`"`), `a safetensors file, but not a vaectl model: its metadata names the format "` + strings.Repeat("é", 40) + `..."`},
		{"newer version", edit(`"format_version":"2"`, `"format_version":"3"`), "format version 3 is newer than this vaectl, which reads up to version 2"},
		{"version 0", edit(`"format_version":"2"`, `"format_version":"0"`), `format_version is "0": must be a whole number from 1 to 2`},
		{"version 02", edit(`"format_version":"2"`, `"format_version":"02"`), `format_version is "02": must be a whole number from 1 to 2`},
		{"no version", edit(`"format_version":"2",`, ``), "format_version is missing"},

		// Cut or grown.
		{"cut in the header", good[:20], fmt.Sprintf("truncated in the header: expected at least %d bytes, the file has 20", n-32)},
		{"cut before the tensors", good[:n-32], fmt.Sprintf("truncated: expected %d bytes, the file has %d", n, n-32)},
		{"cut by a byte", good[:n-1], fmt.Sprintf("truncated: expected %d bytes, the file has %d", n, n-1)},
		{"a byte too long", append(bytes.Clone(good), 0), fmt.Sprintf("too long: expected %d bytes, the file goes on", n)},

		// A header that is not sound.
		{"not JSON", join(header[:len(header)/2], body), "header: not valid JSON"},
		{"text after the JSON", join(header+"{}", body), "header: not valid JSON"},
		{"not UTF-8", edit("Latin", "La\xfft\xffn"), "header: not valid UTF-8"},
		{"deeply nested", bare(`{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}"), "header: JSON nested deeper than 3"},
		{"nested a level too deep", edit(`"shape":[2]`, `"shape":[[2]]`), "header: JSON nested deeper than 3"},
		{"tensor twice", edit(bias, bias+","+bias), `header: key "decoder.bias" is there twice`},
		{"tensor twice, escaped", edit(bias, bias+","+strings.Replace(bias, "bias", `b\u0069as`, 1)), `header: key "decoder.bias" is there twice`},
		{"shape twice", edit(`"shape":[2]`, `"shape":[2],"shape":[2]`), `header: key "shape" is there twice`},
		{"metadata is a list", bare(`{"__metadata__":["format"]}`), "header: __metadata__ must be an object of strings"},
		{"metadata with a number", edit(`"format_version":"2"`, `"format_version":2`), "header: __metadata__ must be an object of strings"},
		{"metadata with null", edit(`"format_version":"2"`, `"format_version":null`), `header: __metadata__: "format_version" is null: must be a string`},
		{"tensor is a number", edit(bias, `"decoder.bias":1`), "header: failed to unmarshal Metadata"},
		{"tensor without offsets", edit(`,"data_offsets":[0,8]`, ``), "header: failed to JSON-decode tensor"},
		{"shape is null", edit(`"shape":[2]`, `"shape":null`), "header: failed to JSON-decode tensor"},
		{"negative shape", edit(`"shape":[2]`, `"shape":[-2]`), "header: failed to JSON-decode tensor"},
		{"unknown element type", edit(`"F32","shape":[2]`, `"F31","shape":[2]`), "header: failed to JSON-decode tensor"},

		// Tensors that are not the model's.
		{"missing tensor", join(strings.Replace(strings.Replace(header, bias+",", "", 1), "[8,32]", "[0,24]", 1), body[8:]), `tensor "decoder.bias" is missing`},
		{"renamed tensor", edit("decoder.bias", "Decoder.bias"), `tensor "decoder.bias" is missing`},
		{"extra tensor", append(edit(kernel, kernel+`,"spare":{"dtype":"F32","shape":[1],"data_offsets":[32,36]}`), 0, 0, 0, 0), `tensor "spare" does not belong to this model`},
		{"wrong shape", edit(`[3,2]`, `[2,3]`), `tensor "encoder.kernel" has shape [2 3]: must be [3 2]`},
		{"flat shape", edit(`[3,2]`, `[6]`), `tensor "encoder.kernel" has shape [6]: must be [3 2]`},
		{"huge shape", edit(`[3,2]`, `[4611686018427387904,4]`), `tensor "encoder.kernel" has shape [4611686018427387904 4]: must be [3 2]`},
		{"wrong element type", edit(`"F32","shape":[2]`, `"I32","shape":[2]`), `tensor "decoder.bias" has element type I32: must be F32`},
		{"shape of another config", inner(`"latent_dim":3`, `"latent_dim":4`), `tensor "encoder.kernel" has shape [3 2]: must be [4 2]`},

		// Offsets that lie.
		{"overlap", edit(`[8,32]`, `[0,24]`), "header: invalid metadata offset"},
		{"hole", edit(`[8,32]`, `[9,33]`), "header: invalid metadata offset"},
		{"backwards", edit(`[8,32]`, `[8,4]`), "header: invalid metadata offset"},
		{"beyond the file", edit(`[8,32]`, `[8,36]`), "header: metadata validation error"},
		{"overflowing offset", edit(`[8,32]`, `[8,18446744073709551615]`), "header: metadata validation error"},
		{"offset of more than 64 bits", edit(`[8,32]`, `[8,18446744073709551616]`), "header: failed to JSON-decode tensor"},

		// Values that are not finite; the kernel is second in the file.
		{"NaN", value(3, float32(math.NaN())), `tensor "encoder.kernel" holds NaN at index 1: weights must be finite`},
		{"Inf", value(1, inf), `tensor "decoder.bias" holds +Inf at index 1`},
		{"negative Inf", value(7, -inf), `tensor "encoder.kernel" holds -Inf at index 5`},

		// Settings.
		{"no config", edit(`"config"`, `"conf"`), "config is missing from the metadata"},
		{"config not JSON", inner(`{"height":4`, `{height:4`), "config: not valid JSON"},
		{"config is an array", replace(t, edit(`"config":"{`, `"config":"[{`), `0.1}","data"`, `0.1}]","data"`), "config: must be a JSON object"},
		{"config is null", edit(`"config":"{`, `"config":"null","was":"{`), "config: must be a JSON object"},
		{"config key twice", inner(`"height":4`, `"height":4,"height":4`), `config: key "height" is there twice`},
		{"config key missing", inner(`"kl_weight":0.0005,`, ``), "config: kl_weight is missing"},
		{"config key in capitals", inner(`"seed"`, `"Seed"`), "config: seed is missing"},
		{"config text for a number", inner(`"height":4`, `"height":"4"`), `config: height is "4": must be a whole number`},
		{"config fraction", inner(`"height":4`, `"height":4.5`), "config: height is 4.5: must be a whole number"},
		{"config null", inner(`"limit_val":0`, `"limit_val":null`), "config: limit_val is null: must be a whole number"},
		{"config number for text", inner(`"noise":"book"`, `"noise":1`), "config: noise is 1: must be a string"},
		{"negative seed", inner(`"seed":18446744073709551615`, `"seed":-1`), "config: seed is -1: must be a whole number from 0 to 2^64-1"},
		{"seed too large", inner(`"seed":18446744073709551615`, `"seed":18446744073709551616`), "config: seed is 18446744073709551616: must be"},
		{"learning rate too large", inner(`"learning_rate":0.001`, `"learning_rate":1e999`), "config: learning_rate is 1e999: must be a finite number"},
		{"implausible height", inner(`"height":4`, `"height":1000000000`), "config: height is 1000000000: must be 2 to 4096"},
		{"odd width", inner(`"width":2`, `"width":3`), "config: images are 4x3: height and width must be even"},
		{"implausible latent_dim", inner(`"latent_dim":3`, `"latent_dim":0`), "config: latent_dim is 0: must be 1 to 1024"},
		{"unknown noise", inner(`"noise":"book"`, `"noise":"pink"`), `config: noise is "pink": must be one of book, standard`},
		{"unknown optimizer", inner(`"optimizer":"rmsprop"`, `"optimizer":"lion"`), `config: optimizer is "lion": must be one of rmsprop, adam, sgd`},
		{"no weights_epoch", edit(`,"weights_epoch":"1"`, ``), "weights_epoch is missing from the metadata"},
		{"weights_epoch not a number", edit(`"weights_epoch":"1"`, `"weights_epoch":"01"`), `weights_epoch is "01": must be a whole number`},
		{"weights of a later epoch", edit(`"weights_epoch":"1"`, `"weights_epoch":"3"`), "weights_epoch is 3: must be an epoch of the history, which has 2"},
		{"history is an object", replace(t, edit(`"history":"[`, `"history":"{\"rows\":[`), `}]","weights`, `}]}","weights`), "history: must be a JSON array"},
		{"history is null", edit(`"history":"[`, `"history":"null","was":"[`), "history: must be a JSON array"},
		{"history row is a number", inner(`[{"epoch":1,`, `[7,{"epoch":1,`), "history: row 1: must be a JSON object"},
		{"history out of order", inner(`"epoch":2`, `"epoch":1`), "history: row 2 is epoch 1: must be 2"},
		{"history longer than training", inner(`"epochs":10`, `"epochs":1`), "history: 2 rows for 1 epochs"},
		{"history without loss", inner(`"loss":0.25,`, ``), "history: row 1: loss is missing"},
		{"history loss null", inner(`"loss":0.25`, `"loss":null`), "history: row 1: loss is null: must be a finite number"},
		{"history validated by half", inner(`"val_kl":0.04`, `"val_kl":null`), "history: epoch 1: val_loss, val_reconstruction and val_kl must be there together"},
		{"no training data", inner(`"train":60000`, `"train":0`), "data: train is 0: must be 1 or more"},
		{"short sum", inner(`"sha256":"0123`, `"sha256":"123`), `data: sha256 is "123456789abcdef`},
	}
}

func TestBadFiles(t *testing.T) {
	for _, tt := range badFiles(t) {
		t.Run(tt.name, func(t *testing.T) {
			m, err := decode(tt.file)
			if err == nil {
				t.Fatalf("accepted: %+v", m)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error: %v\nwant:  %s", err, tt.want)
			}
			if len(err.Error()) > 400 || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is not a line: %q", err)
			}
		})
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	good := encode(t, small())
	for n := range good {
		if _, err := decode(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(good))
		}
	}
}

func TestModelTooLargeIsRefused(t *testing.T) {
	wants := []want{
		{"a", safetensors.F32, []int{1 << 28}},
		{"b", safetensors.F32, []int{1<<28 + 1}},
	}
	infos := map[string]*safetensors.TensorInfo{}
	for _, w := range wants {
		infos[w.name] = &safetensors.TensorInfo{DType: w.dtype, Shape: shapeOf(w.shape)}
	}
	_, err := compare(infos, wants, MaxBody)
	if err == nil || err.Error() != `tensor "b": with it the tensors take more than 2147483648 bytes, which is the most accepted` {
		t.Errorf("error %v", err)
	}
}
