// Package termimage draws grayscale pictures with the characters of a terminal.
// What belongs here is what a terminal can show and how; whether there is one,
// and how wide it is, is the caller's to find out.
package termimage

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"strings"

	"golang.org/x/image/draw"
)

// Mode is what a terminal can show.
type Mode int

const (
	// Plain uses the characters of ASCII, from a space for black to @ for white.
	Plain Mode = iota
	// Colour256 draws two pixels in a half block, in 26 grays.
	Colour256
	// TrueColour does so in 256 grays.
	TrueColour
)

// Detect tells the mode from the environment. NO_COLOR (https://no-color.org)
// and TERM=dumb make it plain, and so does an output that is no terminal, unless
// CLICOLOR_FORCE (https://bixense.com/clicolors) is set.
//
// It is our own because github.com/charmbracelet/colorprofile, which does this
// and more, would bring nine modules for the sake of one answer out of three.
func Detect(getenv func(string) string, terminal bool) Mode {
	force := getenv("CLICOLOR_FORCE")
	term, colours := getenv("TERM"), getenv("COLORTERM")
	switch {
	case getenv("NO_COLOR") != "", term == "dumb", !terminal && (force == "" || force == "0"):
		return Plain
	case colours == "truecolor", colours == "24bit", strings.HasSuffix(term, "-direct"), getenv("WT_SESSION") != "":
		return TrueColour
	case strings.Contains(term, "256color"):
		return Colour256
	}
	for _, name := range []string{"kitty", "ghostty", "alacritty", "wezterm", "foot"} {
		if strings.Contains(term, name) {
			return TrueColour
		}
	}
	return Plain
}

// Draw writes img as lines of at most columns characters, each two pixels high;
// a wider picture is scaled down.
func Draw(w io.Writer, img *image.Gray, columns int, mode Mode) error {
	if size := img.Rect.Size(); size.X > columns {
		small := image.NewGray(image.Rect(0, 0, columns, max(1, (size.Y*columns+size.X/2)/size.X)))
		draw.CatmullRom.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
		img = small
	}
	out := bufio.NewWriter(w)
	for y := img.Rect.Min.Y; y < img.Rect.Max.Y; y += 2 {
		if mode == Plain {
			plainLine(out, img, y)
		} else {
			colourLine(out, img, y, mode)
		}
	}
	return out.Flush()
}

// below is the pixel under (x, y); the last line of an odd number has none.
func below(img *image.Gray, x, y int) (v uint8, ok bool) {
	if y+1 == img.Rect.Max.Y {
		return 0, false
	}
	return img.GrayAt(x, y+1).Y, true
}

func plainLine(w *bufio.Writer, img *image.Gray, y int) {
	const ramp = " .:-=+*#%@"
	line := make([]byte, 0, img.Rect.Dx())
	for x := img.Rect.Min.X; x < img.Rect.Max.X; x++ {
		v := int(img.GrayAt(x, y).Y)
		if low, ok := below(img, x, y); ok {
			v = (v + int(low) + 1) / 2
		}
		line = append(line, ramp[(v*(len(ramp)-1)+127)/255])
	}
	fmt.Fprintf(w, "%s\n", strings.TrimRight(string(line), " "))
}

// colourLine draws the upper pixel as a half block and the lower one as its
// background. Colours are set where they change.
func colourLine(w *bufio.Writer, img *image.Gray, y int, mode Mode) {
	upper, lower := -1, -1 // as set
	for x := img.Rect.Min.X; x < img.Rect.Max.X; x++ {
		if v := int(img.GrayAt(x, y).Y); v != upper {
			upper = v
			w.WriteString("\x1b[38;" + colour(v, mode) + "m")
		}
		if v, ok := below(img, x, y); ok && int(v) != lower {
			lower = int(v)
			w.WriteString("\x1b[48;" + colour(lower, mode) + "m")
		}
		w.WriteString("▀")
	}
	w.WriteString("\x1b[0m\n")
}

// colour is the gray v as the parameters of SGR. Of 256 colours, 16 is black, 231
// white, and 232 to 255 are the grays 8, 18, ..., 238.
func colour(v int, mode Mode) string {
	switch {
	case mode == TrueColour:
		return fmt.Sprintf("2;%d;%d;%d", v, v, v)
	case v < 4:
		return "5;16"
	case v > 246:
		return "5;231"
	}
	return fmt.Sprintf("5;%d", 232+min((max(v-8, 0)+5)/10, 23))
}
