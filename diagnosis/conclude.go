package diagnosis

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/reason"
)

// What the chance of luck allows; docs/protocol/failures.md, rules of proof.
const (
	leastProven    = 1_000_000 // a cause is proven when luck is at most one in this
	leastIndicated = 1_000     // and not even indicated under one in this
)

// MACResult is what the module found of a wrong MAC.
type MACResult struct {
	Tried  uint32
	Fits   []Fit
	Alters []Alter
	// Of the one key that fits, where it is another terminal's: whose serial-number key made the ciphertext presented; and
	// where it is a former one too, whether the PIN block of the same message reads under the PIN key of the same set.
	CipherOf  Device
	PINAgrees bool
}

// Device is whose serial-number key a ciphertext is right under.
type Device uint8

// The devices.
const (
	NoDevice    Device = iota // none that was tried
	OwnDevice                 // bound to the terminal that the message names
	OwnerDevice               // bound to the terminal whose working keys fit
)

// explanation is what one fit says.
type explanation struct {
	cause   reason.Cause
	variant string
	owner   reason.Owner
	facts   map[string]string
	weak    bool // another explanation fits as well: never more than indicated on one message
	barred  bool // not even a second message decides
}

// ConcludeMAC says what the fits mean.
func (c *Case) ConcludeMAC(r *MACResult, digest [16]byte) Finding {
	reading := Read(c.DE64)
	f := Finding{Certainty: journal.Unproven, Tried: r.Tried, Fit: uint32(len(r.Fits) + len(r.Alters)), OneIn: reading.OneIn(r.Tried), Digest: digest}
	var list []explanation
	for i := range r.Fits {
		x := c.explain(&r.Fits[i], r)
		list = append(list, x)
		if other := c.bit64(&list[len(list)-1], &r.Fits[i].Trial, digest); other != nil {
			list = append(list, *other)
			f.Fit++
			f.Tried++
		}
	}
	for i := range r.Alters {
		list = append(list, c.alteration(&r.Alters[i]))
		if cut := c.lastByteCut(&r.Alters[i]); cut != nil {
			list = append(list, *cut)
			f.Fit++
			f.Tried++
		}
	}
	return c.decide(f, list)
}

// decide makes a finding of the explanations that fit: of one, or of several that agree in their cause. Where they do not, it
// is unproven and says between which.
func (c *Case) decide(f Finding, list []explanation) Finding {
	if len(list) == 0 {
		return f
	}
	x := list[0]
	names := []string{x.cause.String()}
	shared, all := x.facts, x.facts
	for _, other := range list[1:] {
		shared, all = common(shared, other.facts), union(all, other.facts)
		x.weak, x.barred = x.weak || other.weak, x.barred || other.barred
		if other.owner == reason.Security {
			x.owner = reason.Security
		}
		if x.variant != other.variant {
			x.variant = ""
		}
		if name := other.cause.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if f.Facts = shared; len(names) > 1 {
		f.Facts = all
		f.Facts[FactLeads] = strings.Join(names, ",")
		return f
	}
	if x.cause == reason.NoCause || f.OneIn < leastIndicated {
		return f
	}
	f.Cause, f.Variant, f.Owner, f.Certainty = x.cause, x.variant, x.owner, journal.Indicated
	alone := x.owner != reason.Security && x.cause != reason.MessageAltered && !x.weak && f.OneIn >= leastProven
	with := c.agreeing(&f)
	switch {
	case alone, f.Facts[FactAgrees] != "" && f.OneIn >= leastProven:
		f.Certainty = journal.Proven
	case with != nil && !x.barred && product(f.OneIn, with.OneIn) >= leastProven:
		f.Certainty, f.With = journal.Proven, with.Verdict
	}
	return f
}

// product of two chances, never more than the most there is.
func product(a, b uint64) uint64 {
	if a != 0 && b > (1<<64-1)/a {
		return 1<<64 - 1
	}
	return a * b
}

// common is the facts that both have with one value.
func common(a, b map[string]string) map[string]string {
	same := map[string]string{}
	for name, text := range a {
		if b[name] == text {
			same[name] = text
		}
	}
	return same
}

// union is the facts of both but for those in which they differ.
func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	for name, text := range b {
		if old, known := a[name]; known && old != text {
			delete(all, name)
			continue
		}
		all[name] = text
	}
	return all
}

// telling is the facts of a cause that must be the same in two messages for them to agree.
var telling = map[reason.Cause][]string{
	reason.MACStaleKey:          {FactKeySet},
	reason.MACOtherTerminalKey:  {FactTerminal},
	reason.MACWrongAlgorithm:    {FactAlgorithm, FactPadding},
	reason.MACWrongCoverage:     {FactCoverage},
	reason.MACWrongEncoding:     {FactEncoding},
	reason.MACKeyHalfLoaded:     {FactForm, FactDirection},
	reason.MACMasterKeyMismatch: {FactForm},
	reason.PINStaleKey:          {FactKeySet},
	reason.PINOtherPAN:          {FactPAN},
	reason.PINWrongAlgorithm:    {FactPINCipher},
	reason.PINWrongFormat:       {FactPINFormat},
	reason.PINOtherTerminalKey:  {FactTerminal},
	reason.SerialOtherDeviceKey: {FactSerial},
	reason.SerialOtherFactor:    {FactFactor},
	reason.SerialOtherForm:      {FactForm},
	reason.TrackStaleKey:        {FactKeySet},
}

// agreeing is the newest earlier message of other bytes that came to the same cause by the same facts; nil none.
func (c *Case) agreeing(f *Finding) *Indication {
	for i := range c.Earlier {
		e := &c.Earlier[i]
		if e.Cause != f.Cause || !c.another(e, f.Digest) {
			continue
		}
		same := true
		for _, name := range tellingOf(f) {
			same = same && f.Facts[name] == e.Facts[name]
		}
		if same {
			return e
		}
	}
	return nil
}

// another tells whether an earlier finding is of a message of other bytes than the one with this fingerprint.
func (c *Case) another(e *Indication, digest [16]byte) bool {
	return e.Verdict != c.Verdict && e.Digest != [16]byte{} && digest != [16]byte{} && e.Digest != digest
}

// tellingOf is the telling facts of a finding: of an alteration the element where it is known, else column and difference.
func tellingOf(f *Finding) []string {
	if f.Cause != reason.MessageAltered {
		return telling[f.Cause]
	}
	if f.Facts[FactElement] != "" {
		return []string{FactElement}
	}
	return []string{FactColumn, FactDifference}
}

// explain is what one fit of the MAC says: the key first, then its form, the algorithm, the coverage, the writing.
func (c *Case) explain(fit *Fit, r *MACResult) explanation {
	t := &fit.Trial
	k := &c.Keys[t.Key]
	x := explanation{facts: map[string]string{FactSource: k.Source.String(), FactKeySet: strconv.FormatUint(uint64(k.Set.Number), 10)}}
	if k.Set.Issued != 0 {
		x.facts[FactIssued] = k.Set.Issued.Time().Format(time.RFC3339)
	}
	if fit.Encoding != UpperCase {
		x.facts[FactEncoding] = fit.Encoding.String()
	}
	switch {
	case k.Source == OwnFormer:
		x.cause, x.variant = reason.MACStaleKey, "sign_in_answer_lost"
		if k.Later {
			x.variant = "used_newer"
		}
		if r.PINAgrees {
			x.facts[FactAgrees] = "pin"
		}
	case k.Source == Sibling || k.Source == Neighbour:
		x.cause = reason.MACOtherTerminalKey
		c.otherTerminal(&x, k, r)
	case t.Form == FormerMaster:
		x.cause = reason.MACMasterKeyMismatch
		x.facts[FactForm] = t.Form.String()
	case t.Form != Whole && t.Form != WholeField:
		x.cause = reason.MACKeyHalfLoaded
		c.form(&x, t)
	case t.Plain || t.Algorithm != k.algorithm() || t.Padding != padding(k.algorithm()):
		x.cause = reason.MACWrongAlgorithm
		c.method(&x, t)
	case t.Coverage != Right:
		x.cause = reason.MACWrongCoverage
		x.facts[FactCoverage] = t.coverage()
	case t.Part != FirstPart:
		x.cause = reason.MACWrongEncoding
		x.facts[FactEncoding] = map[Part]string{SecondPart: "second_part", LastPart: "last_part"}[t.Part]
	case fit.Encoding != UpperCase:
		x.cause = reason.MACWrongEncoding
	default:
		x.facts[FactWhy] = "mac_right" // the keys are right: it is something else that was refused
	}
	x.owner = ownerOf(x.cause, x.variant)
	return x
}

// ownerOf is who must act first on a cause in a variant.
func ownerOf(cause reason.Cause, variant string) reason.Owner {
	switch variant {
	case "used_newer":
		return reason.Security
	case "key_owner":
		return reason.Acquirer
	}
	return cause.Owner()
}

// form names what was done to the key.
func (c *Case) form(x *explanation, t *Trial) {
	x.facts[FactForm] = t.Form.String()
	switch t.Form {
	case Before4, Before8:
		x.facts[FactDirection] = "before"
	case After4, After8:
		x.facts[FactDirection] = "after"
	case ByDES:
		x.facts[FactCipher] = "DES"
	case ByTDES:
		x.facts[FactCipher] = "TDES"
	case BySM4:
		x.facts[FactCipher] = "SM4"
	}
}

// method names the algorithm.
func (c *Case) method(x *explanation, t *Trial) {
	x.facts[FactAlgorithm] = t.Algorithm.String()
	if t.Plain {
		x.facts[FactAlgorithm] += " without hexadecimal"
	}
	if t.Padding != 0 {
		x.facts[FactPadding] = strconv.Itoa(int(t.Padding))
	}
	if t.Form != Whole {
		x.facts[FactForm] = t.Form.String()
	}
}

// bit64 looks at the one coverage that a fold cannot tell from an altered byte: bit 64 clear is a difference of 01 in the
// column of the bitmap's last byte. Where a byte of an element could be the altered one both explanations fit, and the
// other one is returned, so that neither is named. A second, different message of the same kind is evidence for the
// coverage only from a terminal that never made a right code: it repeats what it always does, while whoever alters messages
// of one that can compute may alter two. Even that is only indicated and never proven, because the two messages agree as
// well in the alteration; a message none of whose bytes could be the altered one proves.
func (c *Case) bit64(x *explanation, t *Trial, digest [16]byte) *explanation {
	const at, bit = 9, 0x01 // byte 9 of the coverage: message type 2, bitmap 8
	_, block := c.Folded(t.Key)
	if x.cause != reason.MACWrongCoverage || t.Coverage != Bit64Clear || !folds(t.Algorithm) || block == 0 {
		return nil
	}
	if len(c.places(at%block, block, bit)) == 0 {
		return nil
	}
	again := slices.ContainsFunc(c.Earlier, func(e Indication) bool {
		return c.another(&e, digest) && e.Facts[FactCoverage] == x.facts[FactCoverage]
	})
	if again && !c.hasSpoken() {
		x.weak, x.barred = true, true
		return nil
	}
	other := c.alteration(&Alter{Key: t.Key, Fold: true, Column: at % block, Difference: bit, Block: block})
	return &other
}

// CutWord is the fact "coverage" of a MAC over all but the last byte.
const CutWord = "last_byte_missing"

// lastByteCut looks at the other coverage that a fold cannot tell from an altered byte: without its last byte a message differs
// by just that byte's value in that byte's column, because what is missing is padded with zeros. Both fit, and neither is named.
func (c *Case) lastByteCut(a *Alter) *explanation {
	n := c.End - c.Message
	if !a.Fold || a.Block == 0 || n < 1 || (n-1)%a.Block != a.Column || c.Frame[c.End-1] != a.Difference {
		return nil
	}
	return &explanation{cause: reason.MACWrongCoverage, owner: reason.MACWrongCoverage.Owner(), facts: map[string]string{FactCoverage: CutWord}}
}

// hasSpoken tells whether a message of the terminal verified under any of its keys.
func (c *Case) hasSpoken() bool {
	return slices.ContainsFunc(c.Keys, func(k Candidate) bool {
		return k.Used && (k.Source == OwnInForce || k.Source == OwnPending || k.Source == OwnFormer)
	})
}

// otherTerminal tells by A2 which device spoke under another terminal's keys. docs/protocol/failures.md: the key's owner
// (DE41 set wrongly there), this terminal's device (keys loaded crosswise), both (clone).
func (c *Case) otherTerminal(x *explanation, k *Candidate, r *MACResult) {
	x.facts[FactTerminal] = k.Terminal.String()
	s := c.Presented.Serial
	own, owner := s != "" && s == c.Device, s != "" && s == k.Serial
	own, owner = own || r.CipherOf == OwnDevice, owner || r.CipherOf == OwnerDevice
	for _, e := range c.Earlier {
		if e.Cause == reason.MACOtherTerminalKey && e.Facts[FactTerminal] == x.facts[FactTerminal] {
			own, owner = own || e.Variant == "this_device" || e.Variant == "both", owner || e.Variant == "key_owner" || e.Variant == "both"
		}
	}
	switch {
	case own && owner:
		x.variant = "both"
	case own:
		x.variant = "this_device"
	case owner:
		x.variant = "key_owner"
	default:
		x.variant = "unknown_device"
	}
	if s != "" && (s == c.Device || s == k.Serial) {
		x.facts[FactSerial], x.facts[FactBoundTo] = string(s), c.Terminal.String()
		if s != c.Device {
			x.facts[FactBoundTo] = k.Terminal.String()
		}
	}
	switch {
	case r.CipherOf != NoDevice:
		x.facts[FactAgrees] = "serial"
	case r.PINAgrees:
		x.facts[FactAgrees] = "pin"
	}
}

// alteration says what is known of an altered message. Under a fold that is the column and the difference; an element is
// named where no other could have been sent so, or where an independent copy agrees.
func (c *Case) alteration(a *Alter) explanation {
	k := &c.Keys[a.Key]
	x := explanation{cause: reason.MessageAltered, owner: reason.MessageAltered.Owner(), facts: map[string]string{
		FactSource: k.Source.String(), FactKeySet: strconv.FormatUint(uint64(k.Set.Number), 10)}}
	if !a.Fold {
		for i := range a.At {
			c.inChain(&x, &a.At[i])
		}
		return x
	}
	x.facts[FactColumn], x.facts[FactDifference] = strconv.Itoa(a.Column), fmt.Sprintf("%02X", a.Difference)
	list := c.places(a.Column, a.Block, a.Difference)
	x.facts[FactCandidates] = strconv.Itoa(len(list))
	if len(list) == 0 {
		return x
	}
	named, copied := list[0], (*Copy)(nil)
	one := true
	for _, p := range list {
		one = one && p.span.Number == named.span.Number
		if k := c.restoredBy(p, a.Difference); k != nil {
			named, copied = p, k
		}
	}
	switch {
	case copied != nil:
		x.facts[FactCopy] = strconv.Itoa(int(copied.Of))
	case !one:
		return x
	}
	x.facts[FactElement] = strconv.Itoa(int(named.span.Number))
	if named.span.Number == deAmount && (copied != nil || len(list) == 1) {
		c.amountFacts(&x, &Alteration{At: named.at, Size: 1, Bytes: [amountBytes]byte{c.Frame[named.at] ^ a.Difference}})
	}
	return x
}

// inChain names the element of an alteration under a chaining MAC, where the place is known.
func (c *Case) inChain(x *explanation, a *Alteration) {
	for i := range c.Spans {
		if s := &c.Spans[i]; a.At >= s.Prefix && a.At < s.To {
			x.facts[FactElement] = strconv.Itoa(int(s.Number))
			if s.Number == deAmount {
				c.amountFacts(x, a)
			}
		}
	}
}

// amountFacts states DE4 before and after; of no other element is a value told.
func (c *Case) amountFacts(x *explanation, a *Alteration) {
	s := c.span(deAmount)
	if s == nil || s.To-s.From != amountBytes || a.At < s.From || a.At+a.Size > s.To {
		return
	}
	var was [amountBytes]byte
	copy(was[:], c.Frame[s.From:s.To])
	copy(was[a.At-s.From:], a.Bytes[:a.Size])
	x.facts[FactWas], x.facts[FactIs] = money(packed(was[:])), money(packed(c.Frame[s.From:s.To]))
}

// money is fen as yuan.
func money(fen uint64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }
