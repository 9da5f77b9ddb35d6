package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// TestTriedFiles: what a file may say, and what it is told when it may not.
func TestTriedFiles(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		texts []string
		want  string // of the error; "" none
		host  bool
	}{
		"a configuration":        {[]string{"refuse-mac = [\"xor-fold\", \"single DES\"]\nlog-level = \"warn\"\n"}, "", true},
		"an empty configuration": {[]string{""}, "", true},
		"a permit policy":        {[]string{standardText(t)}, "", false},
		"one of each":            {[]string{standardText(t), "require-tls = true\n"}, "", true},
		"two configurations":     {[]string{"require-tls = true\n", "require-network = true\n"}, "one of each", false},
		"two permit policies":    {[]string{standardText(t), standardText(t)}, "one of each", false},
		"an unknown key":         {[]string{"refuse-macs = [\"xor-fold\"]\n"}, `unknown key "refuse-macs"`, false},
		"an unknown MAC":         {[]string{"refuse-mac = [\"crc\"]\n"}, `refuse-mac: "crc": want weak, xor-fold`, false},
		"a lifetime of a second": {[]string{"sign-in-lifetime = \"1s\"\n"}, "sign-in-lifetime: 1s is under 1m0s", false},
		"no TOML":                {[]string{"require-tls"}, "toml", false},
		"a broken permit policy": {[]string{"name = \"x\"\n[health]\ngood = \"full\"\n"}, "does not say what unknown means", false},
	} {
		t.Run(name, func(t *testing.T) {
			var files []string
			for i, text := range c.texts {
				path := filepath.Join(dir, fmt.Sprintf("%s-%d.toml", strings.ReplaceAll(name, " ", "-"), i))
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				files = append(files, path)
			}
			tried, err := readTried(files)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want == "":
				if (tried.host != nil) != c.host {
					t.Errorf("host policy: %t", tried.host != nil)
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// tryJournal is a journal of n sales of a few terminals in blocks, with its register.
func tryJournal(tb testing.TB, n int) (blocks []journal.Block) {
	tb.Helper()
	var at pos.Instant = 1_800_000_000_000_000_000
	var body []byte
	first, seq := uint64(1), uint64(0)
	push := func(e interface {
		AppendEntry([]byte, uint64) ([]byte, journal.Kind)
	}) {
		seq++
		raw, _ := e.AppendEntry(nil, seq)
		body = binary.BigEndian.AppendUint32(body, uint32(len(raw)))
		body = append(append(body, raw...), 0, 0, 0, 0)
		if seq-first == 199 {
			blocks = append(blocks, journal.Block{First: first, N: 200, Body: bytes.Clone(body)})
			body, first = body[:0], seq+1
		}
	}
	cold := func(kind journal.Kind, record any) {
		raw, err := json.Marshal(record)
		if err != nil {
			tb.Fatal(err)
		}
		push(journal.Raw{Entry: journal.Entry{Kind: kind, At: at, Body: raw}})
	}
	shop := &registry.Merchant{ID: sampleMerchant(1), Name: "shop"}
	cold(journal.KindMerchant, shop)
	const terminals = 100
	for i := range terminals {
		d := &registry.Device{Serial: sampleSerial(i), State: registry.Active, Key: keys.Wrapped{1}, Model: "M"}
		cold(journal.KindDevice, d)
		cold(journal.KindTerminal, &registry.Terminal{ID: sampleID(i), Merchant: shop.ID, Serial: d.Serial, Permit: registry.FullPermit, AnyNetwork: true,
			Profile: registry.Profile{SignInCode: keys.SignInTDES}})
		push(&journal.Exchange{At: at, Terminal: sampleID(i), Merchant: shop.ID, MTI: 0x0800, Network: 3, DE39: pos.Approved, Effect: journal.KeysIssued, KeyCode: 3, Wrapped: make([]byte, keys.SetSize)})
	}
	var states proof.States
	for c := proof.Frame; c <= proof.Serial; c++ {
		states.Set(c, proof.Passed)
	}
	for i := range n {
		at += pos.Instant(time.Millisecond)
		x := &journal.Exchange{At: at, Terminal: sampleID(i % terminals), Merchant: shop.ID, MTI: 0x0200, Type: pos.Sale, STAN: pos.STAN(i), Amount: 1234, EntryMode: 21,
			Flags: journal.FlagMACVerified | journal.FlagPIN | journal.FlagNoFallback, DE39: pos.Approved, Effect: journal.Sold, Delta: -1234, KeySet: 1, Checks: uint64(states)}
		if i < terminals {
			x.Flags |= journal.FlagPromoted
		}
		push(x)
	}
	return blocks
}

// BenchmarkPolicyTry folds and judges again, permit policy and host policy at once; 100,000 entries a second are wanted.
// The reading of the disk is not in it.
func BenchmarkPolicyTry(b *testing.B) {
	blocks := tryJournal(b, 200_000)
	standard, err := fleet.StandardPolicy()
	if err != nil {
		b.Fatal(err)
	}
	policy := proof.DefaultPolicy()
	policy.RequireTLS = true
	entries := 0
	for b.Loop() {
		tally := newTryTally(20)
		p := newHindsight(proof.Trial{Policy: &policy}, standard, 1)
		tally.place, p.found = p, tally.take
		err := p.read(b.Context(), func(_ context.Context, _ uint64, f func(journal.Block) error) error {
			for _, block := range blocks {
				entries += block.N
				if err := f(block); err != nil {
					return err
				}
			}
			return nil
		}, period{}, func(uint64) {})
		if err != nil {
			b.Fatal(err)
		}
		if tally.findings[proof.NewlyRefused].Messages == 0 {
			b.Fatal("nothing was refused")
		}
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
}

// TestTryGolden: the screen in both languages, of a journal whose instants are fixed.
func TestTryGolden(t *testing.T) {
	blocks := tryJournal(t, 400)
	standard, err := fleet.StandardPolicy()
	if err != nil {
		t.Fatal(err)
	}
	policy := proof.DefaultPolicy()
	policy.RequireTLS = true
	tally := newTryTally(3)
	p := newHindsight(proof.Trial{Policy: &policy}, standard, 1)
	tally.place, p.found = p, tally.take
	err = p.read(t.Context(), func(_ context.Context, _ uint64, f func(journal.Block) error) error {
		for _, block := range blocks {
			if err := f(block); err != nil {
				return err
			}
		}
		return nil
	}, period{}, func(uint64) {})
	if err != nil {
		t.Fatal(err)
	}
	tried := &triedPolicy{permit: standard, host: new(hostFlags), counted: []string{"require-tls"}, passed: []string{"log-level"}, standing: []string{"refuse-mac"}}
	for _, lang := range []string{"en", "zh"} {
		var b bytes.Buffer
		l, err := newLines(&b, lang, false)
		if err != nil {
			t.Fatal(err)
		}
		l.zone = time.UTC
		s := &screen{l: l}
		s.tried(tally.answer(tried, []string{"serve.toml", "standard.toml"}))
		if err := s.flush(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, "try-"+lang, b.String())
	}
}
