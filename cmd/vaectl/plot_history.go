package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vaectl/internal/chart"
)

type plotHistoryOptions struct {
	model, output, format string
}

func newPlotHistoryCommand(c *console) *cobra.Command {
	var o plotHistoryOptions
	cmd := &cobra.Command{
		Use:   "history [MODEL...]",
		Short: "Draw the losses of a training, epoch by epoch",
		Long: `Draw the losses of a training, epoch by epoch.

Loss, reconstruction and KL of the model, or of several over each other: full lines
for training, dashed ones for validation. All comes from the model files; no data
set is read. Numbers that span more than a factor of 20 get a logarithmic axis.`,
		Example: `  vaectl plot history -o history.svg
  vaectl plot history seed1.safetensors seed2.safetensors > history.png`,
		RunE: func(_ *cobra.Command, models []string) error { return runPlotHistory(c, o, models) },
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	formatFlag(f, &o.format, chart.Formats())
	return cmd
}

func runPlotHistory(c *console, o plotHistoryOptions, models []string) error {
	format, err := chooseFormat(o.format, o.output, chart.Formats())
	if err != nil {
		return err
	}
	if len(models) == 0 {
		models = []string{o.model}
	}
	var runs []chart.Run
	for i, path := range models {
		file, err := readModel(path)
		if err != nil {
			return err
		}
		if len(file.History) == 0 {
			return &hintError{fmt.Errorf("drawing the history of %s: it was trained for no epoch", path), `"vaectl train" trains`}
		}
		runs = append(runs, chart.Run{Name: shortNames(models)[i], Epochs: file.History})
	}
	figure, err := chart.History(runs)
	if err != nil {
		return fmt.Errorf("drawing: %w", errors.Unwrap(err))
	}
	return writeFigure(c, o.output, format, figure)
}

// shortNames are the files' names without folder and ending where these differ,
// and else the paths.
func shortNames(paths []string) []string {
	var names []string
	seen := map[string]bool{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".safetensors")
		if seen[name] {
			return paths
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}
