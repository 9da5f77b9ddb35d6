package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by Open while another owner, of this process or another, has the directory.
var ErrLocked = errors.New("data directory is in use")

// directoryLock is an open file with an exclusive flock, which the kernel drops when the process dies.
type directoryLock struct{ file *os.File }

// takeLock locks dir's lock file and writes this process's id into it.
func takeLock(dir string) (directoryLock, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return directoryLock{}, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return directoryLock{}, fmt.Errorf("open %s: %w by %s", dir, ErrLocked, holder(f))
		}
		return directoryLock{}, fmt.Errorf("lock %s: %w", path, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return directoryLock{}, fmt.Errorf("write %s: %w", path, err)
	}
	return directoryLock{f}, nil
}

// holder names the process that wrote the lock file; it may just be starting and have written nothing.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 20))
	if err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return fmt.Sprintf("process %d", pid)
		}
	}
	return "another process"
}

// release gives the directory free. The file stays: removing it would race with the next owner.
func (l directoryLock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
