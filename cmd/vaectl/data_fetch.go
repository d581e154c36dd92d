package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"vaectl/internal/catalog"
	"vaectl/internal/fetch"
)

type dataFetchOptions struct {
	dataset, dir string
	mirrors      []string
	timeout      float64
	quiet        bool
}

func newDataFetchCommand(c *console) *cobra.Command {
	o := dataFetchOptions{dataset: "mnist", timeout: 30}
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "Download MNIST, Fashion-MNIST or KMNIST",
		Long: `Download MNIST, Fashion-MNIST or KMNIST.

The four files go to the user's cache directory, where "train" finds MNIST by
itself; --dir names another place, for "train --data DIR". Each comes from the
first mirror that has it and is put in its place when its SHA-256 is found to be
that of the published file: of the bytes inside for MNIST and Fashion-MNIST, of
the packed file for KMNIST. What is there already is checked, not downloaded.

A download that breaks off, or is interrupted, leaves a file that ends in .part
if the server can resume; the same command goes on from there. The proxy that
$HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY name is used.`,
		Example: `  vaectl data fetch && vaectl train
  vaectl data fetch --dataset fashion-mnist --dir fashion && vaectl train --data fashion
  vaectl data fetch --mirror http://files.example.org/mnist/`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDataFetch(cmd.Context(), c, o) },
	}
	f := cmd.Flags()
	if names := c.catalog.Names(); len(names) > 0 {
		choiceFlag(f, &o.dataset, "dataset", names, "what to download")
	}
	f.StringVar(&o.dir, "dir", "", "put the files into `DIR`, by default the data set's in the user's cache directory")
	mirrorFlag(f, &o.mirrors)
	floatFlag(f, &o.timeout, "timeout", func(x float64) bool { return x > 0 && x <= 3600 },
		"a number of seconds above 0, at most 3600", "seconds of silence after which to give a connection up")
	f.BoolVar(&o.quiet, "quiet", false, "print nothing but errors")
	return cmd
}

func runDataFetch(ctx context.Context, c *console, o dataFetchOptions) error {
	set, err := c.catalog.Find(o.dataset)
	if err != nil {
		return err
	}
	if len(o.mirrors) > 0 {
		set.Mirrors = o.mirrors
	}
	dir := o.dir
	if dir == "" {
		if dir, err = fetchedDir(set.Name); err != nil {
			return err
		}
	}
	var notes io.Writer = c.err
	if o.quiet {
		notes = io.Discard
	}
	missing, err := missingFiles(c.catalog.Inspect(dir), set, notes)
	if err != nil {
		return err
	}
	client := c.newClient(time.Duration(o.timeout * float64(time.Second)))
	for _, f := range missing {
		show := newDownload(c, o.quiet, notes, f.Name)
		path := filepath.Join(dir, f.Name)
		err := client.Get(ctx, fetch.File{
			Path: path, URLs: fileURLs(set.Mirrors, f.Name), Limit: f.MaxPacked(), Check: f.Check,
		}, show)
		show.end(err == nil)
		if err != nil {
			return fetchError(err, set, f.Name, path)
		}
	}
	fmt.Fprintf(notes, "%s is complete in %s\n", set.Name, dir)
	return nil
}

// missingFiles lists what there is to download. It refuses to replace a file that
// is there and is another one: it may be the user's own.
func missingFiles(have catalog.Report, set catalog.Set, notes io.Writer) ([]catalog.File, error) {
	if err := firstProblem(have); err != nil && have.State == catalog.Bad {
		return nil, &hintError{fmt.Errorf("looking at what is there: %w", err), "move it away, or name another directory with --dir"}
	}
	var missing []catalog.File
files:
	for _, f := range set.Files {
		for _, there := range have.Files {
			if there.Half != f.Half || there.Kind != f.Kind {
				continue
			}
			path := filepath.Join(have.Dir, there.Name)
			if !f.MayBe(there.Content) {
				return nil, &hintError{
					fmt.Errorf("looking at what is there: %s is not %s's", path, set.Name),
					"move it away, or name another directory with --dir",
				}
			}
			if there.Set == "" {
				fmt.Fprintf(notes, "%s is there; packed in another way than the published file, it cannot be verified\n", path)
			} else {
				fmt.Fprintf(notes, "%s is there and verified\n", path)
			}
			continue files
		}
		missing = append(missing, f)
	}
	return missing, nil
}

func fileURLs(mirrors []string, name string) []string {
	var urls []string
	for _, m := range mirrors {
		urls = append(urls, strings.TrimSuffix(m, "/")+"/"+name)
	}
	return urls
}

// fetchError says what became of a download, and what to do now.
func fetchError(err error, set catalog.Set, name, path string) error {
	part := ""
	if _, errPart := os.Stat(path + fetch.PartSuffix); errPart == nil {
		part = "the same command goes on where it broke off"
	}
	if errors.Is(err, context.Canceled) {
		err = &interruptedError{"while fetching " + name}
		if part == "" {
			return err
		}
		return &hintError{err, part}
	}
	err = fmt.Errorf("fetching %s: %w", name, err)
	var mirrors *fetch.MirrorsError
	switch {
	case !errors.As(err, &mirrors):
		return err
	case part != "":
		return &hintError{err, part}
	}
	return &hintError{err, fmt.Sprintf("get the four files another way, from %s, and name their directory with --data DIR or $VAECTL_DATA; "+
		"--data sample trains on the 10,000 digits in the program", strings.Join(set.Mirrors, " or "))}
}

// download shows how a download goes on: a bar where stderr is a terminal, else a
// line when it begins and one when it is done.
type download struct {
	c     *console
	notes io.Writer
	name  string
	bar   *progressbar.ProgressBar // nil where there is none
	shown bool
	total int64 // that the bar was made for
	done  int64
}

func newDownload(c *console, quiet bool, notes io.Writer, name string) *download {
	d := &download{c: c, notes: notes, name: name, shown: showsBar(c, quiet)}
	if !d.shown {
		fmt.Fprintf(notes, "fetching %s\n", name)
	}
	return d
}

func (d *download) Progress(done, total int64) {
	d.done = done
	if !d.shown {
		return
	}
	if d.bar == nil || total != d.total {
		d.clear()
		d.total = total
		d.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(d.c.err),
			progressbar.OptionSetWidth(24),
			progressbar.OptionSetDescription(d.name),
			progressbar.OptionShowBytes(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = d.bar.Set64(done) // decoration, as for an epoch
}

func (d *download) Failed(url string, err error, wait time.Duration) {
	d.clear()
	switch {
	case wait == fetch.Next:
		fmt.Fprintf(d.notes, "%s: %v; trying the next mirror\n", url, err)
	case wait == 0:
		fmt.Fprintf(d.notes, "%s: %v; trying again\n", url, err)
	default:
		fmt.Fprintf(d.notes, "%s: %v; trying again in %v\n", url, err, wait.Round(time.Millisecond))
	}
}

func (d *download) end(ok bool) {
	d.clear()
	if ok {
		fmt.Fprintf(d.notes, "fetched %s: %s bytes, verified\n", d.name, thousands(int(d.done)))
	}
}

func (d *download) clear() {
	if d.bar != nil {
		_ = d.bar.Clear()
		d.bar = nil
	}
}
