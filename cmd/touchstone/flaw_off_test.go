//go:build !flaw

package main

import (
	"bytes"
	"debug/elf"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleaseHasNoFlaw: a build without the tag has no symbol and no text of the flaws; one with it has,
// so the search is able to find them.
func TestReleaseHasNoFlaw(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program twice")
	}
	t.Parallel()
	for _, c := range []struct {
		name string
		tags string
		want bool
	}{{"release", "", false}, {"with the tag flaw", "flaw", true}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "touchstone")
			build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", c.tags, "-o", path, ".")
			build.Env = append(build.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
			found := traces(t, path)
			if (len(found) > 0) != c.want {
				t.Errorf("traces of a flaw: %q", found)
			}
		})
	}
}

// traces lists the symbols of our packages that name a flaw, and the loaded sections that hold their names.
func traces(t *testing.T, path string) (found []string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Skip("NOT RUN: the program is no ELF file: ", err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.Contains(s.Name, "touchstone/") && strings.Contains(strings.ToLower(s.Name), "flaw") {
			found = append(found, s.Name)
		}
	}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"SetFlaw", "flaw_on.go", "flawLate"} {
			if bytes.Contains(data, []byte(name)) {
				found = append(found, s.Name+": "+name)
			}
		}
	}
	return found
}
