package terminal

import (
	"bytes"
	"context"
	"fmt"

	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/secret"
)

// noPIN is the PIN of a card that has none.
var noPIN = secret.Bytes{}

// sessionFaults are those of sign-in, batch and trace.
var sessionFaults = []FaultRow{
	{Fault: "signed-off", Group: GroupSession, What: "a sale after the sign-off", DE39: "77", Reason: "not_signed_in", do: afterSignOff},
	{Fault: WrongBatch, Group: GroupSession, What: "the batch after the open one", DE39: "77", Reason: "batch_mismatch", do: asSale(twist{laterBatch: true})},
	{Fault: WrongSignInCode, Group: GroupSession, What: "a sign-in with another code", DE39: "40", Reason: "sign_in_code_refused",
		do: func(t *Terminal, ctx context.Context, _ Card, _ pos.Amount) (Result, error) {
			return t.signIn(ctx, pos.NetworkCode(otherCode(t.cfg.SignInCode)))
		}},
	{Fault: "sign-in-flood", Group: GroupSession, What: "sign-ins without end", DE39: "96", Reason: "rate_limited", do: signInFlood},
	{Fault: "wrong-cipher", Group: GroupSession, What: "DE53 names another cipher than the keys'", DE39: "A7", Reason: "key_algorithm_mismatch", Cause: unproven,
		First: unproven, Second: unproven, Needs: []Need{NeedPIN}, do: asSale(twist{otherCipher: true})},
	{Fault: Replay, Group: GroupSession, What: "a sale again, byte for byte, after its reversal", DE39: "94", Reason: "replayed",
		do: func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
			return t.replay(ctx, card, amount)
		}},
	{Fault: DuplicateTrace, Group: GroupSession, What: "the trace of the sale before, another amount", DE39: "94", Reason: "duplicate_trace", Cause: unproven,
		First: unproven, Second: unproven, do: func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
			return t.duplicate(ctx, card, amount)
		}},
	{Fault: "reversed-first", Group: GroupSession, What: "a reversal overtakes its sale", DE39: "94", Reason: "reversed_before_arrival", do: reversedFirst},
}

func afterSignOff(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	used, err := t.Balance(ctx, card)
	if err == nil && !used.MACVerified {
		err = fmt.Errorf("%w: balance: %v", ErrPrelude, used.Outcome)
	}
	if err != nil {
		return Result{}, err
	}
	off, err := t.manage(ctx, &request{operation: "sign-off", mti: manageMTI, network: signOffCode, batch: t.st.Batch})
	if err == nil && !off.Approved {
		err = fmt.Errorf("%w: sign-off: %v", ErrPrelude, off.Outcome)
	}
	if err != nil {
		return Result{}, err
	}
	return t.twisted(ctx, twist{}, card, amount) // the keys are still here
}

// floodSignIns is more sign-ins than any host should answer at once.
const floodSignIns = 256

func signInFlood(t *Terminal, ctx context.Context, _ Card, _ pos.Amount) (res Result, err error) {
	for range floodSignIns {
		if res, err = t.SignIn(ctx); err != nil || !res.Approved {
			return res, err
		}
	}
	return res, nil
}

// managed sends a management message and tells of it.
func (t *Terminal) managed(ctx context.Context, r *request) (Result, error) {
	res, err := t.manage(ctx, r)
	if err == nil {
		t.finish(&res)
	}
	return res, err
}

// reversedFirst lets a sale's reversal arrive before the sale.
func reversedFirst(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	if blocked, ok, err := t.prepare(ctx, "sale"); err != nil || !ok {
		return blocked, err
	}
	r := t.sale(card, amount)
	lent, err := t.ready(r, KindSale)
	if err != nil {
		return Result{}, err
	}
	frame := bytes.Clone(lent)
	defer clear(frame)
	undone, err := t.sendReversal(ctx)
	if err == nil && !undone.Approved {
		err = fmt.Errorf("%w: reversal: %v", ErrPrelude, undone.Outcome)
	}
	if err != nil {
		return Result{}, err
	}
	again := *r
	return t.raw(ctx, &again, frame)
}

// identityFaults say that the terminal is another, or elsewhere.
var identityFaults = []FaultRow{
	identity(Unregistered, "a DE41 that nobody registered", "97", "terminal_unknown", func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.twisted(ctx, twist{terminal: t.cfg.FaultTerminal}, card, amount)
	}),
	identity("merchant-unregistered", "a DE42 that nobody registered", "03", "merchant_unknown", asSale(twist{merchant: pos.MerchantID{'9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9', '9'}})),
	identity("other-merchant", "the DE42 of another shop", "97", "binding_mismatch", func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.twisted(ctx, twist{merchant: t.cfg.FaultMerchant}, card, amount)
	}, NeedMerchant),
	identity(WrongNetwork, "from another local address", "58", "network_not_allowed", func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.twisted(ctx, twist{from: t.cfg.FaultFrom}, card, amount)
	}, NeedNetwork),
	identity("elsewhere", "A5 of a place far away", "58", "location_outside", asSale(twist{place: &farAway}), NeedPlace),
	identity("plain-tcp", "no TLS, and the device has a certificate", "", "transport_refused", signInAlone, NeedCertified),
	identity("certificate-missing", "TLS without the device's certificate", "58", "device_certificate_mismatch", signInAlone, NeedCertified, NeedBareTLS),
	identity("certificate-of-other", "TLS with another device's certificate", "58", "device_certificate_mismatch", signInAlone, NeedCertified, NeedOtherCert),
}

func identity(f Fault, what, de39, reason string, do action, needs ...Need) FaultRow {
	return FaultRow{Fault: f, Group: GroupIdentity, What: what, DE39: de39, Reason: reason, Needs: needs, do: do}
}

// signInAlone is an ordinary sign-in.
func signInAlone(t *Terminal, ctx context.Context, _ Card, _ pos.Amount) (Result, error) {
	return t.SignIn(ctx)
}

// standingFaults are ordinary messages: it is the terminal's standing at the host that is wrong.
var standingFaults = []FaultRow{
	{Fault: Tamper, Group: GroupStanding, What: "a tamper report; the terminal locks for good", DE39: "00", Reason: "none",
		do: func(t *Terminal, ctx context.Context, _ Card, _ pos.Amount) (Result, error) {
			return t.TamperReport(ctx, faultSensor)
		}},
	standing("terminal-suspended", "a sign-in while the terminal is suspended", "58", "terminal_suspended", signInAlone, NeedSuspended),
	standing("merchant-suspended", "a sign-in while the shop is suspended", "03", "merchant_suspended", signInAlone, NeedShopClosed),
	standing("device-unknown", "a sign-in of a terminal whose device nobody announced", "97", "device_unknown", signInAlone, NeedNoDevice),
	standing("device-suspended", "a sign-in while the device is suspended", "58", "device_suspended", signInAlone, NeedDeviceOut),
	standing("device-tampered", "a sign-in after the device reported tampering", "58", "device_tampered", signInAlone, NeedTampered),
	standing("key-absent", "a sign-in of a terminal without a master key at the host", "A7", "key_absent", signInAlone, NeedNoMaster),
	standing("permit-blocked", "a sign-in while the permit is blocked", "58", "permit_refused", signInAlone, NeedBlocked),
	standing("permit-no-refund", "a refund that the permit does not cover", "58", "permit_refused", asProbe(ProbeRefund), NeedNoRefund),
	standing("permit-limit", "a sale above the permit's limit", "58", "permit_refused", asSale(twist{}), NeedLimit),
	standing("weak-mac", "a MAC whose algorithm is weaker than the host demands", "58", "mac_grade_refused", asSale(twist{}), NeedStrongMAC),
	standing("clone-suspected", "a sign-in while two devices are suspected to be this terminal", "58", "clone_suspected", signInAlone, NeedCloned),
	standing("proof-ineffective", "a sale while a proof it rests on is known not to prove", "96", "proof_ineffective", asSale(twist{}), NeedStopped),
}

func standing(f Fault, what, de39, reason string, do action, needs ...Need) FaultRow {
	return FaultRow{Fault: f, Group: GroupStanding, What: what, DE39: de39, Reason: reason, Needs: needs, do: do}
}

func money(f Fault, what, de39, reason string, do action, needs ...Need) FaultRow {
	return FaultRow{Fault: f, Group: GroupMoney, What: what, DE39: de39, Reason: reason, Needs: needs, do: do}
}

// cardFaults are what the issuer says of the card; what it carries over the wire is right.
var cardFaults = []FaultRow{
	money("card-unknown", "a card of no bank", "14", "card_unknown", asSale(twist{}), NeedUnknown),
	money("card-expired", "a card that has expired", "54", "card_expired", asSale(twist{}), NeedExpired),
	money("other-expiry", "the track's expiry is not the card's", "54", "card_expired", asProbe(ProbeOtherExpiry)),
	money("other-service-code", "the track's service code is not the card's", "05", "issuer_declined", otherServiceCode),
	money("card-lost", "a card reported lost", "41", "card_lost", asSale(twist{}), NeedLost),
	money("card-stolen", "a card reported stolen", "43", "card_stolen", asSale(twist{}), NeedStolen),
	money("card-restricted", "a restricted card", "62", "card_restricted", asSale(twist{}), NeedRestricted),
	money("balance-too-low", "more than the balance", "51", "insufficient_funds", asSale(twist{}), NeedPoor),
	money("sale-limit", "more than the card's limit of one sale", "61", "limit_exceeded", asSale(twist{}), NeedSaleLimit),
	money("large-without-pin", "more than the card's limit without a PIN", "57", "no_cardholder_verification", asChanged(func(_ *Terminal, r *request) error {
		r.card.PIN = noPIN
		r.entry = r.entry/10*10 + 2
		return nil
	}), NeedNoPINLimit),
}

// moneyFaults are amounts and originals.
var moneyFaults = []FaultRow{
	money("amount-zero", "DE4 is zero", "13", "amount_invalid", asSale(twist{zeroAmount: true})),
	money("currency", "dollars, DE49 840", "12", "currency_mismatch", asSale(twist{currency: pos.Currency{'8', '4', '0'}})),
	money("void-of-nothing", "a void without an original", "25", "original_not_found", asProbe(ProbeVoid)),
	money("void-other-amount", "a void of another amount than the sale's", "64", "original_mismatch", func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.voided(ctx, card, amount, amount+faultRaise, 1)
	}),
	money("void-twice", "a second void of one sale", "22", "original_closed", func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.voided(ctx, card, amount, amount, 2)
	}),
	money("refund-without-rrn", "a refund that names no sale", "25", "refund_without_original", asProbe(ProbeRefund)),
	money("refund-too-much", "a refund of more than the sale", "64", "original_mismatch", refundTooMuch),
	money("totals", "a settlement that counts a sale too many", "00", "totals_mismatch", wrongTotals),
}

func otherServiceCode(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	r := t.sale(card, amount)
	r.card.Track2.Use(func(track []byte) {
		other := bytes.Clone(track)
		if at := bytes.IndexAny(other, "=D"); at >= 0 && at+7 < len(other) {
			other[at+7] = otherDigit(other[at+7]) // the last digit of the service code
		}
		r.card.Track2 = secret.Take(other)
	})
	defer r.card.Track2.Wipe()
	return t.run(ctx, r, KindSale)
}

// voided sells and voids the sale times times, the last of another amount perhaps.
func (t *Terminal) voided(ctx context.Context, card Card, amount, last pos.Amount, times int) (res Result, err error) {
	sold, err := t.sell(ctx, twist{}, card, amount)
	if err != nil {
		return Result{}, err
	}
	for i := range times {
		r := t.financial("void", pos.Void, undoProcessing, Card{})
		r.amount, r.rrn, r.auth, r.pan = amount, sold.RRN.String(), sold.AuthCode.String(), t.panOf(card)
		if i == times-1 {
			r.amount = last
		}
		r.original = &iso8583.DE61{Batch: t.st.Batch, Trace: sold.Trace, Digits: 12}
		if res, err = t.run(ctx, r, KindVoid); err != nil {
			return res, err
		}
	}
	return res, nil
}

func refundTooMuch(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	sold, err := t.sell(ctx, twist{}, card, amount)
	if err != nil {
		return Result{}, err
	}
	i := t.find(KindSale, sold.Trace)
	if i < 0 {
		return Result{}, ErrOriginal
	}
	return t.Refund(ctx, card, Original{RRN: sold.RRN, Date: t.st.List[i].Date}, amount+faultRaise)
}

// wrongTotals counts a sale that never was and settles.
func wrongTotals(t *Terminal, ctx context.Context, _ Card, amount pos.Amount) (Result, error) {
	if blocked, ok, err := t.prepare(ctx, "settle"); err != nil || !ok {
		return blocked, err
	}
	t.st.List = append(t.st.List, Entry{Kind: KindSale, Amount: amount})
	return t.Settle(ctx)
}

func (w *twist) money(own pos.Currency) pos.Currency {
	if w.currency != (pos.Currency{}) {
		return w.currency
	}
	return own
}
