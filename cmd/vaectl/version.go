package main

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

type versionOptions struct {
	output string
	json   bool
}

func newVersionCommand(c *console) *cobra.Command {
	var o versionOptions
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show which vaectl this is",
		Long: `Show which vaectl this is: version, commit, Go, platform, and the CPU's vector
instructions in use, which $VAECTL_ISA chooses.

--json prints one object with the keys

    version   as Go names it: a tag, a pseudo-version, or (devel)
    commit    the full hash, empty if the build does not know it
    modified  true if the checkout had changes beyond the commit
    time      the commit's time, in RFC 3339, empty if unknown
    go        the version of Go that built it
    os, arch  the platform it was built for
    isa       generic, avx2 or avx512`,
		Example: `  vaectl version
  vaectl --version
  vaectl version --json | jq -r .isa`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return runVersion(c, o) },
	}
	f := cmd.Flags()
	outputFlag(f, &o.output)
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func runVersion(c *console, o versionOptions) error {
	v := readVersion()
	v.ISA = c.tier.String()
	return writeOutput(c, o.output, false, func(w io.Writer) error {
		if o.json {
			return writeJSON(w, v)
		}
		return printVersion(w, v)
	})
}

// versionInfo is what version shows. The JSON keys are documented in its help.
type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Time     string `json:"time"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	ISA      string `json:"isa"`
}

// readVersion reads the facts that Go stamped into this program. The kernels in
// use are not among them.
func readVersion() versionInfo {
	v := versionInfo{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		case "vcs.time":
			v.Time = s.Value
		}
	}
	return v
}

func printVersion(w io.Writer, v versionInfo) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "vaectl %s\n", v.Version)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if v.Commit != "" {
		modified := ""
		if v.Modified {
			modified = ", modified"
		}
		fmt.Fprintf(t, "commit\t%s of %s%s\n", v.Commit, v.Time, modified)
	}
	fmt.Fprintf(t, "built\t%s %s/%s\n", v.Go, v.OS, v.Arch)
	fmt.Fprintf(t, "kernels\t%s\n", v.ISA)
	t.Flush()
	return out.Flush()
}
