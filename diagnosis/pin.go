package diagnosis

import (
	"math"
	"strconv"
	"time"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/reason"
)

// MaxPINKeys is how many PIN keys are tried on one block, in two formats each; docs/protocol/failures.md, rules of proof.
const MaxPINKeys = 3

// PINFormat is the layout of a PIN block; docs/protocol/unionpay-pos.md, section 5.2.
type PINFormat uint8

// The formats.
const (
	ISO0 PINFormat = iota + 1
	WithoutPAN
	SM4Mode1
	SM4Mode2
	SM4WithoutPAN
)

var pinFormats = [...]string{"none", "iso_0", "no_pan", "sm4_pan_1", "sm4_pan_2", "sm4_no_pan"}

// Digits is which 12 digits of which card number a block was made with.
type PINDigits uint8

// The digits. The zero value is the right ones: the last twelve without the check digit.
const (
	RightDigits PINDigits = iota
	WithCheckDigit
	FirstDigits
	TrackDigits // of the card number of the track, where it is another than DE2
)

var pinDigits = [...]string{"right", "with_check_digit", "first_digits", "track"}

// PINTrial is one explanation of a PIN block that cannot be read.
type PINTrial struct {
	Key    int // index of Case.Keys, whose PIN key
	Cipher keys.Cipher
	Format PINFormat
	Digits PINDigits
}

// PlanPIN is what to try on a PIN block: at most MaxPINKeys keys in two formats each, and for a block with a card number
// the other digits it may have been made with. The right key in the right format is not among them: it was refused.
func (c *Case) PlanPIN() (list []PINTrial) {
	if c.PIN == nil {
		return nil
	}
	first, second := c.pinFormats()
	at := c.pinKeys()
	for n, i := range at {
		own := c.Keys[i].cipherOf()
		if n > 0 {
			list = append(list, PINTrial{Key: i, Cipher: own, Format: first}, PINTrial{Key: i, Cipher: own, Format: second})
			continue
		}
		list = append(list, PINTrial{Key: i, Cipher: own, Format: second})
		if other := otherCipher(own, c.PIN.Size); other != own {
			list = append(list, PINTrial{Key: i, Cipher: other, Format: first})
		} else if own == keys.SM4 && first != SM4WithoutPAN {
			list = append(list, PINTrial{Key: i, Cipher: own, Format: SM4WithoutPAN})
		}
		if first == ISO0 || first == SM4Mode1 {
			for _, d := range [...]PINDigits{WithCheckDigit, FirstDigits, TrackDigits} {
				if d != TrackDigits || c.PIN.Track.Len() > 0 {
					list = append(list, PINTrial{Key: i, Cipher: own, Format: first, Digits: d})
				}
			}
		}
	}
	return list
}

// pinFormats is the format that DE53 states and the other one of that size.
func (c *Case) pinFormats() (stated, other PINFormat) {
	without := c.PIN.Form == '1'
	switch {
	case c.PIN.Size == 16 && without:
		return SM4WithoutPAN, SM4Mode1
	case c.PIN.Size == 16:
		return SM4Mode1, SM4Mode2
	case without:
		return WithoutPAN, ISO0
	}
	return ISO0, WithoutPAN
}

// otherCipher is the cipher a terminal may have used instead of its own: single DES with the left half for TDES, and for
// a block of the other size the cipher of that size.
func otherCipher(own keys.Cipher, size int) keys.Cipher {
	switch {
	case own == keys.SM4 && size == 8:
		return keys.TDES
	case own == keys.TDES && size == 8:
		return keys.DES
	case own == keys.TDES && size == 16:
		return keys.SM4
	}
	return own
}

// pinKeys is the key in force, the newest former one, and a third by turns of Case.Attempt: other terminals' first, then
// older ones of its own.
func (c *Case) pinKeys() (list []int) {
	var former, other, rest []int
	for i := range c.Keys {
		switch k := &c.Keys[i]; {
		case k.Set.Number == 0:
		case k.Source == OwnInForce && len(list) == 0:
			list = append(list, i)
		case k.Source == OwnFormer:
			former = append(former, i)
		case k.Source == OwnPending:
			rest = append(rest, i)
		case k.Source == Sibling, k.Source == Neighbour:
			other = append(other, i)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if len(former) > 0 {
		list, former = append(list, former[0]), former[1:]
	}
	rest = append(append(other, former...), rest...)
	for n := 0; len(list) < MaxPINKeys && n < len(rest); n++ {
		list = append(list, rest[(n+int(c.Attempt%MaxCandidates))%len(rest)])
	}
	return list
}

// wellFormedPINs is how many clear blocks read as a PIN of 4 to 12 digits: control nibble, length and fill are one value each,
// every digit ten.
const wellFormedPINs = 1_111_111_110_000

// pinOneIn is the chance that one of tried random blocks of size bytes reads as a PIN: at most one in this. Of 2^64 blocks of
// 8 bytes wellFormedPINs do; of the 2^128 of 16 bytes as many.
func pinOneIn(size int, tried uint32) uint64 {
	n := uint64(max(1, tried))
	if size == 16 {
		return (1<<64 - 1) / n
	}
	return (1<<64 - 1) / (n * wellFormedPINs)
}

// ConcludePIN says what the trials mean that read as a PIN.
func (c *Case) ConcludePIN(tried uint32, fits []PINTrial, digest [16]byte) Finding {
	f := Finding{Certainty: journal.Unproven, Tried: tried, Fit: uint32(len(fits)), OneIn: pinOneIn(c.PIN.Size, tried), Digest: digest}
	var list []explanation
	for i := range fits {
		list = append(list, c.explainPIN(&fits[i]))
	}
	return c.decide(f, list)
}

func (c *Case) explainPIN(t *PINTrial) explanation {
	k := &c.Keys[t.Key]
	stated, _ := c.pinFormats()
	x := explanation{facts: map[string]string{FactSource: k.Source.String(), FactKeySet: strconv.FormatUint(uint64(k.Set.Number), 10),
		FactPINFormat: pinFormats[t.Format], FactPINCipher: t.Cipher.String()}}
	if k.Set.Issued != 0 {
		x.facts[FactIssued] = k.Set.Issued.Time().Format(time.RFC3339)
	}
	switch {
	case k.Source == OwnFormer || k.Source == OwnPending:
		x.cause = reason.PINStaleKey
	case k.Source != OwnInForce:
		x.cause = reason.PINOtherTerminalKey
		x.facts[FactTerminal] = k.Terminal.String()
	case t.Cipher != k.cipherOf():
		x.cause = reason.PINWrongAlgorithm
	case t.Digits != RightDigits:
		x.cause = reason.PINOtherPAN
		x.facts[FactPAN] = pinDigits[t.Digits]
	case t.Format != stated:
		x.cause = reason.PINWrongFormat
	}
	x.owner = x.cause.Owner()
	return x
}

// TrackTrial is a former track key to try on a sealed track.
type TrackTrial struct {
	Key int // index of Case.Keys
}

// maxTrackKeys is how many former track keys are tried on one track.
const maxTrackKeys = 3

// PlanTrack is the former track keys to try, the newest first: no more than the chance of luck allows to indicate anything.
func (c *Case) PlanTrack() (list []TrackTrial) {
	if c.Track == (Track{}) {
		return nil
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		most := len(list) < maxTrackKeys && (len(list) == 0 || c.trackOneIn(k.cipherOf(), uint32(len(list)+1)) >= leastIndicated)
		if k.Source == OwnFormer && keys.HasTrackKey(k.Set.Code) && most {
			list = append(list, TrackTrial{Key: i})
		}
	}
	return list
}

// trackOneIn is the chance that one of tried wrong keys gives a track that reads, at most one in this. The block that is
// enciphered ends before the last byte; each of its nibbles must be a digit (10 of 16), or the separator in its one place
// (1 of 16) at one of the eight lengths a card number may have. What else a track must be only makes luck rarer.
func (c *Case) trackOneIn(cipher keys.Cipher, tried uint32) uint64 {
	block := 8
	if cipher == keys.SM4 {
		block = 16
	}
	end := (c.Track.Digits+1)/2 - 1
	from := max(0, end-block)
	nibbles := float64(2 * (end - from))
	seen := false // the separator is before the block, in clear
	for i := range 2 * from {
		seen = seen || c.Frame[c.Track.From+i/2]>>(4*(1-i%2))&15 == 0xD
	}
	chance := math.Pow(10.0/16, nibbles)
	if !seen {
		chance = math.Pow(10.0/16, nibbles-1) / 16 * 8
	}
	if one := 1 / (chance * float64(max(1, tried))); one < 1<<63 {
		return uint64(one)
	}
	return 1 << 63
}

// ConcludeTrack says what the trials mean that read as a track with the card number of DE2, where that was sent.
func (c *Case) ConcludeTrack(tried uint32, fits []TrackTrial, digest [16]byte) Finding {
	f := Finding{Certainty: journal.Unproven, Tried: tried, Fit: uint32(len(fits)), Digest: digest}
	var list []explanation
	for _, t := range fits {
		k := &c.Keys[t.Key]
		f.OneIn = c.trackOneIn(k.cipherOf(), tried)
		x := explanation{cause: reason.TrackStaleKey, owner: reason.TrackStaleKey.Owner(), facts: map[string]string{
			FactSource: k.Source.String(), FactKeySet: strconv.FormatUint(uint64(k.Set.Number), 10)}}
		if k.Set.Issued != 0 {
			x.facts[FactIssued] = k.Set.Issued.Time().Format(time.RFC3339)
		}
		list = append(list, x)
	}
	if len(list) == 0 && tried > 0 {
		f.OneIn = c.trackOneIn(keys.CipherOf(c.Code), tried)
	}
	return c.decide(f, list)
}
