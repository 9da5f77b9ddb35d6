package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
)

// Probe is one message by which a canary tries a host: right in everything but one. Unlike after a Fault
// nothing follows it: no reversal is kept, no advice of the answer is obeyed, the batch list does not
// grow. It is for a terminal of its own that the host lets move no money.
type Probe string

// The probes. What a host should say is in the comment: its reason, docs/protocol/failures.md.
const (
	ProbeGoodBalance Probe = "good-balance" // right in everything, with a PIN: approved
	ProbeGoodSale    Probe = "good-sale"    // right in everything: approved

	ProbeGarbage       Probe = "garbage"            // random bytes: frame_malformed
	ProbeNoAmount      Probe = "no-amount"          // a sale without DE4: message_malformed
	ProbeProcessing    Probe = "processing-unknown" // DE3 990000: function_unsupported
	ProbeUnregistered  Probe = "unregistered"       // Config.FaultTerminal in DE41: terminal_unknown
	ProbeOtherMerchant Probe = "other-merchant"     // Config.FaultMerchant in DE42: binding_mismatch
	ProbeOtherNetwork  Probe = "other-network"      // from Config.FaultFrom: network_not_allowed
	ProbeSignIn        Probe = "sign-in"            // an ordinary sign-in, of a terminal that must not have keys
	ProbeElsewhere     Probe = "elsewhere"          // A5 of a place far away: location_outside
	ProbeRefund        Probe = "refund"             // of a terminal that may not: permit_refused
	ProbeSignedOff     Probe = "signed-off"         // a sale after the sign-off: not_signed_in
	ProbeWrongBatch    Probe = "wrong-batch"        // batch_mismatch
	ProbeWrongCipher   Probe = "wrong-cipher"       // DE53 names another cipher: key_algorithm_mismatch
	ProbeMissingMAC    Probe = "missing-mac"        // mac_missing
	ProbeWrongMAC      Probe = "wrong-mac"          // mac_failed
	ProbeAltered       Probe = "altered-amount"     // DE4 changed after the MAC: mac_failed
	ProbeDuplicate     Probe = "duplicate-trace"    // the trace of the sale before, another amount: duplicate_trace
	ProbeReplay        Probe = "replay"             // a sale again byte for byte after its reversal: replayed
	ProbeSerialMissing Probe = "serial-stripped"    // A2 without factor and ciphertext: serial_missing
	ProbeOtherSerial   Probe = "other-serial"       // serial_mismatch
	ProbeSerialCipher  Probe = "serial-cipher"      // a wrong ciphertext: serial_proof_failed
	ProbeSerialFactor  Probe = "serial-factor"      // the ciphertext of another factor: serial_factor_mismatch
	ProbeOtherApp      Probe = "other-app"          // an application version nobody knows: app_version_unknown
	ProbeTrackKey      Probe = "track-other-key"    // a track sealed under no key of ours: track_decrypt_failed
	ProbeTrackPAN      Probe = "track-other-card"   // DE2 is not the track's card: track_pan_mismatch
	ProbeNoChipData    Probe = "chip-without-data"  // DE22 says chip, DE55 is absent: emv_missing
	ProbeVoid          Probe = "void-of-nothing"    // a void without an original: original_not_found
	ProbeNoPIN         Probe = "pin-missing"        // DE22 says a PIN was entered: pin_missing
	ProbePINKey        Probe = "pin-other-key"      // a PIN block under no key of ours: pin_format
	ProbeWrongPIN      Probe = "wrong-pin"          // pin_wrong
	ProbeUnverified    Probe = "large-without-pin"  // over the card's limit without a PIN: no_cardholder_verification
	ProbeOtherExpiry   Probe = "other-expiry"       // the track's expiry is not the card's: card_expired
	ProbeLarge         Probe = "large"              // over the card's limit of one sale, with a PIN: limit_exceeded
	ProbeSignInCode    Probe = "sign-in-code"       // a sign-in with another code: sign_in_code_refused
)

// pinned are the probes that carry the card's PIN.
var pinned = []Probe{ProbeGoodBalance, ProbePINKey, ProbeWrongPIN, ProbeLarge}

// ProbeOutcome is what became of a probe: the result, and how its journal entry is found.
type ProbeOutcome struct {
	Result
	Terminal pos.TerminalID // as claimed; zero for what is no message
}

// SkipTraces leaves out so many traces, durably. A canary skips more than one round uses when it opens:
// Probe does not write down the traces it takes.
func (t *Terminal) SkipTraces(n int) error {
	if err := t.usable(); err != nil {
		return err
	}
	for range n {
		if _, err := t.nextTrace(); err != nil {
			return err
		}
	}
	return t.save()
}

// Probe sends one probe. An error means that nothing was sent; ErrPrelude, that what must come before it
// was not approved.
func (t *Terminal) Probe(ctx context.Context, p Probe, card Card, amount pos.Amount) (out ProbeOutcome, err error) {
	if err := t.usable(); err != nil {
		return out, err
	}
	out.Terminal = t.cfg.Terminal
	switch p {
	case ProbeGarbage:
		out.Result, err = t.garbage(ctx)
		out.Terminal = pos.TerminalID{}
		return out, err
	case ProbeSignIn:
		out.Result, err = t.SignIn(ctx)
		return out, err
	case ProbeSignInCode:
		out.Result, err = t.signIn(ctx, pos.NetworkCode(otherCode(t.cfg.SignInCode)))
		return out, err
	}
	if t.keys == nil {
		if err := t.probeSignIn(ctx); err != nil {
			return out, err
		}
	}
	if p == ProbeSignedOff {
		if err := t.probeSignOff(ctx, card); err != nil {
			return out, err
		}
	}
	if !slices.Contains(pinned, p) {
		card.PIN = secret.Bytes{}
	}
	return t.sendProbe(ctx, p, card, amount)
}

func (t *Terminal) probeSignIn(ctx context.Context) error {
	in, err := t.SignIn(ctx)
	if err == nil && !in.Approved {
		err = fmt.Errorf("%w: sign-in: %v", ErrPrelude, in.Outcome)
	}
	return err
}

// probeSignOff signs off at the host and keeps the keys, once: later the host holds none for us.
func (t *Terminal) probeSignOff(ctx context.Context, card Card) error {
	if t.signedOff {
		return nil
	}
	if err := t.probeSignIn(ctx); err != nil {
		return err
	}
	used, err := t.sendProbe(ctx, ProbeGoodBalance, card, 0)
	if err != nil {
		return err
	}
	if !used.Approved {
		return fmt.Errorf("%w: balance: %v", ErrPrelude, used.Outcome)
	}
	off, err := t.manage(ctx, &request{operation: "sign-off", mti: manageMTI, network: signOffCode, batch: t.st.Batch})
	if err == nil && !off.Approved {
		err = fmt.Errorf("%w: sign-off: %v", ErrPrelude, off.Outcome)
	}
	t.signedOff = err == nil
	return err
}

// sendProbe builds and sends a financial probe, and what must come before it.
func (t *Terminal) sendProbe(ctx context.Context, p Probe, card Card, amount pos.Amount) (out ProbeOutcome, err error) {
	out.Terminal = t.cfg.Terminal
	r, wipe, err := t.probeRequest(p, card, amount)
	if err != nil {
		return out, err
	}
	defer wipe()
	var again []byte
	defer func() { clear(again) }()
	switch p {
	case ProbeDuplicate:
		first, err := t.sendProbe(ctx, ProbeGoodSale, card, amount)
		if err != nil {
			return out, err
		}
		if !first.Approved {
			return out, fmt.Errorf("%w: sale: %v", ErrPrelude, first.Outcome)
		}
		r.twist.trace, r.amount = first.Trace, amount+1
	case ProbeReplay:
		if again, err = t.soldAndUndone(ctx, r); err != nil {
			return out, err
		}
	}
	frame, err := t.probeFrame(r, again)
	if err != nil {
		return out, err
	}
	from := t.cfg.From
	if p == ProbeOtherNetwork {
		from = t.cfg.FaultFrom
	}
	out.Result = t.talk(ctx, r, from, frame)
	out.Terminal = r.twist.terminalID(t.cfg.Terminal)
	clear(frame)
	t.finish(&out.Result)
	return out, nil
}

func (t *Terminal) probeFrame(r *request, again []byte) ([]byte, error) {
	r.batch = t.st.Batch
	t.begin(r)
	switch {
	case again != nil:
		return again, nil
	case r.twist.trace != 0:
		r.trace = r.twist.trace
	default:
		var err error
		if r.trace, err = t.nextTrace(); err != nil {
			return nil, err
		}
	}
	return t.build(r)
}

// soldAndUndone sends r, a good sale, and its reversal, and returns the sale's bytes.
func (t *Terminal) soldAndUndone(ctx context.Context, r *request) ([]byte, error) {
	frame, err := t.probeFrame(r, nil)
	if err != nil {
		return nil, err
	}
	again := bytes.Clone(frame)
	if sold := t.talk(ctx, r, t.cfg.From, frame); !sold.Approved {
		clear(again)
		return nil, fmt.Errorf("%w: sale: %v", ErrPrelude, sold.Outcome)
	}
	undo := t.reversalRequest(&reversal{Kind: KindSale, Trace: r.trace, Batch: r.batch, Processing: r.processing, Amount: r.amount,
		Entry: r.entry/10*10 + 2, Code: r.code, Reason: reasonOther})
	if frame, err = t.build(undo); err != nil {
		clear(again)
		return nil, err
	}
	if undone := t.talk(ctx, undo, t.cfg.From, frame); !undone.Approved {
		clear(again)
		return nil, fmt.Errorf("%w: reversal: %v", ErrPrelude, undone.Outcome)
	}
	return again, nil
}

// farAway is in the Gulf of Guinea, where no terminal is registered.
var farAway = Location{Longitude: "+0.00000", Latitude: "+0.00000", System: "GCJ02"}

// probeRequest is the message of a probe; wipe ends the secrets made for it.
func (t *Terminal) probeRequest(p Probe, card Card, amount pos.Amount) (r *request, wipe func(), err error) {
	wipe = func() {}
	r = t.sale(card, amount)
	w := &r.twist
	switch p {
	case ProbeGoodBalance:
		r = t.financial("balance", pos.Balance, balanceProcessing, card)
		r.pan = t.panOf(card)
	case ProbeNoAmount:
		r.amount = 0
	case ProbeProcessing:
		r.processing = 990000
	case ProbeUnregistered:
		w.terminal = t.cfg.FaultTerminal
	case ProbeOtherMerchant:
		w.merchant = t.cfg.FaultMerchant
	case ProbeElsewhere:
		w.place = &farAway
	case ProbeRefund:
		r = t.financial("refund", pos.Refund, undoProcessing, Card{Expiry: card.Expiry})
		r.mti, r.amount, r.pan = refundMTI, amount, card.PAN
	case ProbeVoid:
		r = t.financial("void", pos.Void, undoProcessing, Card{})
		r.amount = amount
	case ProbeWrongBatch:
		w.laterBatch = true
	case ProbeWrongCipher:
		w.otherCipher = true
	case ProbeMissingMAC:
		w.noMAC = true
	case ProbeWrongMAC:
		w.wrongMAC = true
	case ProbeAltered:
		w.raise = faultRaise
	case ProbeNoChipData:
		r.entry = 52
	case ProbeNoPIN:
		r.entry = swipeMode + 1
	case ProbeTrackPAN, ProbeWrongPIN, ProbeOtherExpiry:
		err = t.otherCard(r, p)
		wipe = r.card.otherWipe(p)
	case ProbeTrackKey, ProbePINKey:
		wipe, err = t.otherKey(w, p)
	default:
		t.serialProbe(w, p)
	}
	return r, wipe, err
}

func (t *Terminal) serialProbe(w *twist, p Probe) {
	switch p {
	case ProbeSerialMissing:
		w.strip = true
	case ProbeOtherSerial:
		w.other = true
	case ProbeSerialCipher:
		w.wrongTUSN = true
	case ProbeSerialFactor:
		w.otherFactor = true
	case ProbeOtherApp:
		w.app = "0.0.canr"
	}
}

// otherKey draws a key that nobody else has for the track or the PIN.
func (t *Terminal) otherKey(w *twist, p Probe) (wipe func(), err error) {
	key := make([]byte, 16)
	defer clear(key)
	if _, err := io.ReadFull(t.cfg.Random, key); err != nil {
		return func() {}, fmt.Errorf("draw a key: %w", err)
	}
	c, err := paycrypto.NewCipher(paycrypto.SM4, key)
	if t.cfg.SignInCode.Algorithm() != paycrypto.SM4 {
		paycrypto.AdjustParity(key)
		c, err = paycrypto.NewCipher(paycrypto.TDES, key)
	}
	if err != nil {
		return func() {}, err
	}
	if p == ProbeTrackKey {
		w.trackKey = c
	} else {
		w.pinKey = c
	}
	return c.Wipe, nil
}

// otherCard changes one thing about the card in r, in copies of its own.
func (t *Terminal) otherCard(r *request, p Probe) (err error) {
	switch p {
	case ProbeWrongPIN:
		r.card.PIN.Use(func(pin []byte) {
			other := bytes.Clone(pin)
			if len(other) > 0 {
				other[len(other)-1] = '0' + (other[len(other)-1]-'0'+1)%10
			}
			r.card.PIN = secret.Take(other)
		})
	case ProbeOtherExpiry:
		r.card.Track2.Use(func(track []byte) {
			other := bytes.Clone(track)
			if at := bytes.IndexAny(other, "=D"); at >= 0 && at+2 < len(other) {
				other[at+2] = '0' + (other[at+2]-'0'+9)%10 // the last digit of the year, one back
			}
			r.card.Track2 = secret.Take(other)
		})
	case ProbeTrackPAN:
		// The last six digits stay: they are the serial number's factor.
		r.card.PAN.Use(func(digits []byte) {
			other := bytes.Clone(digits)
			defer clear(other)
			if at := len(other) - 8; at >= 0 {
				other[at] = otherDigit(other[at])
			}
			pan := pos.NewPAN()
			err = pan.Set(other)
			r.pan = pan
		})
	}
	return err
}

// otherWipe ends the copy that otherCard made.
func (c Card) otherWipe(p Probe) func() {
	switch p {
	case ProbeWrongPIN:
		return c.PIN.Wipe
	case ProbeOtherExpiry:
		return c.Track2.Wipe
	}
	return func() {}
}

// merchantID, location, factor and version are what a message says of them.
func (w *twist) merchantID(own pos.MerchantID) pos.MerchantID {
	if w.merchant != (pos.MerchantID{}) {
		return w.merchant
	}
	return own
}

func (w *twist) location(own *Location) *Location {
	if w.place != nil {
		return w.place
	}
	return own
}

func (w *twist) tdk(own *paycrypto.Cipher) *paycrypto.Cipher {
	if w.trackKey != nil {
		return w.trackKey
	}
	return own
}

func (w *twist) version(own string) string {
	if w.app != "" {
		return w.app
	}
	return own
}

// spoilFactor changes the factor before the ciphertext is made of it.
func (w *twist) spoilFactor(factor []byte) {
	if w.otherFactor && len(factor) > 0 {
		factor[0] = otherDigit(factor[0])
	}
}

// algorithm53 changes the digit that names the cipher.
func (w *twist) algorithm53(own iso8583.PINAlgorithm) iso8583.PINAlgorithm {
	switch {
	case !w.otherCipher:
		return own
	case own == iso8583.SM4:
		return iso8583.TripleDES
	}
	return iso8583.SM4
}
