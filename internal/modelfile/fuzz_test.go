package modelfile

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the seed corpus in testdata/fuzz")

// FuzzRead checks that what Read accepts can be written and is then the same. It
// starts from the committed corpus and from every file of TestBadFiles.
func FuzzRead(f *testing.F) {
	for _, bad := range badFiles(f) {
		f.Add(bad.file)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		again := encode(t, m)
		m2, err := decode(again)
		if err != nil {
			t.Fatalf("written again, the model is refused: %v", err)
		}
		if !reflect.DeepEqual(m, m2) {
			t.Errorf("written again, the model is %+v; it was %+v", m2, m)
		}
		if !bytes.Equal(encode(t, m2), again) {
			t.Error("the same model gives other bytes")
		}
	})
}

// FuzzReadState does the same for ReadState.
func FuzzReadState(f *testing.F) {
	for _, bad := range badStates(f) {
		f.Add(bad.file)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		again := encodeState(t, s)
		s2, err := decodeState(again)
		if err != nil {
			t.Fatalf("written again, the state is refused: %v", err)
		}
		if !bytes.Equal(encodeState(t, s2), again) { // a slot's NaN equals no other
			t.Error("the same state gives other bytes")
		}
	})
}

// The corpora hold sound files in several forms, which the fuzzer cannot well
// find by itself.
func TestFuzzCorpus(t *testing.T) {
	good := encode(t, small())
	noHistory := small()
	noHistory.History, noHistory.WeightsEpoch = nil, 0
	header, body := split(good)
	seeds := map[string][]byte{
		"good":       good,
		"no-history": encode(t, noHistory),
		"unpadded":   join(strings.TrimRight(header, " "), body),
		"spaced":     join(strings.ReplaceAll(header, `":{"`, `" : { "`), body),
		"swapped":    join(strings.NewReplacer("[0,8]", "[24,32]", "[8,32]", "[0,24]").Replace(header), append(bytes.Clone(body[8:]), body[:8]...)),
		"later-keys": replace(t, good, `\"height\":4`, `\"height\":4,\"depth\":[1]`),
		"version-1":  oldFile(t),
	}
	checkCorpus(t, "FuzzRead", seeds, func(b []byte) error { _, err := decode(b); return err })

	atStart, keepLast := smallState(), smallState()
	atStart.History, atStart.Best, atStart.Position = nil, nil, Position{}
	keepLast.Config.Keep, keepLast.Best = KeepLast, nil
	seeds = map[string][]byte{
		"good":      encodeState(t, smallState()),
		"at-start":  encodeState(t, atStart),
		"keep-last": encodeState(t, keepLast),
	}
	checkCorpus(t, "FuzzReadState", seeds, func(b []byte) error { _, err := decodeState(b); return err })
}

// checkCorpus checks, or with -update writes, the seeds of a fuzz target, which
// must be sound.
func checkCorpus(t *testing.T, target string, seeds map[string][]byte, decode func([]byte) error) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", target)
	if *update {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range seeds {
		if err := decode(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		path := filepath.Join(dir, name)
		want := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", b)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		} else if string(got) != want {
			t.Errorf("%s is out of date: run go test with -update", path)
		}
	}
}
