package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// readKernelClock asks the kernel what its clock discipline says of itself (adjtimex(2)). It is the word of the daemon
// that keeps the clock, such as chrony: nobody else's time is asked for.
func readKernelClock() (kernelClock, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return kernelClock{}, fmt.Errorf("adjtimex: %w", err)
	}
	return kernelClock{Synchronised: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, Error: time.Duration(t.Maxerror) * time.Microsecond}, nil
}
