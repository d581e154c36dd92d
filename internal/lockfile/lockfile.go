// Package lockfile keeps two processes from writing one file over hours, each
// undoing what the other did. Only the lock belongs here; writing the file is
// package atomicfile's.
//
// The lock is advisory, on a hidden file beside the one to be written, and the
// system releases it with the process: a lock file that a killed process leaves
// behind hinders nobody. It holds the number of the process, from the second
// byte on, because on Windows the first is the one that is locked and cannot be
// read. Locking itself is github.com/gofrs/flock's.
package lockfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"vaectl/internal/atomicfile"
)

// A Lock is held until Release, or until the process ends.
type Lock struct {
	path string
	held *flock.Flock // nil where there is nothing to lock
}

// HeldError says that another process holds the lock.
type HeldError struct {
	Path string // of the file to be written
	PID  int    // 0 if it is not known
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%q is being written by another process", e.Path)
	}
	return fmt.Sprintf("%q is being written by process %d", e.Path, e.PID)
}

// Acquire locks the file at path, which need not exist, for this process; if
// another has it, that is a HeldError at once. Names that lead to one file
// through symbolic links share one lock.
//
// A device or a pipe, which any number of processes may write, is not locked;
// nor is a file on a system that knows no locks.
func Acquire(path string) (*Lock, error) {
	target := atomicfile.Target(path)
	if target == "" {
		return new(Lock), nil
	}
	dir, name := filepath.Split(target) // as package atomicfile does
	l := &Lock{path: dir + "." + name + ".lock"}
	for try := 0; ; try++ {
		l.held = flock.New(l.path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
		got, err := l.held.TryLock()
		switch {
		case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
			return new(Lock), nil
		case err != nil:
			return nil, fmt.Errorf("locking %q: %w", path, err)
		case !got:
			pid := readPID(l.path)
			if pid == 0 && try < 20 { // it is being taken or given up just now
				time.Sleep(5 * time.Millisecond)
				continue
			}
			return nil, &HeldError{path, pid}
		case !l.current():
			// Its former holder has removed the file since we opened it.
			_ = l.held.Unlock()
			continue
		}
		if err := writePID(l.path); err != nil {
			l.Release()
			return nil, fmt.Errorf("locking %q: %w", path, err)
		}
		return l, nil
	}
}

// Release gives the lock up and removes its file. Where that fails the file is
// left, which does no harm.
func (l *Lock) Release() {
	if l.held == nil {
		return
	}
	if runtime.GOOS == "windows" { // refuses to remove an open file, ours or another's
		_ = l.held.Unlock()
		_ = os.Remove(l.path)
		return
	}
	if l.current() {
		_ = os.Remove(l.path) // still locked: nobody can hold it and lose it
	}
	_ = l.held.Unlock()
}

// current reports whether the locked file is the one that others find.
func (l *Lock) current() bool {
	ours, err1 := l.held.Stat()
	found, err2 := os.Stat(l.path)
	return err1 == nil && err2 == nil && os.SameFile(ours, found)
}

// width is that of any process number, so that none leaves a digit of an earlier
// one behind.
const width = 20

func writePID(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%-*d\n", width, os.Getpid()), 1)
	return errors.Join(err, f.Close())
}

// readPID returns 0 where there is no number.
func readPID(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	text := make([]byte, width)
	n, _ := f.ReadAt(text, 1)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
