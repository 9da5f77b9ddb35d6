package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
)

// TestLockedAfterTen: twelve wrong passphrases at once are ten that are looked at and a lock, which outlives a start, is
// told by one alarm, tells the guesser nothing, and ends by time, by an administrator, and never for the person's own key.
func TestLockedAfterTen(t *testing.T) {
	h := newPeopleHouse(t)
	try := func(name, as string) error {
		_, err := h.apply(t.Context(), change{Incident: &incidentChange{Op: incidentAssign, ID: "INC-404", Owner: "qian"}, By: []credential{{Name: name, PassphraseFile: h.as(as).PassphraseFile}}})
		return err
	}
	guess := func(n int) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				if err := try("qian", "sun"); !errors.Is(err, staff.ErrUnknown) || err.Error() != staff.ErrUnknown.Error() {
					t.Errorf("a guesser is told %v", err)
				}
			})
		}
		all.Wait()
	}
	locked := func() bool {
		var until pos.Instant
		h.office.view(func(r *rooms) { until = r.staff.Locked("qian", h.clock()) })
		return until != 0
	}
	proven := func(err error) bool { return !errors.Is(err, staff.ErrUnknown) }
	guess(9)
	if !proven(try("qian", "qian")) || locked() {
		t.Fatal("nine wrong ones lock")
	}
	from := h.durable() + 1
	guess(12)
	if proven(try("qian", "qian")) || !locked() {
		t.Fatal("ten wrong ones do not lock")
	}
	if err := try("nobody", "sun"); err == nil || err.Error() != staff.ErrUnknown.Error() {
		t.Errorf("of an account that nobody has: %v", err)
	}
	counted, refused, why, alarms := 0, 0, 0, 0
	next := from
	if err := eachEntry(t.Context(), h.store.Reader, &next, func(e journal.Entry) error {
		if event, ok := parseEvent(e); ok && event.Name == staff.EventLocked {
			if alarms++; event.Severity != journal.Alarm || event.Parameters["count"] != strconv.Itoa(staff.MostGuesses) {
				t.Errorf("%+v", event)
			}
		}
		var act journal.Act
		if e.Kind == journal.KindStaff {
			if err := json.Unmarshal(e.Body, &act); err != nil {
				return err
			}
			switch {
			case act.Verb == "passphrase_wrong":
				counted++
			case act.Refused != "":
				if refused++; act.Refused == lockedWhy {
					why++
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if counted != 10 || refused != 14 || why != 3 || alarms != 1 {
		t.Errorf("%d counted, %d refused, %d of them because of the lock, %d alarms", counted, refused, why, alarms)
	}
	h.reopen()
	if proven(try("qian", "qian")) || !proven(try("sun", "sun")) {
		t.Error("after a start the lock is gone, or is another's too")
	}
	unlock := func(by string) error {
		_, err := h.apply(t.Context(), change{Personnel: &personnelChange{Unlock: "qian"}, By: []credential{h.as(by)}})
		return err
	}
	if err := unlock("sun"); !errors.Is(err, staff.ErrRole) {
		t.Errorf("unlocked by another than an administrator: %v", err)
	}
	if err := unlock("zhao"); err != nil || !proven(try("qian", "qian")) {
		t.Errorf("unlocked: %v", err)
	}
	guess(10)
	h.now.Add(int64(staff.LockedFor))
	if !proven(try("qian", "qian")) {
		t.Error("half an hour later it is locked still")
	}
}

// TestLockDoesNotStopAKey: the person whose passphrase was guessed at acts with the own key.
func TestLockDoesNotStopAKey(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("NOT RUN: openssl is not installed")
	}
	h := newPeopleHouse(t)
	private, public := h.ownKey("kong")
	key, err := readPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	zhao := samplePeople[0]
	zhao.Key = key
	if _, err := h.apply(t.Context(), change{Account: &accountChange{Account: zhao}, By: []credential{h.as("zhao")}}); err != nil {
		t.Fatal(err)
	}
	review := change{Personnel: &personnelChange{Review: true}}
	for range staff.MostGuesses {
		c := review
		c.By = []credential{{Name: "zhao", PassphraseFile: h.as("sun").PassphraseFile}}
		if _, err := h.apply(t.Context(), c); !errors.Is(err, staff.ErrUnknown) {
			t.Fatal(err)
		}
	}
	c := review
	c.By = []credential{h.as("zhao")}
	if _, err := h.apply(t.Context(), c); !errors.Is(err, staff.ErrUnknown) {
		t.Errorf("the only administrator's passphrase is looked at: %v", err)
	}
	c = change{Personnel: &personnelChange{Unlock: "zhao"}}
	flags := staffFlags{As: "zhao", AsKey: private}
	if err := flags.sign(h.dir, &c); err != nil {
		t.Fatal(err)
	}
	if told, err := h.apply(t.Context(), c); err != nil || !strings.Contains(told.What, "unlocked") {
		t.Errorf("by the own key: %s, %v", told.What, err)
	}
	c = review
	c.By = []credential{h.as("zhao")}
	if _, err := h.apply(t.Context(), c); err != nil {
		t.Error(err)
	}
}
