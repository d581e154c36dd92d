package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vaectl/internal/catalog"
	"vaectl/mnist"
)

func newDataCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Download data sets, list, verify and export them",
		Long: `Download data sets, list, verify and export them.

Only "data fetch" uses the network.`,
		Example: `  vaectl data fetch                              # MNIST, to where train finds it
  vaectl data list
  vaectl data export --png digits && vaectl encode digits/*.png`,
		Args: knownCommand,
		RunE: showHelp,
	}
	cmd.AddCommand(
		newDataFetchCommand(c),
		newDataListCommand(c),
		newDataVerifyCommand(c),
		newDataExportCommand(c),
	)
	return cmd
}

// fetchedDir is where "data fetch" puts a data set, and where --data auto looks
// for MNIST.
func fetchedDir(dataset string) (string, error) {
	fetched := mnist.SystemEnv().Fetched
	if fetched == "" {
		return "", &hintError{errors.New("finding a place for the data: the user has no cache directory"), "--dir names one"}
	}
	return filepath.Join(filepath.Dir(fetched), dataset), nil
}

func newDataListCommand(c *console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the data sets, where they are and in what state",
		Long: `List the data sets, where they are and in what state.

The states: built-in; absent; incomplete, some files are missing; bad, a file is
broken or not what it should be; sound, it can be trained on, but not all SHA-256
are known; verified, all four files are what was published. The column DIGEST
says of which bytes the SHA-256 is known: of the IDX file inside, however it is
packed, or of the packed file. AUTO marks what "train --data auto" takes.`,
		Example: `  vaectl data list
  vaectl data list --json | jq -r '.[] | select(.state == "verified") | .dir'`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return runDataList(c, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listRow is a data set as "data list" shows it.
type listRow struct {
	Name    string   `json:"name"`
	Auto    bool     `json:"auto"`
	State   string   `json:"state"`
	Train   int      `json:"train"`
	Val     int      `json:"val"`
	Digest  string   `json:"digest,omitempty"`
	Dir     string   `json:"dir,omitempty"`
	Mirrors []string `json:"mirrors,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

func runDataList(c *console, asJSON bool) error {
	rows, err := listData(c.catalog)
	if err != nil {
		return err
	}
	return writeOutput(c, "", false, func(w io.Writer) error {
		if asJSON {
			return writeJSON(w, rows)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NAME\tAUTO\tSTATE\tTRAIN\tVAL\tDIGEST\tDIRECTORY")
		for _, r := range rows {
			auto := "-"
			if r.Auto {
				auto = "yes"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.Name, auto, r.State, r.Train, r.Val, orDash(r.Digest), orDash(r.Dir))
			if r.Problem != "" {
				fmt.Fprintf(c.err, "note: %s: %s\n", r.Name, r.Problem)
			}
		}
		return t.Flush()
	})
}

// listData looks at every place where data may be.
func listData(known catalog.Catalog) ([]listRow, error) {
	sample, err := mnist.Sample()
	if err != nil {
		return nil, err
	}
	rows := []listRow{{Name: "sample", State: "built-in", Train: sample.Train.Len(), Val: sample.Val.Len()}}
	auto := 0
	for _, set := range known {
		dir, err := fetchedDir(set.Name)
		if err != nil {
			return nil, err
		}
		report := known.Inspect(dir)
		row := newListRow(set.Name, report)
		row.Digest, row.Mirrors = string(set.Files[0].Digest.Covers), set.Mirrors
		// As mnist.Open has it: what is there, even if it is bad.
		if dir == mnist.SystemEnv().Fetched && !errors.Is(report.Err, mnist.ErrNoImages) {
			auto = len(rows)
		}
		rows = append(rows, row)
	}
	if dir := mnist.SystemEnv().Data; dir != "" {
		auto = len(rows)
		rows = append(rows, newListRow("$VAECTL_DATA", known.Inspect(dir)))
	}
	rows[auto].Auto = true
	return rows, nil
}

func newListRow(name string, r catalog.Report) listRow {
	row := listRow{Name: name, State: string(r.State), Dir: r.Dir}
	for _, f := range r.Files {
		switch {
		case f.Kind == catalog.Labels:
		case f.Half == catalog.Train:
			row.Train = f.Count
		default:
			row.Val = f.Count
		}
	}
	if err := firstProblem(r); err != nil && r.State != catalog.Absent {
		row.Problem = err.Error()
	}
	return row
}

// firstProblem is what is wrong with a directory, nil if nothing is.
func firstProblem(r catalog.Report) error {
	for _, f := range r.Files {
		if f.Err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(r.Dir, f.Name), f.Err)
		}
	}
	return r.Err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
