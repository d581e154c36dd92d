package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"vaectl/internal/train"
	"vaectl/nn"
)

// epochBar shows how far an epoch is, where stderr is a terminal.
type epochBar struct {
	c     *console
	shown bool
	bar   *progressbar.ProgressBar
	phase bool // validating
}

func newEpochBar(c *console, quiet bool) *epochBar {
	return &epochBar{c: c, shown: showsBar(c, quiet)}
}

// showsBar tells whether stderr is a place for a progress bar.
func showsBar(c *console, quiet bool) bool {
	return !quiet && isTerminal(c.err) && c.getenv("TERM") != "dumb"
}

func (b *epochBar) update(p train.Progress) {
	if !b.shown {
		return
	}
	if b.bar == nil || p.Validating != b.phase {
		b.clear()
		b.phase = p.Validating
		b.bar = newBar(b.c.err, p.Total, columns(b.c.err, b.c.getenv))
	}
	name := "loss"
	if p.Validating {
		name = "val_loss"
	}
	b.bar.Describe(fmt.Sprintf("epoch %d/%d %s %.4f", p.Epoch, p.Epochs, name, p.Mean.Loss))
	// The bar is decoration: a terminal that went away must not end a training.
	_ = b.bar.Set(p.Samples)
}

// newBar returns a bar for a terminal of the given width. What does not fit is
// left out: first the samples a second, then their count and the time.
func newBar(w io.Writer, total, columns int) *progressbar.ProgressBar {
	count := 2*len(strconv.Itoa(total)) + len(" (/)")
	const (
		label = len("epoch 10000/10000 val_loss 0.1234") + len("  100% || ")
		times = len("[10h10m10s:10h10m10s]")
		rate  = len(", 100000 samples/min")
	)
	left := columns - 1 - label // a full line would wrap
	timed := left >= count+times
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(timed),
		progressbar.OptionSetElapsedTime(timed),
	}
	if timed {
		left -= count + times
		options = append(options, progressbar.OptionShowCount())
	}
	if timed && left >= rate {
		left -= rate
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString("samples"))
	}
	options = append(options, progressbar.OptionSetWidth(max(1, min(left, 40))))
	return progressbar.NewOptions(total, options...)
}

// clear removes the bar from the screen.
func (b *epochBar) clear() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

// printSummary prints the model's table as Keras does: layer, output shape,
// parameters, and their total.
func printSummary(w io.Writer, rows []nn.SummaryRow) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "Layer\tType\tOutput shape\tParameters")
	total := 0
	for _, r := range rows {
		shape := fmt.Sprintf("%dx%dx%d", r.Output.H, r.Output.W, r.Output.C)
		if r.Output == nn.Vector(r.Output.C) {
			shape = fmt.Sprint(r.Output.C)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Name, r.Kind, shape, thousands(r.Params))
		total += r.Params
	}
	t.Flush()
	fmt.Fprintf(w, "Total parameters: %s\n", thousands(total))
}

// thousands writes n with a comma before every third digit from the right.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
