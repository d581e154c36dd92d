package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"
)

// systemCommands are programs for tests that the system must lend a hand to.
func systemCommands() map[string]func() {
	return map[string]func(){"unprivileged": unprivileged, "measured": measured}
}

// unprivileged is vaectl for somebody whom permissions bind: in a container
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

// measuredLimit is the processor time, in seconds, after which a program is
// taken to hang. The time on the wall depends on what else the machine does.
const measuredLimit = 60

// measured runs a program, and writes its exit status, its largest resident size
// in MB and its processor time in seconds to stdout. A program's size begins with that of the process that
// starts it, so this one starts it rather than the test, which is large.
func measured() {
	limit := syscall.Rlimit{Cur: measuredLimit, Max: measuredLimit}
	if err := syscall.Setrlimit(syscall.RLIMIT_CPU, &limit); err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		log.Fatal(err)
	}
	state := cmd.ProcessState
	fmt.Println(state.ExitCode(), state.SysUsage().(*syscall.Rusage).Maxrss>>10, (state.UserTime() + state.SystemTime()).Seconds())
}
