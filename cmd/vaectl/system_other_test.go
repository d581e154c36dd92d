//go:build !linux

package main

import "os"

func systemCommands() map[string]func() {
	return map[string]func(){"unprivileged": func() { os.Exit(run(os.Args[1:])) }}
}
