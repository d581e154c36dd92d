//go:build unix

package main

import (
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documents are run with exampleFiles in their directory, or in an empty one.
var documents = map[string]bool{
	"README.md":         true,
	"docs/gallery.md":   true,
	"docs/pipelines.md": false,
}

// notCommands begin the indented blocks that are no commands.
var notCommands = []string{"cmd/vaectl/ "} // the drawing of the packages

// TestDocuments runs the code blocks of the README and of docs, in their order and
// in one directory for each document: indented ones and those marked sh as the
// examples in the help are run; those marked console as transcripts, which -update
// writes anew. A make is only asked what it would do.
func TestDocuments(t *testing.T) {
	root := filepath.Join("..", "..")
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		withFiles, known := documents[name]
		if !known {
			t.Errorf("%s: documents does not say how to run it", name)
			continue
		}
		// Before the parallel part: making the files trains, which sets gonum's BLAS.
		dir := t.TempDir()
		if withFiles {
			dir = exampleFiles(t)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := string(content)
			for _, b := range codeBlocks(text) {
				switch b.kind {
				case "sh":
					for _, line := range exampleLines(b.text) {
						if strings.HasPrefix(line, "make ") {
							runExample(t, root, strings.Replace(line, "make", "make -n", 1))
						} else if !strings.HasPrefix(line, needsNetwork) {
							runExample(t, dir, line)
						}
					}
				case "console":
					text = strings.Replace(text, b.text, runTranscript(t, dir, b.text), 1)
				case "python": // TestPythonSnippet runs it
				case "text": // what was printed for another model
				default:
					t.Errorf("a code block of the kind %q, which is not run:\n%s", b.kind, b.text)
				}
			}
			checkPictures(t, dir)
			if *update && text != string(content) {
				if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// codeBlock is what stands between two lines of ```, its kind what follows the
// first; or an indented block, which is of the kind sh.
type codeBlock struct {
	kind, text string
}

var (
	fenced   = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")
	indented = regexp.MustCompile(`(?m)^\n((?:    .*\n|\n)+)`)
)

// codeBlocks returns the code blocks of a Markdown text in their order.
func codeBlocks(text string) []codeBlock {
	var blocks []codeBlock
	prose := func(s string) {
		for _, m := range indented.FindAllStringSubmatch(s, -1) {
			code := strings.ReplaceAll("\n"+m[1], "\n    ", "\n")[1:]
			isCommand := strings.TrimSpace(code) != ""
			for _, first := range notCommands {
				isCommand = isCommand && !strings.HasPrefix(code, first)
			}
			if isCommand {
				blocks = append(blocks, codeBlock{"sh", code})
			}
		}
	}
	end := 0
	for _, m := range fenced.FindAllStringSubmatchIndex(text, -1) {
		prose(text[end:m[0]])
		blocks = append(blocks, codeBlock{text[m[2]:m[3]], text[m[4]:m[5]]})
		end = m[1]
	}
	prose(text[end:])
	return blocks
}

// runTranscript runs the commands of a transcript, which stand behind "$ ", and
// fails unless they print what follows them there. It returns the transcript as
// it should be.
func runTranscript(t *testing.T, dir, text string) string {
	t.Helper()
	var whole strings.Builder
	for _, step := range strings.Split("\n"+text, "\n$ ")[1:] {
		command, want, _ := strings.Cut(strings.TrimSuffix(step, "\n")+"\n", "\n")
		cmd := shell(t, dir, command)
		output, err := cmd.CombinedOutput()
		switch {
		case err != nil:
			t.Errorf("%s\n%v\n%s", command, err, output)
		case alike(want, string(output)):
		case *update:
			want = string(output)
		default:
			t.Errorf("%s\nprints:\n%swhere the transcript says:\n%s", command, output, want)
		}
		whole.WriteString("$ " + command + "\n" + want)
	}
	return whole.String()
}

func TestCodeBlocks(t *testing.T) {
	text := "Prose.\n\n    make run     # one\n\n    make test\n\nMore.\n```python\nx = 1\n\n    indented\n```\n" +
		"- a list\n    of prose\n\n    cmd/vaectl/ drawn\n\n```console\n$ ls\n```\nThe end.\n\n    last\n"
	want := []codeBlock{
		{"sh", "make run     # one\n\nmake test\n\n"}, {"python", "x = 1\n\n    indented\n"}, {"console", "$ ls\n"}, {"sh", "last\n"},
	}
	if got := codeBlocks(text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAlike(t *testing.T) {
	for _, c := range []struct {
		want, got string
		alike     bool
	}{
		{"a 1\n", "a 1\n", true},
		{"a 1\n", "a 2\n", false},
		{"a 1\n", "a 1\nb\n", false},
		{"a 1.50 b\n", "a 1.51 b\n", true},
		{"a 1.50 b\n", "a 1.52 b\n", false},
		{"a 1.50 b\n", "a 1.50 c\n", false},
		{"a 1.50 b\n", "a many b\n", false},
		{"-0.5,2.0\n", "-0.501,2\n", true},
		{"-0.5,2.0\n", "0.5,2.0\n", false},
		{"a ... z\n", "a b\nc z\n", true},
		{"a ... z\n", "a b\n", false},
		{"a.b\n", "acb\n", false},
	} {
		if got := alike(c.want, c.got); got != c.alike {
			t.Errorf("alike(%q, %q) = %v", c.want, c.got, got)
		}
	}
}

var variable = regexp.MustCompile(`-?[0-9]+\.[0-9]+|\.\.\.`)

// alike reports whether got is what the transcript says: figures with a decimal
// point within a hundredth, and anything for three dots.
func alike(want, got string) bool {
	var figures []float64
	var b strings.Builder
	end := 0
	for _, m := range variable.FindAllStringIndex(want, -1) {
		b.WriteString(regexp.QuoteMeta(want[end:m[0]]))
		end = m[1]
		if x, err := strconv.ParseFloat(want[m[0]:m[1]], 64); err == nil {
			figures = append(figures, x)
			b.WriteString(`(-?[0-9]+(?:\.[0-9]+)?)`)
		} else {
			b.WriteString(`(?s:.*)`)
		}
	}
	b.WriteString(regexp.QuoteMeta(want[end:]))
	match := regexp.MustCompile("^" + b.String() + "$").FindStringSubmatch(got)
	if match == nil {
		return false
	}
	for i, x := range figures {
		y, err := strconv.ParseFloat(match[i+1], 64)
		if err != nil || math.Abs(x-y) > 0.01*math.Abs(x) {
			return false
		}
	}
	return true
}

// checkPictures fails for a PNG in dir that shows nothing.
func checkPictures(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil || len(paths) == 0 {
		t.Errorf("no pictures: %v", err)
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		if colours(img) < 2 {
			t.Errorf("%s is of one colour", filepath.Base(path))
		}
	}
}
