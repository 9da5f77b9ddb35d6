package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

func aCertificate(first string, act registry.CertificateAct) *registry.Certificate {
	return &registry.Certificate{Act: act, Device: serialOf(1), Fingerprint: first + strings.Repeat("0", 62), Number: "4f", NotBefore: began.Add(-time.Hour),
		NotAfter: began.Add(time.Hour), DER: []byte("any bytes: the ledger does not read them")}
}

// TestCertificateFold: the newest act on a certificate is its state, at once, after a restart from the journal,
// and from a checkpoint with a tail; the epoch moves with each.
func TestCertificateFold(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	ctx := context.Background()
	act := func(c *registry.Certificate) {
		t.Helper()
		epoch := s.ledger.CertificateEpoch()
		if err := s.ledger.Register(ctx, began, c); err != nil {
			t.Fatal(err)
		}
		if s.ledger.CertificateEpoch() == epoch {
			t.Error("the epoch did not move")
		}
	}
	act(aCertificate("aa", registry.CertificateIssued))
	act(aCertificate("bb", registry.CertificateIssued))
	if err := s.ledger.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	spent := aCertificate("bb", registry.CertificateSpent)
	spent.Until = began.Add(time.Minute)
	act(spent)
	act(aCertificate("cc", registry.CertificateIssued))
	act(aCertificate("aa", registry.CertificateVoid))
	check := func(name string, l *ledger.Ledger) {
		t.Helper()
		for first, want := range map[byte]map[time.Duration]string{
			0xaa: {0: "revoked"}, 0xcc: {0: "", -2 * time.Hour: "not yet valid", -time.Hour: "", time.Hour - 1: "", time.Hour: "expired"},
			0xbb: {0: "", time.Minute - 1: "", time.Minute: "replaced"}, 0xdd: {0: "unknown"},
		} {
			for after, why := range want {
				if got, ok := l.CertificateStanding([32]byte{first}, began.Add(after)); got != why || ok != (why == "") {
					t.Errorf("%s: %x after %s: %q, %t, want %q", name, first, after, got, ok, why)
				}
			}
		}
		if n := len(l.Certificates()); n != 3 {
			t.Errorf("%s: %d certificates", name, n)
		}
	}
	check("live", s.ledger)
	for _, checkpoint := range []bool{false, true} {
		check("after a restart", replayed(t, s.store.copy(len(s.store.all()), checkpoint)))
	}
}

// TestCertificateRecords: what may not be journaled.
func TestCertificateRecords(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	for name, change := range map[string]func(*registry.Certificate){
		"no fingerprint":         func(c *registry.Certificate) { c.Fingerprint = "" },
		"short":                  func(c *registry.Certificate) { c.Fingerprint = c.Fingerprint[:62] },
		"upper case":             func(c *registry.Certificate) { c.Fingerprint = "AA" + c.Fingerprint[2:] },
		"no number":              func(c *registry.Certificate) { c.Number = "" },
		"ends before it begins":  func(c *registry.Certificate) { c.NotAfter = c.NotBefore },
		"no certificate":         func(c *registry.Certificate) { c.DER = nil },
		"too long":               func(c *registry.Certificate) { c.DER = make([]byte, 4097) },
		"no act":                 func(c *registry.Certificate) { c.Act = "" },
		"a device's with a key":  func(c *registry.Certificate) { c.Key = []byte("key") },
		"of no device":           func(c *registry.Certificate) { c.Device = "" },
		"authority of a device":  func(c *registry.Certificate) { c.Act, c.Key = registry.AuthorityMade, []byte("key") },
		"authority without key":  func(c *registry.Certificate) { c.Act, c.Device = registry.AuthorityMade, "" },
		"listener's without key": func(c *registry.Certificate) { c.Act, c.Device = registry.ServerIssued, "" },
	} {
		c := aCertificate("aa", registry.CertificateIssued)
		change(c)
		if err := s.ledger.Register(context.Background(), began, c); !errors.Is(err, registry.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.ledger.Certificates()); n != 0 {
		t.Errorf("%d certificates", n)
	}
	if _, err := s.ledger.Certificate([32]byte{1}); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("an unknown one: %v", err)
	}
}

// TestMayPresent: which fingerprint a device is heard by.
func TestMayPresent(t *testing.T) {
	for name, c := range map[string]struct {
		d    registry.Device
		give string
		want bool
	}{
		"registered":                    {registry.Device{Certificate: "n"}, "n", true},
		"another":                       {registry.Device{Certificate: "n"}, "x", false},
		"revoked":                       {registry.Device{Certificate: "n", CertificateVoid: true}, "n", false},
		"former, in the overlap":        {registry.Device{Certificate: "n", FormerCertificate: "f", FormerUntil: began + 1}, "f", true},
		"former, after it":              {registry.Device{Certificate: "n", FormerCertificate: "f", FormerUntil: began}, "f", false},
		"none where there is no former": {registry.Device{Certificate: "n", FormerUntil: pos.Instant(1 << 62)}, "", false},
	} {
		if got := c.d.MayPresent(c.give, began); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestTamperingIsNotUndone: a record made from what was read before a tamper report does not undo the report; a
// release, with its new master key, does.
func TestTamperingIsNotUndone(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	ctx := context.Background()
	read := *must(s.ledger.Device(serialOf(1)))
	tampered := read
	tampered.State = registry.TamperedBy
	if err := s.ledger.Register(ctx, began, &tampered); err != nil {
		t.Fatal(err)
	}
	read.Certificate = strings.Repeat("ab", 32)
	if err := s.ledger.Register(ctx, began, &read); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("a stale record: %v", err)
	}
	if d := must(s.ledger.Device(serialOf(1))); d.State != registry.TamperedBy {
		t.Errorf("the device is %s", d.State)
	}
	read.MasterTerms++
	if err := s.ledger.Register(ctx, began, &read); err != nil {
		t.Errorf("a release: %v", err)
	}
	for _, checkpoint := range []bool{false, true} {
		if d := must(replayed(t, s.store.copy(len(s.store.all()), checkpoint)).Device(serialOf(1))); d.State != registry.Active || d.Certificate == "" {
			t.Errorf("after a restart the device is %s", d.State)
		}
	}
}
