package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"touchstone/paycrypto"
	"touchstone/pos"
)

// ErrState is returned when the terminal's file cannot be read or written, or is another terminal's.
// The terminal does not go on: a trace or a reversal that is not durable must not be used.
var ErrState = errors.New("terminal state")

// Bounds of the file.
const (
	stateVersion = 1
	maxStateSize = 1 << 20
	// maxBatch is the most transactions of a batch: the counts of DE48 have three digits.
	maxBatch = 999
	// maxKept is the most reversals that are kept after their last attempt.
	maxKept = 20
)

// state is what survives a restart. No clear key, track or PIN is in it.
type state struct {
	Version  int            `json:"version"`
	Terminal pos.TerminalID `json:"terminal_id"`
	KeyLoad  uint32         `json:"key_load"`
	Tampered bool           `json:"tampered"`

	Trace       pos.STAN    `json:"trace"`        // last used
	Batch       pos.BatchNo `json:"batch"`        // open at the host, 0 before the first sign-in
	BatchTraces uint32      `json:"batch_traces"` // used in this batch
	SettleTrace pos.STAN    `json:"settle_trace"` // of a settlement not answered yet; its repeat has the same

	Code        paycrypto.SignInCode `json:"sign_in_code"`
	Keys        []byte               `json:"working_keys,omitempty"` // DE62 as it came, wrapped under the TMK
	SignInAgain bool                 `json:"sign_in_again"`
	ClockOffset int64                `json:"clock_offset_seconds"` // host clock minus ours at the last sign-in

	Reversal *reversal  `json:"reversal,omitempty"`
	Kept     []reversal `json:"kept,omitempty"`
	List     []Entry    `json:"list,omitempty"`

	Application *Application     `json:"application,omitempty"` // installed since the terminal was made
	Users       map[string]*user `json:"users,omitempty"`       // passwords, hashed
}

// Kind is what an Entry of the batch list is.
type Kind string

// The kinds.
const (
	KindSale   Kind = "sale"
	KindVoid   Kind = "void"
	KindRefund Kind = "refund"
)

// Entry is one approved transaction of the open batch.
type Entry struct {
	Kind     Kind             `json:"kind"`
	Trace    pos.STAN         `json:"trace"`
	Amount   pos.Amount       `json:"amount"`
	RRN      string           `json:"rrn"`       // DE37
	AuthCode string           `json:"auth_code"` // DE38
	Card     pos.TruncatedPAN `json:"card"`
	Date     uint16           `json:"date"`               // DE13 of the answer, MMDD as a number
	Voided   bool             `json:"voided,omitempty"`   // of a sale
	Original pos.STAN         `json:"original,omitempty"` // of a void: the sale's trace
}

// reversal is what a 0400 needs, stored before its original is sent.
type reversal struct {
	Kind       Kind                `json:"kind"`
	Trace      pos.STAN            `json:"trace"`
	Batch      pos.BatchNo         `json:"batch"`
	Processing pos.ProcessingCode  `json:"processing"`
	Amount     pos.Amount          `json:"amount"`
	Entry      uint16              `json:"entry_mode"` // DE22
	Code       pos.TransactionCode `json:"code"`
	Original   pos.STAN            `json:"original,omitempty"` // of a void: its DE61 trace
	Reason     string              `json:"reason"`             // DE39 of the 0400
	Tries      int                 `json:"tries"`
	Listed     bool                `json:"listed,omitempty"`     // the original was approved and is in the list
	SealedPAN  []byte              `json:"sealed_pan,omitempty"` // DE2, if the original had it
}

// file is the terminal's state file and its lock.
type file struct {
	path string
	lock *os.File
}

// openFile locks and reads the state of a terminal; the zero state when there is none yet.
func openFile(dir string, id pos.TerminalID) (*file, *state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("%w: make directory: %w", ErrState, err)
	}
	f := &file{path: filepath.Join(dir, stateName(id))}
	lock, err := lockFile(f.path + ".lock")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: lock: %w", ErrState, err)
	}
	f.lock = lock
	st, err := f.read(id)
	if err == nil {
		err = f.bootApplication(st.Application)
	}
	if err != nil {
		f.close()
		return nil, nil, err
	}
	return f, st, nil
}

// stateName is the file's name: the identifier where it is plain, its hexadecimal form where it is not.
func stateName(id pos.TerminalID) string {
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return fmt.Sprintf("terminal-x%x.json", id[:])
		}
	}
	return "terminal-" + id.String() + ".json"
}

func (f *file) read(id pos.TerminalID) (*state, error) {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{Version: stateVersion, Terminal: id}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read: %w", ErrState, err)
	}
	return parseState(raw, id)
}

// parseState refuses what this terminal cannot have written.
func parseState(raw []byte, id pos.TerminalID) (*state, error) {
	st := new(state)
	if len(raw) > maxStateSize || json.Unmarshal(raw, st) != nil {
		return nil, fmt.Errorf("%w: parse: not a state file", ErrState)
	}
	switch {
	case st.Version != stateVersion:
		return nil, fmt.Errorf("%w: parse: version %d where %d is known", ErrState, st.Version, stateVersion)
	case st.Terminal != id:
		return nil, fmt.Errorf("%w: parse: of another terminal", ErrState)
	case st.Trace > pos.MaxSTAN, st.Batch > 999999, len(st.List) > maxBatch, len(st.Kept) > maxKept, len(st.Users) > maxUsers:
		return nil, fmt.Errorf("%w: parse: a number out of range", ErrState)
	}
	for _, u := range st.Users {
		if u == nil || len(u.Former) >= mostFormer {
			return nil, fmt.Errorf("%w: parse: a user without a password", ErrState)
		}
	}
	return st, nil
}

// write replaces the file: temporary file, sync, rename, sync of the directory.
func (f *file) write(st *state) error {
	raw, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("%w: encode: %w", ErrState, err)
	}
	if err := f.replace(raw); err != nil {
		return fmt.Errorf("%w: write: %w", ErrState, err)
	}
	return nil
}

func (f *file) replace(raw []byte) error {
	temp := f.path + ".new"
	w, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	if err == nil {
		err = w.Sync()
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp, f.path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func (f *file) close() error {
	if f.lock == nil {
		return nil
	}
	lock := f.lock
	f.lock = nil
	return lock.Close()
}
