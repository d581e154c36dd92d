package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk names, for the process that TestSmallDisk starts, the directory to
// mount its file system on.
const smallDisk = "VAECTL_TEST_SMALL_DISK"

// TestSmallDisk runs itself again where it may mount a file system that nobody
// else sees, and there saves models on one that becomes full, is full, or is
// read-only. Where the system does not allow that (some containers), the disk of
// TestTrainingOnFailingDisk has to do.
func TestSmallDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		onSmallDisk(t, dir)
		return
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSmallDisk$", "-test.v")
	again.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	said, err := again.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Logf("no file system can be mounted here: %v", err)
		return
	}
	t.Logf("%s", said)
	if err != nil {
		t.Error(err)
	}
}

func onSmallDisk(t *testing.T, disk string) {
	// A model takes 2.2 MB: there is room for one, and not for its successor.
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=3m"); err != nil {
		t.Logf("no file system can be mounted here: %v", err)
		return
	}
	// On another file system than the disk.
	link := filepath.Join(t.TempDir(), "link")
	model := filepath.Join(disk, "vae.safetensors")
	if err := os.Symlink(model, link); err != nil {
		t.Fatal(err)
	}
	refused := func(reason, after string, args ...string) {
		t.Helper()
		said, err := exec.CommandContext(t.Context(), "vaectl", args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(said), reason) {
			t.Errorf("%q: %v, said %q, want %q", args, err, said, reason)
		}
		if got := names(t, disk); got != after {
			t.Errorf("%q: the disk holds %q, want %q", args, got, after)
		}
	}
	train := []string{"train", "--data", "sample", "--limit-train", "16", "--limit-val", "16", "--epochs", "3", "--quiet", "-m", link}

	// The disk gets full while the second epoch is saved: the first stays.
	refused(`writing "`+link+`": no space left on device`, "vae.safetensors", train...)
	file, err := readModel(link)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(file.History); n != 1 {
		t.Errorf("the model is that of epoch %d", n)
	}
	if to, err := os.Readlink(link); err != nil || to != model {
		t.Errorf("the link leads to %q, %v", to, err)
	}

	// It is full from the start.
	all := make([]byte, 3<<20)
	if err := os.WriteFile(filepath.Join(disk, "all"), all, 0o666); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	refused("no space left on device", "all vae.safetensors", train...)
	picture := filepath.Join(disk, "grid.png")
	refused(`writing "`+picture+`": no space left on device`, "all vae.safetensors", "grid", "-m", link, "-o", picture)

	// It is read-only, which binds root too.
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refused(`writing "`+link+`": read-only file system`, "all vae.safetensors", train...)
	refused(`writing "`+picture+`": creating a temporary file beside it: read-only file system`, "all vae.safetensors", "grid", "-m", link, "-o", picture)
}

// names are the files of a directory, hidden ones too.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}
