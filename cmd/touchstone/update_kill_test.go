package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/fleet"
)

// updateBed is a repository with a release for the first visitor, and that terminal as it was made.
type updateBed struct {
	program, fixture, repository, root string
}

func newUpdateBed(t *testing.T) *updateBed {
	t.Helper()
	program, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	e := openForTest(t, filepath.Join(dir, "data"), func(dir string) error { return makeTestDirectory(dir, slog.New(slog.DiscardHandler)) })
	if err := e.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	file, content := filepath.Join(dir, "app"), bytes.Repeat([]byte("application 1.0.3\n"), 5000)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	told, err := e.publishRelease(t.Context(), &publishChange{File: file, Digest: hex.EncodeToString(sum[:]), Length: int64(len(content)), Model: "Sample V1", Hardware: ">=2.0",
		Version: "1.0.3", State: string(fleet.Current)}, []string{"qian", "sun"})
	if err != nil {
		t.Fatal(told, err)
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	b := &updateBed{program: program, fixture: filepath.Join(dir, "fixture.json"), repository: filepath.Join(dir, "data", releasesDirectory, repositoryName)}
	b.root = filepath.Join(b.repository, "metadata", "1.root.json")
	raw, err := json.Marshal(makeFixture("127.0.0.1:1", "127.0.0.1:2"))
	if err == nil {
		err = os.WriteFile(b.fixture, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// args are those of an update of the terminal whose files are in state.
func (b *updateBed) args(state string, more ...string) []string {
	return append([]string{"terminal", "update", "--fixture", b.fixture, "--state", state, "--repository", b.repository, "--trusted-root", b.root}, more...)
}

// TestKilledUpdate kills a terminal's update at each of its calls that change a file, by the calls of each thread:
// whatever was done by then, the terminal starts, runs 1.0.0 or 1.0.3 whole, and an update again ends at 1.0.3.
func TestKilledUpdate(t *testing.T) {
	skipInShort(t)
	needPrograms(t, "strace")
	b := newUpdateBed(t)
	kills := map[string]int{}
	installed := 0
	for _, call := range []string{"openat", "write", "fsync", "renameat", "mkdirat", "unlinkat", "fchmod,fchmodat", "exit_group"} { // the last: when all is done
		step := 1
		if short := map[string]int{"openat": 5, "write": 2, "mkdirat": 2, "fchmod,fchmodat": 3}; !inLongForm() {
			step = max(1, short[call]) // most of these only read, or are of no consequence
		}
		for n := 1; ; n += step {
			state := filepath.Join(t.TempDir(), "state")
			over, err := b.killAt(t.Context(), call, n, state)
			if err != nil {
				t.Fatalf("%s %d: %v", call, n, err)
			}
			if over {
				break
			}
			kills[call]++
			out, err := exec.Command(b.program, b.args(state, "--check")...).CombinedOutput()
			switch {
			case err != nil:
				t.Errorf("killed at %s %d: the terminal does not start: %s", call, n, out)
			case strings.Contains(string(out), "1.0.3 is installed"):
				installed++
			case !strings.Contains(string(out), "1.0.3 would be installed over 1.0.0"):
				t.Errorf("killed at %s %d: %s", call, n, out)
			}
			if n%3 != 1 && !inLongForm() {
				continue
			}
			if out, err := exec.Command(b.program, b.args(state)...).CombinedOutput(); err != nil || !strings.Contains(string(out), "1.0.3") {
				t.Errorf("killed at %s %d, and updated again: %s", call, n, out)
			}
		}
	}
	total := 0
	for _, n := range kills {
		total += n
	}
	t.Logf("%d kills %v; after %d of them 1.0.3 was in force", total, kills, installed)
	if total < 10 || installed == 0 || installed == total {
		t.Errorf("%d kills, %d after the installation: the test did not kill before and after it", total, installed)
	}
}

// killAt runs an update that is killed at the n-th of a call in a thread; over tells that it ended by itself.
func (b *updateBed) killAt(ctx context.Context, call string, n int, state string) (over bool, err error) {
	args := append([]string{"-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), b.program}, b.args(state)...)
	cmd := exec.CommandContext(ctx, "strace", args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return true, nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && (!exit.Exited() || exit.ExitCode() > 100) {
		return false, nil
	}
	return false, fmt.Errorf("%w: %s", err, out)
}
