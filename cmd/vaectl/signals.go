package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return e.signal.String() }

// status is the exit status by which shells know a process that a signal ended.
func (e *signalError) status() int { return 128 + int(e.signal) }

// untilSignal returns a context that ends with SIGINT, SIGTERM or, as when the
// terminal is closed, SIGHUP; stop gives the signals their usual effect again. A
// second signal ends the process at once, which harms no file: each is whole at
// every moment.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup wants it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancelCause(parent)
	received := make(chan os.Signal, len(signals))
	signal.Notify(received, signals...)
	go func() {
		for s := range received {
			by := &signalError{s.(syscall.Signal)}
			if ctx.Err() != nil {
				os.Exit(by.status())
			}
			cancel(by)
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		close(received)
	}
}
