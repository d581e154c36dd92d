//go:build unix

package main

import (
	"log"
	"os"
	"syscall"
)

// unprivileged runs vaectl for somebody whom permissions bind: in a container
// tests are often run by root, to whom a read-only directory is no obstacle.
func unprivileged() {
	const nobody = 65534
	if os.Getuid() == 0 {
		for _, drop := range []func() error{
			func() error { return syscall.Setgroups(nil) },
			func() error { return syscall.Setgid(nobody) },
			func() error { return syscall.Setuid(nobody) },
		} {
			if err := drop(); err != nil {
				log.Fatalf("giving up root's powers: %v", err)
			}
		}
	}
	os.Exit(run(os.Args[1:]))
}
