//go:build !unix

package main

import "os"

func unprivileged() { os.Exit(run(os.Args[1:])) }
