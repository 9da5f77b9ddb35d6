package terminal

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// Causes and certainties as the journal writes them; reason/cause.go, journal/cause.go.
const (
	unproven  = "unproven"
	indicated = "indicated"
	proven    = "proven"
)

// sought is a MAC fault of which diagnosis must find cause: a certainty after one message and one after two.
func sought(f Fault, what, cause, variant, first, second string, do action, needs ...Need) FaultRow {
	return FaultRow{Fault: f, Group: GroupMAC, What: what, DE39: "A0", Reason: "mac_failed", Cause: cause, Variant: variant,
		First: first, Second: second, Needs: needs, do: do}
}

// hidden is a MAC fault of which nothing can be proven.
func hidden(f Fault, what string, do action, needs ...Need) FaultRow {
	return sought(f, what, unproven, "", unproven, unproven, do, needs...)
}

// macFaults are those of the keys that a MAC may wrongly be made with.
var macFaults = []FaultRow{
	hidden(WrongMAC64, "one character of DE64 is another", asSale(twist{wrongMAC: true})),
	{Fault: MissingMAC64, Group: GroupMAC, What: "no DE64", DE39: "A0", Reason: "mac_missing", do: asSale(twist{noMAC: true})},
	sought(StaleKey, "the MAK of an earlier sign-in, after the newer one was used", "mac_stale_key", "used_newer", indicated, proven, staleMAK),
	sought("sign-in-answer-lost", "the MAK of a sign-in that never served, after the answer to the next one was lost", "mac_stale_key", "sign_in_answer_lost", proven, proven, answerLost),
	sought("keys-crosswise", "the second terminal's MAK in this terminal's device", "mac_other_terminal_key", "this_device", proven, proven, crosswise, NeedSecond),
	sought("terminal-number-swapped", "the second terminal, its device and its keys, under this terminal's number", "mac_other_terminal_key", "key_owner", proven, proven, swapped, NeedSecond),
	sought("key-of-second", "a balance inquiry, without a serial number, under the second terminal's MAK", "mac_other_terminal_key", "unknown_device", indicated, proven, balanceUnderSecond, NeedSecond),
	hidden("random-key", "a MAK that nobody issued", asSale(twist{seal: randomKey})),
	hidden("zero-key", "a MAK of zeros", asSale(twist{seal: zeroKey})),
	hidden("random-mac", "DE64 is eight random hexadecimal characters", asSale(twist{seal: randomMAC})),
	hidden("stale-key-altered", "the MAK of an earlier sign-in, and two bytes altered besides", staleAltered),
	sought("mac-x9.9", "X9.9 in place of the ECB MAC", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.X99, 0)}), NeedTDES, NeedShortMAK),
	sought("mac-x9.9-padding-2", "X9.9 with padding method 2 in place of the ECB MAC", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.CBCMACDES, mac.Padding2)}), NeedTDES, NeedShortMAK),
	sought("mac-x9.19", "X9.19 in place of ECB with TDES", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.X919, 0)}), NeedECB3DES),
	sought("mac-cbc-tdes", "CBC-MAC with TDES in place of ECB with TDES", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.CBCMACTDES, mac.Padding1)}), NeedECB3DES),
	sought("mac-ecb-tdes", "ECB with TDES in place of X9.19", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.UnionPayECBTDES, 0)}), NeedX919),
	sought("mac-x9.19-padding-2", "X9.19 with padding method 2", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.RetailDES, mac.Padding2)}), NeedX919),
	hidden("mac-x9.19-padding-3", "X9.19 with padding method 3: no POS does so", asSale(twist{seal: under(mac.RetailDES, mac.Padding3)}), NeedX919),
	sought("mac-cbc-tdes-padding-2", "CBC-MAC with TDES and padding method 2", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.CBCMACTDES, mac.Padding2)}), NeedECB3DES),
	sought("mac-sm4-for-tdes", "ECB with SM4 where TDES is due", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.UnionPayECBSM4, 0)}), NeedECB3DES),
	sought("mac-tdes-for-sm4", "ECB with TDES where SM4 is due", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.UnionPayECBTDES, 0)}), NeedSM4),
	sought("mac-cbc-sm4", "CBC-MAC with SM4 in place of ECB with SM4", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.CBCMACSM4, mac.Padding1)}), NeedSM4),
	sought("mac-cbc-sm4-padding-2", "CBC-MAC with SM4 and padding method 2", "mac_wrong_algorithm", "", proven, proven, asSale(twist{seal: under(mac.CBCMACSM4, mac.Padding2)}), NeedSM4),
	hidden("mac-cmac", "CMAC under the MAK: no POS does so", asSale(twist{seal: cmac}), NeedLongMAK),
	hidden("mac-hmac-sha256", "HMAC with SHA-256 under the MAK: no POS does so", asSale(twist{seal: under(mac.HMACSHA256, 0)})),
}

// keyFaults are those of a key that was loaded badly. Which bytes are used: keyForm.
var keyFaults = []FaultRow{
	sought("key-left-half", "the left half of a MAK of 16 bytes, twice", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(leftHalf)}), NeedLongMAK),
	sought("key-right-half", "the right half, twice", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(rightHalf)}), NeedLongMAK),
	sought("key-halves-swapped", "the halves in the other order", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(swappedHalves)}), NeedLongMAK),
	sought("key-undecrypted", "the MAK as it came, still under the master key", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(undecrypted)})),
	sought("key-wrong-cipher", "the MAK unwrapped by another cipher than the master key's", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(wrongCipher)})),
	sought("key-offset-4", "the MAK read 4 bytes after its place in DE62", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(offsetBy(4))}), NeedLongMAK),
	sought("key-offset-8", "the MAK read 8 bytes before its place in DE62", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(offsetBy(-8))}), NeedLongMAK),
	sought("former-master-key", "the MAK unwrapped under the master key before this one", "mac_master_key_mismatch", "", proven, proven, asSale(twist{seal: badlyLoaded(formerMaster)}), NeedFormerTMK),
	sought("key-of-pin", "the PIK in the MAK's place", "mac_key_half_loaded", "", proven, proven, asSale(twist{seal: badlyLoaded(pinKeyForm)})),
	hidden("key-bytes-reversed", "the MAK's bytes in the reverse order", asSale(twist{seal: badlyLoaded(reversedBytes)})),
}

func staleMAK(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	return t.withFormerKey(ctx, card, amount, func(former *session) twist { return twist{macKey: former.mak} })
}

func staleAltered(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	return t.withFormerKey(ctx, card, amount, func(former *session) twist {
		return twist{macKey: former.mak, spoil: twoBytes}
	})
}

// answerLost signs in, uses nothing of it, asks for a sign-in whose answer is lost, and sells.
func answerLost(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	in, err := t.SignIn(ctx)
	if err == nil && !in.Approved {
		err = fmt.Errorf("%w: sign-in: %v", ErrPrelude, in.Outcome)
	}
	if err != nil {
		return Result{}, err
	}
	// The answer is read and nothing of it is taken: for the terminal it was lost.
	lost, err := t.manage(ctx, &request{operation: "sign-in", mti: signInMTI, network: pos.NetworkCode(t.cfg.SignInCode), batch: t.st.Batch, de62: t.sequence(), de63: []byte(t.cfg.Operator)})
	if err == nil && !lost.Approved {
		err = fmt.Errorf("%w: sign-in: %v", ErrPrelude, lost.Outcome)
	}
	if err != nil {
		return Result{}, err
	}
	// An open reversal would go first and tell the host's keys apart already; it is left for later.
	held := t.st.Reversal
	t.st.Reversal = nil
	r, err := t.twisted(ctx, twist{}, card, amount)
	if t.st.Reversal == nil {
		t.st.Reversal = held
	}
	return r, err
}

func crosswise(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	return t.withSecond(ctx, card, amount, func(o *Terminal) twist { return twist{macKey: o.keys.mak} })
}

func balanceUnderSecond(t *Terminal, ctx context.Context, card Card, _ pos.Amount) (Result, error) {
	if blocked, ok, err := t.prepare(ctx, "balance"); err != nil || !ok {
		return blocked, err
	}
	o, err := t.second(ctx)
	if err != nil {
		return Result{}, err
	}
	defer o.Close()
	card.PIN = noPIN
	r := t.financial("balance", pos.Balance, balanceProcessing, card)
	r.pan, r.twist = t.panOf(card), twist{macKey: o.keys.mak}
	return t.run(ctx, r, "")
}

// swapped lets the second terminal sell under this one's number and batch. This one's keys are in force
// at the host, or nothing would be compared.
func swapped(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	if blocked, ok, err := t.prepare(ctx, "sale"); err != nil || !ok {
		return blocked, err
	}
	trace, err := t.nextTrace()
	if err != nil {
		return Result{}, err
	}
	o, err := t.second(ctx)
	if err != nil {
		return Result{}, err
	}
	defer o.Close()
	o.cfg.OnMessage = t.cfg.OnMessage
	o.st.Batch = t.st.Batch
	r, err := o.twisted(ctx, twist{terminal: t.cfg.Terminal, trace: trace}, card, amount)
	o.st.Reversal = nil // nothing was sold there, and a reversal would be refused for the same reason
	if err == nil {
		err = o.save()
	}
	if err != nil {
		return Result{}, err
	}
	return r, t.save()
}

// borrowMAK lends the MAK in clear, and DE62 with the place of the wrapped MAK in it.
func (t *Terminal) borrowMAK(use func(key, de62 []byte, at int) error) (err error) {
	keys, err := paycrypto.ParseWorkingKeys(t.st.Code, t.tmk, t.st.Keys)
	if err != nil {
		return err
	}
	defer keys.Wipe()
	at := 16 + paycrypto.CheckSize
	if t.st.Code == paycrypto.SignInDES {
		at = 8 + paycrypto.CheckSize
	}
	keys.MAK.Use(func(key []byte) { err = use(key, t.st.Keys, at) })
	return err
}

// under makes DE64 by another algorithm under the MAK.
func under(a mac.Algorithm, p mac.Padding) func(*Terminal, []byte) ([8]byte, error) {
	return func(t *Terminal, mab []byte) (de64 [8]byte, err error) {
		err = t.borrowMAK(func(key, _ []byte, _ int) error {
			k, err := mac.New(a, p, key)
			if err != nil {
				return err
			}
			defer k.Wipe()
			de64 = k.Sum8(mab)
			return nil
		})
		return de64, err
	}
}

// cmac is CMAC with the cipher of the sign-in code.
func cmac(t *Terminal, mab []byte) ([8]byte, error) {
	if t.cfg.SignInCode.Algorithm() == paycrypto.SM4 {
		return under(mac.CMACSM4, 0)(t, mab)
	}
	return under(mac.CMACTDES, 0)(t, mab)
}

// keyForm makes the bytes that a badly loaded MAK is. de62 is as received, at where the wrapped MAK begins.
type keyForm func(t *Terminal, key, de62 []byte, at int) ([]byte, error)

// badlyLoaded makes DE64 with the terminal's own algorithm and other bytes than the MAK's.
func badlyLoaded(form keyForm) func(*Terminal, []byte) ([8]byte, error) {
	return func(t *Terminal, mab []byte) (de64 [8]byte, err error) {
		err = t.borrowMAK(func(key, de62 []byte, at int) error {
			other, err := form(t, key, de62, at)
			if err != nil {
				return err
			}
			defer clear(other)
			k, err := newMAK(t.cfg.SignInCode, t.cfg.MAC, other)
			if err != nil {
				return err
			}
			defer k.Wipe()
			de64 = k.Sum8(mab)
			return nil
		})
		return de64, err
	}
}

func leftHalf(_ *Terminal, key, _ []byte, _ int) ([]byte, error) {
	half := key[:len(key)/2]
	return append(append([]byte(nil), half...), half...), nil
}

func rightHalf(_ *Terminal, key, _ []byte, _ int) ([]byte, error) {
	half := key[len(key)/2:]
	return append(append([]byte(nil), half...), half...), nil
}

func swappedHalves(_ *Terminal, key, _ []byte, _ int) ([]byte, error) {
	return append(append([]byte(nil), key[len(key)/2:]...), key[:len(key)/2]...), nil
}

func reversedBytes(_ *Terminal, key, _ []byte, _ int) ([]byte, error) {
	out := make([]byte, len(key))
	for i, b := range key {
		out[len(key)-1-i] = b
	}
	return out, nil
}

// pinKeyForm is the PIK, as long as the MAK is.
func pinKeyForm(t *Terminal, key, de62 []byte, _ int) (out []byte, err error) {
	t.cfg.TMK.Use(func(tmk []byte) { out, err = unwrapAt(t.cfg.SignInCode.Algorithm(), tmk, de62, 0, len(key)) })
	return out, err
}

func undecrypted(_ *Terminal, key, de62 []byte, at int) ([]byte, error) {
	return append([]byte(nil), de62[at:at+len(key)]...), nil
}

// wrongCipher unwraps with single DES under the left half of a TDES master key, or with TDES under an SM4 one.
func wrongCipher(t *Terminal, key, de62 []byte, at int) (out []byte, err error) {
	t.cfg.TMK.Use(func(tmk []byte) {
		a, part := paycrypto.DES, tmk[:8]
		if t.cfg.SignInCode.Algorithm() == paycrypto.SM4 {
			a, part = paycrypto.TDES, tmk
		}
		out, err = unwrapAt(a, part, de62, at, len(key))
	})
	return out, err
}

// offsetBy reads the wrapped MAK n bytes after its place, of a negative n before it.
func offsetBy(n int) keyForm {
	return func(t *Terminal, key, de62 []byte, at int) (out []byte, err error) {
		t.cfg.TMK.Use(func(tmk []byte) {
			out, err = unwrapAt(t.cfg.SignInCode.Algorithm(), tmk, de62, at+n, len(key))
		})
		return out, err
	}
}

func formerMaster(t *Terminal, key, de62 []byte, at int) (out []byte, err error) {
	t.cfg.FormerTMK.Use(func(tmk []byte) {
		out, err = unwrapAt(t.cfg.SignInCode.Algorithm(), tmk, de62, at, len(key))
	})
	return out, err
}

// unwrapAt deciphers size bytes of de62 from at on in ECB; bytes past its end are zeros.
func unwrapAt(a paycrypto.Algorithm, tmk, de62 []byte, at, size int) ([]byte, error) {
	c, err := paycrypto.NewCipher(a, tmk)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	wrapped := make([]byte, size)
	copy(wrapped, de62[min(at, len(de62)):])
	out := make([]byte, size)
	return out, c.DecryptECB(out, wrapped)
}

func randomKey(t *Terminal, mab []byte) ([8]byte, error) { return t.ownAlgorithm(mab, t.cfg.Random) }

func zeroKey(t *Terminal, mab []byte) ([8]byte, error) { return t.ownAlgorithm(mab, zeros{}) }

// zeros is an endless stream of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// ownAlgorithm makes DE64 by the terminal's algorithm under a key from a stream.
func (t *Terminal) ownAlgorithm(mab []byte, from io.Reader) (de64 [8]byte, err error) {
	return de64, t.borrowMAK(func(key, _ []byte, _ int) error {
		other := make([]byte, len(key))
		defer clear(other)
		if _, err := io.ReadFull(from, other); err != nil {
			return fmt.Errorf("draw a key: %w", err)
		}
		k, err := newMAK(t.cfg.SignInCode, t.cfg.MAC, other)
		if err != nil {
			return err
		}
		defer k.Wipe()
		de64 = k.Sum8(mab)
		return nil
	})
}

func randomMAC(t *Terminal, _ []byte) (de64 [8]byte, err error) {
	var four [4]byte
	if _, err = io.ReadFull(t.cfg.Random, four[:]); err != nil {
		return de64, fmt.Errorf("draw a MAC: %w", err)
	}
	copy(de64[:], strings.ToUpper(hex.EncodeToString(four[:])))
	return de64, nil
}
