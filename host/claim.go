package host

import (
	"context"

	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/transaction"
)

// background is for module calls that in software do not block; each driver bounds its own waiting.
var background = context.Background()

// claim copies what the message claims into the Request.
func (x *Exchange) claim() {
	r, m := &x.Request, x.msg
	r.MTI = m.MTI()
	x.claimPlace()
	x.claimNumbers()
	x.claimSecurity()
	x.claimPrivate()
	r.Need, r.Op = classify(r)
	if r.Need == proof.TamperReport && !isTamper(m) {
		r.Need = proof.Unserved
	}
	r.Malformed = r.Malformed || x.lacks()
	if !requestType(r.MTI) {
		x.verdict, x.shut = proof.RefuseFrame(false), true
	}
}

// requestType tells whether the MTI's third digit is that of a request, which has an answer's MTI.
func requestType(m pos.MTI) bool { return m>>4&1 == 0 }

func (x *Exchange) claimPlace() {
	r, m := &x.Request, x.msg
	id, err := pos.ParseTerminalID(m.Raw(41))
	merchant, err2 := pos.ParseMerchantID(m.Raw(42))
	r.Terminal, r.Merchant = id, merchant
	r.Malformed = err != nil || err2 != nil
}

func (x *Exchange) number(n int) uint64 { v, _ := x.msg.Number(n); return v }

func (x *Exchange) claimNumbers() {
	r, m := &x.Request, x.msg
	r.Processing = pos.ProcessingCode(x.number(3))
	r.Amount, r.HasAmount = pos.Amount(x.number(4)), m.Has(4)
	r.STAN = pos.STAN(x.number(11))
	r.Expiry = uint16(x.number(14))
	r.EntryMode, r.HasEntry = uint16(x.number(22)), m.Has(22)
	r.Condition = uint8(x.number(25))
	r.HasCapture = m.Has(26)
	copy(r.RRN[:], m.Raw(37))
	copy(r.AuthCode[:], m.Raw(38))
	copy(r.Why[:], m.Raw(39))
	copy(r.Currency[:], m.Raw(49))
	r.HasChipData, r.HasTrack3 = m.Has(55), m.Has(36)
	r.HasMAC = m.Has(64)
	copy(r.DE64[:], m.Raw(64))
	if m.Has(2) {
		r.HasPAN = true
		r.Malformed = r.Malformed || m.PAN(x.pan) != nil
	}
}

// claimSecurity reads DE52, DE53 and the tracks.
func (x *Exchange) claimSecurity() {
	r, m := &x.Request, x.msg
	r.HasSecurity = m.CopyDigits(53, r.Security[:]) == len(r.Security)
	var some byte
	for _, b := range m.Raw(52) {
		some |= b
	}
	r.HasPINBlock = some != 0
	r.HasTrack2 = m.Has(35)
	r.TrackSealed = r.HasSecurity && r.Security[2] == '1' && (r.HasTrack2 || r.HasTrack3)
	if !r.HasTrack2 || r.TrackSealed {
		return
	}
	var track [iso8583.MaxTrack2]byte
	n := m.CopyDigits(35, track[:])
	t, err := iso8583.ParseTrack2(track[:n])
	switch {
	case err != nil:
		r.TrackBad = true
	case !r.HasPAN:
		r.TrackBad = t.SetPAN(track[:n], x.pan) != nil
	default:
		r.TrackOther = !samePAN(x.pan, track[:t.PANDigits])
	}
	if err == nil {
		if r.Expiry == 0 {
			r.Expiry = t.Expiry
		}
		r.Service = [3]byte{'0' + byte(t.Service/100), '0' + byte(t.Service/10%10), '0' + byte(t.Service%10)}
	}
	clear(track[:])
}

func samePAN(p pos.PAN, digits []byte) (same bool) {
	p.Use(func(own []byte) { same = string(own) == string(digits) })
	return same
}

// claimPrivate reads DE48, DE59 to DE62.
func (x *Exchange) claimPrivate() {
	r, m := &x.Request, x.msg
	de60, err := m.DE60()
	r.Type, r.Batch, r.NetCode, r.HasBatch = de60.Code, de60.Batch, de60.Network, err == nil
	r.Fallback = de60.Condition == 2
	r.Malformed = r.Malformed || err != nil
	if m.Has(61) {
		de61, err := m.DE61()
		r.HasOrigin, r.OrigBatch, r.OrigSTAN, r.OrigDate = true, de61.Batch, de61.Trace, de61.Date
		r.Malformed = r.Malformed || err != nil
	}
	if m.Has(59) {
		r.BadDE59 = x.claimDetails(m.Raw(59)) != nil
	}
	if r.MTI == 0x0800 && m.Has(62) {
		if s, err := iso8583.ParseSequence(m.Raw(62)); err == nil {
			r.HasTail, r.Licence, r.Tail = true, s.Licence, s.Serial
		}
	}
	if r.MTI == 0x0800 {
		if who, err := m.DE63(); err == nil {
			r.Operator, _ = pos.ParseOperator(who.Code[:]) // what is no number names nobody
		}
	}
	if r.MTI == 0x0500 && m.Has(48) {
		s, err := m.Settlement()
		d := s.Domestic
		r.HasTotals = err == nil
		r.Claimed = journal.Totals{DebitAmount: d.Debit, DebitCount: uint32(d.DebitCount), CreditAmount: d.Credit, CreditCount: uint32(d.CreditCount)}
	}
}

// claimDetails reads the tags A1, A2 and A5 of DE59.
func (x *Exchange) claimDetails(de59 []byte) error {
	r := &x.Request
	tags, err := iso8583.ParseDE59(de59)
	if err != nil {
		return err
	}
	r.HasSealedPIN = tags.Value(de59, iso8583.TagPINBlock) != nil
	if a2 := tags.Value(de59, iso8583.TagSerial); a2 != nil {
		view, err := iso8583.ParseA2(a2)
		if err != nil {
			return err
		}
		r.HasA2 = true
		copy(r.DeviceType[:], view.Value(a2, iso8583.A2DeviceType))
		r.SerialLen = copy(r.Serial[:], view.Value(a2, iso8583.A2Serial))
		r.HasFactor = copy(r.Factor[:], view.Value(a2, iso8583.A2Factor)) == len(r.Factor)
		r.HasCipher = copy(r.Cipher[:], view.Value(a2, iso8583.A2Cipher)) == len(r.Cipher)
		r.HasApp = copy(r.App[:], view.Value(a2, iso8583.A2Version)) > 0
	}
	if a5 := tags.Value(de59, iso8583.TagLocation); a5 != nil {
		view, err := iso8583.ParseA5(a5)
		if err != nil {
			return err
		}
		r.HasPlace, r.Latitude, r.Longitude = view.Located, view.LatitudeMicro, view.LongitudeMicro
		r.BadPlace = !view.Located && len(view.Longitude)+len(view.Latitude) > 0
	}
	return nil
}

// pinBlock lends the PIN block: DE52, or the 16 bytes of A1.
func (x *Exchange) pinBlock() []byte {
	if !x.Request.HasSealedPIN {
		return x.msg.Raw(52)
	}
	de59 := x.msg.Raw(59)
	tags, err := iso8583.ParseDE59(de59)
	if err != nil {
		return nil
	}
	return tags.Value(de59, iso8583.TagPINBlock)
}

// classify names the function; docs/protocol/unionpay-pos.md sections 3.1 and 3.3.
func classify(r *proof.Request) (proof.Need, transaction.Op) {
	switch r.MTI {
	case 0x0800:
		if r.Type == pos.Management && keys.CipherOf(r.NetCode) != keys.NoCipher {
			return proof.SignIn, transaction.NoOp
		}
	case 0x0820:
		return classifyStatus(r), transaction.NoOp
	case 0x0200:
		switch {
		case r.Condition != 0:
		case r.Type == pos.Balance && r.Processing == 310000:
			return proof.Financial, transaction.BalanceInquiry
		case r.Type == pos.Sale && r.Processing == 0:
			return proof.Financial, transaction.Sale
		case r.Type == pos.Void && r.Processing == 200000:
			return proof.Financial, transaction.Void
		}
	case 0x0220:
		if r.Type == pos.Refund && r.Processing == 200000 && r.Condition == 0 {
			return proof.Financial, transaction.Refund
		}
	case 0x0400:
		switch r.Type {
		case pos.Balance, pos.Sale, pos.Void, pos.Refund:
			return proof.Financial, transaction.Reversal
		}
	case 0x0500:
		if r.Type == pos.Management && r.NetCode == 201 {
			return proof.Settlement, transaction.Settlement
		}
	}
	return proof.Unserved, transaction.NoOp
}

func classifyStatus(r *proof.Request) proof.Need {
	if r.Type != pos.Management {
		return proof.Unserved
	}
	switch r.NetCode {
	case 2:
		return proof.SignOff
	case 301:
		return proof.Echo
	case 362:
		return proof.TamperReport
	case 372, 382:
		return proof.StatusQuery
	}
	return proof.Unserved
}

// tamperText begins DE62 of a status upload that reports tampering: our own extension of 0820/362,
// unverified; two digits of sensor code follow.
const tamperText = "TAMPER"

func isTamper(m iso8583.Message) bool {
	de62 := m.Raw(62)
	return len(de62) == len(tamperText)+2 && string(de62[:len(tamperText)]) == tamperText
}

// lacks tells whether an element is absent without which the function means nothing. DE41, DE42 and
// DE60 are needed by all and were looked at already.
func (x *Exchange) lacks() bool {
	r, m := &x.Request, x.msg
	card := m.Has(2) || m.Has(35)
	switch {
	case r.Need == proof.Unserved, r.Need == proof.Echo, r.Need == proof.StatusQuery:
		return false
	case !m.Has(11):
		return true
	case r.Need == proof.Settlement:
		return !r.HasTotals
	case r.Need != proof.Financial:
		return false
	case !m.Has(3):
		return true
	}
	switch r.Op {
	case transaction.BalanceInquiry:
		return !card
	case transaction.Sale:
		return !card || !m.Has(4)
	case transaction.Reversal:
		return !m.Has(4) && r.Type != pos.Balance
	}
	return !m.Has(4)
}

func (x *Exchange) stanDigits() []byte {
	var six [6]byte
	x.msg.CopyDigits(11, six[:])
	return six[:]
}

// salvage makes the refusal of a message of which only a part could be read.
func (x *Exchange) salvage(frame []byte, why error) {
	_ = x.line.Dialect.Salvage(&x.msg, frame) // the fault is known: it is why
	x.salvaged = true
	x.claimPlace()
	x.Request.MTI = x.msg.MTI()
	x.Request.STAN = pos.STAN(x.number(11))
	x.verdict = proof.RefuseMessage(why.Error())
	if x.shut = x.Request.MTI == 0 || !requestType(x.Request.MTI); x.shut {
		x.verdict.DE39 = pos.ResponseCode{} // closed without an answer
	}
}
