package mac

import (
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"touchstone/paycrypto"
	"touchstone/secret"
)

// ErrKey is returned for a key whose length does not fit the algorithm, and for
// the algorithm none.
var ErrKey = errors.New("mac: key does not fit the algorithm")

// MinTag is the shortest code VerifyTag takes, in bytes.
const MinTag = 4

// Key is a key expanded for one algorithm. It may be used by many goroutines at
// once. It prints nothing of itself.
type Key struct {
	algorithm Algorithm
	shape     shape
	padding   Padding
	first     *paycrypto.Cipher // also the only one
	second    *paycrypto.Cipher // K2, or nil
	third     *paycrypto.Cipher // K3 of algorithm 4, or nil
	raw       secret.Bytes      // of HMAC
}

// New expands key, which is only read and is as long as Algorithm says. p is the
// padding where Algorithm.TakesPadding, else 0. Errors are ErrKey and ErrPadding.
func New(a Algorithm, p Padding, key []byte) (*Key, error) {
	k := &Key{algorithm: a, shape: shapeOf(a), padding: p}
	if a.TakesPadding() != (p >= Padding1 && p <= Padding3) || p > Padding3 {
		return nil, ErrPadding
	}
	if k.shape.zero {
		k.padding = Padding1
	}
	var err error
	switch k.shape.family {
	case fold, chain, cmac:
		k.first, err = paycrypto.NewCipher(k.shape.cipher, key)
	case retail, emac, macDES:
		err = k.expandPair(key)
	case hmacFamily:
		if len(key) == 0 {
			return nil, ErrKey
		}
		k.raw = secret.Take(append([]byte(nil), key...))
	default:
		return nil, ErrKey
	}
	if err != nil {
		return nil, ErrKey
	}
	return k, nil
}

// expandPair splits K1 || K2. TDES halves are double-length keys.
func (k *Key) expandPair(key []byte) error {
	size := 16
	if k.shape.cipher == paycrypto.DES {
		size = 8
	}
	if len(key) != 2*size {
		return ErrKey
	}
	var err error
	if k.first, err = paycrypto.NewCipher(k.shape.cipher, key[:size]); err != nil {
		return err
	}
	if k.second, err = paycrypto.NewCipher(k.shape.cipher, key[size:]); err != nil || k.shape.family != macDES {
		return err
	}
	var derived [16]byte // GB/T 15852.1-2020, algorithm 4: K3 is K2 with every other nibble inverted
	for i := range derived {
		derived[i] = key[size+i] ^ 0xF0
	}
	k.third, err = paycrypto.NewCipher(k.shape.cipher, derived[:])
	clear(derived[:])
	return err
}

// Algorithm is the key's algorithm, None for a nil, zero or wiped Key.
func (k *Key) Algorithm() Algorithm {
	if !k.usable() {
		return None
	}
	return k.algorithm
}

// Wipe forgets the key; see paycrypto.Cipher.Wipe. It must not run while k is in use.
func (k *Key) Wipe() {
	if k == nil {
		return
	}
	k.first.Wipe()
	k.second.Wipe()
	k.third.Wipe()
	k.raw.Wipe()
}

func (k *Key) usable() bool {
	if k == nil {
		return false
	}
	if k.shape.family == hmacFamily {
		return k.raw.Len() > 0
	}
	return k.first.Algorithm() != 0
}

// Sum8 is DE64 for mab, the bytes from MTI to DE63 as sent: the first 4 bytes of
// the code as 8 upper-case hex characters in ASCII;
// docs/protocol/unionpay-pos.md, sections 4.1 to 4.3. An unusable Key gives zero
// bytes, which are no characters and which Verify never takes.
func (k *Key) Sum8(mab []byte) (de64 [8]byte) {
	if !k.usable() {
		return de64
	}
	var tag [paycrypto.MaxBlock]byte
	if k.shape.family == hmacFamily {
		copy(tag[:], k.sumHMAC(mab))
	} else {
		k.sum(&tag, mab)
	}
	appendHex(de64[:0], tag[:4])
	return de64
}

// Verify tells in constant time whether de64 is Sum8 of mab. de64 may be any
// bytes: another length, lower case and what is no hex at all are wrong.
func (k *Key) Verify(mab, de64 []byte) bool {
	want := k.Sum8(mab)
	return want != [8]byte{} && subtle.ConstantTimeCompare(want[:], de64) == 1
}

// AppendSum appends the whole code, Algorithm.Size bytes, to dst: nothing for an
// unusable Key.
func (k *Key) AppendSum(dst, data []byte) []byte {
	if !k.usable() {
		return dst
	}
	if k.shape.family == hmacFamily {
		return append(dst, k.sumHMAC(data)...)
	}
	var tag [paycrypto.MaxBlock]byte
	k.sum(&tag, data)
	return append(dst, tag[:k.shape.cipher.BlockSize()]...)
}

// VerifyTag tells in constant time whether tag, MinTag bytes or more, is the
// left-most part of the code of data. The caller has decided on the length before
// it looked at the message: a sender must not choose it.
func (k *Key) VerifyTag(data, tag []byte) bool {
	var room [64]byte
	full := k.AppendSum(room[:0], data)
	if len(tag) < MinTag || len(tag) > len(full) {
		return false
	}
	return subtle.ConstantTimeCompare(full[:len(tag)], tag) == 1
}

// sum writes the code of data to the first bytes of tag.
func (k *Key) sum(tag *[paycrypto.MaxBlock]byte, data []byte) {
	n := k.shape.cipher.BlockSize()
	switch k.shape.family {
	case fold:
		steps := foldBlocks(n, data)
		k.encryptFold(&steps)
		*tag = steps.E2
	case cmac:
		k.first.AppendCMAC(tag[:0], data)
	case chain:
		k.chain(tag[:n], data)
	case retail: // ISO/IEC 9797-1:2011, algorithm 3
		k.chain(tag[:n], data)
		k.second.Decrypt(tag[:n], tag[:n])
		k.first.Encrypt(tag[:n], tag[:n])
	case emac, macDES: // algorithms 2 and 4
		k.chain(tag[:n], data)
		k.second.Encrypt(tag[:n], tag[:n])
	}
}

// chain runs CBC-MAC over data padded by k.padding, without copying data.
func (k *Key) chain(state, data []byte) {
	n := len(state)
	var block [paycrypto.MaxBlock]byte
	first := true
	if k.padding == Padding3 {
		k.feed(state, appendLength(block[:0], len(data), n), first)
		clear(block[:])
		first = false
	}
	whole := len(data) / n * n
	k.feed(state, data[:whole], first)
	rest := copy(block[:n], data[whole:])
	if k.padding == Padding2 {
		block[rest] = 0x80
	}
	if rest > 0 || k.padding == Padding2 || len(data) == 0 {
		k.feed(state, block[:n], first && whole == 0)
	}
}

// feed chains whole blocks, which is all ChainBlocks asks for. After the first
// block of all, algorithm 4 enciphers under K3 as well.
func (k *Key) feed(state, blocks []byte, first bool) {
	if n := len(state); first && k.third != nil && len(blocks) > 0 {
		_ = k.first.ChainBlocks(state, blocks[:n])
		k.third.Encrypt(state, state)
		blocks = blocks[n:]
	}
	_ = k.first.ChainBlocks(state, blocks)
}

func (k *Key) sumHMAC(data []byte) (sum []byte) {
	k.raw.Use(func(key []byte) {
		h := hmac.New(k.shape.hash, key)
		h.Write(data)
		sum = h.Sum(nil)
	})
	return sum
}

// Format prints secret.Redacted for every verb.
func (k *Key) Format(w fmt.State, _ rune)     { io.WriteString(w, secret.Redacted) }
func (k *Key) MarshalText() ([]byte, error)   { return nil, secret.ErrPrinted }
func (k *Key) MarshalJSON() ([]byte, error)   { return nil, secret.ErrPrinted }
func (k *Key) MarshalBinary() ([]byte, error) { return nil, secret.ErrPrinted }
func (k *Key) GobEncode() ([]byte, error)     { return nil, secret.ErrPrinted }
