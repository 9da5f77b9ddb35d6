package host

import (
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/transaction"
)

// Finish renders the answer, LEN included, or tells that the connection must be closed without one.
// It refuses a receipt that does not prove the entry durable, but for a refusal without effect that was
// only counted: its answer is the same with a reference number of zeros. The bytes are a view of x.
func (l *Line) Finish(x *Exchange) (answer []byte, shut bool) {
	answer, code, shut := l.finish(x)
	x.packed = len(answer)
	if l.Watch != nil {
		l.watch(x, code)
	}
	return answer, shut
}

// finish is Finish, and tells the code of the answer, zero without one.
func (l *Line) finish(x *Exchange) (answer []byte, code pos.ResponseCode, shut bool) {
	unrecorded := x.failed != pos.ResponseCode{}
	if x.shut || (!unrecorded && !x.suppressed && !x.receipt.MayAnswer()) {
		return nil, pos.ResponseCode{}, true
	}
	code = x.entry.DE39
	if unrecorded {
		code = x.failed
	} else if code == pos.Approved && x.undone() {
		code = reason.ReversedBeforeArrival.DE39()
	}
	if code == (pos.ResponseCode{}) {
		return nil, pos.ResponseCode{}, true
	}
	frame, err := l.render(x, code, unrecorded)
	if err != nil {
		return nil, pos.ResponseCode{}, true // an answer that cannot be packed is none; the entry stands
	}
	return frame, code, false
}

// undone tells whether a reversal overtook this approval.
func (x *Exchange) undone() bool {
	switch x.Request.Op {
	case transaction.Sale, transaction.Void, transaction.Refund:
		c, ok := transaction.ClassOf(x.Request.MTI)
		return ok && !x.line.Ledger.Standing(&x.Snapshot, x.Request.Terminal, transaction.KeyOf(x.Request.Batch, c, x.Request.STAN))
	}
	return false
}

// render packs the answer; docs/protocol/unionpay-pos.md 9A.14, elements in ascending order.
func (l *Line) render(x *Exchange, code pos.ResponseCode, bare bool) ([]byte, error) {
	b, m := x.builder, x.msg
	mti := m.MTI()
	b.Begin(x.answer[:], m.Envelope().Answer(requirement(code)), mti.Response())
	repeat := x.verdict.Repeat && !bare
	e := &x.entry
	date, clock := e.LocalDate, e.LocalTime
	if repeat {
		date, clock = x.Snapshot.Money.Prior.LocalDate, x.Snapshot.Money.Prior.LocalTime
	}
	if bare {
		date, clock = l.date(x.arrived), l.clock(x.arrived)
	}
	money := isMoney(mti)
	if money {
		b.Echo(m, 2)
		b.Echo(m, 3)
		b.Echo(m, 4)
	}
	b.Echo(m, 11)
	b.PutNumber(12, uint64(clock))
	b.PutNumber(13, uint64(date)%10000)
	if money || mti == 0x0500 {
		b.PutNumber(15, uint64(date)%10000)
	}
	if money {
		b.Echo(m, 25)
	}
	if mti != 0x0820 {
		b.PutDigits(32, []byte(l.Acquirer))
		if !bare {
			rrn := transaction.RRNOf(x.reference(repeat))
			b.PutText(37, rrn[:])
		}
	}
	x.renderOutcome(code, repeat, bare)
	return x.sealed(code, bare)
}

// renderOutcome packs elements 38 to 63.
func (x *Exchange) renderOutcome(code pos.ResponseCode, repeat, bare bool) {
	b, m, e, prior := x.builder, x.msg, &x.entry, &x.Snapshot.Money.Prior
	mti := m.MTI()
	approved := code == pos.Approved && !bare
	auth, available := e.AuthCode, e.Available
	if repeat {
		auth, available = prior.AuthCode, prior.Available
	}
	if approved && auth != (pos.AuthCode{}) {
		b.PutText(38, auth[:])
	}
	b.PutText(39, code[:])
	b.Echo(m, 41)
	b.Echo(m, 42)
	forIssuer := approved && isMoney(mti) && x.Request.Op != transaction.Reversal
	if forIssuer {
		b.PutText(44, institutions(x.line.Issuer, x.line.Acquirer))
	}
	if mti == 0x0500 && x.Request.HasTotals && e.SettleCode != 0 && !bare {
		x.renderTotals()
	}
	if isMoney(mti) || mti == 0x0500 {
		b.Echo(m, 49)
	}
	if approved && x.Request.Op == transaction.BalanceInquiry {
		x.renderBalance(available)
	}
	x.renderPrivate(approved)
}

func (x *Exchange) renderTotals() {
	s, err := x.msg.Settlement()
	if err != nil {
		return
	}
	s.Domestic.Result = x.entry.SettleCode
	s.Foreign.Result = iso8583.Balanced
	if s.Foreign.DebitCount != 0 || s.Foreign.CreditCount != 0 || s.Foreign.Debit != 0 || s.Foreign.Credit != 0 {
		s.Foreign.Result = iso8583.NotBalanced // no foreign card was sold: this host has none
	}
	var room [iso8583.SettlementDigits]byte
	if digits, err := iso8583.AppendSettlement(room[:0], s); err == nil {
		x.builder.PutDigits(48, digits)
	}
}

// renderBalance packs DE54: current account, available balance (10, 02 in public tables; unverified).
func (x *Exchange) renderBalance(available pos.Amount) {
	bal := iso8583.Balance{AccountType: [2]byte{'1', '0'}, AmountType: [2]byte{'0', '2'}, Currency: pos.CNY,
		Debit: available < 0, Amount: min(max(available, -available), pos.MaxAmount)}
	var room [20]byte
	if text, err := iso8583.AppendDE54(room[:0], bal); err == nil {
		x.builder.PutText(54, text)
	}
}

// nothingToDownload is DE62 of the answer to 372 and 382 (unverified: from public terminal code).
const nothingToDownload = "0"

func (x *Exchange) renderPrivate(approved bool) {
	b, m := x.builder, x.msg
	x.renderDE60(approved)
	switch {
	case approved && x.Request.Need == proof.SignIn:
		b.PutRaw(62, x.de62)
	case approved && x.Request.Need == proof.StatusQuery:
		b.PutRaw(62, []byte(nothingToDownload))
	case approved && isMoney(m.MTI()) && x.Request.Op != transaction.Reversal:
		b.PutText(63, []byte("CUP"))
	}
}

// renderDE60 echoes DE60; in the answer to a sign-in 60.2 is the batch now open (9A.8).
func (x *Exchange) renderDE60(approved bool) {
	de60, err := x.msg.DE60()
	if err != nil || x.Request.Need != proof.SignIn || !approved {
		x.builder.Echo(x.msg, 60)
		return
	}
	de60.Batch = x.Snapshot.Money.Batch
	var room [17]byte
	if digits, err := iso8583.AppendDE60(room[:0], de60); err == nil {
		x.builder.PutDigits(60, digits)
	}
}

// sealed adds DE64 exactly when the request's own MAC verified (9A.15), under the set that verified.
func (x *Exchange) sealed(code pos.ResponseCode, bare bool) ([]byte, error) {
	b := x.builder
	if !x.verdict.MACVerified || bare {
		return b.Frame()
	}
	b.ReserveMAC()
	mac, err := x.line.Sealer.Seal(x.Request.Terminal, x.claims.Sets[x.verdict.Set], x.claims.Algorithms[x.verdict.Set], b.MAB())
	if err != nil {
		return nil, err
	}
	b.SetMAC(mac)
	return b.Frame()
}

func (x *Exchange) reference(repeat bool) uint64 {
	if repeat {
		return x.Snapshot.Money.Prior.Seq
	}
	return x.receipt.Seq()
}

// isMoney: the answers 0110, 0210, 0230, 0410.
func isMoney(m pos.MTI) bool {
	switch m {
	case 0x0100, 0x0200, 0x0220, 0x0400:
		return true
	}
	return false
}

// requirement asks for a new sign-in after the codes that a sign-in cures (7, class table).
func requirement(code pos.ResponseCode) iso8583.Requirement {
	switch code {
	case pos.Code("77"), pos.Code("A0"), pos.Code("99"):
		return iso8583.SignInAgain
	}
	return iso8583.NoRequirement
}

// institutions is DE44: issuer 11 and acquirer 11 characters, filled with spaces.
func institutions(issuer, acquirer string) []byte {
	b := []byte("                      ")
	copy(b[:11], issuer)
	copy(b[11:], acquirer)
	return b
}
