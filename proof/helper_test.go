package proof_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// now is the moment of every case: 2026-03-02 04:00:00 UTC.
const now = pos.Instant(1_772_424_000_000_000_000)

// testPAN is a test card published by payment processors; it belongs to nobody.
const testPAN = "6200000000000005"

// world is all a decision reads. The default one is healthy: a sale that is approved.
type world struct {
	Policy   proof.Policy
	Request  proof.Request
	Snapshot proof.Snapshot
	Evidence proof.Evidence
	Plan     transaction.Plan
	Answer   reason.Reason
	Ask      issuer.Ask
	Unasked  bool // what Prepare made is thrown away: the module was asked nothing
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// put copies text into a fixed array of bytes.
func put(dst []byte, text string) { clear(dst); copy(dst, text) }

func healthy() *world {
	w := &world{Policy: proof.DefaultPolicy()}
	terminal := must(pos.ParseTerminalID("00000011"))
	merchant := must(pos.ParseMerchantID("898110053110011"))
	serial := must(pos.ParseSerial("00000304N9NL10000001"))
	w.Snapshot = proof.Snapshot{
		Terminal: &registry.Terminal{ID: terminal, Merchant: merchant, Serial: serial,
			Networks: []pos.Network{must(pos.ParseNetwork("10.1.0.0/16"))},
			Profile:  registry.Profile{SignInCode: keys.SignInTDES}, Master: keys.Wrapped("no key, only its presence counts"), Permit: registry.FullPermit},
		Merchant: &registry.Merchant{ID: merchant, Name: "Tea House"},
		Device:   &registry.Device{Serial: serial, Licence: "P3100", DeviceType: "04", State: registry.Active, Key: keys.Wrapped("no key, only its presence counts")},
		Session:  keys.Session{InForce: keys.Set{Number: 7, Code: keys.SignInTDES, Issued: now.Add(-time.Hour)}, Last: 7},
		Money:    proof.Money{Batch: 12, LastBatch: 11, HeardFrom: pos.IPv4(10, 1, 0, 5)},
	}
	r := &w.Request
	*r = proof.Request{Conn: 1, Source: pos.IPv4(10, 1, 0, 5), Need: proof.Financial, Op: transaction.Sale, MTI: 0x0200, Type: pos.Sale,
		Batch: 12, HasBatch: true, STAN: 42, Terminal: terminal, Merchant: merchant, Amount: 1850, HasAmount: true, Currency: pos.CNY,
		EntryMode: 22, HasEntry: true, HasPAN: true, HasTrack2: true, HasMAC: true, HasA2: true, HasFactor: true, HasCipher: true,
		PAN: must(pos.ParsePAN(testPAN)), Card: pos.PANHash{1}, Print: [16]byte{'\t'}}
	r.Shown = r.PAN.Truncated()
	put(r.DE64[:], "E5805ECB")
	put(r.DeviceType[:], "04")
	r.SerialLen = copy(r.Serial[:], serial)
	put(r.Factor[:], testPAN[len(testPAN)-6:])
	put(r.Cipher[:], "7D3233EE")
	w.Evidence = proof.Evidence{MAC: proof.Passed, Serial: proof.Passed, Factor: proof.Passed, Track: proof.Passed, TrackPAN: proof.Passed}
	w.Plan = transaction.Plan{Effect: journal.Sold, Ask: true}
	w.Ask.Op = transaction.Sale
	return w
}

// kinds turn the healthy sale into another healthy message.
var kinds = map[string]func(*world){
	"sale":       func(*world) {},
	"void":       func(w *world) { w.financial(0x0200, pos.Void, transaction.Void) },
	"balance":    func(w *world) { w.financial(0x0200, pos.Balance, transaction.BalanceInquiry) },
	"refund":     func(w *world) { w.financial(0x0220, pos.Refund, transaction.Refund) },
	"reversal":   func(w *world) { w.financial(0x0400, pos.Sale, transaction.Reversal) },
	"sign-in":    func(w *world) { w.management(proof.SignIn, 0x0800, keys.SignInTDES) },
	"sign-off":   func(w *world) { w.management(proof.SignOff, 0x0820, 2) },
	"echo":       func(w *world) { w.management(proof.Echo, 0x0820, 301) },
	"status":     func(w *world) { w.management(proof.StatusQuery, 0x0820, 372) },
	"tamper":     func(w *world) { w.management(proof.TamperReport, 0x0820, 362); w.Request.HasA2 = true },
	"unserved":   func(w *world) { w.management(proof.Unserved, 0x0800, 370) },
	"settlement": func(w *world) { w.management(proof.Settlement, 0x0500, 201); w.Request.Op = transaction.Settlement },
}

func (w *world) financial(m pos.MTI, t pos.TransactionCode, op transaction.Op) {
	r := &w.Request
	r.MTI, r.Type, r.Op, r.HasTrack2, r.HasEntry, r.EntryMode = m, t, op, false, false, 0
	r.HasA2 = false
	w.Ask.Op = op
	w.Plan = transaction.Plan{Effect: journal.Recorded, Ask: op != transaction.Reversal}
}

// management leaves the A2 fields filled for a case that sets HasA2.
func (w *world) management(n proof.Need, m pos.MTI, code pos.NetworkCode) {
	r := &w.Request
	w.financial(m, pos.Management, transaction.NoOp)
	r.Need, r.NetCode, r.HasMAC, r.HasPAN, r.HasAmount, r.Amount = n, code, false, false, false, 0
	w.Plan, w.Evidence.MAC = transaction.Plan{}, proof.NotRun
}

// judge runs Prepare, Decide, Conclude and Record as the line does.
func (w *world) judge() (proof.Verdict, *journal.Exchange) {
	c := proof.Claims{MAB: make([]byte, 120), PAN: w.Request.PAN}
	proof.Prepare(&w.Policy, &w.Request, &w.Snapshot, now, &c)
	if w.Unasked {
		c = proof.Claims{}
	}
	v := proof.Decide(&w.Policy, &w.Request, &w.Snapshot, &c, &w.Evidence, now)
	asked := w.Plan.Ask && w.Plan.Reason == reason.None && !v.Refused() && !v.Repeat
	v = proof.Conclude(v, w.Plan, asked, w.Answer, &w.Ask)
	x := new(journal.Exchange)
	v.Record(&w.Request, x)
	return v, x
}

// set gives the field at a dotted path its value; "kind" first shapes the message.
func (w *world) set(t *testing.T, path, value string) {
	t.Helper()
	if path == "kind" {
		shape, ok := kinds[value]
		if !ok {
			t.Fatalf("no kind %q", value)
		}
		shape(w)
		return
	}
	f := reflect.ValueOf(w).Elem()
	for name := range strings.SplitSeq(path, ".") {
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				f.Set(reflect.New(f.Type().Elem()))
			}
			f = f.Elem()
		}
		if f = f.FieldByName(name); !f.IsValid() {
			t.Fatalf("no field %q of %q", name, path)
		}
	}
	if value == "absent" {
		f.SetZero()
		return
	}
	if err := assign(f, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func assign(f reflect.Value, value string) (err error) {
	switch p := f.Addr().Interface().(type) {
	case *proof.Outcome:
		for o := proof.NotRun; o <= proof.Unavailable; o++ {
			if o.String() == value {
				*p = o
				return nil
			}
		}
		return fmt.Errorf("no outcome %q", value)
	case *error:
		*p = map[string]error{"owner": keys.ErrOwner, "usage": keys.ErrUsage, "wrapped": keys.ErrWrapped,
			"sealed": keys.ErrSealed, "silent": keys.ErrUnavailable}[value]
		if *p == nil {
			return fmt.Errorf("no error %q", value)
		}
		return nil
	case *reason.Reason:
		*p, err = reason.Parse(value)
		return err
	case *pos.Instant:
		d, err := time.ParseDuration(strings.TrimSuffix(value, " ago"))
		*p = now.Add(-d)
		return err
	case *time.Duration:
		*p, err = time.ParseDuration(value)
		return err
	case *pos.Address:
		n, err := pos.ParseNetwork(value)
		*p = n.Base
		return err
	case *[]pos.Network:
		n, err := pos.ParseNetwork(value)
		*p = []pos.Network{n}
		return err
	case *[]string:
		*p = strings.Split(value, ", ")
		return nil
	case *keys.Wrapped:
		*p = keys.Wrapped(value)
		return nil
	case *proof.MACRefusal:
		*p, err = proof.ParseMACRefusal(strings.Split(value, ", "))
		return err
	}
	switch f.Kind() {
	case reflect.Bool:
		v, err := strconv.ParseBool(value)
		f.SetBool(v)
		return err
	case reflect.String:
		f.SetString(value)
	case reflect.Array:
		put(f.Slice(0, f.Len()).Bytes(), value)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v, err := strconv.ParseUint(value, 0, f.Type().Bits())
		f.SetUint(v)
		return err
	case reflect.Int, reflect.Int32, reflect.Int64:
		v, err := strconv.ParseInt(value, 0, f.Type().Bits())
		f.SetInt(v)
		return err
	default:
		return fmt.Errorf("no way to set a %s", f.Type())
	}
	return nil
}
