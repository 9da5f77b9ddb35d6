package keys

import (
	"context"
	"errors"

	"touchstone/pos"
	"touchstone/secret"
)

// Errors of a module. Their text is the evidence.
var (
	ErrSealed      = errors.New("security module is sealed")
	ErrUnavailable = errors.New("security module did not answer")
	ErrUsage       = errors.New("key is not for this use")
	ErrOwner       = errors.New("key does not open: wrong owner, altered record or another master key")
	ErrComponents  = errors.New("key components: wrong number, length, or all alike")
)

// Module makes keys. Implemented by hsm/soft.
type Module interface {
	// Form combines components by XOR into a key that never leaves: at least one component, each of
	// the cipher's key length. kcv is the first 4 bytes of the zero block under the key, upper-case hex.
	Form(ctx context.Context, owner Owner, usage Usage, cipher Cipher, components []secret.Bytes) (w Wrapped, kcv string, err error)
	// IssueSet draws working keys for a sign-in code: de62 is their layout of section 3.2 under the
	// terminal's master key, set the same keys under the module's own. longMAK asks for a 16-byte MAK (9A.20).
	IssueSet(ctx context.Context, terminal pos.TerminalID, master Wrapped, code pos.NetworkCode, longMAK bool) (set [SetSize]byte, de62 []byte, err error)
}
