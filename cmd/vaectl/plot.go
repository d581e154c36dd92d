package main

import (
	"io"

	"github.com/spf13/cobra"

	"vaectl/internal/chart"
)

func newPlotCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plot",
		Short: "Draw charts of a model and its training",
		Long: `Draw charts of a model and its training.

Writes PNG, SVG or PDF, as the ending of the output's name says; PNG to stdout
unless --format names another. The same data give the same bytes.`,
		Example: `  vaectl plot history -o history.svg
  vaectl plot latent > latent.png`,
		Args: knownCommand,
		RunE: showHelp,
	}
	cmd.AddCommand(newPlotLatentCommand(c), newPlotHistoryCommand(c), newPlotReconstructionsCommand(c))
	return cmd
}

func writeFigure(c *console, output, format string, f *chart.Figure) error {
	return writeOutput(c, output, format != "svg", func(w io.Writer) error { return f.Write(w, format) })
}
