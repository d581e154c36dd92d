package train

import "golang.org/x/sys/unix"

// availableMemory is what this machine has, whoever uses it now.
func availableMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return assumedMemory
	}
	return int64(info.Totalram) * int64(info.Unit)
}
