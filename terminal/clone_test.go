package terminal_test

import (
	"context"
	"testing"

	"touchstone/pos"
	"touchstone/terminal"
)

// TestClone: a copy goes on where the terminal was, from its own directory, and each keeps its keys when the other closes.
func TestClone(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	own := open(t, c)
	want(t, must(own.SignIn(context.Background()))(t), terminal.Done, "00")
	want(t, must(own.Sale(context.Background(), card(t), 100))(t), terminal.Done, "00")
	copied, err := own.Clone(terminal.Copying{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if !copied.SignedIn() || copied.Trace() != own.Trace() || copied.Batch() != own.Batch() {
		t.Fatalf("the copy is at trace %s of batch %s, signed in %t", copied.Trace(), copied.Batch(), copied.SignedIn())
	}
	fresh, err := own.Clone(terminal.Copying{StateDir: t.TempDir(), Fresh: true, Changed: func(c *terminal.Config) { c.AppVersion = "9" }})
	if err != nil {
		t.Fatal(err)
	}
	if fresh.SignedIn() || fresh.Trace() != 0 {
		t.Fatal("a device with keys alone has a past")
	}
	want(t, must(copied.Sale(context.Background(), card(t), 200))(t), terminal.Done, "00")
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, must(copied.Sale(context.Background(), card(t), 300))(t), terminal.Done, "00")
	want(t, must(fresh.SignIn(context.Background()))(t), terminal.Done, "00")
	for _, open := range []*terminal.Terminal{copied, fresh} {
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := own.Clone(terminal.Copying{StateDir: t.TempDir()}); err == nil {
		t.Fatal("a closed terminal was copied")
	}
}

// TestCopyState: the file of a terminal at work is copied whole; without one the copy begins anew.
func TestCopyState(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	own := open(t, c)
	want(t, must(own.SignIn(context.Background()))(t), terminal.Done, "00")
	to := t.TempDir()
	if err := terminal.CopyState(to, c.StateDir, c.Terminal); err != nil {
		t.Fatal(err)
	}
	other := config(t, p)
	other.StateDir = to
	copied := open(t, other)
	if !copied.SignedIn() || copied.Trace() != own.Trace() || copied.Trace() == pos.STAN(0) {
		t.Fatal("the file was not copied whole")
	}
	if err := terminal.CopyState(to, c.StateDir, c.Terminal); err == nil {
		t.Fatal("the file of a terminal at work was replaced")
	}
}
