package host

import (
	"errors"

	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/transaction"
)

// Prover is one staged call to the security module: MAC, then serial number, then sealed track; it
// stops at the first failure and never sees a PIN. It writes Evidence and may fill c.PAN. It always
// computes a MAC, under a dummy key for an unknown terminal. It does not allocate and, in software,
// does not block.
type Prover interface {
	Prove(c *proof.Claims, e *proof.Evidence)
}

// Sealer computes DE64 of an answer: 8 upper-case hexadecimal ASCII characters over mab.
type Sealer interface {
	Seal(terminal pos.TerminalID, set *keys.Set, algorithm mac.Algorithm, mab []byte) ([8]byte, error)
}

// PANHasher makes the keyed hashes of the journal inside the module.
type PANHasher interface {
	HashPAN(p pos.PAN) (pos.PANHash, error)
	// Fingerprint is the first 16 bytes of HMAC-SHA-256 over a request from MTI to DE64.
	Fingerprint(request []byte) ([16]byte, error)
}

// Ledger keeps the hot state. Implemented by package ledger.
type Ledger interface {
	// Gather copies what is known of the terminal that r names.
	Gather(r *proof.Request, now pos.Instant, s *proof.Snapshot) error
	// Recall adds the record that Gather only announced (Money.Missing). It may wait for a disk, so it is
	// asked only after the MAC verified.
	Recall(r *proof.Request, s *proof.Snapshot) error
	// CardView is what must be known of a card before its PIN is verified.
	CardView(h pos.PANHash) proof.CardView
	// Commit locks what x touches, has x conclude, and enqueues the entry; x is told when it is durable.
	// ErrConflict: nothing happened, gather again.
	Commit(x *Exchange) error
	// Standing tells whether an approval of key k, gathered as s, that has become durable has not been
	// reversed meanwhile.
	Standing(s *proof.Snapshot, id pos.TerminalID, k transaction.Key) bool
}

// Versions keeps what applications are released, and is told which of them devices run.
type Versions interface {
	// Released is what every device of a model may present beside what it was registered with.
	Released() registry.Released
	// Presented is called with each version that came under a right MAC with a right serial number, whatever
	// became of the message: a terminal that may do nothing until it is upgraded is heard when it was. It must
	// neither block nor keep app.
	Presented(d *registry.Device, app []byte, at pos.Instant)
}

// ErrConflict is returned by a Ledger when the terminal changed since it was gathered.
var ErrConflict = errors.New("ledger: the terminal changed since it was read")

// View is what the ledger lends to a conclusion, under its locks. Nil is unknown.
type View struct {
	Terminal *transaction.Terminal
	Original *transaction.Record // what a void, refund or reversal names
	Sale     *transaction.Record // the sale that Original, a void, undid
	Card     *issuer.Card        // CardOf the view
}
