package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// formatFlag adds the flag for an output's format, which otherwise goes by the
// ending of its name.
func formatFlag(fs *pflag.FlagSet, p *string, formats []string) {
	choiceFlag(fs, p, "format", formats, "format of the output, whatever its name (default by its ending, else "+formats[0]+")")
}

// chooseFormat returns the format that --format names, else that of the output's
// ending; the first of the formats where the name has none, and for stdout.
func chooseFormat(flag, output string, formats []string) (string, error) {
	ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(output), "."))
	switch {
	case flag != "":
		return flag, nil
	case slices.Contains(formats, ending):
		return ending, nil
	case ending == "" || output == "-":
		return formats[0], nil
	}
	return "", usagef("invalid argument %q for \"-o, --output\" flag: must end in .%s, or --format must say what it is", output, strings.Join(formats, ", ."))
}
