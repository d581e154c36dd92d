package termimage

import (
	"image"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	tests := []struct {
		env      string
		terminal bool
		want     Mode
	}{
		{"TERM=xterm-256color COLORTERM=truecolor", true, TrueColour},
		{"TERM=xterm-256color COLORTERM=24bit", true, TrueColour},
		{"TERM=xterm-256color", true, Colour256},
		{"TERM=screen-256color COLORTERM=yes", true, Colour256},
		{"TERM=xterm-direct", true, TrueColour},
		{"TERM=xterm-kitty", true, TrueColour},
		{"WT_SESSION=1", true, TrueColour},
		{"TERM=xterm", true, Plain},
		{"TERM=dumb COLORTERM=truecolor", true, Plain},
		{"", true, Plain},
		{"TERM=xterm-256color NO_COLOR=1", true, Plain},
		{"TERM=xterm-256color", false, Plain},
		{"TERM=xterm-256color CLICOLOR_FORCE=0", false, Plain},
		{"TERM=xterm-256color CLICOLOR_FORCE=1", false, Colour256},
		{"TERM=xterm-256color CLICOLOR_FORCE=1 NO_COLOR=1", false, Plain},
	}
	for _, tt := range tests {
		getenv := func(key string) string {
			for _, pair := range strings.Fields(tt.env) {
				if k, v, _ := strings.Cut(pair, "="); k == key {
					return v
				}
			}
			return ""
		}
		if got := Detect(getenv, tt.terminal); got != tt.want {
			t.Errorf("%q, terminal %v: mode %d, want %d", tt.env, tt.terminal, got, tt.want)
		}
	}
}

func drawn(t *testing.T, img *image.Gray, columns int, mode Mode) string {
	t.Helper()
	var b strings.Builder
	if err := Draw(&b, img, columns, mode); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDraw(t *testing.T) {
	img := &image.Gray{Stride: 4, Rect: image.Rect(0, 0, 4, 3), Pix: []byte{
		0, 255, 255, 0,
		0, 255, 0, 10,
		255, 255, 128, 0,
	}}
	tests := []struct {
		mode Mode
		want string
	}{
		{Plain, " @+\n@@+\n"},
		{TrueColour, "\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m▀\x1b[38;2;255;255;255m\x1b[48;2;255;255;255m▀\x1b[48;2;0;0;0m▀\x1b[38;2;0;0;0m\x1b[48;2;10;10;10m▀\x1b[0m\n" +
			"\x1b[38;2;255;255;255m▀▀\x1b[38;2;128;128;128m▀\x1b[38;2;0;0;0m▀\x1b[0m\n"},
		{Colour256, "\x1b[38;5;16m\x1b[48;5;16m▀\x1b[38;5;231m\x1b[48;5;231m▀\x1b[48;5;16m▀\x1b[38;5;16m\x1b[48;5;232m▀\x1b[0m\n" +
			"\x1b[38;5;231m▀▀\x1b[38;5;244m▀\x1b[38;5;16m▀\x1b[0m\n"},
	}
	for _, tt := range tests {
		if got := drawn(t, img, 80, tt.mode); got != tt.want {
			t.Errorf("mode %d:\n%q\nwant\n%q", tt.mode, got, tt.want)
		}
	}
}

// Every gray has the nearest of the 26.
func TestColour256(t *testing.T) {
	level := func(v int) int {
		switch s := colour(v, Colour256); s {
		case "5;16":
			return 0
		case "5;231":
			return 255
		default:
			n := 0
			for _, c := range s[2:] {
				n = 10*n + int(c-'0')
			}
			return 8 + 10*(n-232)
		}
	}
	for v := range 256 {
		got := max(level(v)-v, v-level(v))
		for _, other := range []int{0, 255, 8, 238, v/10*10 - 2, v/10*10 + 8} {
			if other >= 0 && (other < 239 || other == 255) && max(other-v, v-other) < got {
				t.Errorf("gray %d is drawn as %d, further than %d", v, level(v), other)
			}
		}
	}
}

func TestDrawFits(t *testing.T) {
	for _, size := range []image.Point{{420, 420}, {1000, 1}, {81, 3}} {
		img := image.NewGray(image.Rectangle{Max: size})
		for i := range img.Pix {
			img.Pix[i] = 255
		}
		lines := strings.Split(strings.TrimSuffix(drawn(t, img, 80, Plain), "\n"), "\n")
		if want := (max(1, (size.Y*80+size.X/2)/size.X) + 1) / 2; len(lines) != want {
			t.Errorf("%v: %d lines, want %d", size, len(lines), want)
		}
		for _, l := range lines {
			if l != strings.Repeat("@", 80) {
				t.Errorf("%v: line %q", size, l)
			}
		}
	}
}
