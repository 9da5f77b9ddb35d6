package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// memoryCap is the hard cap of TestUnderAMemoryCap: the kernel kills what needs more.
const memoryCap = 512 << 20

// capped makes a memory control group of memoryCap and returns the file that processes are entered by;
// version 1 and 2 of the kernel's interface.
func capped(t *testing.T) (procs string) {
	t.Helper()
	name := fmt.Sprintf("touchstone-test-%d", os.Getpid())
	var errs []string
	for _, v := range []struct{ root, limit string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir := filepath.Join(v.root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			errs = append(errs, err.Error())
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) }) // empty again when the host has ended
		if err := os.WriteFile(filepath.Join(dir, v.limit), []byte(strconv.Itoa(memoryCap)), 0o644); err != nil {
			errs = append(errs, err.Error())
			continue
		}
		return filepath.Join(dir, "cgroup.procs")
	}
	t.Skipf("NOT RUN (no memory control group can be made here: %s)", strings.Join(errs, "; "))
	return ""
}

// TestUnderAMemoryCap: with 512 MiB and not a byte more, and memory-limit set below that, a host takes
// 5,900 connections that each pipeline 32 messages a second and do not read. It is far beyond its capacity
// and may refuse honest sales; it stays alive, and approves every one when the attack is over.
func TestUnderAMemoryCap(t *testing.T) {
	longForm(t)
	procs := capped(t)
	h := abuse(t, "--memory-limit", "400MiB", "--max-connections", "6000", "--max-in-flight", "4096")
	if err := os.WriteFile(procs, []byte(strconv.Itoa(h.cmd.Process.Pid)), 0o644); err != nil {
		t.Skipf("NOT RUN (the host cannot be put into a control group: %v)", err)
	}
	p := h.patronize(t, 8, 40)
	p.windows(1, 2*time.Second)
	before := h.footprint(t)
	p.tolerate(true)
	const greedy = 5900
	stop, up := make(chan struct{}), make(chan struct{}, greedy)
	var all sync.WaitGroup
	frame := echoFrame(t, visitor().id)
	for i := range greedy {
		all.Go(func() {
			c, err := h.tryFrom(1 + i)
			up <- struct{}{}
			if err != nil {
				return
			}
			defer c.Close()
			_ = c.SetReadBuffer(1024)
			for {
				_ = c.SetWriteDeadline(time.Now().Add(time.Second))
				for range 32 {
					if _, err := c.Write(frame); err != nil {
						break
					}
				}
				select {
				case <-stop:
					return
				case <-time.After(time.Second):
				}
			}
		})
	}
	for range greedy {
		<-up
	}
	_, sold := p.windows(5, 2*time.Second)
	during := h.footprint(t)
	close(stop)
	all.Wait()
	h.settles(t, before.descriptors+8)
	shed := p.tolerate(false)
	_, soldAfter := p.windows(2, 2*time.Second)
	p.end(t)
	t.Logf("before %s; with %d greedy peers %s; %d honest sales tried meanwhile, %d refused; %d after", before, greedy, during, sold, shed, soldAfter)
	if during.peakKiB<<10 > memoryCap || soldAfter == 0 {
		t.Errorf("peak %d MiB, %d sales", during.peakKiB>>10, sold)
	}
}
