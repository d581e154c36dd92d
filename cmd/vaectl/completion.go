package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addCompletion adds cobra's command that writes completion scripts, and what
// the flags of all commands complete to.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Write a script that completes commands, flags and values in a shell"
		cmd.Example = "  vaectl completion bash > vaectl.bash  # then: source vaectl.bash"
		cmd.Args, cmd.RunE = knownCommand, showHelp
		for _, shell := range cmd.Commands() {
			shell.Args = args(shell.Args)
			shell.Example = fmt.Sprintf("  vaectl completion %s > %s", shell.Name(), map[string]string{
				"bash": "vaectl.bash", "zsh": "_vaectl", "fish": "vaectl.fish", "powershell": "vaectl.ps1",
			}[shell.Name()])
		}
	}
	completeFlags(root)
}

// completeFlags tells cobra what the flags of cmd and its subcommands complete
// to, and that a command whose usage names no argument takes no file.
func completeFlags(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !strings.Contains(cmd.Use, " ") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if err := cmd.RegisterFlagCompletionFunc(f.Name, flagCompletion(f)); err != nil {
			panic(err) // the flag is there, and has no completion yet
		}
	})
	for _, sub := range cmd.Commands() {
		completeFlags(sub)
	}
}

// flagCompletion is the flag's own completion, or follows from what its usage
// calls the value.
func flagCompletion(f *pflag.Flag) cobra.CompletionFunc {
	if v, ok := f.Value.(*completedValue); ok {
		return v.complete
	}
	switch name, _ := pflag.UnquoteUsage(f); name {
	case "FILE":
		return completeFiles()
	case "DIR", "DIRECTORY":
		return completeDirs
	}
	return cobra.NoFileCompletions
}

// completeDirs completes the names of directories.
func completeDirs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeFiles completes the names of files with one of the extensions, or of
// all files where none is given.
func completeFiles(extensions ...string) cobra.CompletionFunc {
	if len(extensions) == 0 {
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

// completeData completes the words that --data takes, and directories where
// none of them begins with what was typed.
func completeData(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, w := range []string{"auto\tfull MNIST where it is found, else the sample", "sample\tthe built-in 10,000 digits"} {
		if strings.HasPrefix(w, typed) {
			words = append(words, w)
		}
	}
	if words == nil {
		return completeDirs(cmd, args, typed)
	}
	return words, cobra.ShellCompDirectiveDefault
}
