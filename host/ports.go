package host

import (
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
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
