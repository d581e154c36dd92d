package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vaectl/internal/catalog"
)

func newDataVerifyCommand(c *console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Check the files of a data set",
		Long: `Check the files of a data set.

Reads the IDX files in DIR, by default the MNIST that was fetched, to their ends:
their kind, count and size, whether their SHA-256 is that of a published file,
and whether they belong together. BELONGS TO names the data set that a file is of
by its digest; without one it may be sound and yet not be known. The exit status
is 1 if a file is bad, or if "train --data DIR" would not take them.`,
		Example: `  vaectl data verify
  vaectl data verify ~/fashion && vaectl train --data ~/fashion`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeDirs,
		RunE:              func(_ *cobra.Command, args []string) error { return runDataVerify(c, args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// verifyResult is what "data verify" found.
type verifyResult struct {
	Dir     string       `json:"dir"`
	State   string       `json:"state"`
	Set     string       `json:"set,omitempty"`
	Problem string       `json:"problem,omitempty"`
	Files   []verifyFile `json:"files"`
}

type verifyFile struct {
	Name    string `json:"name"`
	Half    string `json:"half"`
	Kind    string `json:"kind"`
	Count   int    `json:"count"`
	Rows    int    `json:"rows,omitempty"`
	Cols    int    `json:"cols,omitempty"`
	SHA256  string `json:"sha256_inside,omitempty"`
	Set     string `json:"set,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func runDataVerify(c *console, args []string, asJSON bool) error {
	dir, err := "", error(nil)
	if len(args) > 0 {
		dir = args[0]
	} else if dir, err = fetchedDir("mnist"); err != nil {
		return err
	}
	report := c.catalog.Inspect(dir)
	problem := firstProblem(report)
	if report.State != catalog.Absent {
		err = writeOutput(c, "", false, func(w io.Writer) error {
			result := newVerifyResult(report)
			if asJSON {
				return writeJSON(w, result)
			}
			return printVerify(w, result)
		})
		if err != nil {
			return err
		}
	}
	if problem != nil {
		return &hintError{fmt.Errorf("verifying: %w", problem), `"vaectl data fetch --dir DIR" downloads what is missing, once bad files are out of the way`}
	}
	return nil
}

func newVerifyResult(r catalog.Report) verifyResult {
	result := verifyResult{Dir: r.Dir, State: string(r.State), Set: r.Set}
	if r.Err != nil {
		result.Problem = r.Err.Error()
	}
	for _, f := range r.Files {
		file := verifyFile{
			Name: f.Name, Half: f.Half, Kind: f.Kind, Count: f.Count, Rows: f.Rows, Cols: f.Cols,
			SHA256: f.SHA256[catalog.Inside], Set: f.Set,
		}
		if f.Err != nil {
			file.Problem = f.Err.Error()
		}
		result.Files = append(result.Files, file)
	}
	return result
}

func printVerify(w io.Writer, r verifyResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tHALF\tKIND\tCOUNT\tSIZE\tSHA-256 INSIDE\tBELONGS TO\tPROBLEM")
	for _, f := range r.Files {
		size := ""
		if f.Rows > 0 {
			size = fmt.Sprintf("%dx%d", f.Rows, f.Cols)
		}
		digest := f.SHA256
		if len(digest) > 12 {
			digest = digest[:12]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", f.Name, f.Half, f.Kind, f.Count,
			orDash(size), orDash(digest), orDash(f.Set), orDash(f.Problem))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", r.Dir, r.State)
	return err
}
