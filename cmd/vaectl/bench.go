package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vaectl/internal/bench"
	"vaectl/internal/modelfile"
)

type benchOptions struct {
	output, data, only string
	workers, samples   int
	seconds            float64
	json               bool
	config             modelfile.Config
}

func newBenchCommand(c *console) *cobra.Command {
	o := benchOptions{data: "sample", seconds: 20, config: defaultConfig()}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of this machine",
		Long: `Measure the speed of this machine, part by part.

Prints the CPU's ceiling, which is what it multiplies and adds in registers, on
one core and on all workers; the matrix products of the model on one core; every
layer, the loss, the optimizer and the whole step of a training; and how fast it
encodes and decodes. Times are medians, but for the last: the epoch and the
10,000 images encoded and decoded are scaled from the mean of all that was done.
GFLOP/s count two operations for every multiply-add that the sizes of a layer
imply. The data gradient's time is what both gradients take together less the
weight gradient's.

A busy machine measures badly: let it rest.`,
		Example: `  vaectl bench --time 1 --samples 32
  vaectl bench --only ceiling --time 0.1 --workers 1
  VAECTL_ISA=generic vaectl bench --only products --time 0.1 --json > generic.json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runBench(cmd.Context(), c, o) },
	}
	f := cmd.Flags()
	outputFlag(f, &o.output)
	convolutionFlag(f, &o.config.Convolution)
	f.BoolVar(&o.json, "json", false, "print JSON")
	dataFlag(f, &o.data)
	choiceFlag(f, &o.only, "only", []string{bench.Ceiling, bench.Products, bench.Layers, bench.Training, bench.Throughput},
		"measure one part, next to the ceiling")
	floatFlag(f, &o.seconds, "time", func(x float64) bool { return x >= 0 && x <= 3600 },
		"a number of seconds from 0 to 3600", "about how many seconds to take; everything is measured three times at least")
	intFlag(f, &o.samples, "samples", 0, math.MaxInt32, "images to train on, to encode and to decode; 0 goes by --time")
	intFlag(f, &o.workers, "workers", 0, 1024, "parallel workers; 0 takes every processor")
	return cmd
}

func runBench(ctx context.Context, c *console, o benchOptions) error {
	data, err := openData(o.data, c.err)
	if err != nil {
		return err
	}
	report, err := bench.Run(ctx, bench.Options{
		Tier: c.tier, Workers: o.workers, Section: o.only,
		Time: time.Duration(o.seconds * float64(time.Second)), Samples: o.samples,
		Batch: batchSize, Config: o.config, Data: data,
	}, func(section string) { fmt.Fprintf(c.err, "measuring: %s\n", section) })
	if errors.Is(err, context.Canceled) {
		return &interruptedError{"while measuring"}
	}
	if err != nil {
		return fmt.Errorf("measuring: %w", err)
	}
	return writeOutput(c, o.output, false, func(w io.Writer) error {
		if o.json {
			return writeJSON(w, report)
		}
		return printReport(w, report)
	})
}

// printReport prints a table with a block for each section.
func printReport(w io.Writer, r *bench.Report) error {
	out := bufio.NewWriter(w)
	line := func(what, time, gflops, ceiling, images string) {
		text := fmt.Sprintf("%-48s %9s %9s %8s %9s", what, time, gflops, ceiling, images)
		fmt.Fprintln(out, strings.TrimRight(text, " "))
	}
	fmt.Fprintf(out, "%s, training in batches of %d\n", r.ISA, r.Batch)
	section, workers := "", 0
	for _, row := range r.Results {
		if row.Section != section || row.Workers != workers {
			section, workers = row.Section, row.Workers
			fmt.Fprintln(out)
			line(section+", "+cores(workers), "time", "GFLOP/s", "ceiling", "images/s")
		}
		line("  "+row.Name, duration(row.Seconds), figure("%.1f", row.GFLOPS),
			figure("%.0f%%", row.CeilingPercent), figure("%.0f", row.ImagesPerSecond))
	}
	return out.Flush()
}

func cores(workers int) string {
	if workers == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d workers", workers)
}

// figure formats x, and leaves out what was not measured.
func figure(format string, x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf(format, x)
}

// duration writes seconds with three digits and a fitting unit.
func duration(seconds float64) string {
	switch {
	case seconds >= 1:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds >= 1e-3:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g µs", seconds*1e6)
}
