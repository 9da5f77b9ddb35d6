package soft_test

import (
	"encoding/binary"
	"testing"

	"touchstone/diagnosis"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/reason"
)

// FuzzDiagnose: whatever the frame, and whatever a case says of where its elements lie, an experiment ends within its
// bounds, and a certainty has what it must have. in is the number of a profile, of a reason, and the frame.
func FuzzDiagnose(f *testing.F) {
	fleets := map[byte]*fleet{}
	for n, p := range profiles {
		fleets[byte(n)] = newFleet(f, p, uint64(n), 1)
		for _, r := range []reason.Reason{reason.MACFailed, reason.SerialProofFailed, reason.PINFormat, reason.TrackDecryptFailed} {
			f.Add(append([]byte{byte(n), byte(r)}, fleets[byte(n)].frame(f, fleets[byte(n)].sale())...))
		}
	}
	f.Add([]byte{1, byte(reason.MACFailed), 0x60})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 2 {
			return
		}
		own := fleets[in[0]%byte(len(fleets))]
		why, frame := reason.Reason(in[1]), in[2:]
		c := &diagnosis.Case{}
		if _, err := soft.CaseOf(&iso8583.UnionPay, frame); err == nil {
			c = own.caseOf(t, frame, why)
		} else {
			c = wild(own, frame, why)
		}
		got := own.Diagnose(c)
		if got.Tried > diagnosis.MaxExplanations+diagnosis.MaxAlterations+1 || got.Fit > got.Tried {
			t.Fatalf("%d tried, %d fit", got.Tried, got.Fit)
		}
		if got.Certainty == journal.Proven && got.OneIn < 1_000_000 && got.With == 0 {
			t.Fatalf("proven at one in %d", got.OneIn)
		}
		if err := got.Record(1, own.own.id, reason.MACFailed).Check(); err != nil {
			t.Fatalf("%v: %+v", err, got)
		}
		if c.PIN != nil && c.PIN.Block != [16]byte{} {
			t.Fatal("the PIN block is still there")
		}
	})
}

// wild is a case that makes of a frame's bytes what it likes.
func wild(f *fleet, frame []byte, why reason.Reason) *diagnosis.Case {
	c := &diagnosis.Case{Verdict: 1, Reason: why, Terminal: f.own.id, Code: f.own.code, Algorithm: f.own.mac, Masters: f.own.masters, Frame: frame, HasMAC: true}
	at := func(i int) int {
		if 2*i+2 > len(frame) {
			return 0
		}
		return int(int16(binary.BigEndian.Uint16(frame[2*i:])))
	}
	c.Message, c.End = at(0)%64, at(1)
	for i := 2; i < 20; i += 5 {
		c.Spans = append(c.Spans, diagnosis.Span{Number: uint8(at(i)), Kind: diagnosis.Kind(at(i) % 5), Prefix: at(i + 1), From: at(i + 2), To: at(i + 3), Count: at(i + 4)})
	}
	c.Copies = []diagnosis.Copy{{Number: 4, Of: 55, Digits: frame[:min(12, len(frame))]}, {Number: 2, Tail: true, Digits: frame[:min(6, len(frame))]}}
	c.Track = diagnosis.Track{From: at(3), To: at(4), Digits: at(5)}
	copy(c.DE64[:], frame)
	copy(c.Presented.Cipher[:], frame)
	copy(c.Presented.Factor[:], "123456")
	c.Presented.Serial = f.own.serial
	inForce := f.own.candidate(diagnosis.OwnInForce, f.own.now)
	c.Keys = []diagnosis.Candidate{inForce, f.own.candidate(diagnosis.OwnFormer, f.own.former[0])}
	c.Serials = []diagnosis.Candidate{{Source: diagnosis.SerialDevice, Serial: f.own.serial, Key: f.own.wrapped}}
	return c
}
