package main

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaectl/nn"
)

// value is a flag's value with a check: set parses s and stores it, or says
// what is accepted.
type value struct {
	kind string
	text string
	set  func(s string) error
}

func (v *value) String() string { return v.text }
func (v *value) Type() string   { return v.kind }

func (v *value) Set(s string) error {
	if err := v.set(s); err != nil {
		return err
	}
	v.text = s
	return nil
}

// completedValue is a value that a shell can complete.
type completedValue struct {
	value
	complete cobra.CompletionFunc
}

// intFlag adds a flag for a whole number from lo to hi, with the default that p
// holds.
func intFlag(fs *pflag.FlagSet, p *int, name string, lo, hi int, usage string) {
	fs.Var(&value{"N", strconv.Itoa(*p), func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < lo || n > hi {
			if hi == math.MaxInt32 {
				return fmt.Errorf("must be a whole number from %d up", lo)
			}
			return fmt.Errorf("must be a whole number from %d to %d", lo, hi)
		}
		*p = n
		return nil
	}}, name, usage)
}

// seedFlag adds a flag for a random seed.
func seedFlag(fs *pflag.FlagSet, p *uint64, name, usage string) {
	fs.Var(&value{"N", strconv.FormatUint(*p, 10), func(s string) error {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return errors.New("must be a whole number from 0 to 18446744073709551615")
		}
		*p = n
		return nil
	}}, name, usage)
}

// floatFlag adds a flag for a finite number that passes ok; accepted says which
// these are.
func floatFlag(fs *pflag.FlagSet, p *float64, name string, ok func(float64) bool, accepted, usage string) {
	fs.Var(&value{"X", strconv.FormatFloat(*p, 'g', -1, 64), func(s string) error {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || !ok(x) {
			return fmt.Errorf("must be %s", accepted)
		}
		*p = x
		return nil
	}}, name, usage)
}

// choiceFlag adds a flag for one of a few words.
func choiceFlag(fs *pflag.FlagSet, p *string, name string, choices []string, usage string) {
	complete := cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
	fs.Var(&completedValue{value{strings.Join(choices, "|"), *p, func(s string) error {
		if !slices.Contains(choices, s) {
			return fmt.Errorf("must be one of %s", strings.Join(choices, ", "))
		}
		*p = s
		return nil
	}}, complete}, name, usage)
}

// floatsFlag adds a flag for finite numbers with commas between them.
func floatsFlag(fs *pflag.FlagSet, p *[]float64, name, usage string) {
	fs.Var(&value{"X,...", "", func(s string) error {
		var list []float64
		for _, f := range strings.Split(s, ",") {
			x, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
			if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
				return errors.New("must be numbers with commas between them")
			}
			list = append(list, x)
		}
		*p = list
		return nil
	}}, name, usage)
}

// axesFlag adds a flag for two latent dimensions counted from 1.
func axesFlag(fs *pflag.FlagSet, p *[2]int, name, usage string) {
	fs.Var(&value{"I,J", "", func(s string) error {
		a, b, found := strings.Cut(s, ",")
		i, err1 := strconv.Atoi(a)
		j, err2 := strconv.Atoi(b)
		if !found || err1 != nil || err2 != nil || i < 1 || j < 1 {
			return errors.New("must be two dimensions counted from 1, such as 1,2")
		}
		*p = [2]int{i, j}
		return nil
	}}, name, usage)
}

// convolutionFlag adds --convolution.
func convolutionFlag(f *pflag.FlagSet, dst *string) {
	choiceFlag(f, dst, "convolution", []string{string(nn.Winograd), string(nn.Direct)},
		"how 3x3 kernels are summed up: winograd is twice as fast, direct is plain")
}

// durationFlag adds a flag for a time above zero.
func durationFlag(fs *pflag.FlagSet, p *time.Duration, name, usage string) {
	fs.Var(&value{"DURATION", "", func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return errors.New("must be a duration above 0, such as 90s, 30m or 1h30m")
		}
		*p = d
		return nil
	}}, name, usage)
}

// interval is how often something is done: after so many steps, or after so much
// time, or never if both are 0.
type interval struct {
	steps int
	time  time.Duration
}

// intervalFlag adds a flag for an interval, with the default that p holds, a time.
func intervalFlag(fs *pflag.FlagSet, p *interval, name, usage string) {
	fs.Var(&value{"STEPS|DURATION", p.time.String(), func(s string) error {
		steps, err := strconv.Atoi(s)
		if err == nil && steps >= 0 {
			*p = interval{steps: steps}
			return nil
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return errors.New("must be a number of steps such as 500, a duration such as 30s, or 0")
		}
		*p = interval{time: d}
		return nil
	}}, name, usage)
}

// modelFlag adds the flag for the model file that all commands share.
func modelFlag(fs *pflag.FlagSet, p *string, c *console) {
	*p = "vae.safetensors"
	if env := c.getenv("VAECTL_MODEL"); env != "" {
		*p = env
	}
	fs.VarP(&completedValue{value{"FILE", *p, func(s string) error {
		if s == "" {
			return errors.New("must be the name of a file")
		}
		*p = s
		return nil
	}}, completeFiles("safetensors")}, "model", "m", "model `FILE`; $VAECTL_MODEL changes the default")
}

// outputFlag adds the flag for a command's output file. Completion offers files
// whose names end in one of the extensions, without dots, or all files.
func outputFlag(fs *pflag.FlagSet, p *string, extensions ...string) {
	fs.VarP(&completedValue{value{"FILE", "", func(s string) error {
		*p = s
		return nil
	}}, completeFiles(extensions...)}, "output", "o",
		"write to `FILE` rather than stdout; - means stdout even if that is a terminal")
}

// dataFlag adds the flag for the data set, with the default that p holds.
func dataFlag(fs *pflag.FlagSet, p *string) {
	fs.Var(&completedValue{value{"DIR|auto|sample", *p, func(s string) error {
		*p = s
		return nil
	}}, completeData}, "data", "images: a directory of IDX files, what is found, or the built-in sample")
}

// mirrorFlag adds a flag for the URLs of folders; it may be given several times.
func mirrorFlag(fs *pflag.FlagSet, p *[]string) {
	fs.Var(&value{"URL", "", func(s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("must be the http or https URL of the folder that holds the files")
		}
		*p = append(*p, s)
		return nil
	}}, "mirror", "download from `URL`, the folder that holds the files; several are tried in turn")
}
