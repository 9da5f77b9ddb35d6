package terminal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/terminal"
)

func TestInstall(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	term := open(t, c)
	if term.Version() != "311812" {
		t.Fatalf("as it was made it runs %s", term.Version())
	}
	for name, version := range map[string]string{"no version": "", "nine characters": "123456789"} {
		if err := term.Install(version, []byte("x")); !errors.Is(err, terminal.ErrApplication) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := term.Install("1.0.3", []byte("application 1.0.3")); err != nil {
		t.Fatal(err)
	}
	if err := term.Install("1.0.4", []byte("application 1.0.4")); err != nil {
		t.Fatal(err)
	}
	want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
	presented := ""
	for _, w := range p.messages() {
		if w.mti == "0200" {
			presented = w.element[59]
		}
	}
	if !strings.Contains(presented, fmt.Sprintf("%X", "1.0.4   ")) {
		t.Errorf("the sale does not present 1.0.4 in A2: DE59 is %s", presented)
	}
	files, err := os.ReadDir(filepath.Join(c.StateDir, "terminal-10000001.app"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files are kept, %v: want the one in force", len(files), err)
	}
	term.Close()
	if again := open(t, config2(t, c)); again.Version() != "1.0.4" {
		t.Errorf("after a restart it runs %s", again.Version())
	}
}

// TestInterruptedInstall is every state that a terminal switched off while it installs can leave: it runs what it
// ran before, and can install again. An application that is not whole does not run.
func TestInterruptedInstall(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	term := open(t, c)
	if err := term.Install("1.0.3", []byte("application 1.0.3")); err != nil {
		t.Fatal(err)
	}
	term.Close()
	app := filepath.Join(c.StateDir, "terminal-10000001.app")
	next := strings.Repeat("ab", 32)
	for name, leave := range map[string]func() error{
		"half of the new file":       func() error { return os.WriteFile(filepath.Join(app, next+".new"), []byte("appl"), 0o600) },
		"the new file, not in force": func() error { return os.WriteFile(filepath.Join(app, next), []byte("application 1.0.4"), 0o600) },
		"half of the new state": func() error {
			return os.WriteFile(filepath.Join(c.StateDir, "terminal-10000001.json.new"), []byte(`{"ver`), 0o600)
		},
	} {
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		term := open(t, config2(t, c))
		if term.Version() != "1.0.3" {
			t.Errorf("%s: it runs %s", name, term.Version())
		}
		term.Close()
	}
	term = open(t, config2(t, c))
	if err := term.Install("1.0.4", []byte("application 1.0.4")); err != nil || term.Version() != "1.0.4" {
		t.Fatalf("it cannot install any more: %v", err)
	}
	term.Close()
	files, err := os.ReadDir(app)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files are left, %v", len(files), err)
	}
	path := filepath.Join(app, files[0].Name())
	for name, spoil := range map[string]func() error{
		"altered": func() error { return os.WriteFile(path, []byte("application 6.6.6"), 0o600) },
		"gone":    func() error { return os.Remove(path) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := terminal.Open(config2(t, c)); !errors.Is(err, terminal.ErrState) || !strings.Contains(err.Error(), "does not start") {
			t.Errorf("%s: %v, want that it does not start", name, err)
		}
	}
}

// config2 is the same terminal again: Close wiped the keys of c.
func config2(t *testing.T, c terminal.Config) terminal.Config {
	again := config(t, newPeer(t))
	again.StateDir, again.Host = c.StateDir, c.Host
	return again
}
