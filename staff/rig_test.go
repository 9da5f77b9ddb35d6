package staff_test

import (
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
)

// start is the instant of every test's beginning.
var start = pos.Instant(time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC).UnixNano())

// room is a State with what the program does around it: drafts are checked as acts, counted and folded.
type room struct {
	t *testing.T
	*staff.State
	now pos.Instant
	seq uint64
}

func newRoom(t *testing.T) *room { return &room{t: t, State: staff.NewState(), now: start, seq: 100} }

func (r *room) after(d time.Duration) { r.now += pos.Instant(d) }

// fold keeps what a rule decided; an error fails the test.
func (r *room) fold(drafts []journal.Draft, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range drafts {
		if err := d.Act.Check(); err != nil || d.Kind != journal.KindStaff {
			r.t.Fatalf("act %s of kind %s: %v", d.Act.Verb, d.Kind, err)
		}
		r.seq++
		for _, c := range d.Act.Changes {
			if err := r.Fold(r.seq, c); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// person makes an account of a person with roles; its passphrase is a quick hash of its name.
func (r *room) person(name, number string, roles ...staff.Role) {
	r.t.Helper()
	a := account(name, number, roles...)
	r.fold(staff.Register(r.State, &a, "zhao", r.now))
}

func account(name, number string, roles ...staff.Role) staff.Account {
	return staff.Account{Name: name, FullName: "Person " + number, Person: number, Organisation: "Acquirer", Roles: roles, Passphrase: quick(name)}
}

// quick is a hash with 8 KiB, so that tests of rules need not wait.
func quick(passphrase string) *staff.Hash {
	h := staff.Hash{Salt: []byte("0123456789abcdef"), Time: 1, Memory: 8, Threads: 1}
	h.Sum = h.Compute(secret.Take([]byte(passphrase)))
	return &h
}

func team(t *testing.T) *room {
	r := newRoom(t)
	r.person("zhao", "E-1", staff.Administrator)
	r.person("qian", "E-2", staff.Security)
	r.person("sun", "E-3", staff.Security)
	r.person("zheng", "L-2", staff.Assessor)
	r.person("zheng.2", "L-2", staff.Assessor)
	r.person("wu", "L-1", staff.Assessor)
	return r
}

func instant(n int64) pos.Instant { return pos.Instant(n) }

func (r *room) foldRaw(noun, id string, raw []byte) {
	r.t.Helper()
	if err := r.Fold(1, journal.Change{Noun: noun, ID: id, Record: raw}); err != nil {
		r.t.Fatal(err)
	}
}
