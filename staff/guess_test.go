package staff_test

import (
	"errors"
	"testing"
	"time"

	"touchstone/staff"
)

// TestTenWrongPassphrases: what is counted, what locks, for how long, and what ends it.
func TestTenWrongPassphrases(t *testing.T) {
	const wrong, right, unlock, reset = "wrong", "right", "unlock", "new passphrase"
	times := func(n int, what string) (list []string) {
		for range n {
			list = append(list, what)
		}
		return list
	}
	for name, c := range map[string]struct {
		acts   []string
		later  time.Duration // after the acts
		locked bool
		alarms int
	}{
		"nine":                           {times(9, wrong), 0, false, 0},
		"ten":                            {times(10, wrong), 0, true, 1},
		"ten, just before the half hour": {times(10, wrong), staff.LockedFor - time.Nanosecond, true, 1},
		"ten, half an hour later":        {times(10, wrong), staff.LockedFor, false, 1},
		"ten, then thirty more":          {times(40, wrong), 0, true, 1},
		"nine, a right one, nine":        {append(append(times(9, wrong), right), times(9, wrong)...), 0, false, 0},
		"ten, and another passphrase":    {append(times(10, wrong), reset), 0, false, 1},
		"nine, another passphrase, nine": {append(append(times(9, wrong), reset), times(9, wrong)...), 0, false, 0},
		"ten, unlocked":                  {append(times(10, wrong), unlock), 0, false, 1},
		"ten, unlocked, ten":             {append(append(times(10, wrong), unlock), times(10, wrong)...), 0, true, 2},
	} {
		r := newRoom(t)
		r.person("zhao", "E-0", staff.Administrator)
		r.person("qian", "E-2", staff.Security)
		alarms, at := 0, r.now
		for _, act := range c.acts {
			switch act {
			case wrong:
				drafts, events, err := staff.WrongPassphrase(r.State, "qian", at)
				r.fold(drafts, err)
				for _, e := range events {
					if alarms++; e.Check() != nil || e.Name != staff.EventLocked || e.Parameters["account"] != "qian" {
						t.Errorf("%s: %+v", name, e)
					}
				}
			case right:
				r.fold(staff.RightPassphrase(r.State, "qian"))
			case unlock:
				r.fold(staff.Unlock(r.State, "qian", []string{"zhao"}, at))
			case reset:
				r.fold(staff.ChangePassphrase(r.State, "qian", quick("another"), at+1))
				at += 2
			}
		}
		at = at.Add(c.later)
		if got := r.Locked("qian", at) != 0; got != c.locked || alarms != c.alarms {
			t.Errorf("%s: locked %v, want %v; %d alarms, want %d", name, got, c.locked, alarms, c.alarms)
		}
		if r.Locked("zhao", at) != 0 {
			t.Errorf("%s: another account is locked", name)
		}
	}
	r := newRoom(t)
	r.person("zhao", "E-0", staff.Administrator)
	r.person("qian", "E-2", staff.Security)
	if _, err := staff.Unlock(r.State, "qian", []string{"zhao"}, r.now); !errors.Is(err, staff.ErrAccount) {
		t.Errorf("what is not locked is unlocked: %v", err)
	}
	if drafts, events, err := staff.WrongPassphrase(r.State, "nobody", r.now); len(drafts)+len(events) != 0 || err != nil {
		t.Error("a name that is no account's is counted")
	}
}
