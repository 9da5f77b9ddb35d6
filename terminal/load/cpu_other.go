//go:build !linux

package load

import (
	"errors"
	"os"
	"time"
)

func dataSync(f *os.File) error { return f.Sync() }

// CPUOf is not known here.
func CPUOf(int) (time.Duration, error) {
	return 0, errors.New("the time of a process is read on Linux only")
}

// processCPU is not known here.
func processCPU() time.Duration { return 0 }
