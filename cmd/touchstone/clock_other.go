//go:build !linux

package main

import "errors"

// readKernelClock knows the clock discipline of Linux alone.
func readKernelClock() (kernelClock, error) {
	return kernelClock{}, errors.New("the state of this system's clock cannot be read")
}
