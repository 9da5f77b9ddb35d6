package diagnosis

import (
	"bytes"
	"fmt"
	"strconv"

	"touchstone/journal"
	"touchstone/reason"
)

// SerialTrial is one explanation of a wrong serial-number ciphertext; docs/protocol/unionpay-pos.md, section 6.4.
type SerialTrial struct {
	Device int        // index of Case.Serials, whose key
	Own    bool       // over that device's own serial number, not the one presented
	Factor []byte     // nil: the one presented
	Name   string     // of a Factor, the stable word
	Form   SerialForm //
	Part   Part
}

// SerialForm is how the ciphertext was computed.
type SerialForm uint8

// The forms. The zero value is the right one: the UnionPay ECB SM4 code over serial number and factor.
const (
	SerialRight SerialForm = iota
	FactorFirst
	FactorOut
	ByChain  // SM4 CBC-MAC
	PlainXOR // the fold enciphered as it is, without its hexadecimal form
)

var serialForms = [...]string{"right", "factor_first", "factor_out", "cbc", "without_hexadecimal"}

// SerialFit is a trial that gave the ciphertext that was sent.
type SerialFit struct {
	Trial    SerialTrial
	Encoding Encoding
}

// factorDigits is the length of the factor.
const factorDigits = 6

// PlanSerial is what to try on a ciphertext that did not prove the serial number, at most MaxExplanations: forms and
// factors under the key of the device whose number was presented, then the keys of the others that the rules allow.
func (c *Case) PlanSerial() (list []SerialTrial) {
	devices := min(len(c.Serials), MaxSerials)
	own := -1
	for i := range devices {
		if c.Serials[i].Source == SerialDevice {
			own = i
			break
		}
	}
	if own >= 0 {
		list = append(list, SerialTrial{Device: own}, SerialTrial{Device: own, Part: SecondPart}, SerialTrial{Device: own, Part: LastPart})
		for _, f := range [...]SerialForm{FactorFirst, FactorOut, ByChain, PlainXOR} {
			list = append(list, SerialTrial{Device: own, Form: f})
		}
		for _, f := range c.factors() {
			if !bytes.Equal(f.digits, c.Presented.Factor[:]) {
				list = append(list, SerialTrial{Device: own, Factor: f.digits, Name: f.name})
			}
		}
	}
	for i := range devices {
		if i == own {
			continue
		}
		list = append(list, SerialTrial{Device: i})
		if s := c.Serials[i].Serial; s != "" && s != c.Presented.Serial {
			list = append(list, SerialTrial{Device: i, Own: true})
		}
	}
	return list[:min(len(list), MaxExplanations)]
}

// factor is six digits that a terminal may have taken for the end of the card number.
type factor struct {
	name   string
	digits []byte
}

// factors are the ends of the cards before, the trace, and other digits of this card.
func (c *Case) factors() (list []factor) {
	for i, p := range c.Prior[:min(len(c.Prior), MaxPrior)] {
		if len(p) == factorDigits {
			list = append(list, factor{"earlier_card:" + strconv.Itoa(i+1), p})
		}
	}
	if d := c.digitsOf(deTrace); len(d) == factorDigits {
		list = append(list, factor{"trace", d})
	}
	d := c.card()
	defer clear(d) // six of its digits stay, never the number
	if len(d) > factorDigits {
		list = append(list, factor{"without_check_digit", bytes.Clone(d[len(d)-1-factorDigits : len(d)-1])}, factor{"first_digits", bytes.Clone(d[:factorDigits])})
	}
	return append(list, factor{"zeros", []byte("000000")})
}

// CardNumber is the digits of DE2, ASCII, nil where it was not sent; the caller wipes them.
func (c *Case) CardNumber() []byte { return c.digitsOf(dePAN) }

// card is the digits of DE2, or of a clear track; the caller wipes them.
func (c *Case) card() []byte {
	if d := c.digitsOf(dePAN); d != nil {
		return d
	}
	if c.Track != (Track{}) {
		return nil
	}
	whole := c.digitsOf(deTrack2)
	defer clear(whole)
	d, _, found := bytes.Cut(whole, []byte{'D'})
	if !found {
		return nil
	}
	return bytes.Clone(d)
}

// digitsOf is a packed element as ASCII, the separator of a track D; nil when it is absent.
func (c *Case) digitsOf(n uint8) []byte {
	s := c.span(n)
	if s == nil || s.Kind != Digits && s.Kind != Nibble {
		return nil
	}
	const nibbles = "0123456789ABCDEF"
	d := make([]byte, s.Count)
	for i := range d {
		d[i] = nibbles[c.Frame[s.From+i/2]>>(4*(1-i%2))&15]
	}
	return d
}

// ConcludeSerial says what the fits mean.
func (c *Case) ConcludeSerial(tried uint32, fits []SerialFit, digest [16]byte) Finding {
	reading := Read(c.Presented.Cipher)
	f := Finding{Certainty: journal.Unproven, Tried: tried, Fit: uint32(len(fits)), OneIn: reading.OneIn(tried), Digest: digest}
	var list []explanation
	for i := range fits {
		list = append(list, c.explainSerial(&fits[i]))
	}
	return c.decide(f, list)
}

func (c *Case) explainSerial(fit *SerialFit) explanation {
	t := &fit.Trial
	d := &c.Serials[t.Device]
	x := explanation{facts: map[string]string{FactSource: d.Source.String()}}
	if fit.Encoding != UpperCase {
		x.facts[FactEncoding] = fit.Encoding.String()
	}
	switch {
	case d.Source != SerialDevice:
		x.cause, x.variant = reason.SerialOtherDeviceKey, "same_shop"
		if d.Source == SerialNearby {
			x.variant = "other_shop"
		}
		x.facts[FactSerial], x.facts[FactInput] = string(d.Serial), "presented"
		if t.Own {
			x.facts[FactInput] = "own"
		}
		if d.Terminal != (Candidate{}).Terminal {
			x.facts[FactBoundTo] = d.Terminal.String()
		}
	case t.Factor != nil:
		x.cause = reason.SerialOtherFactor
		x.facts[FactFactor] = word(t.Name)
	case t.Form != SerialRight:
		x.cause = reason.SerialOtherForm
		x.facts[FactForm] = serialForms[t.Form]
	case t.Part != FirstPart:
		x.cause = reason.SerialOtherForm
		x.facts[FactForm] = map[Part]string{SecondPart: "second_part", LastPart: "last_part"}[t.Part]
	case fit.Encoding != UpperCase:
		x.cause = reason.SerialOtherForm
		x.facts[FactForm] = fit.Encoding.String()
	default:
		x.facts[FactWhy] = "serial_right"
	}
	x.owner = x.cause.Owner()
	return x
}

// word is a factor's name without its place: which earlier card it was differs from message to message.
func word(name string) string {
	head, _, _ := bytes.Cut([]byte(name), []byte(":"))
	return string(head)
}

// ConcludeFactor compares the factor of a right ciphertext that is not the end of the card number with what a terminal
// may have taken for it. Six digits agree by luck once in a million for each comparison.
func (c *Case) ConcludeFactor(digest [16]byte) Finding {
	f := Finding{Certainty: journal.Unproven, Digest: digest}
	var list []explanation
	for _, k := range c.factors() {
		f.Tried++
		if bytes.Equal(k.digits, c.Presented.Factor[:]) {
			list = append(list, explanation{cause: reason.SerialOtherFactor, owner: reason.SerialOtherFactor.Owner(),
				facts: map[string]string{FactFactor: word(k.name)}})
		}
	}
	space := uint64(1_000_000)
	for i, p := range c.Prior[:min(len(c.Prior), MaxPrior)] {
		if len(p) != shownDigits {
			continue
		}
		f.Tried++
		if bytes.Equal(p, c.Presented.Factor[factorDigits-shownDigits:]) {
			space = 10_000
			list = append(list, explanation{cause: reason.SerialOtherFactor, owner: reason.SerialOtherFactor.Owner(),
				facts: map[string]string{FactFactor: word("earlier_card:" + strconv.Itoa(i+1))}})
		}
	}
	f.Fit = uint32(len(list))
	f.OneIn = space / uint64(max(1, f.Tried))
	return c.decide(f, list)
}

// shownDigits is how many digits of a card number's end a journal shows.
const shownDigits = 4

// String names the trial for people who follow an experiment.
func (t SerialTrial) String() string {
	return fmt.Sprintf("device %d, own %t, factor %q, %s", t.Device, t.Own, t.Name, serialForms[t.Form])
}
