package mac

import (
	"crypto/subtle"
	"encoding/binary"

	"touchstone/paycrypto"
)

const hexDigits = "0123456789ABCDEF"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// Steps are the intermediate values of the UnionPay ECB MAC, for people who
// compare two implementations; docs/protocol/unionpay-pos.md, section 4.1. Size
// is the block in bytes, 8 or 16, and the bytes of each value that are set.
//
//	XOR  exclusive or of all blocks of the zero-padded message
//	Hex  XOR in upper-case hex, 2*Size ASCII characters
//	E1   E(first half of Hex)
//	T    E1 xor second half of Hex
//	E2   E(T), whose first 4 bytes in hex are DE64
type Steps struct {
	Size      int
	XOR       [paycrypto.MaxBlock]byte
	Hex       [2 * paycrypto.MaxBlock]byte
	E1, T, E2 [paycrypto.MaxBlock]byte
}

// Trace gives the steps of mab, or false when the key is not for one of the
// UnionPay ECB algorithms.
func (k *Key) Trace(mab []byte) (Steps, bool) {
	if !k.usable() || k.shape.family != fold {
		return Steps{}, false
	}
	steps := foldBlocks(k.shape.cipher.BlockSize(), mab)
	k.encryptFold(&steps)
	return steps, true
}

// foldBlocks fills Size, XOR and Hex.
func foldBlocks(size int, mab []byte) (s Steps) {
	s.Size = size
	le := binary.LittleEndian
	if size == 8 {
		var x uint64
		for ; len(mab) >= 8; mab = mab[8:] {
			x ^= le.Uint64(mab)
		}
		le.PutUint64(s.XOR[:], x)
	} else {
		var x, y uint64
		for ; len(mab) >= 16; mab = mab[16:] {
			x ^= le.Uint64(mab)
			y ^= le.Uint64(mab[8:])
		}
		le.PutUint64(s.XOR[:], x)
		le.PutUint64(s.XOR[8:], y)
	}
	for i, b := range mab {
		s.XOR[i] ^= b
	}
	appendHex(s.Hex[:0], s.XOR[:size])
	return s
}

// encryptFold fills E1, T and E2.
func (k *Key) encryptFold(s *Steps) {
	n := s.Size
	k.first.Encrypt(s.E1[:n], s.Hex[:n])
	for i := range n {
		s.T[i] = s.E1[i] ^ s.Hex[n+i]
	}
	k.first.Encrypt(s.E2[:n], s.T[:n])
}

// maxSerialInput bounds serial number and factor together, in bytes: 50 and 6 in
// DE59 A2, with room for the 19-digit payment code as a factor.
const maxSerialInput = 96

// SerialCiphertext is the ciphertext of a terminal's hardware serial number, sub-tag
// 04 of DE59 A2: the UnionPay ECB SM4 code over serial number and then factor, as 8
// upper-case hex characters, under the terminal's serial-number key;
// docs/protocol/unionpay-pos.md, section 6.4. Unverified: three independent
// implementations agree on the steps, but no value of a real terminal is
// published; one captured with a known key would verify it.
//
// A key for another algorithm, an empty serial or factor and an input over 96
// bytes give zero bytes, which match nothing.
func SerialCiphertext[S, F ~string | ~[]byte](k *Key, serial S, factor F) (ciphertext [8]byte) {
	if k.Algorithm() != UnionPayECBSM4 || len(serial) == 0 || len(factor) == 0 || len(serial)+len(factor) > maxSerialInput {
		return ciphertext
	}
	var input [maxSerialInput]byte
	n := copy(input[:], serial)
	n += copy(input[n:], factor)
	steps, _ := k.Trace(input[:n])
	appendHex(ciphertext[:0], steps.E2[:4])
	return ciphertext
}

// VerifySerial tells in constant time whether ciphertext is SerialCiphertext of
// serial and factor.
func VerifySerial[S, F ~string | ~[]byte](k *Key, serial S, factor F, ciphertext []byte) bool {
	want := SerialCiphertext(k, serial, factor)
	return want != [8]byte{} && subtle.ConstantTimeCompare(want[:], ciphertext) == 1
}
