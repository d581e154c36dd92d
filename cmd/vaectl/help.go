package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// newHelpCommand stands in for cobra's own, which takes an unknown name for
// success.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Explain a command or a topic",
		Long:  "Explain a command or a topic. The topics are formats and pipelines.",
		Example: `  vaectl help train
  vaectl help completion bash
  vaectl help pipelines`,
		RunE: func(cmd *cobra.Command, path []string) error {
			found, rest, err := cmd.Root().Find(path)
			if err != nil {
				return &usageError{err}
			}
			if err := knownCommand(found, rest); err != nil {
				return err
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, path []string, typed string) ([]string, cobra.ShellCompDirective) {
			var names []string
			found, rest, err := cmd.Root().Find(path)
			if err == nil && len(rest) == 0 {
				for _, sub := range found.Commands() {
					if isDocumented(sub) && strings.HasPrefix(sub.Name(), typed) {
						names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// showHelp is what a command does that has only subcommands.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// isDocumented tells commands and topics from what is hidden.
func isDocumented(cmd *cobra.Command) bool {
	return !cmd.Hidden && (cmd.Runnable() || cmd.IsAdditionalHelpTopicCommand())
}
