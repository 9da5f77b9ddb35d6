package main

import (
	"encoding/hex"
	"errors"
	"fmt"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
)

// judgeQuery asks a host what it would say of a message now. Frame is TPDU, header and message.
type judgeQuery struct {
	Frame []byte `json:"frame"`
}

// judgeAnswer is what it would say.
type judgeAnswer struct {
	Terminal string        `json:"terminal"`
	DE39     string        `json:"de39"`
	Reason   string        `json:"reason"`
	Repeat   bool          `json:"repeat,omitempty"`
	Partly   bool          `json:"partly,omitempty"` // all proofs hold; what comes after them was not asked
	Checks   []proof.Shown `json:"checks"`
}

// errJudge refuses the question where keys are real.
var errJudge = errors.New("only a test data directory says what it would answer: asked again and again it would tell which MAC is right")

// judge answers without any effect.
func (e *engine) judge(q *judgeQuery) (judgeAnswer, error) {
	if !e.test {
		return judgeAnswer{}, errJudge
	}
	o, err := e.line.Would(q.Frame, e.asRegistered(q.Frame))
	if err != nil {
		return judgeAnswer{}, fmt.Errorf("judge a message: %w", err)
	}
	x := &o.Entry
	return judgeAnswer{printableID(x.Terminal[:]), x.DE39.String(), x.Reason.String(), o.Verdict.Repeat, o.Partly, proof.Show(x)}, nil
}

// asRegistered is a peer from which the terminal of a frame may come: what a message does not say of its connection is
// taken as the register has it.
func (e *engine) asRegistered(frame []byte) host.Peer {
	peer := host.Peer{Address: must(addressOf("127.0.0.1"))}
	var m iso8583.Message
	_ = iso8583.UnionPay.Salvage(&m, frame) // what cannot be read names no terminal
	id, err := pos.ParseTerminalID(m.Raw(41))
	if err != nil {
		return peer
	}
	t, err := e.ledger.Terminal(id)
	if err != nil {
		return peer
	}
	networks := t.Networks
	if len(networks) == 0 {
		if shop, err := e.ledger.Merchant(t.Merchant); err == nil {
			networks = shop.Networks
		}
	}
	if len(networks) > 0 {
		peer.Address = networks[0].Base
	}
	if d, err := e.ledger.Device(t.Serial); err == nil && d.Certificate != "" {
		if b, err := hex.DecodeString(d.Certificate); err == nil && len(b) == len(peer.Certificate) {
			peer.Secure, peer.Certificate = true, [32]byte(b)
		}
	}
	return peer
}
