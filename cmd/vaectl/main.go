// Vaectl trains a convolutional variational autoencoder on MNIST and samples
// from it. This package is the only one that knows flags, files and terminals;
// each subcommand has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/atomicfile"
	"vaectl/internal/catalog"
	"vaectl/internal/fetch"
	"vaectl/internal/gemm"
	"vaectl/internal/isa"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// Exit statuses other than 0, done. A signal that says which it is gives its own.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func run(args []string) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	return execute(ctx, args, &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, catalog: catalog.Public(), newClient: fetch.NewClient})
}

// execute runs one command line and returns its exit status.
func execute(ctx context.Context, args []string, c *console) int {
	root := newRootCommand(c)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(c.err, "vaectl: %v\n", err)
	var hinted *hintError
	if errors.As(err, &hinted) {
		fmt.Fprintf(c.err, "hint: %s\n", hinted.hint)
	}
	var usage *usageError
	var by *signalError
	switch {
	case errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &by):
		return by.status()
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// console is what a command sees of the world around it. Data goes to out;
// progress, notes and errors go to err.
type console struct {
	in        *os.File
	out, err  *os.File
	getenv    func(string) string
	catalog   catalog.Catalog                           // the data sets that can be downloaded
	newClient func(silence time.Duration) *fetch.Client // downloads them
	files     atomicfile.Writer                         // the tests have one that fails
	tier      isa.Tier                                  // chosen before a command runs
}

// usageError is a fault in the command line rather than in the work.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// hintError carries a line that says what to do about the error.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// interruptedError is a work that a signal ended; what says which.
type interruptedError struct{ what string }

func (e *interruptedError) Error() string { return "interrupted " + e.what }
func (e *interruptedError) Unwrap() error { return context.Canceled }

func newRootCommand(c *console) *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "vaectl",
		Short: "Train a convolutional variational autoencoder on MNIST and sample from it",
		Long: `Train a convolutional variational autoencoder on MNIST and sample from it.

Data goes to stdout, everything else to stderr. "-" stands for stdin or stdout.`,
		Example: `  vaectl train                       # trains, saves vae.safetensors
  vaectl grid --n 15 > manifold.png  # draws the latent manifold
  vaectl encode digit.png | vaectl decode > again.png`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				return runVersion(c, versionOptions{})
			}
			return cmd.Help()
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			var err error
			c.tier, err = chooseTier(c.getenv("VAECTL_ISA"))
			return err
		},
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.Flags().BoolVar(&version, "version", false, "show which vaectl this is, as the command version does")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(
		newTrainCommand(c),
		newGridCommand(c),
		newEncodeCommand(c),
		newDecodeCommand(c),
		newDataCommand(c),
		newEvalCommand(c),
		newInterpolateCommand(c),
		newTraverseCommand(c),
		newConceptCommand(c),
		newPlotCommand(c),
		newSampleCommand(c),
		newBenchCommand(c),
		newInfoCommand(c),
		newVersionCommand(c),
		newManCommand(c),
		newFormatsTopic(),
		newPipelinesTopic(),
	)
	root.InitDefaultHelpCmd()
	addCompletion(root)
	return root
}

// chooseTier returns the instruction set that $VAECTL_ISA names, by default the
// best that the CPU has, and makes gonum use its matrix product.
func chooseTier(name string) (isa.Tier, error) {
	tier := isa.Best()
	if name != "" {
		var err error
		if tier, err = isa.Parse(name); err != nil {
			return 0, usagef("$VAECTL_ISA: %w", err)
		}
	}
	blas32.Use(gemm.NewBLAS(gemm.New(tier)))
	return tier, nil
}

// args turns cobra's complaints about the number of arguments into usage errors.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{err}
		}
		return nil
	}
}
