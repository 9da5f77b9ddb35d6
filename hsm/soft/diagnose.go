package soft

import (
	"runtime"
	"time"

	"touchstone/diagnosis"
	"touchstone/iso8583"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/reason"
)

// Diagnose makes the experiments that diagnosis plans for a refused message, inside the module, and gives what they mean. No key,
// PIN or code leaves it. It takes up to some milliseconds and is for the time after the answer.
//
// Keys that are tried are opened for the experiment alone and wiped after it; they never enter the cache, where they would
// drive out the keys of the line. Gates are held for a fraction of a millisecond at a time, so that Wipe does not wait for
// it: where the module was sealed, or its keyring changed, meanwhile, the experiment ends as not tried.
//
// A PIN block is examined only until c.PIN.Until by the module's clock, for being well-formed and nothing else, and is wiped
// in every case. It may be called by many goroutines, each with a Case of its own.
func (m *Module) Diagnose(c *diagnosis.Case) diagnosis.Finding {
	start := time.Now()
	if c.PIN != nil {
		defer clear(c.PIN.Block[:])
	}
	if !sane(c) {
		return diagnosis.NotTried("case")
	}
	x := &experiment{m: m, c: c, at: c.Terminal[len(c.Terminal)-1], sets: map[int]*opened{}, codes: map[int][16]byte{}}
	defer x.wipe()
	f := x.run()
	if x.lost {
		f = diagnosis.NotTried("sealed")
	}
	f.TookUS = uint32(min(time.Since(start).Microseconds(), 1<<32-1))
	return f
}

// maxCopies bounds Case.Copies.
const maxCopies = 16

// sane tells whether a case keeps the bounds that its offsets promise.
func sane(c *diagnosis.Case) bool {
	const head = 2 + 8 // message type and bitmap
	if len(c.Frame) > diagnosis.MaxFrame || len(c.Keys) > diagnosis.MaxCandidates || len(c.Spans) > iso8583.MaxElement+2 || len(c.Copies) > maxCopies {
		return false
	}
	if c.Message < 0 || c.Message > len(c.Frame) || c.End < c.Message+head || c.End > len(c.Frame) {
		return false
	}
	for _, s := range c.Spans {
		if s.Prefix < c.Message || s.From < s.Prefix || s.To < s.From || s.To > c.End || s.Count < 0 || s.Count > 2*(s.To-s.From) {
			return false
		}
	}
	t := c.Track
	return t.From >= 0 && t.To >= t.From && t.To <= len(c.Frame) && t.Digits >= 0 && t.Digits <= 2*(t.To-t.From)
}

// experiment is one run of Diagnose.
type experiment struct {
	m    *Module
	c    *diagnosis.Case
	at   byte
	live *live // the open module that the experiment began with
	lost bool  // it is open no more
	sets map[int]*opened
	// codes are the right codes over the right bytes, by index of Case.Keys.
	codes map[int][16]byte
	room  [diagnosis.MaxFrame + 16]byte // covered bytes
}

func (x *experiment) wipe() {
	for _, o := range x.sets {
		o.wipe()
	}
	clear(x.codes)
	clear(x.room[:])
}

// step runs f under a gate if the module is still the one the experiment began with. Each step is short.
func (x *experiment) step(f func(s *live)) bool {
	if x.lost {
		return false
	}
	runtime.Gosched() // messages go first
	s, leave := x.m.enter(x.at)
	if s == nil {
		x.lost = true
		return false
	}
	defer leave.RUnlock()
	if x.live == nil {
		x.live = s
	}
	if x.live != s {
		x.lost = true
		return false
	}
	f(s)
	return true
}

func (x *experiment) run() diagnosis.Finding {
	digest, err := x.m.Fingerprint(x.c.Frame[min(x.c.Message, len(x.c.Frame)):])
	if err != nil {
		return diagnosis.NotTried("sealed")
	}
	switch x.c.Reason {
	case reason.MACFailed, reason.KeyAlgorithmMismatch:
		return x.mac(digest)
	case reason.SerialProofFailed:
		return x.serial(digest)
	case reason.SerialFactorMismatch:
		return x.c.ConcludeFactor(digest)
	case reason.PINFormat:
		return x.pin(digest)
	case reason.TrackDecryptFailed, reason.TrackPANMismatch:
		return x.track(digest)
	}
	return diagnosis.NotTried("reason")
}

// opened is a working key set in clear: PIK, MAK and TDK as they lie in the record, and DE62 under the terminal's
// master key where that is at hand. wiped after use.
type opened struct {
	cipher keys.Cipher
	plain  [setBytes]byte
	code   pos.NetworkCode
	de62   []byte
}

func (o *opened) wipe() {
	if o != nil {
		clear(o.plain[:])
	}
}

func (o *opened) size() int { return sizeOf(keys.TerminalMaster, o.cipher) }
func (o *opened) pik() []byte {
	return o.plain[:o.size()]
}
func (o *opened) tdk() []byte { return o.plain[32 : 32+o.size()] }

// mak is the MAK at its length, and whether it is a long one.
func (o *opened) mak() (key []byte, long bool) {
	if long = !zero(o.plain[24:32]); long {
		return o.plain[16:32], true
	}
	return o.plain[16:24], false
}

// open is the set of a candidate, nil when it does not open. It is kept for the experiment.
func (x *experiment) open(s *live, i int) *opened {
	if o, known := x.sets[i]; known {
		return o
	}
	k := &x.c.Keys[i]
	c, plain, err := s.unwrap(k.Set.Wrapped[:], keys.OfTerminal(k.Terminal[:]), keys.WorkingSet)
	var o *opened
	if err == nil && fits(c, k.Set.Code) {
		o = &opened{cipher: c, code: k.Set.Code}
		copy(o.plain[:], plain)
	}
	clear(plain)
	x.sets[i] = o
	return o
}

// master is a master key of the terminal, expanded; the caller wipes it. Nil when it does not open or is of another cipher.
func (x *experiment) master(s *live, i int, c keys.Cipher) (tmk *paycrypto.Cipher, clearKey []byte) {
	if i >= len(x.c.Masters) {
		return nil, nil
	}
	is, key, err := s.unwrap(x.c.Masters[i], keys.OfTerminal(x.c.Terminal[:]), keys.TerminalMaster)
	if err != nil {
		return nil, nil
	}
	if is != c {
		clear(key)
		return nil, nil
	}
	tmk, err = paycrypto.NewCipher(algorithmOf(c), key)
	if err != nil {
		clear(key)
		return nil, nil
	}
	return tmk, key
}
