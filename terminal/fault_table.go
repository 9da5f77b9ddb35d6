package terminal

import (
	"context"
	"fmt"
	"slices"

	"touchstone/paycrypto"
	"touchstone/pos"
)

// Group is what a fault goes against.
type Group string

// The groups, in the order in which they are shown.
const (
	GroupMAC      Group = "mac"      // keys, algorithms, coverage and form of DE64
	GroupAltered  Group = "altered"  // changed after the MAC was computed
	GroupSerial   Group = "serial"   // serial-number authentication, DE59 A2
	GroupPIN      Group = "pin"      // DE52, or DE59 A1
	GroupTrack    Group = "track"    // DE35
	GroupSession  Group = "session"  // sign-in, batch, trace
	GroupMessage  Group = "message"  // frame and elements
	GroupIdentity Group = "identity" // who and where
	GroupStanding Group = "standing" // an ordinary message; what the host holds of the terminal is what is wrong
	GroupMoney    Group = "money"    // amount, card, original
)

// Groups are all groups in the order in which they are shown.
func Groups() []Group {
	return []Group{GroupMAC, GroupAltered, GroupSerial, GroupPIN, GroupTrack, GroupSession, GroupMessage, GroupIdentity, GroupStanding, GroupMoney}
}

// Need is what a fault takes beyond a registered terminal and a card.
type Need string

// The needs of the terminal, which Misbehave looks at before anything is sent.
const (
	NeedSerialKey  Need = "serial-key"      // a serial-number key
	NeedPIN        Need = "pin"             // a card with a PIN
	NeedSecond     Need = "second-terminal" // Config.Other, of the same shop and the same sign-in code
	NeedFormerTMK  Need = "former-tmk"      // Config.FormerTMK
	NeedSealTrack  Need = "sealed-track"    // Config.SealTrack
	NeedLongMAK    Need = "mak-16"          // a MAK of 16 bytes
	NeedShortMAK   Need = "mak-8"           // a MAK of 8 bytes
	NeedTDES       Need = "tdes"            // sign-in code 003 or 004
	NeedSM4        Need = "sm4"             // sign-in code 005 or 006
	NeedECB3DES    Need = "ecb-3des"        // Config.MAC
	NeedX919       Need = "x9.19"           // Config.MAC
	NeedFold       Need = "folding-mac"     // Config.MAC other than X9.9 and X9.19
	NeedMerchant   Need = "other-merchant"  // Config.FaultMerchant, a registered one
	NeedOtherCert  Need = "other-certificate"
	NeedBareTLS    Need = "tls-without-certificate"
	needStanding        = "host: "
	NeedSuspended  Need = needStanding + "terminal suspended"
	NeedShopClosed Need = needStanding + "merchant suspended"
	NeedNoDevice   Need = needStanding + "no device bound"
	NeedDeviceOut  Need = needStanding + "device suspended"
	NeedTampered   Need = needStanding + "device reported tampered"
	NeedNoMaster   Need = needStanding + "no master key"
	NeedBlocked    Need = needStanding + "permit blocked"
	NeedNoRefund   Need = needStanding + "permit no_refund"
	NeedLimit      Need = needStanding + "permit limit below the amount"
	NeedStrongMAC  Need = needStanding + "strong MAC demanded, a weak one registered"
	NeedPlace      Need = needStanding + "a place registered, elsewhere refused"
	NeedNetwork    Need = needStanding + "one source address registered"
	NeedCertified  Need = needStanding + "device certificate registered"
	NeedChipReader Need = needStanding + "chip reader registered"
	NeedStopped    Need = needStanding + "sales stopped, a proof found ineffective"
	NeedCloned     Need = needStanding + "two devices suspected by messages under the terminal's own keys, and clones refused"
	NeedPoor       Need = "card: balance below the amount"
	NeedExpired    Need = "card: expired"
	NeedLost       Need = "card: lost"
	NeedStolen     Need = "card: stolen"
	NeedRestricted Need = "card: restricted"
	NeedUnknown    Need = "card: of no bank"
	NeedSaleLimit  Need = "card: limit of one sale below the amount"
	NeedNoPINLimit Need = "card: limit without PIN below the amount"
	NeedChipCard   Need = "card: has a chip"
)

// FaultRow is all there is to say of one fault.
type FaultRow struct {
	Fault Fault
	Group Group
	What  string // what is done, one line
	// DE39 is what the host answers, "" where it closes the connection; Reason is the verdict's, "none" where
	// nothing is refused; docs/protocol/failures.md.
	DE39, Reason string
	// Cause is what diagnosis must find: a name of reason's table of causes, "unproven" where nothing can be proven,
	// "" where the verdict itself is the proof and nothing is sought. Variant is its stable word.
	Cause, Variant string
	// First and Second are the certainty after one and after two different messages; both "" where nothing is sought.
	First, Second string
	Needs         []Need

	do action
}

// action does a fault and gives the result of the message that was wrong.
type action func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error)

// faultTable is every fault; see Describe.
var faultTable = slices.Concat(macFaults, keyFaults, coverageFaults, alteredFaults, serialFaults, pinFaults, trackFaults, sessionFaults,
	messageFaults, identityFaults, standingFaults, cardFaults, moneyFaults)

// Describe is the row of a fault. It fails with ErrFault.
func Describe(f Fault) (FaultRow, error) {
	for i := range faultTable {
		if faultTable[i].Fault == f {
			return faultTable[i], nil
		}
	}
	return FaultRow{}, ErrFault
}

// Uninjected is a reason of which no fault of a terminal can be the cause, and why.
type Uninjected struct{ Reason, Why string }

// The two kinds of why.
const (
	undecided = "this build decides it nowhere: "
	hostsOwn  = "the host's own state, which no terminal makes; it is answered without an entry: "
)

// NotInjected are the reasons without a fault, in the order of reason's table.
func NotInjected() []Uninjected {
	return []Uninjected{
		{"key_expired", undecided + "working keys end with the sign-in, which is not_signed_in"},
		{"module_unavailable", hostsOwn + "the security module is sealed or broken"},
		{"counter_rewound", undecided + "there is no DUKPT yet, and no chip whose ATC is verified"},
		{"emv_inconsistent", undecided + "DE55 is not read yet"},
		{"arqc_failed", undecided + "chip cryptograms are not verified yet"},
		{"unproven_advice", undecided + "batch upload (0320) is not served"},
		{"cvv_failed", undecided + "the embedded bank has no card verification value"},
		{"issuer_unavailable", undecided + "the bank is in the host; there is no upstream yet"},
		{"issuer_timeout", undecided + "the bank is in the host; there is no upstream yet"},
		{"journal_unavailable", hostsOwn + "the journal or what it must know cannot be read"},
		{"overloaded", hostsOwn + "there is no room in the line"},
		{"oracle_budget", undecided + "refusals are bounded by rate_limited and the flood limit"},
		{"key_compromised", undecided + "keys are not declared compromised yet"},
		{"network_key_stale", undecided + "there is no upstream yet"},
	}
}

// ErrNeed is returned for a fault that takes what the terminal or the card does not have.
var ErrNeed = fmt.Errorf("fault: something it takes is missing")

// has tells what of a fault's needs the terminal or the card lacks. What the host must hold it cannot know.
func (t *Terminal) has(needs []Need, card Card) error {
	sm4 := t.cfg.SignInCode.Algorithm() == paycrypto.SM4
	long := sm4 || t.cfg.MAC != ECB
	for _, n := range needs {
		missing := false
		switch n {
		case NeedSerialKey:
			if t.serialKey == nil {
				return ErrNoSerialKey
			}
		case NeedPIN:
			if card.PIN.Len() == 0 {
				return ErrNoPIN
			}
		case NeedSecond:
			missing = t.cfg.Other == nil
		case NeedFormerTMK:
			missing = t.cfg.FormerTMK.Len() == 0
		case NeedSealTrack:
			missing = !t.cfg.SealTrack
		case NeedLongMAK:
			missing = !long
		case NeedShortMAK:
			missing = long
		case NeedTDES:
			missing = t.cfg.SignInCode.Algorithm() != paycrypto.TDES
		case NeedSM4:
			missing = !sm4
		case NeedECB3DES:
			missing = t.cfg.MAC != ECB3DES
		case NeedX919:
			missing = t.cfg.MAC != X919
		case NeedFold:
			missing = t.cfg.MAC == X919 || t.cfg.MAC == X99
		case NeedMerchant:
			missing = t.cfg.FaultMerchant == pos.MerchantID{}
		case NeedBareTLS, NeedOtherCert:
			missing = t.cfg.TLS == nil
		}
		if missing {
			return fmt.Errorf("%w: %s", ErrNeed, n)
		}
	}
	return nil
}

// asSale is one sale, twisted, and nothing else.
func asSale(w twist) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.twisted(ctx, w, card, amount)
	}
}

// asChanged is one sale whose request was changed.
func asChanged(change func(*Terminal, *request) error) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		r := t.sale(card, amount)
		if err := change(t, r); err != nil {
			return Result{}, err
		}
		return t.run(ctx, r, KindSale)
	}
}

// asProbe is one message changed as a probe changes it, in a life of its own: a reversal follows where one is due.
func asProbe(p Probe) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		if blocked, ok, err := t.ensureKeys(ctx, "sale"); err != nil || !ok {
			return blocked, err
		}
		if !slices.Contains(pinned, p) {
			card.PIN = noPIN
		}
		r, wipe, err := t.probeRequest(p, card, amount)
		if err != nil {
			return Result{}, err
		}
		defer wipe()
		kind := KindSale
		if r.code != pos.Sale {
			kind = ""
		}
		return t.run(ctx, r, kind)
	}
}

// second opens the second terminal and signs it in.
func (t *Terminal) second(ctx context.Context) (*Terminal, error) {
	cfg, err := t.cfg.Other()
	if err != nil {
		return nil, err
	}
	o, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	in, err := o.SignIn(ctx)
	if err == nil && !in.Approved {
		err = fmt.Errorf("%w: sign-in of the second terminal: %v", ErrPrelude, in.Outcome)
	}
	if err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// withSecond sells as misuse twists a sale of one who has the second terminal's keys.
func (t *Terminal) withSecond(ctx context.Context, card Card, amount pos.Amount, misuse func(o *Terminal) twist) (Result, error) {
	o, err := t.second(ctx)
	if err != nil {
		return Result{}, err
	}
	defer o.Close()
	return t.twisted(ctx, misuse(o), card, amount)
}
