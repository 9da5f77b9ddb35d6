package paycrypto

import (
	"crypto/ecdsa"
	"errors"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
)

// Sizes of SM2 values in bytes, all big-endian; GB/T 32918.5-2017.
const (
	SM2KeySize    = 32 // private key, a coordinate, a nonce, r, s
	SM2PublicSize = 65 // 04 || x || y
	sm2MaxUID     = 0x1FFF
)

// SM2DefaultUID is the signer identity where the parties agree on none, 16 ASCII
// characters; GM/T 0009-2023, clause 7.
const SM2DefaultUID = "1234567812345678"

// Errors of SM2.
var (
	// ErrSM2Key is returned for a point off the curve or a number out of range.
	ErrSM2Key = errors.New("sm2: not a key")
	// ErrSM2UID is returned for a signer identity over 8,191 bytes.
	ErrSM2UID = errors.New("sm2: signer identity too long")
	// ErrSM2Ciphertext is returned for a ciphertext that does not decipher.
	ErrSM2Ciphertext = errors.New("sm2: ciphertext does not decipher")
)

// SM2Verify tells whether an ASN.1 DER signature over message by the signer uid
// holds under public, 04 || x || y, and gives e, the SM3 digest of Z and the
// message, that it was checked against; GB/T 32918.2-2016, clause 7.
func SM2Verify(public, uid, message, der []byte) (e [SM2KeySize]byte, valid bool, err error) {
	key, err := sm2Public(public)
	if err != nil {
		return e, false, err
	}
	if e, err = sm2Digest(key, uid, message); err != nil {
		return e, false, err
	}
	return e, sm2.VerifyASN1(key, e[:], der), nil
}

// SM2Decrypt deciphers C1 || C3 || C2, C1 as 04 || x || y, under a 32-byte private
// key; GB/T 32918.4-2016, clause 7.
func SM2Decrypt(private, ciphertext []byte) ([]byte, error) {
	key, err := sm2.NewPrivateKey(private)
	if err != nil {
		return nil, ErrSM2Key
	}
	if len(ciphertext) == 0 || ciphertext[0] != 4 {
		return nil, ErrSM2Ciphertext
	}
	plain, err := key.Decrypt(nil, ciphertext, sm2.NewPlainDecrypterOpts(sm2.C1C3C2))
	if err != nil {
		return nil, ErrSM2Ciphertext
	}
	return plain, nil
}

// SM2SignWithNonce signs with a nonce k given by the caller, to reproduce the
// printed examples of GM/T 0003.5 and for nothing else: a nonce used twice, or
// known, gives the private key away, and the arithmetic is not constant time.
// GB/T 32918.2-2016, clause 6.
func SM2SignWithNonce(private, k, uid, message []byte) (r, s [SM2KeySize]byte, err error) {
	key, err := sm2.NewPrivateKey(private)
	if err != nil {
		return r, s, ErrSM2Key
	}
	point, err := sm2.NewPrivateKey(k) // checks 1 <= k <= n-2 and gives k times G
	if err != nil {
		return r, s, ErrSM2Key
	}
	digest, err := sm2Digest(&key.PublicKey, uid, message)
	if err != nil {
		return r, s, err
	}
	n := key.Curve.Params().N
	bigR := new(big.Int).SetBytes(digest[:])
	bigR.Mod(bigR.Add(bigR, point.X), n)
	sum := new(big.Int).Add(bigR, point.D)
	if bigR.Sign() == 0 || sum.Cmp(n) == 0 {
		return r, s, ErrSM2Key
	}
	inverse := new(big.Int).ModInverse(new(big.Int).Add(key.D, big.NewInt(1)), n)
	bigS := new(big.Int).Mul(bigR, key.D)
	bigS.Sub(point.D, bigS)
	bigS.Mod(bigS.Mul(bigS, inverse), n)
	if bigS.Sign() == 0 {
		return r, s, ErrSM2Key
	}
	bigR.FillBytes(r[:])
	bigS.FillBytes(s[:])
	return r, s, nil
}

func sm2Public(public []byte) (*ecdsa.PublicKey, error) {
	if len(public) != SM2PublicSize || public[0] != 4 {
		return nil, ErrSM2Key
	}
	key, err := sm2.NewPublicKey(public)
	if err != nil {
		return nil, ErrSM2Key
	}
	return key, nil
}

func sm2Digest(key *ecdsa.PublicKey, uid, message []byte) (e [SM2KeySize]byte, err error) {
	if len(uid) > sm2MaxUID {
		return e, ErrSM2UID
	}
	z, err := sm2.CalculateZA(key, uid)
	if err != nil {
		return e, ErrSM2UID
	}
	h := NewSM3()
	h.Write(z)
	h.Write(message)
	h.Sum(e[:0])
	return e, nil
}
