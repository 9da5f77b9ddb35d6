package main

import (
	"touchstone/diagnosis"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
)

// caseFacts is what a frame does not say of itself. The zero value of a field is not known.
type caseFacts struct {
	verdict uint64
	at      pos.Instant // of the decision; a PIN block may be examined for diagnosis.PINLifetime after it
	reason  reason.Reason
	profile registry.MACProfile // of the terminal
	code    pos.NetworkCode     // of the terminal's sign-in in force
	device  pos.Serial          // bound to the terminal
	masters []keys.Wrapped      // of the terminal, the one in force first
	keys    []diagnosis.Candidate
	serials []diagnosis.Candidate
}

// caseFromFrame makes the case of a refused message: frame is TPDU, header and message, as received, without LEN, and is
// copied. Errors are those of iso8583.Dialect.Parse. The caller wipes the case when the experiment is over.
func caseFromFrame(frame []byte, f caseFacts) (*diagnosis.Case, error) {
	c, err := soft.CaseOf(&iso8583.UnionPay, frame)
	if err != nil {
		return nil, err
	}
	c.Verdict, c.At, c.Reason = f.verdict, f.at, f.reason
	c.Code, c.Algorithm = f.code, proof.AlgorithmOf(f.profile, f.code)
	c.Device, c.Masters = f.device, f.masters
	c.Keys, c.Serials = f.keys, f.serials
	if c.PIN != nil {
		c.PIN.Until = f.at.Add(diagnosis.PINLifetime)
	}
	return c, nil
}
