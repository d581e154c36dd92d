package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"vaectl/internal/imagetest"
	"vaectl/internal/modelfile"
	"vaectl/internal/train"
	"vaectl/mnist"
	"vaectl/nn"
)

func TestMain(m *testing.M) {
	commands := systemCommands()
	commands["vaectl"] = func() { os.Exit(run(os.Args[1:])) }
	commands["toydata"] = func() { os.Exit(runToyData(os.Args[1:])) }
	commands["jq"] = func() { os.Exit(runJQ()) }
	testscript.Main(m, commands)
}

var update = flag.Bool("update", false, "write the golden pictures and the transcripts anew")

// TestScripts runs the scenarios of testdata/script, each in a directory of its
// own that holds model.safetensors, a model of 2 latent dimensions trained for
// one short epoch; drawn.safetensors, one whose weights are drawn; and
// huge.safetensors, whose weights are finite but what they make of images is not.
func TestScripts(t *testing.T) {
	model, drawn, huge := trainTestModel(t, 2), drawTestModel(t, 1), drawTestModel(t, 1e15)
	mirrors := serveToyData(t)
	golden, err := filepath.Abs(filepath.Join("testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("MIRRORS", mirrors)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("GOLDEN", golden)
			for name, file := range map[string][]byte{"model": model, "drawn": drawn, "huge": huge} {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name+".safetensors"), file, 0o666); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  status,
			"mkidx":   mkidx,
			"mkpng":   mkpng,
			"chop":    chop,
			"poke":    poke,
			"gzip":    gzipFile,
			"gunzip":  gunzipFile,
			"pngsize": pngsize,
			"figure":  checkFigure,
			"likepng": likePNG,
			"frames":  frames,
			"clean":   clean,
			"json":    validJSON,
			"join":    join,
			"prefix":  prefix,
			"tty":     onTerminal,
			"islink":  islink,
		},
	})
}

// trainTestModel returns the bytes of a model file.
func trainTestModel(t *testing.T, latentDim int) []byte {
	t.Helper()
	tier, err := chooseTier("")
	if err != nil {
		t.Fatal(err)
	}
	data, err := mnist.Sample()
	if err != nil {
		t.Fatal(err)
	}
	run, err := train.New(modelfile.Config{
		Height: 28, Width: 28, LatentDim: latentDim, Noise: string(nn.BookNoise), KLWeight: 5e-4, Convolution: string(nn.Winograd),
		Optimizer: "rmsprop", LearningRate: 0.001, BatchSize: 16, Epochs: 1, Seed: 1, LimitTrain: 128, LimitVal: 16,
		Keep: modelfile.KeepBest,
	}, data, tier, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if _, err := run.Epoch(context.Background(), func(train.Progress) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := modelfile.Write(&b, run.Model()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drawTestModel has weights that give images and latent vectors that differ
// visibly, and that are the same on every CPU, which trained ones are not. It was
// trained for no epoch. All weights are multiplied by gain.
func drawTestModel(t *testing.T, gain float64) []byte {
	t.Helper()
	config := modelfile.Config{
		Height: 28, Width: 28, LatentDim: 2, Noise: string(nn.BookNoise), KLWeight: 5e-4, Convolution: string(nn.Winograd), Keep: modelfile.KeepLast,
		Optimizer: "rmsprop", LearningRate: 0.001, BatchSize: 16, Epochs: 1, Seed: 1,
	}
	model, err := nn.New(train.ModelConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	file := &modelfile.Model{Config: config, Data: modelfile.Data{Name: "idx", Train: 1, SHA256: strings.Repeat("0", 64)}}
	for _, p := range model.Params() {
		tensor := modelfile.Tensor{Name: p.Name, Shape: p.Shape}
		size := 1
		for _, n := range p.Shape {
			size *= n
		}
		// Deviations that keep the size of what passes through the encoder, and
		// double it with each layer of the decoder.
		deviation := 0.1 * gain
		if p.FanIn > 0 {
			deviation = math.Sqrt(2/float64(p.FanIn)) * gain
		}
		if strings.HasPrefix(p.Name, "decoder.") {
			deviation *= 2
		}
		for range size {
			tensor.Data = append(tensor.Data, float32(deviation*rng.NormFloat64()))
		}
		file.Tensors = append(file.Tensors, tensor)
	}
	var b bytes.Buffer
	if err := modelfile.Write(&b, file); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// status runs "status N vaectl ARGS..." and fails unless the exit status is N.
func status(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var exit interface{ ExitCode() int }
		var ok bool
		if exit, ok = err.(interface{ ExitCode() int }); !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if neg || got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// mkidx writes "mkidx FILE COUNT ROWS COLS" images, or labels if ROWS and COLS
// are left out. Image i has a bright stroke whose place depends on i.
func mkidx(ts *testscript.TestScript, _ bool, args []string) {
	n := number(ts, args[1])
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	if len(args) == 2 {
		labels := make([]byte, n)
		for i := range labels {
			labels[i] = byte(i % 10)
		}
		ts.Check(mnist.WriteLabels(f, labels))
		return
	}
	m := &mnist.Images{Rows: number(ts, args[2]), Cols: number(ts, args[3])}
	for i := range n {
		pix := make([]byte, m.Rows*m.Cols)
		for r := range m.Rows {
			pix[r*m.Cols+i%m.Cols] = 255
		}
		m.Pix = append(m.Pix, pix...)
	}
	if n == 0 { // the writer refuses what the reader must refuse
		ts.Check(binary.Write(f, binary.BigEndian, []uint32{0x803, 0, uint32(m.Rows), uint32(m.Cols)}))
		return
	}
	ts.Check(mnist.WriteImages(f, m))
}

// mkpng writes "mkpng FILE WIDTH HEIGHT", a vertical stroke on a dark ground, as
// JPEG if the name ends so.
func mkpng(ts *testscript.TestScript, _ bool, args []string) {
	w, h := number(ts, args[1]), number(ts, args[2])
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := h / 5; y < h*4/5; y++ {
		img.SetGray(w/2, y, color.Gray{Y: 255})
		img.SetGray(w/2+1, y, color.Gray{Y: 200})
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	if filepath.Ext(args[0]) == ".jpg" {
		ts.Check(jpeg.Encode(f, img, nil))
		return
	}
	ts.Check(png.Encode(f, img))
}

// chop cuts the last N bytes off: "chop FILE N".
func chop(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()-int64(number(ts, args[1]))))
}

// poke overwrites bytes, given in hex, at an offset: "poke FILE OFFSET HEX". The
// offset "end" appends.
func poke(ts *testscript.TestScript, _ bool, args []string) {
	data, err := hex.DecodeString(args[2])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	if args[1] == "end" {
		_, err = f.Seek(0, io.SeekEnd)
	} else {
		_, err = f.Seek(int64(number(ts, args[1])), io.SeekStart)
	}
	ts.Check(err)
	_, err = f.Write(data)
	ts.Check(err)
}

// gzipFile replaces FILE by FILE.gz.
func gzipFile(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	f, err := os.Create(path + ".gz")
	ts.Check(err)
	defer f.Close()
	w := gzip.NewWriter(f)
	_, err = w.Write(data)
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.Remove(path))
}

// gunzipFile replaces FILE.gz by FILE.
func gunzipFile(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	f, err := os.Open(path)
	ts.Check(err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	ts.Check(err)
	data, err := io.ReadAll(r)
	ts.Check(err)
	ts.Check(os.WriteFile(strings.TrimSuffix(path, ".gz"), data, 0o666))
	ts.Check(os.Remove(path))
}

// pngsize fails unless FILE is a grayscale PNG of the given size and not of one
// colour: "pngsize FILE WIDTH HEIGHT".
func pngsize(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	img, err := png.Decode(f)
	ts.Check(err)
	gray, ok := img.(*image.Gray)
	if !ok {
		ts.Fatalf("%s is a %T, want 8-bit grayscale", args[0], img)
	}
	if b := img.Bounds(); b.Dx() != number(ts, args[1]) || b.Dy() != number(ts, args[2]) {
		ts.Fatalf("%s is %dx%d", args[0], b.Dx(), b.Dy())
	}
	for _, p := range gray.Pix {
		if p != gray.Pix[0] {
			return
		}
	}
	ts.Fatalf("%s is of one colour", args[0])
}

// checkFigure fails unless FILE is a PNG, SVG or PDF, as its ending says, and a PNG
// not of one colour: "figure FILE".
func checkFigure(ts *testscript.TestScript, _ bool, args []string) {
	content := ts.ReadFile(args[0])
	switch filepath.Ext(args[0]) {
	case ".svg":
		if !strings.HasPrefix(content, "<?xml") || !strings.HasSuffix(content, "</svg>\n") {
			ts.Fatalf("%s is no SVG", args[0])
		}
	case ".pdf":
		if !strings.HasPrefix(content, "%PDF-") || !strings.HasSuffix(content, "%%EOF\n") {
			ts.Fatalf("%s is no PDF", args[0])
		}
	default:
		img, err := png.Decode(strings.NewReader(content))
		ts.Check(err)
		if n := colours(img); n < 3 {
			ts.Fatalf("%s has %d colours", args[0], n)
		}
	}
}

func colours(img image.Image) int {
	seen := map[color.Color]bool{}
	for i := range img.Bounds().Dx() {
		for j := range img.Bounds().Dy() {
			seen[img.At(i, j)] = true
		}
	}
	return len(seen)
}

// likePNG compares a PNG with a golden of testdata/golden, to a tolerance:
// "likepng FILE GOLDEN".
func likePNG(ts *testscript.TestScript, _ bool, args []string) {
	golden := filepath.Join(ts.Getenv("GOLDEN"), args[1])
	ts.Check(imagetest.Golden(golden, []byte(ts.ReadFile(args[0])), *update))
}

// frames fails unless FILE is an endless GIF of N frames of the given size that
// are not all alike: "frames FILE N WIDTH HEIGHT DELAY", in hundredths of a second.
func frames(ts *testscript.TestScript, _ bool, args []string) {
	g, err := gif.DecodeAll(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	got := fmt.Sprint(len(g.Image), g.Config.Width, g.Config.Height, g.Delay[0], g.LoopCount)
	if want := strings.Join(args[1:], " ") + " 0"; got != want {
		ts.Fatalf("%s has %s (frames, width, height, delay, loops), want %s", args[0], got, want)
	}
	for _, f := range g.Image {
		if !bytes.Equal(f.Pix, g.Image[0].Pix) {
			return
		}
	}
	ts.Fatalf("%s does not move", args[0])
}

// clean fails if a directory holds a temporary file, or, given more names,
// anything beyond them.
func clean(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	known := map[string]bool{}
	for _, name := range args[1:] {
		known[name] = true
	}
	for _, e := range entries {
		hidden := e.Name()[0] == '.' && e.Name() != ".cache" && e.Name() != ".tmp"
		if hidden || len(known) > 0 && !known[e.Name()] {
			ts.Fatalf("%s holds %s", args[0], e.Name())
		}
	}
}

// validJSON fails unless FILE is one JSON value: "json FILE".
func validJSON(ts *testscript.TestScript, _ bool, args []string) {
	if !json.Valid([]byte(ts.ReadFile(args[0]))) {
		ts.Fatalf("%s is not JSON", args[0])
	}
}

// join writes "join FILE PARTS...", the parts one after another.
func join(ts *testscript.TestScript, _ bool, args []string) {
	var whole []byte
	for _, part := range args[1:] {
		whole = append(whole, ts.ReadFile(part)...)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), whole, 0o666))
}

// prefix fails unless the second file begins with the first: "prefix A B".
func prefix(ts *testscript.TestScript, _ bool, args []string) {
	if !strings.HasPrefix(ts.ReadFile(args[1]), ts.ReadFile(args[0])) {
		ts.Fatalf("%s does not begin with %s", args[1], args[0])
	}
}

// islink fails unless FILE is a symbolic link to TARGET: "islink FILE TARGET".
func islink(ts *testscript.TestScript, _ bool, args []string) {
	to, err := os.Readlink(ts.MkAbs(args[0]))
	ts.Check(err)
	if to != args[1] {
		ts.Fatalf("%s leads to %s", args[0], to)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		ts.Check(fmt.Errorf("not a number: %w", err))
	}
	return n
}
