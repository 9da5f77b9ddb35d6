//go:build unix

package observe

import "golang.org/x/sys/unix"

// diskOf reads the file system that holds dir; statfs(2). Free is what an ordinary user may still take.
func diskOf(dir string) (Disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Disk{}, err
	}
	return Disk{Free: int64(s.Bavail) * int64(s.Bsize), Size: int64(s.Blocks) * int64(s.Bsize)}, nil
}
