//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// onTerminal is for scenarios that stop elsewhere than on Linux.
func onTerminal(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("tty: there are terminals for tests on Linux only")
}
