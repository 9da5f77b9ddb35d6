package soft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
)

// The bounds of sealing.
const (
	// DefaultWorkFactor is the base-2 logarithm of scrypt's N: 256 MiB and about a second.
	DefaultWorkFactor = 18
	maxWorkFactor     = 20 // 1 GiB
	maxLockFile       = 64 << 10
)

// Errors of a lock. Their text never carries what was read.
var (
	// ErrLock is returned for a lock that is not usable: no file or two, a file others may read, empty
	// or too long, no identity in it, a work factor out of range.
	ErrLock = errors.New("keyring lock")
	// ErrWrongLock is returned when the keyring is not encrypted under this passphrase or identity.
	ErrWrongLock = errors.New("keyring does not open under this passphrase or identity")
)

// Lock says what opens the keyring: exactly one of the files.
type Lock struct {
	PassphraseFile string // one line end at its end is not part of the passphrase
	IdentityFile   string // age identities, X25519 or hybrid; the keyring is encrypted to all of them
	WorkFactor     int    // for a passphrase, when writing: 0 is DefaultWorkFactor
	Test           bool   // a test data directory: a lower WorkFactor and files that others may read
}

// identities reads what decrypts.
func (l Lock) identities() ([]age.Identity, error) {
	if (l.PassphraseFile == "") == (l.IdentityFile == "") {
		return nil, fmt.Errorf("%w: want one of passphrase file and identity file", ErrLock)
	}
	if l.IdentityFile != "" {
		b, err := l.read(l.IdentityFile)
		if err != nil {
			return nil, err
		}
		defer clear(b)
		list, err := age.ParseIdentities(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("%w: no age identity in the identity file", ErrLock)
		}
		return list, nil
	}
	phrase, err := l.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(phrase)
	id, err := age.NewScryptIdentity(string(phrase))
	if err != nil {
		return nil, fmt.Errorf("%w: empty passphrase", ErrLock)
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	return []age.Identity{id}, nil
}

// recipients reads what encrypts.
func (l Lock) recipients() ([]age.Recipient, error) {
	ids, err := l.identities()
	if err != nil {
		return nil, err
	}
	if l.PassphraseFile != "" {
		return l.scrypt()
	}
	var list []age.Recipient
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			list = append(list, id.Recipient())
		case *age.HybridIdentity:
			list = append(list, id.Recipient())
		default:
			return nil, fmt.Errorf("%w: an identity of another kind than X25519 and hybrid", ErrLock)
		}
	}
	return list, nil
}

func (l Lock) scrypt() ([]age.Recipient, error) {
	factor, least := l.WorkFactor, DefaultWorkFactor
	if factor == 0 {
		factor = DefaultWorkFactor
	}
	if l.Test {
		least = 1
	}
	if factor < least || factor > maxWorkFactor {
		return nil, fmt.Errorf("%w: work factor %d is not in %d to %d", ErrLock, factor, least, maxWorkFactor)
	}
	phrase, err := l.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(phrase)
	r, err := age.NewScryptRecipient(string(phrase))
	if err != nil {
		return nil, fmt.Errorf("%w: empty passphrase", ErrLock)
	}
	r.SetWorkFactor(factor)
	return []age.Recipient{r}, nil
}

func (l Lock) passphrase() ([]byte, error) {
	b, err := l.read(l.PassphraseFile)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: empty passphrase", ErrLock)
	}
	return b, nil
}

// read takes a small regular file that only its owner may touch.
func (l Lock) read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLock, err)
	}
	defer f.Close()
	stat, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrLock, err)
	case !stat.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrLock, path)
	case stat.Mode().Perm()&0o077 != 0 && !l.Test:
		return nil, fmt.Errorf("%w: others than its owner may use %s: want mode 0600 or 0400", ErrLock, path)
	case stat.Size() > maxLockFile:
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrLock, path, maxLockFile)
	}
	b := make([]byte, stat.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLock, err)
	}
	return b, nil
}
