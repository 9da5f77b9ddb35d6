package soft

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"touchstone/secret"
)

// The bounds of a keyring.
const (
	ringMagic   = "TSKR\x01" // the last byte is the version
	keyBytes    = 32
	ringHead    = len(ringMagic) + 4 + 3*keyBytes + 4
	termBytes   = 4 + keyBytes
	maxTerms    = 4096
	maxRingFile = 1 << 20
)

// Errors of the keyring file.
var (
	// ErrKeyring is returned for a file that is damaged, not a keyring, or not the keyring expected.
	ErrKeyring = errors.New("keyring: damaged or not a keyring")
	// ErrExists is returned by Create for a path where something is: a keyring is never overwritten.
	ErrExists = errors.New("keyring: the file exists and is not overwritten")
)

// keyring is the file's content, alive only while it is read or written. keys is the card-hash, PIN
// and dummy key and then the master keys in the order of terms, all of them behind a func so that
// nothing prints them.
type keyring struct {
	current uint32
	terms   []uint32 // ascending, at least one, current among them
	keys    secret.Bytes
}

func (r *keyring) wipe() { r.keys.Wipe() }

// Create draws a keyring from random, crypto/rand when nil, and writes it to path with mode 0600. An
// existing file is ErrExists; other errors are ErrLock and those of random and the file system.
func Create(path string, lock Lock, random io.Reader) error {
	if random == nil {
		random = rand.Reader
	}
	if _, err := os.Lstat(path); err == nil {
		return ErrExists
	}
	var drawn, ordered [4 * keyBytes]byte
	defer clear(drawn[:])
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return fmt.Errorf("draw a keyring: %w", err)
	}
	n := copy(ordered[:], drawn[keyBytes:])
	copy(ordered[n:], drawn[:keyBytes])
	r := &keyring{1, []uint32{1}, secret.Take(ordered[:])}
	defer r.wipe()
	_, err := writeKeyring(path, lock, r, false)
	return err
}

// add draws the master key of the next term and makes it the current one.
func (r *keyring) add(random io.Reader) error {
	last := r.terms[len(r.terms)-1]
	if len(r.terms) >= maxTerms || last+1 == 0 {
		return fmt.Errorf("%w: no room for another term", ErrKeyring)
	}
	var longer []byte
	r.keys.Use(func(b []byte) {
		longer = make([]byte, len(b)+keyBytes)
		copy(longer, b)
	})
	if _, err := io.ReadFull(random, longer[len(longer)-keyBytes:]); err != nil {
		clear(longer)
		return fmt.Errorf("draw a master key: %w", err)
	}
	r.keys.Wipe()
	r.keys = secret.Take(longer)
	r.current, r.terms = last+1, append(r.terms, last+1)
	return nil
}

// encode writes the layout of doc.go.
func (r *keyring) encode() []byte {
	b := make([]byte, 0, ringHead+len(r.terms)*termBytes)
	b = append(b, ringMagic...)
	b = binary.BigEndian.AppendUint32(b, r.current)
	r.keys.Use(func(k []byte) {
		b = append(b, k[:3*keyBytes]...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(r.terms)))
		for i, term := range r.terms {
			b = binary.BigEndian.AppendUint32(b, term)
			b = append(b, k[(3+i)*keyBytes:][:keyBytes]...)
		}
	})
	return b
}

// parseKeyring reads what encode wrote. It fails with ErrKeyring.
func parseKeyring(b []byte) (*keyring, error) {
	if len(b) < ringHead || string(b[:len(ringMagic)]) != ringMagic {
		return nil, ErrKeyring
	}
	at := len(ringMagic)
	r := &keyring{current: binary.BigEndian.Uint32(b[at:])}
	count := binary.BigEndian.Uint32(b[ringHead-4:])
	if count < 1 || count > maxTerms || len(b) != ringHead+int(count)*termBytes {
		return nil, ErrKeyring
	}
	all := append(make([]byte, 0, (3+int(count))*keyBytes), b[at+4:ringHead-4]...)
	last := uint32(0)
	for rest := b[ringHead:]; len(rest) > 0; rest = rest[termBytes:] {
		term := binary.BigEndian.Uint32(rest)
		if term <= last {
			clear(all)
			return nil, ErrKeyring
		}
		last = term
		r.terms = append(r.terms, term)
		all = append(all, rest[4:termBytes]...)
	}
	if !slices.Contains(r.terms, r.current) {
		clear(all)
		return nil, ErrKeyring
	}
	r.keys = secret.Take(all)
	return r, nil
}

// nameOf tells one keyring from another. It is a digest of 128 random bytes and more.
func nameOf(encoded []byte) [32]byte { return sha256.Sum256(encoded) }

// readKeyring decrypts the file. Errors are ErrLock, ErrWrongLock, ErrKeyring and those of the file system.
func readKeyring(path string, lock Lock) (*keyring, [32]byte, error) {
	ids, err := lock.identities()
	if err != nil {
		return nil, [32]byte{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, [32]byte{}, fmt.Errorf("keyring: %w", err)
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, maxRingFile+1))
	if err != nil {
		return nil, [32]byte{}, fmt.Errorf("keyring: %w", err)
	}
	if len(file) > maxRingFile {
		return nil, [32]byte{}, ErrKeyring
	}
	plain, err := decrypt(file, ids)
	defer clear(plain)
	if err != nil {
		return nil, [32]byte{}, err
	}
	r, err := parseKeyring(plain)
	if err != nil {
		return nil, [32]byte{}, err
	}
	return r, nameOf(plain), nil
}

// decrypt tells a wrong lock from a damaged file; age's own words could quote the file and stay here.
func decrypt(file []byte, ids []age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(file), ids...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) || errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, ErrWrongLock
	}
	if err != nil {
		return nil, ErrKeyring
	}
	// The plaintext is shorter than the file; a buffer that never grows leaves no copies behind.
	plain := make([]byte, len(file))
	for n := 0; n < len(plain); {
		got, err := r.Read(plain[n:])
		n += got
		if err == io.EOF {
			return plain[:n], nil
		}
		if err != nil {
			break
		}
	}
	clear(plain)
	return nil, ErrKeyring
}

// writeKeyring encrypts to a temporary file beside path, makes it durable and puts it in place at
// once: with replace over the former file, else only where nothing is.
func writeKeyring(path string, lock Lock, r *keyring, replace bool) (name [32]byte, err error) {
	to, err := lock.recipients()
	if err != nil {
		return name, err
	}
	plain := r.encode()
	defer clear(plain)
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to...)
	if err == nil {
		if _, err = w.Write(plain); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return name, fmt.Errorf("encrypt the keyring: %w", err)
	}
	if err := place(path, file.Bytes(), replace); err != nil {
		return name, err
	}
	return nameOf(plain), nil
}

func place(path string, b []byte, replace bool) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".keyring-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the keyring: %w", err)
	}
	defer os.Remove(f.Name()) // of no effect after the rename
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
	case replace:
		err = os.Rename(f.Name(), path)
	default: // a rename would overwrite; a link fails where something is
		if err = os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
			return ErrExists
		}
	}
	if err != nil {
		return fmt.Errorf("write the keyring: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write the keyring: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write the keyring: %w", err)
	}
	return nil
}
