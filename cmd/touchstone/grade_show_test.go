package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"touchstone/explain"
	"touchstone/grade"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// gradeScene is three terminals whose facts are fixed.
func gradeScene() *gradeWorld {
	now := pos.Instant(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC).UnixNano())
	ago := func(d time.Duration) pos.Instant { return now - pos.Instant(d) }
	id := func(s string) pos.TerminalID { return must(pos.ParseTerminalID(s)) }
	shop := &registry.Merchant{ID: sampleMerchant(1), Name: "Sample Noodles 示例面馆"}
	key := keys.Wrapped{1}
	terminals := []*registry.Terminal{
		{ID: id("00000011"), Merchant: shop.ID, Serial: "A", Master: key, MasterAt: ago(20 * 24 * time.Hour), Profile: registry.Profile{SignInCode: keys.SignInDES, PINWithout: true}, AnyNetwork: true},
		{ID: id("00000012"), Merchant: shop.ID, Serial: "B", Master: key, MasterAt: ago(400 * 24 * time.Hour), Profile: registry.Profile{SignInCode: keys.SignInTDESTrack, MAC: registry.MACX919, TrackSecret: true}},
		{ID: id("00000013"), Merchant: shop.ID, Serial: "C", Profile: registry.Profile{SignInCode: keys.SignInSM4}, Master: key},
	}
	devices := map[pos.Serial]*registry.Device{"A": {Model: "Sample S20"}, "B": {Model: "Sample S15", Key: key, Certificate: "ab"}, "C": {Model: "Sample S30", Key: key}}
	seen := map[pos.TerminalID]grade.Seen{
		terminals[0].ID: {First: ago(24 * time.Hour), Last: now, Algorithms: 1 << mac.UnionPayECBDES, InForce: ago(30 * time.Hour), SignIns: 30, Sales: 4, PINs: 3, SerialMissed: 4, ClearTracks: 4, Plain: 6},
		terminals[1].ID: {First: ago(24 * time.Hour), Last: now, Algorithms: 1 << mac.X919, InForce: ago(time.Hour), SignIns: 1, Sales: 9, PINs: 9, SealedTracks: 9, TLS13: 12},
	}
	return &gradeWorld{now: now,
		merchant: func(pos.MerchantID) *registry.Merchant { return shop },
		seen: func(ids []pos.TerminalID) (list []grade.Seen) {
			for _, t := range ids {
				list = append(list, seen[t])
			}
			return list
		},
		each: func(f func(*registry.Terminal, *registry.Device) error) error {
			for _, t := range terminals {
				if err := f(t, devices[t.Serial]); err != nil {
					return err
				}
			}
			return nil
		}}
}

// TestGradeGolden: every form of the command in both languages, also as a running host's answer comes over its socket.
func TestGradeGolden(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		for name, q := range map[string]gradeQuery{"fleet": {}, "plan": {Plan: true}, "weak": {Terminal: "00000011"}, "strong": {Terminal: "00000012"}, "sm4": {Terminal: "00000013"}} {
			q.Thresholds = grade.DefaultThresholds()
			made, err := gradeScene().answer(&q)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(made)
			if err != nil {
				t.Fatal(err)
			}
			a := new(gradeAnswer)
			if err := json.Unmarshal(raw, a); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			l, err := newLines(&b, lang, false)
			if err != nil {
				t.Fatal(err)
			}
			l.zone = time.UTC
			s := &screen{l: l}
			switch {
			case a.Terminal != nil:
				s.terminalGrade(a)
			case a.Plan != nil:
				s.gradePlan(a)
			default:
				s.fleetGrade(a)
			}
			if err := s.flush(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, name+"-"+lang, b.String())
		}
	}
}

// TestGradeWords: every axis, level, reason and step has words in both languages, and so has what a trial cannot tell.
func TestGradeWords(t *testing.T) {
	has := func(table map[string]explain.Text, word string) {
		if x := table[word]; x.EN == "" || x.ZH == "" {
			t.Errorf("%q has no words", word)
		}
	}
	for a := range grade.Axes {
		has(axisWords, a.String())
	}
	for l := range grade.Levels {
		has(levelWords, l.String())
	}
	for _, w := range grade.Why(1<<32 - 1).Words() {
		has(whyWord, w)
	}
	for s := range grade.Steps {
		has(stepWords, s.String())
	}
	for _, w := range []string{proof.UntoldPlace, proof.UntoldFallback, proof.UntoldKeys, proof.UntoldRepeat, proof.UntoldCard, proof.UntoldSignIn} {
		has(untoldWords, w)
	}
	for _, f := range []proof.Finding{proof.NewlyRefused, proof.OtherReason, proof.NoLonger, proof.CannotTell} {
		has(findingWords, f.String())
	}
}

// TestBar: a level that is there at all has a cell, and the bar its width.
func TestBar(t *testing.T) {
	for _, c := range []levelCounts{{}, {0, 1}, {1, 0, 0, 1_000_000}, {1, 1, 1, 1}, {0, 3, 5, 7}, {1, 1, 1, 1_000_000}} {
		got := bar(c)
		if explain.Columns(got) != barColumns {
			t.Errorf("%v: %d columns", c, explain.Columns(got))
		}
		for i, shape := range []string{"·", "░", "▓", "█"} {
			if strings.Contains(got, shape) != (c[i] > 0) {
				t.Errorf("%v: %s", c, got)
			}
		}
	}
}
