package terminal

import (
	"context"
	"fmt"
)

// TamperReport is what the terminal does when a sensor trips: it builds its report, wipes the master
// key, the serial-number key and the working keys from memory and from its file, locks, and only then
// sends the report, once, whatever becomes of it. sensor is 0 to 99.
//
// The report is 0820 with 60.3 = 362: DE11, 41, 42, 60, DE59 A2 when there is a serial-number key, with
// the six digits of DE11 as its factor, DE62 "TAMPER" and two digits of sensor, and DE64 when there are
// working keys. This message is unverified; it is our own extension of the status upload, and the
// acquirer's word would verify another.
func (t *Terminal) TamperReport(ctx context.Context, sensor int) (Result, error) {
	if err := t.intact(); err != nil {
		return Result{}, err
	}
	if sensor < 0 || sensor > 99 {
		return Result{}, fmt.Errorf("tamper report: sensor is not 0 to 99")
	}
	r := &request{operation: "tamper", mti: manageMTI, network: statusCode, batch: t.st.Batch, de62: fmt.Appendf(nil, "TAMPER%02d", sensor)}
	trace, err := t.nextTrace()
	if err != nil { // a terminal that cannot number its report still locks
		return Result{}, t.lock(err)
	}
	r.trace, r.factor = trace, trace.String()
	r.serial, r.maced = t.serialKey != nil, t.keys != nil
	frame, err := t.build(r)
	if err := t.lock(err); err != nil {
		return Result{}, err
	}
	res := t.talk(ctx, r, t.cfg.From, frame)
	clear(frame)
	t.finish(&res)
	return res, nil
}

// lock wipes all keys and makes the tampered state durable. It returns the failure it was given, or its own.
func (t *Terminal) lock(failure error) error {
	t.keep = false
	t.wipeKeys()
	t.st.Tampered, t.st.Keys, t.st.Code = true, nil, 0
	if r := t.st.Reversal; r != nil {
		r.SealedPAN = nil // the key it was sealed under is gone
	}
	if err := t.save(); err != nil && failure == nil {
		failure = err
	}
	t.showLocked()
	return failure
}
