package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// knownCommand refuses a word that is no subcommand, with the nearest one as a
// hint.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if isDocumented(sub) {
			names = append(append(names, sub.Name()), sub.Aliases...)
		}
	}
	hint := fmt.Sprintf("%q lists the commands", cmd.CommandPath()+" --help")
	if near := nearest(names, args[0]); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return &hintError{usagef("unknown command %q", args[0]), hint}
}

// flagError turns pflag's complaints into usage errors, with a hint at the
// nearest flag where a name is unknown.
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("%q lists the flags", cmd.CommandPath()+" --help")
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if near := nearestFlag(cmd.Flags(), unknown); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
	}
	return &hintError{&usageError{err}, hint}
}

// nearestFlag returns the flag that was likely meant, with its dashes, or "".
func nearestFlag(fs *pflag.FlagSet, unknown *pflag.NotExistError) string {
	typed := unknown.GetSpecifiedName()
	if group := unknown.GetSpecifiedShortnames(); group != "" {
		// One dash where two were meant: -epochs=3 is a group of short flags.
		typed, _, _ = strings.Cut(group, "=")
		if len(typed) == 1 {
			return ""
		}
	} else if len(typed) == 1 && fs.ShorthandLookup(typed) != nil {
		return "-" + typed
	}
	var names []string
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := nearest(names, typed); near != "" {
		return "--" + near
	}
	return ""
}

// nearest returns the name that typed begins, or else the one at the least edit
// distance from it, at most 2 and less than its length; "" if there is none.
// Cobra measures, which does so for commands.
func nearest(names []string, typed string) string {
	candidates := new(cobra.Command)
	for _, name := range names {
		candidates.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	for distance := range min(3, len(typed)) {
		candidates.SuggestionsMinimumDistance = distance
		if near := candidates.SuggestionsFor(typed); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}
