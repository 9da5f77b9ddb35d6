package terminal

import (
	"errors"
	"fmt"

	"touchstone/iso8583"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// Bare is a terminal without a file, a screen or a connection: it packs messages and takes keys, and
// whoever has it carries the bytes. A load generator has ten thousand of them. It remembers nothing
// beyond the process, so its sales are never reversed and a new run needs a new batch. It is for one
// goroutine.
type Bare struct{ t Terminal }

// ErrAnswer is returned for bytes that are not the answer they should be.
var ErrAnswer = errors.New("not the answer to what was sent")

// noFile stands for the state directory, which Bare does not use.
const noFile = "none"

// NewBare makes a terminal of a Config, whose Host and StateDir may be empty. It fails with ErrConfig.
func NewBare(cfg Config) (*Bare, error) {
	cfg.StateDir = noFile
	if cfg.Host == "" {
		cfg.Host = noFile
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	b := &Bare{Terminal{cfg: cfg, st: &state{Terminal: cfg.Terminal}, builder: iso8583.NewBuilder(&iso8583.UnionPay)}}
	if err := b.t.expand(); err != nil {
		return nil, err
	}
	return b, nil
}

// SignIn packs a sign-in (0800) into buf, which has room for LEN and iso8583.MaxFrame, and returns the
// frame, LEN included.
func (b *Bare) SignIn(buf []byte) ([]byte, error) {
	t := &b.t
	return b.pack(buf, &request{operation: "sign-in", mti: signInMTI, network: pos.NetworkCode(t.cfg.SignInCode), batch: t.st.Batch,
		de62: t.sequence(), de63: []byte(t.cfg.Operator)})
}

// Settle packs a settlement (0500) with the totals of no sale, which closes the batch whatever it holds.
func (b *Bare) Settle(buf []byte) ([]byte, error) {
	t := &b.t
	return b.pack(buf, &request{operation: "settle", mti: settlementMTI, network: settleCode, batch: t.st.Batch,
		settlement: &iso8583.Settlement{}, de63: []byte(t.cfg.Operator)})
}

// Sale packs a sale (0200), authenticated and with the serial-number authentication, as Terminal.Sale
// does. It needs the keys of a sign-in.
func (b *Bare) Sale(buf []byte, card Card, amount pos.Amount) ([]byte, error) {
	switch {
	case b.t.keys == nil:
		return nil, fmt.Errorf("%w: no sign-in", ErrAnswer)
	case amount <= 0 || amount > pos.MaxAmount:
		return nil, ErrAmount
	}
	return b.pack(buf, b.t.sale(card, amount))
}

// pack builds a message under trace 1 of a batch that nothing was sent in, or the next one.
func (b *Bare) pack(buf []byte, r *request) (frame []byte, err error) {
	t := &b.t
	if r.trace, err = t.nextTrace(); err != nil {
		return nil, err
	}
	if r.financial {
		r.batch = t.st.Batch
	}
	t.out = buf
	defer func() { t.out = nil }()
	return t.build(r)
}

// TakeSignIn takes the working keys and the batch of the answer to a sign-in, LEN left out, and returns
// DE39; keys are taken only with 00. It fails with ErrAnswer, or when the keys do not open.
func (b *Bare) TakeSignIn(answer []byte) (pos.ResponseCode, error) {
	code, err := b.take(answer, signInMTI)
	if err != nil || code != pos.Approved {
		return code, err
	}
	var res Result
	b.t.st.Batch = 0 // the host's batch is taken whatever was there
	if b.t.takeKeys(&res); res.Outcome == KeyCheckError {
		return code, fmt.Errorf("%w: the working keys do not open", ErrAnswer)
	}
	return code, nil
}

// TakeSettlement returns DE39 of the answer to a settlement. The batch that is open now comes with the
// next sign-in.
func (b *Bare) TakeSettlement(answer []byte) (pos.ResponseCode, error) {
	return b.take(answer, settlementMTI)
}

func (b *Bare) take(answer []byte, to pos.MTI) (code pos.ResponseCode, err error) {
	m := &b.t.answer
	if err := iso8583.UnionPay.Parse(m, answer); err != nil {
		return code, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if m.MTI() != to.Response() || !m.Has(39) || string(m.Raw(41)) != b.t.cfg.Terminal.String() {
		return code, ErrAnswer
	}
	copy(code[:], m.Text(39))
	return code, nil
}

// MAK is the key of the MAC in DE64, nil before a sign-in. It stays valid until the next one.
func (b *Bare) MAK() *mac.Key {
	if b.t.keys == nil {
		return nil
	}
	return b.t.keys.mak
}

// Batch is the open batch, 0 before a sign-in.
func (b *Bare) Batch() pos.BatchNo { return b.t.st.Batch }

// Wipe wipes every key. The Config's keys are wiped for every copy of them.
func (b *Bare) Wipe() { b.t.wipeKeys() }
