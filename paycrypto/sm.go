package paycrypto

import (
	"crypto/cipher"
	"errors"
	"hash"

	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// Errors of the SM4 modes.
var (
	// ErrAEAD is returned for a nonce or tag length the mode does not know, and
	// for data longer than it may encipher.
	ErrAEAD = errors.New("authenticated encryption: nonce, tag or data length out of range")
	// ErrTag is returned when a tag does not verify. Nothing is told of why.
	ErrTag = errors.New("authenticated encryption: tag does not verify")
)

// SM3 is the SM3 digest of data, 32 bytes; GB/T 32905-2016.
func SM3(data []byte) [32]byte { return sm3.Sum(data) }

// NewSM3 is a running SM3, as crypto/hmac wants it.
func NewSM3() hash.Hash { return sm3.New() }

// AEAD is an authenticated mode of SM4.
type AEAD uint8

// The authenticated modes. The zero value is none.
const (
	SM4GCM AEAD = 1 // RFC 8998, 2; nonce 1 to 64 bytes, usually 12; tag 12 to 16
	SM4CCM AEAD = 2 // RFC 8998, 2; nonce 7 to 13 bytes, usually 12; tag 4 to 16, even
)

// The bounds of lengths in bytes.
const (
	maxGCMNonce = 64
	gcmNonce    = 12
	minGCMTag   = 12
	maxTag      = 16
	minCCMNonce = 7
	maxCCMNonce = 13
	minCCMTag   = 4
)

// Seal appends ciphertext and a tag of tagSize bytes to dst. The nonce must never
// come twice under one key, which is the caller's to see to.
func (a AEAD) Seal(dst, key, nonce, plaintext, aad []byte, tagSize int) ([]byte, error) {
	mode, err := a.open(key, len(nonce), tagSize)
	if err != nil {
		return dst, err
	}
	if a == SM4CCM && !ccmFits(len(plaintext), len(nonce)) {
		return dst, ErrAEAD
	}
	return mode.Seal(dst, nonce, plaintext, aad), nil
}

// Open verifies the tag, the last tagSize bytes of sealed, and only then appends
// the plaintext to dst; else it returns dst and ErrTag.
func (a AEAD) Open(dst, key, nonce, sealed, aad []byte, tagSize int) ([]byte, error) {
	mode, err := a.open(key, len(nonce), tagSize)
	if err != nil {
		return dst, err
	}
	if len(sealed) < tagSize || a == SM4CCM && !ccmFits(len(sealed)-tagSize, len(nonce)) {
		return dst, ErrTag
	}
	out, err := mode.Open(dst, nonce, sealed, aad)
	if err != nil {
		return dst, ErrTag
	}
	return out, nil
}

func (a AEAD) open(key []byte, nonce, tag int) (mode cipher.AEAD, err error) {
	if !SM4.KeySize(len(key)) {
		return nil, ErrKeySize
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, ErrKeySize
	}
	switch {
	case a == SM4GCM && nonce >= 1 && nonce <= maxGCMNonce && tag == maxTag:
		mode, err = cipher.NewGCMWithNonceSize(block, nonce)
	case a == SM4GCM && nonce == gcmNonce && tag >= minGCMTag && tag < maxTag:
		mode, err = cipher.NewGCMWithTagSize(block, tag)
	case a == SM4CCM && nonce >= minCCMNonce && nonce <= maxCCMNonce && tag >= minCCMTag && tag <= maxTag && tag%2 == 0:
		mode, err = gmcipher.NewCCMWithNonceAndTagSize(block, nonce, tag)
	default:
		err = ErrAEAD
	}
	if err != nil {
		return nil, ErrAEAD
	}
	return mode, nil
}

// ccmFits tells whether the length fits the 15-nonce bytes CCM counts it in; RFC 3610, 2.1.
func ccmFits(length, nonce int) bool {
	return nonce <= 8 || uint64(length) < 1<<(8*(15-nonce))
}
