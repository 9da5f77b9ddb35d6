package terminal

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/secret"
)

var (
	// ErrLocked is returned by every operation after a tamper.
	ErrLocked = errors.New("terminal locked: load new keys")
	// ErrTraces is returned when every trace of the batch has been used.
	ErrTraces = errors.New("trace: none left in this batch; settle")
	// ErrBatchFull is returned when the batch list is full.
	ErrBatchFull = errors.New("batch: full; settle")
	// ErrKept is returned when the list of reversals that could not be sent is full.
	ErrKept = errors.New("reversals: too many kept; report them and settle")
	// ErrOriginal is returned for a void or a reversal whose original is not in the open batch, or is undone already.
	ErrOriginal = errors.New("original: not in the open batch, or undone")
	// ErrCard is returned for card data that fit no message.
	ErrCard = errors.New("card: incomplete or malformed")
	// ErrAmount is returned for an amount of 0 or less, or over pos.MaxAmount.
	ErrAmount = errors.New("amount: out of range")
	// ErrClosed is returned by every operation after Close.
	ErrClosed = errors.New("terminal: closed")
)

// Terminal is one POS terminal. It is for one goroutine.
type Terminal struct {
	cfg       Config
	file      *file
	st        *state
	tmk       *paycrypto.Cipher
	serialKey *mac.Key     // nil for a terminal that has none
	checkKey  secret.Bytes // of check codes, 32 bytes; empty likewise
	keys      *session     // nil before the first sign-in
	former    *session     // the keys before those, only while a fault wants them
	keep      bool         // keep the former keys
	loggedIn  string       // whose password was proven since Open; "" nobody's
	signedOff bool         // a probe has signed off and kept the keys

	link    link
	builder iso8583.Builder
	out     []byte // the frame being sent
	answer  iso8583.Message
	asked   iso8583.Message                          // the frame being sent, as a view of out
	twist   twist                                    // how the message being built misbehaves
	habit   func(*Terminal, []byte) ([8]byte, error) // how every DE64 is made from a fault on that is a habit; nil: rightly
	heading heading                                  // the first two lines of the screen
}

// Open makes a terminal of a Config and its file. The terminal takes over the keys: Close wipes them.
// It fails with ErrConfig or ErrState. A terminal whose file says that it was tampered with opens
// locked, without keys, unless Config.KeyLoad is above the file's.
func Open(cfg Config) (*Terminal, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	f, st, err := openFile(cfg.StateDir, cfg.Terminal)
	if err != nil {
		return nil, err
	}
	t := &Terminal{
		cfg: cfg, file: f, st: st, builder: iso8583.NewBuilder(&iso8583.UnionPay),
		out: make([]byte, iso8583.LengthSize+iso8583.MaxFrame),
	}
	t.link = link{cfg: &t.cfg, in: make([]byte, iso8583.MaxFrame)}
	if err := t.load(); err != nil {
		t.wipeKeys()
		f.close()
		return nil, err
	}
	return t, nil
}

// load brings keys and file together.
func (t *Terminal) load() error {
	loaded := t.cfg.KeyLoad > t.st.KeyLoad
	if t.st.Tampered && !loaded {
		t.wipeKeys()
		t.showLocked()
		return nil
	}
	if err := t.expand(); err != nil {
		return err
	}
	if loaded { // working keys under a former master key are of no use
		t.st.KeyLoad, t.st.Tampered, t.st.Keys = t.cfg.KeyLoad, false, nil
		if err := t.save(); err != nil {
			return err
		}
	}
	if len(t.st.Keys) > 0 && t.st.Code == t.cfg.SignInCode {
		// Keys that do not open are as good as none: the next operation signs in.
		t.keys, _ = newSession(t.st.Code, t.cfg.MAC, t.tmk, t.st.Keys)
	}
	t.showIdle()
	return nil
}

// expand makes the ciphers of the master key and the serial-number key.
func (t *Terminal) expand() (err error) {
	t.cfg.TMK.Use(func(key []byte) { t.tmk, err = paycrypto.NewCipher(t.cfg.SignInCode.Algorithm(), key) })
	if err != nil {
		return fmt.Errorf("%w: master key: wrong length for the sign-in code", ErrConfig)
	}
	if t.cfg.SerialKey.Len() > 0 {
		t.cfg.SerialKey.Use(func(key []byte) {
			t.serialKey, err = mac.New(mac.UnionPayECBSM4, 0, key)
			made := paycrypto.CheckKey(key, string(t.cfg.Serial))
			t.checkKey = secret.Take(made[:])
		})
	}
	return err
}

// Close ends the connection, gives up the file and wipes all keys for every copy of them. The file
// stays; a card number sealed in it goes with the reversal that needs it.
func (t *Terminal) Close() error {
	if t.file == nil {
		return nil
	}
	t.link.close()
	t.wipeKeys()
	clear(t.out)
	clear(t.link.in)
	err := t.file.close()
	t.file = nil
	return err
}

// wipeKeys wipes every key in memory.
func (t *Terminal) wipeKeys() {
	t.cfg.TMK.Wipe()
	t.cfg.SerialKey.Wipe()
	t.cfg.FormerTMK.Wipe()
	t.tmk.Wipe()
	t.serialKey.Wipe()
	t.checkKey.Wipe()
	t.dropSession()
	t.former.wipe()
	t.former = nil
}

// dropSession forgets the working keys in memory.
func (t *Terminal) dropSession() {
	if t.keep {
		t.former.wipe()
		t.former = t.keys
	} else {
		t.keys.wipe()
	}
	t.keys = nil
}

// usable tells why no operation may run.
func (t *Terminal) usable() error {
	if err := t.intact(); err != nil {
		return err
	}
	return t.access()
}

// intact tells why the terminal does nothing at all.
func (t *Terminal) intact() error {
	if t.file == nil {
		return ErrClosed
	}
	if t.st.Tampered {
		t.showLocked()
		return ErrLocked
	}
	return nil
}

func (t *Terminal) save() error { return t.file.write(t.st) }

// Operator is the number that the sign-in carries.
func (t *Terminal) Operator() string { return t.cfg.Operator }

// Locked tells whether the terminal was tampered with and has no new keys.
func (t *Terminal) Locked() bool { return t.st.Tampered }

// SignedIn tells whether the terminal holds working keys.
func (t *Terminal) SignedIn() bool { return t.keys != nil }

// Batch is the open batch, 0 before the first sign-in.
func (t *Terminal) Batch() pos.BatchNo { return t.st.Batch }

// Trace is the trace used last.
func (t *Terminal) Trace() pos.STAN { return t.st.Trace }

// Entries are the approved transactions of the open batch, oldest first; a copy.
func (t *Terminal) Entries() []Entry { return slices.Clone(t.st.List) }

// OpenReversal is the trace of the original whose reversal has still to be sent; ok is false when there is none.
func (t *Terminal) OpenReversal() (trace pos.STAN, ok bool) {
	if t.st.Reversal == nil {
		return 0, false
	}
	return t.st.Reversal.Trace, true
}

// Kept are the traces of originals whose reversal was sent as often as it may be without success. They
// are for a person to report to the acquirer; a settlement forgets them.
func (t *Terminal) Kept() (traces []pos.STAN) {
	for _, r := range t.st.Kept {
		traces = append(traces, r.Trace)
	}
	return traces
}

// zone is the time zone of DE12 and DE13: Asia/Shanghai, which has no summer time; section 9A.14.
func zone() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// Clock is the terminal's clock as the last sign-in set it.
func (t *Terminal) Clock() time.Time {
	return t.cfg.Now().Add(time.Duration(t.st.ClockOffset) * time.Second).In(zone())
}

// nextTrace takes the next trace; the caller saves. A trace is used once in a batch.
func (t *Terminal) nextTrace() (pos.STAN, error) {
	if t.st.BatchTraces >= uint32(pos.MaxSTAN) {
		return 0, ErrTraces
	}
	t.st.BatchTraces++
	t.st.Trace++
	if t.st.Trace > pos.MaxSTAN {
		t.st.Trace = 1
	}
	return t.st.Trace, nil
}

// openBatch makes n the open batch. Another batch than before begins with an empty list.
func (t *Terminal) openBatch(n pos.BatchNo) {
	if n == 0 || n == t.st.Batch {
		return
	}
	t.st.Batch, t.st.BatchTraces, t.st.SettleTrace = n, 0, 0
	t.st.List = nil
}
