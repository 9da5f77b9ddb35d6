package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// errNoMemory is returned where this system does not let us read another process's memory.
var errNoMemory = errors.New("another process's memory cannot be read here")

// scanMemory looks through every readable page that a process has in memory, its stacks and mapped files
// included. A page that was never touched is zero and is passed over.
func (s *leakScanner) scanMemory(process int) (found []leakFinding, total int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", process))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errNoMemory, err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", process))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errNoMemory, err)
	}
	defer mem.Close()
	pages, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", process))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errNoMemory, err)
	}
	defer pages.Close()
	for line := range strings.Lines(string(maps)) {
		r, ok := parseRegion(line)
		if !ok {
			continue
		}
		present, err := r.present(pages)
		if err != nil {
			return nil, 0, err
		}
		for _, run := range present {
			b := make([]byte, run[1]-run[0])
			if _, err := mem.ReadAt(b, int64(run[0])); err != nil {
				continue // it was given back meanwhile
			}
			more, n, err := s.scan(bytes.NewReader(b), fmt.Sprintf("memory %x (%s)", run[0], r.name))
			if err != nil {
				return nil, 0, err
			}
			total += n
			found = append(found, more...)
		}
	}
	if total == 0 {
		return nil, 0, fmt.Errorf("%w: no page", errNoMemory)
	}
	return found, total, nil
}

// region is a line of /proc/PID/maps; proc(5).
type region struct {
	from, to uint64
	name     string
}

func parseRegion(line string) (r region, ok bool) {
	f := strings.Fields(line)
	if len(f) < 5 || !strings.HasPrefix(f[1], "r") {
		return r, false
	}
	from, to, _ := strings.Cut(f[0], "-")
	var err1, err2 error
	r.from, err1 = strconv.ParseUint(from, 16, 64)
	r.to, err2 = strconv.ParseUint(to, 16, 64)
	r.name = "heap"
	if len(f) > 5 {
		r.name = f[5]
	}
	return r, err1 == nil && err2 == nil && !strings.HasPrefix(r.name, "[v")
}

// present are the stretches of the region that are in memory or swapped; pagemap, proc(5): bits 63 and 62.
func (r region) present(pagemap *os.File) (runs [][2]uint64, err error) {
	size := uint64(os.Getpagesize())
	in := bufio.NewReaderSize(io.NewSectionReader(pagemap, int64(r.from/size*8), int64((r.to-r.from)/size*8)), 64<<10)
	var word [8]byte
	for at := r.from; at < r.to; at += size {
		if _, err := io.ReadFull(in, word[:]); err != nil {
			return runs, fmt.Errorf("%w: pagemap: %w", errNoMemory, err)
		}
		if binary.LittleEndian.Uint64(word[:])>>62 == 0 {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1][1] == at {
			runs[n-1][1] = at + size
			continue
		}
		runs = append(runs, [2]uint64{at, at + size})
	}
	return runs, nil
}
