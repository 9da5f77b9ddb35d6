package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/terminal"
)

// panelAnswer is the truth about one message of a made-up day that was wrong.
type panelAnswer struct {
	Terminal string   `json:"terminal"`
	Client   string   `json:"client"` // address it came from
	Trace    string   `json:"trace"`
	MTI      string   `json:"mti"`
	Kind     string   `json:"kind"`            // listed, unlisted, composed
	What     string   `json:"what"`            // the fault's name, or what was done
	Code     string   `json:"de39"`            // what the host answered
	Causes   []string `json:"causes"`          // what is true; none: nothing may be named
	Provable bool     `json:"provable"`        // the rules of proof reach it
	Alike    []string `json:"alike,omitempty"` // causes that no experiment on one message can tell from it
	Kept     bool     `json:"kept,omitempty"`  // so are all others of this address that were answered so: reversals, what it sold after
}

// panelAnswers is the sealed file: its SHA-256 is told before anything is analysed.
type panelAnswers struct {
	Seed     uint64         `json:"seed"`
	Cases    int            `json:"cases"`
	Messages int            `json:"messages"` // in all, honest ones included
	Wrong    []*panelAnswer `json:"wrong"`
}

// panelDay plays the cases of a seed on a stage.
type panelDay struct {
	stage   *panelStage
	place   *panelPlace
	answers panelAnswers
}

// The shares of a day's cases, in percent; the rest is listed faults.
const (
	honestShare   = 30
	unlistedShare = 20
	composedShare = 15
)

// panelListed are the listed faults that leave a message with a trace, refused for what experiment can look into.
func panelListed() (list []terminal.FaultRow) {
	for _, f := range terminal.Faults() {
		row, err := terminal.Describe(f)
		if err == nil && row.Cause != "" && f != "altered-trace" && row.Reason != reason.DuplicateTrace.String() {
			list = append(list, row)
		}
	}
	return list
}

// panelShopsOf are the shops of a day: the case's kind decides what its shop takes.
func (d *panelDay) plan(cases int) (shops []*panelShop, rows []*terminal.FaultRow) {
	r, listed, forms := d.stage.chance, panelListed(), panelForms()
	forms = forms[:len(forms)-1] // the last is of one fault only
	for n := range cases {
		kind := r.IntN(100)
		row := &terminal.FaultRow{}
		form := forms[r.IntN(len(forms))]
		if kind >= honestShare+unlistedShare+composedShare {
			row = &listed[r.IntN(len(listed))]
			for !form.fits(row.Needs) {
				form = forms[r.IntN(len(forms))]
			}
		}
		s := newPanelShop(n, form, row.Needs)
		s.kind = kind
		shops, rows = append(shops, s), append(rows, row)
	}
	return shops, rows
}

// play lets one shop do its day: honest trade, what is wrong, honest trade again.
func (d *panelDay) play(ctx context.Context, s *panelShop, row *terminal.FaultRow) error {
	t, err := s.open(d.place)
	if err != nil {
		return err
	}
	defer t.Close()
	card, err := s.reader()
	if err != nil {
		return err
	}
	defer card.Wipe()
	if err := d.trade(ctx, t, card); err != nil {
		return err
	}
	switch {
	case s.kind < honestShare:
	case s.kind < honestShare+unlistedShare:
		err = d.unlisted(ctx, t, s, card)
	case s.kind < honestShare+unlistedShare+composedShare:
		err = d.composed(ctx, t, s, card)
	default:
		err = d.listed(ctx, t, s, row, card)
	}
	if err != nil {
		return err
	}
	return d.trade(ctx, t, card)
}

// habitual is the listed fault that a terminal keeps: every message from then on is wrong in the same way.
const habitual = terminal.Fault("bit-64-clear-folded")

// amount is a price.
func (d *panelDay) amount() pos.Amount { return pos.Amount(100 + d.stage.chance.IntN(90_000)) }

// trade is a few ordinary operations, some of whose answers are lost and some after a restart.
func (d *panelDay) trade(ctx context.Context, t *terminal.Terminal, card terminal.Card) (err error) {
	r := d.stage.chance
	for range r.IntN(4) {
		d.stage.pass(60_000)
		d.stage.lose = r.IntN(8) == 0
		switch r.IntN(6) {
		case 0:
			_, err = t.SignIn(ctx)
			if d.stage.lose = false; err == nil { // once more: after a lost answer the keys before, if unused, would be stale in truth
				_, err = t.SignIn(ctx)
			}
		case 1:
			_, err = t.Balance(ctx, card)
		case 2:
			if list := t.Entries(); len(list) > 0 && list[len(list)-1].Kind == terminal.KindSale && !list[len(list)-1].Voided {
				_, err = t.Void(ctx, list[len(list)-1].Trace, card)
			}
		default:
			_, err = t.Sale(ctx, card, d.amount())
		}
		d.stage.lose = false
		if err != nil {
			return err
		}
	}
	return nil
}

// note puts a wrong message into the answers.
func (d *panelDay) note(s *panelShop, res terminal.Result, a panelAnswer) {
	if res.Request == 0 || res.Approved {
		return // nothing was sent, or the change fell on what nothing depends on
	}
	a.Terminal, a.Client, a.Trace, a.MTI, a.Code = s.own.id.String(), s.address(0), res.Trace.String(), res.Request.String(), strings.Trim(res.DE39.String(), "\x00")
	d.answers.Wrong = append(d.answers.Wrong, &a)
}

// unlistedTruth is what may be named of listed faults of which the rules of proof reach nothing: an experiment that goes
// further than they promise is not wrong.
var unlistedTruth = map[terminal.Fault]reason.Cause{
	"line-noise-chained": reason.MessageAltered, "two-bytes-altered": reason.MessageAltered, "element-swapped": reason.MessageAltered,
	"mac-x9.19-padding-3": reason.MACWrongAlgorithm, "mac-cmac": reason.MACWrongAlgorithm, "mac-hmac-sha256": reason.MACWrongAlgorithm,
	"mac-over-text": reason.MACWrongCoverage, "mac-ebcdic": reason.MACWrongEncoding, "key-bytes-reversed": reason.MACKeyHalfLoaded,
	"pin-other-card": reason.PINOtherPAN, "pin-format-1": reason.PINWrongFormat, "stale-key-altered": reason.MACStaleKey,
}

func (d *panelDay) listed(ctx context.Context, t *terminal.Terminal, s *panelShop, row *terminal.FaultRow, card terminal.Card) error {
	for range 1 + d.stage.chance.IntN(2) {
		d.stage.pass(30_000)
		res, err := t.Misbehave(ctx, row.Fault, card, d.amount())
		if err != nil {
			return fmt.Errorf("%s: %w", row.Fault, err)
		}
		a := panelAnswer{Kind: "listed", What: string(row.Fault), Provable: row.First != string(journal.Unproven)}
		if a.Provable || row.Second != string(journal.Unproven) { // one message may decide nothing, and the next something
			a.Causes = []string{row.Cause}
		} else if c := unlistedTruth[row.Fault]; c != reason.NoCause {
			a.Causes = []string{c.String()}
		}
		if row.Fault == habitual {
			a.Alike, a.Kept = []string{reason.MessageAltered.String()}, true
		}
		d.note(s, res, a)
	}
	return nil
}

// odd does an oddity and notes it.
func (d *panelDay) odd(ctx context.Context, t *terminal.Terminal, s *panelShop, card terminal.Card, o terminal.Oddity, a panelAnswer) error {
	d.stage.pass(30_000)
	res, err := t.Odd(ctx, o, card, d.amount())
	if err != nil {
		return fmt.Errorf("%s: %w", a.What, err)
	}
	d.note(s, res, a)
	return nil
}

// unlisted is a fault of a kind that no table has.
func (d *panelDay) unlisted(ctx context.Context, t *terminal.Terminal, s *panelShop, card terminal.Card) error {
	r := d.stage.chance
	truth := func(c reason.Cause) []string { return []string{c.String()} }
	switch r.IntN(6) {
	case 0, 1: // any bits of the amount, currency or terminal's abilities
		n := 1 + r.IntN(3)
		// Where two bytes fall into one column of a fold they are one difference, which is a right finding too.
		return d.odd(ctx, t, s, card, terminal.Oddity{Spoil: d.flips(n)}, panelAnswer{Kind: "unlisted", What: fmt.Sprintf("%d bytes altered", n),
			Causes: truth(reason.MessageAltered), Alike: truth(reason.MACWrongCoverage)}) // a difference of 01 in the bitmap's column is bit 64 clear as well
	case 2: // any bytes of the key but the parity bits
		n := 1 + r.IntN(4)
		bytes := make([]byte, 16)
		for range n {
			bytes[r.IntN(8)] |= byte(1+r.IntN(127)) << 1
		}
		return d.odd(ctx, t, s, card, terminal.Oddity{Key: func(key []byte) []byte {
			for i := range key {
				key[i] ^= bytes[i]
			}
			return key
		}}, panelAnswer{Kind: "unlisted", What: "bytes of the key are others"})
	case 3: // any stretch of the message
		from, less := r.IntN(12), 1+r.IntN(20)
		return d.odd(ctx, t, s, card, terminal.Oddity{Cover: func(mab []byte) []byte { return mab[from : len(mab)-less] }},
			panelAnswer{Kind: "unlisted", What: "a stretch of the message in the MAC", Causes: truth(reason.MACWrongCoverage), Alike: truth(reason.MessageAltered)})
	case 4: // a writing that nobody has
		turn := 1 + r.IntN(7)
		return d.odd(ctx, t, s, card, terminal.Oddity{Write: func(de64 [8]byte, _ []byte) (out [8]byte) {
			for i := range de64 {
				out[(i+turn)%8] = de64[i]
			}
			return out
		}}, panelAnswer{Kind: "unlisted", What: "the characters of DE64 in another order", Causes: truth(reason.MACWrongEncoding)})
	}
	// An algorithm that no POS has, under the MAK.
	return d.odd(ctx, t, s, card, terminal.Oddity{Algorithm: []mac.Algorithm{mac.HMACSHA1, mac.HMACSHA512, mac.HMACSM3}[r.IntN(3)]},
		panelAnswer{Kind: "unlisted", What: "a keyed hash for a MAC", Causes: truth(reason.MACWrongAlgorithm)})
}

// flips changes n bytes of DE4, each a digit for another.
func (d *panelDay) flips(n int) func([]byte) []byte {
	r := d.stage.chance
	var places []int
	for len(places) < n {
		if at := r.IntN(3); !slices.Contains(places, at) { // the first bytes: zeros, so that any digit is another
			places = append(places, at)
		}
	}
	to := make([]byte, n)
	for i := range to {
		to[i] = byte(1 + r.IntN(9))
	}
	return func(frame []byte) []byte {
		at := terminal.AmountAt(frame)
		for i, place := range places {
			if at > 0 {
				frame[at+place] ^= to[i]
			}
		}
		return frame
	}
}

// composed is two faults at once: either is true, and neither need be found.
func (d *panelDay) composed(ctx context.Context, t *terminal.Terminal, s *panelShop, card terminal.Card) error {
	r := d.stage.chance
	lower := func(de64 [8]byte, _ []byte) [8]byte { return [8]byte([]byte(strings.ToLower(string(de64[:])))) }
	outMTI := func(mab []byte) []byte { return mab[2:] }
	names := func(list ...reason.Cause) (words []string) {
		for _, c := range list {
			words = append(words, c.String())
		}
		return words
	}
	switch r.IntN(5) {
	case 0:
		return d.odd(ctx, t, s, card, terminal.Oddity{Former: true, Cover: outMTI}, panelAnswer{Kind: "composed", What: "a former key, and the message type not in the MAC", Causes: names(reason.MACStaleKey, reason.MACWrongCoverage)})
	case 1:
		return d.odd(ctx, t, s, card, terminal.Oddity{Former: true, Write: lower}, panelAnswer{Kind: "composed", What: "a former key, in lower case", Causes: names(reason.MACStaleKey, reason.MACWrongEncoding)})
	case 2:
		return d.odd(ctx, t, s, card, terminal.Oddity{Cover: outMTI, Write: lower}, panelAnswer{Kind: "composed", What: "the message type not in the MAC, in lower case", Causes: names(reason.MACWrongCoverage, reason.MACWrongEncoding)})
	case 3:
		return d.odd(ctx, t, s, card, terminal.Oddity{Write: lower, Spoil: d.flips(1)}, panelAnswer{Kind: "composed", What: "altered, in lower case", Causes: names(reason.MessageAltered, reason.MACWrongEncoding)})
	}
	return d.odd(ctx, t, s, card, terminal.Oddity{Former: true, Spoil: d.flips(1)}, panelAnswer{Kind: "composed", What: "a former key, and altered", Causes: names(reason.MACStaleKey, reason.MessageAltered)})
}
