package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// onTerminal runs "tty COLUMNS vaectl ARGS..." with stdout and stderr on a
// terminal of that width, and writes what it shows to the file tty. With "!" the
// command must fail.
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	screen, keyboard, err := openTerminal(uint16(number(ts, args[0])))
	ts.Check(err)
	defer screen.Close()
	self, err := os.Executable()
	ts.Check(err)
	cmd := exec.Cmd{Path: self, Args: args[1:], Dir: ts.MkAbs("."), Stdout: keyboard, Stderr: keyboard}
	for _, key := range []string{"HOME", "TMPDIR", "TERM", "COLORTERM", "COLUMNS", "NO_COLOR"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	var shown bytes.Buffer
	read := make(chan error)
	go func() {
		_, err := io.Copy(&shown, screen)
		read <- err
	}()
	failed := cmd.Run()
	keyboard.Close()
	if err := <-read; !errors.Is(err, unix.EIO) { // which is how a terminal ends
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("tty"), shown.Bytes(), 0o666))
	if (failed != nil) != neg {
		ts.Fatalf("%v: %s", failed, shown.Bytes())
	}
}

// openTerminal returns the two ends of a new terminal.
func openTerminal(columns uint16) (screen, keyboard *os.File, err error) {
	screen, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(screen.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err == nil {
		keyboard, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		screen.Close()
		return nil, nil, err
	}
	return screen, keyboard, nil
}
