package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
)

// FaultError is an error of the disk under one of the files. Whatever it was, the store does not know what
// reached the disk, accepts no further block, and leaves the files as they are: only reading them again
// tells.
type FaultError struct {
	File string // path
	Err  error  // as SQLite gave it
}

func (e *FaultError) Error() string { return fmt.Sprintf("%s: %s", e.File, e.Err) }
func (e *FaultError) Unwrap() error { return e.Err }

// Full tells whether the file system had no room.
func (e *FaultError) Full() bool { return primaryCode(e.Err) == codeFull }

// Result codes, primary and extended; sqlite.org/rescode.html.
const (
	codeIOErr      = 10
	codeFull       = 13
	codeIOErrFsync = codeIOErr | 4<<8
)

// primaryCode is the low byte of SQLite's result code, 0 where err is none of SQLite's.
func primaryCode(err error) int { return resultCode(err) & 0xff }

func resultCode(err error) int {
	var e *driver.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code()
}

// isSyncError tells whether fsync failed. The kernel may then have dropped what was not written and call
// the pages clean: a later fsync that succeeds proves nothing about them (fsyncgate).
func isSyncError(err error) bool { return resultCode(err) == codeIOErrFsync }
