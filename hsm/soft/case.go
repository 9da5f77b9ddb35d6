package soft

import (
	"bytes"

	"touchstone/diagnosis"
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
)

// The elements that a case looks into; docs/protocol/unionpay-pos.md, section 2.
const (
	elementPAN    = 2
	elementAmount = 4
	elementTrace  = 11
	elementExpiry = 14
	elementTrack2 = 35
	elementPIN    = 52
	elementEMV    = 55
	elementTags   = 59
	elementMAC    = 64
)

// CaseOf reads a frame as iso8583.ReadFrame gives it, TPDU and header first, into a new Case: where its elements lie, its
// DE64, A2, sealed track and PIN block, and what elements say of each other. The frame is copied. Errors are those of
// iso8583.Dialect.Parse. Reason, keys and everything the register knows are for the caller to add; so is PIN.Until,
// without which no PIN block is examined.
func CaseOf(d *iso8583.Dialect, frame []byte) (*diagnosis.Case, error) {
	c := &diagnosis.Case{Frame: bytes.Clone(frame), Message: iso8583.EnvelopeSize}
	var m iso8583.Message
	if err := d.Parse(&m, c.Frame); err != nil {
		clear(c.Frame)
		return nil, err
	}
	r := reader{c: c, m: m, d: d, at: iso8583.EnvelopeSize}
	r.spans()
	c.Terminal, _ = pos.ParseTerminalID(m.Raw(41))
	c.Merchant, _ = pos.ParseMerchantID(m.Raw(42))
	copy(c.DE64[:], m.Raw(elementMAC))
	c.HasMAC = m.Has(elementMAC)
	r.serial()
	r.track()
	r.pin()
	r.copies()
	return c, nil
}

// reader fills a Case from a message.
type reader struct {
	c  *diagnosis.Case
	m  iso8583.Message
	d  *iso8583.Dialect
	at int
}

// spans notes where every element lies. Elements follow one another without a gap, each behind its length prefix.
func (r *reader) spans() {
	const mti, bitmap = 2, 8
	add := func(s diagnosis.Span) {
		r.c.Spans = append(r.c.Spans, s)
		r.at = s.To
	}
	add(diagnosis.Span{Number: 0, Kind: diagnosis.Digits, Prefix: r.at, From: r.at, To: r.at + mti, Count: 2 * mti})
	add(diagnosis.Span{Number: 1, Kind: diagnosis.Binary, Prefix: r.at, From: r.at, To: r.at + bitmap, Count: bitmap})
	for n := 2; n < elementMAC; n++ {
		if !r.m.Has(n) {
			continue
		}
		e, _ := r.d.Element(n)
		from := r.at + int(e.Length)
		kind := diagnosis.Binary
		switch e.Format {
		case iso8583.N:
			kind = diagnosis.Digits
		case iso8583.Z:
			kind = diagnosis.Nibble
		case iso8583.AN, iso8583.ANS:
			kind = diagnosis.Text
		}
		add(diagnosis.Span{Number: uint8(n), Kind: kind, Prefix: r.at, From: from, To: from + len(r.m.Raw(n)), Count: r.m.Len(n)})
	}
	r.c.End = r.at
}

// serial reads A2.
func (r *reader) serial() {
	de59 := r.m.Raw(elementTags)
	tags, err := iso8583.ParseDE59(de59)
	if err != nil {
		return
	}
	a2 := tags.Value(de59, iso8583.TagSerial)
	view, err := iso8583.ParseA2(a2)
	if err != nil {
		return
	}
	p := &r.c.Presented
	p.Serial, _ = pos.ParseSerial(view.Value(a2, iso8583.A2Serial))
	copy(p.Factor[:], view.Value(a2, iso8583.A2Factor))
	copy(p.Cipher[:], view.Value(a2, iso8583.A2Cipher))
}

// security is DE53, zero where there is none.
func (r *reader) security() (digits [16]byte) {
	r.m.CopyDigits(53, digits[:])
	return digits
}

func (r *reader) track() {
	if r.security()[2] != '1' {
		return
	}
	for _, s := range r.c.Spans {
		if s.Number == elementTrack2 {
			r.c.Track = diagnosis.Track{From: s.From, To: s.To, Digits: s.Count}
		}
	}
}

// clearTrack lends the digits of a clear track's card number; nil where there is none.
func (r *reader) clearTrack(room *[proof.MaxTrack2]byte) []byte {
	if r.security()[2] == '1' {
		return nil
	}
	t, err := iso8583.ParseTrack2(room[:r.m.CopyDigits(elementTrack2, room[:])])
	if err != nil {
		return nil
	}
	return room[:t.PANDigits]
}

// pin reads the PIN block: A1 under SM4, else a DE52 that is not zero.
func (r *reader) pin() {
	security := r.security()
	if security[0] == 0 || security[0] == '0' {
		return
	}
	de59 := r.m.Raw(elementTags)
	block := r.m.Raw(elementPIN)
	if tags, err := iso8583.ParseDE59(de59); err == nil {
		if a1 := tags.Value(de59, iso8583.TagPINBlock); a1 != nil {
			block = a1
		}
	}
	if len(block) != 8 && len(block) != 16 || zero(block) {
		return
	}
	p := &diagnosis.PINCase{Size: len(block), Form: security[0], Key: security[1], PAN: pos.NewPAN(), Track: pos.NewPAN()}
	copy(p.Block[:], block)
	var room [proof.MaxTrack2]byte
	defer clear(room[:])
	track := r.clearTrack(&room)
	if r.m.PAN(p.PAN) != nil {
		_ = p.PAN.Set(track) // no card number at all: nothing to compare with
	} else if len(track) > 0 {
		_ = p.Track.Set(track)
		if p.Track.Equal(p.PAN) {
			p.Track.Clear()
		}
	}
	r.c.PIN = p
}

// copies notes what elements say of each other: card number and expiry by a clear track, the end of the card number by
// the factor of A2, the amount by tag 9F02 of DE55.
func (r *reader) copies() {
	add := func(c diagnosis.Copy) {
		if len(c.Digits) > 0 && r.m.Has(int(c.Number)) {
			c.Digits = bytes.Clone(c.Digits)
			r.c.Copies = append(r.c.Copies, c)
		}
	}
	var room [proof.MaxTrack2]byte
	defer clear(room[:])
	if pan := r.clearTrack(&room); pan != nil {
		add(diagnosis.Copy{Number: elementPAN, Of: elementTrack2, Digits: pan})
		add(diagnosis.Copy{Number: elementExpiry, Of: elementTrack2, Digits: room[len(pan)+1 : len(pan)+5]})
	}
	if f := r.c.Presented.Factor; f != [6]byte{} {
		add(diagnosis.Copy{Number: elementPAN, Of: elementTags, Tail: true, Digits: f[:]})
	}
	if amount := amountOfChip(r.m.Raw(elementEMV)); amount != nil {
		add(diagnosis.Copy{Number: elementAmount, Of: elementEMV, Digits: amount})
	}
}

// amountOfChip is tag 9F02 of DE55, BER-TLV with lengths under 80 as EMV Book 3, Annex B has them: 12 digits, nil none.
func amountOfChip(b []byte) []byte {
	for len(b) >= 2 {
		name := 1
		if b[0]&0x1F == 0x1F {
			name = 2
		}
		if len(b) <= name || b[name] >= 0x80 || len(b) < name+1+int(b[name]) {
			return nil
		}
		value := b[name+1 : name+1+int(b[name])]
		if b[0] == 0x9F && b[1] == 0x02 && len(value) == 6 {
			digits := make([]byte, 0, 12)
			for _, pair := range value {
				digits = append(digits, '0'+pair>>4, '0'+pair&15)
			}
			return digits
		}
		b = b[name+1+int(b[name]):]
	}
	return nil
}
