package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaectl/internal/atomicfile"
)

// The pages are written here rather than by cobra's package doc, which takes the
// help for Markdown: it eats the underscores of __metadata__, leaves out topics
// and what a flag's value is, and would bring three modules into the program.

func newManCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages",
		Long: `Write the man pages into a directory, which is made where it is missing: one for
each command in section 1, below man1, and one for each topic in section 7, below
man7. The same build writes the same pages.`,
		Example: `  vaectl man man
  vaectl man ~/.local/share/man`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeDirs,
		RunE:              func(_ *cobra.Command, dir []string) error { return runMan(c, dir[0]) },
	}
}

func runMan(c *console, dir string) error {
	// A root of its own: the environment must not show in the defaults of flags.
	plain := *c
	plain.getenv = func(string) string { return "" }
	root := newRootCommand(&plain)
	if err := writeManPages(dir, root, readVersion()); err != nil {
		return fmt.Errorf("writing the man pages: %w", err)
	}
	return nil
}

// writeManPages writes the pages of cmd and of the commands and topics below it.
func writeManPages(dir string, cmd *cobra.Command, v versionInfo) error {
	if !isDocumented(cmd) {
		return nil
	}
	dir1 := filepath.Join(dir, "man"+manSection(cmd))
	if err := os.MkdirAll(dir1, 0o777); err != nil {
		return err
	}
	path := filepath.Join(dir1, manName(cmd)+"."+manSection(cmd))
	if err := atomicfile.Write(path, func(w io.Writer) error { return manPage(w, cmd, v) }); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if err := writeManPages(dir, sub, v); err != nil {
			return err
		}
	}
	return nil
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func manSection(cmd *cobra.Command) string {
	if cmd.IsAdditionalHelpTopicCommand() {
		return "7"
	}
	return "1"
}

// manPage writes one page in roff with the macros of man(7). Its date is the
// commit's, empty where the build does not know it.
func manPage(w io.Writer, cmd *cobra.Command, v versionInfo) error {
	out := bufio.NewWriter(w)
	date, _, _ := strings.Cut(v.Time, "T")
	fmt.Fprintf(out, ".TH %q %s %q %q %q\n", strings.ToUpper(manName(cmd)), manSection(cmd), date, "vaectl "+v.Version, "vaectl")
	fmt.Fprintf(out, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	if cmd.Runnable() {
		fmt.Fprintf(out, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
		for _, alias := range cmd.Aliases {
			fmt.Fprintf(out, ".br\n.B %s\n", roff(strings.Replace(cmd.UseLine(), cmd.Name(), alias, 1)))
		}
	}
	fmt.Fprint(out, ".SH DESCRIPTION\n")
	manText(out, cmd.Long)
	cmd.InitDefaultHelpFlag()
	if cmd.Runnable() {
		fmt.Fprint(out, ".SH OPTIONS\n")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { manFlag(out, f) })
	}
	if cmd.Example != "" {
		fmt.Fprintf(out, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	var also []string
	if cmd.HasParent() {
		also = append(also, manReference(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if isDocumented(sub) {
			also = append(also, manReference(sub))
		}
	}
	fmt.Fprintf(out, ".SH SEE ALSO\n%s\n", strings.Join(also, ",\n"))
	return out.Flush()
}

func manReference(cmd *cobra.Command) string {
	return fmt.Sprintf("\\fB%s\\fR(%s)", roff(manName(cmd)), manSection(cmd))
}

func manFlag(w io.Writer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	kind, usage := pflag.UnquoteUsage(f)
	fmt.Fprint(w, ".TP\n")
	if f.Shorthand != "" {
		fmt.Fprintf(w, "\\fB\\-%s\\fR, ", f.Shorthand)
	}
	fmt.Fprintf(w, "\\fB%s\\fR \\fI%s\\fR\n%s", roff("--"+f.Name), roff(kind), roff(usage))
	if d := f.DefValue; d != "" && d != "0" && d != "false" {
		fmt.Fprintf(w, " (default %s)", roff(d))
	}
	fmt.Fprintln(w)
}

// manText writes the text of a help: paragraphs, which are filled anew, and
// indented lines, which stay as they are.
func manText(w io.Writer, text string) {
	asIs := false
	for _, line := range strings.Split(text, "\n") {
		if indented := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t"); line != "" && indented != asIs {
			asIs = indented
			fmt.Fprint(w, map[bool]string{true: ".nf\n", false: ".fi\n"}[asIs])
		}
		if line == "" {
			line = ".PP"
		} else {
			line = roff(strings.TrimPrefix(line, "    ")) // the page indents enough
		}
		fmt.Fprintln(w, line)
	}
	if asIs {
		fmt.Fprint(w, ".fi\n")
	}
}

// roff escapes what roff would take for its own: backslashes, hyphens that stand
// for minus signs, and a dot or quote at the start of a line.
func roff(s string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "\t", "    ").Replace(s), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
