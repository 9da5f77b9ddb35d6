package main

import (
	"io"
	"net"
	"testing"

	"touchstone/notify"
)

// TestCatcherTellsWhatWasTaken: a port of the kernel's choice is no port that was taken, and a taken one is said to be.
func TestCatcherTellsWhatWasTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for at, want := range map[string]bool{"127.0.0.1:0": false, ln.Addr().String(): true} {
		wait, address, taken, err := startCatcher(&app{ctx: t.Context(), stdout: io.Discard}, &notify.Catcher{Dir: t.TempDir()}, at)
		if err != nil {
			t.Fatal(err)
		}
		if taken != want || address == at {
			t.Errorf("%s: heard on %s, taken %v", at, address, taken)
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
	}
}
