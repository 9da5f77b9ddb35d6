package paycrypto

import (
	"crypto/subtle"
	"errors"

	"touchstone/secret"
)

// SignInCode is DE60.3 of a sign-in, which names the layout of DE62 of the
// answer; docs/protocol/unionpay-pos.md, sections 3.1 and 3.2. The number is the
// three digits read in decimal: 3 is "003".
type SignInCode uint16

// The sign-in codes.
const (
	SignInDES       SignInCode = 1 // single DES: PIK, MAK
	SignInTDES      SignInCode = 3 // TDES: PIK, MAK
	SignInTDESTrack SignInCode = 4 // TDES: PIK, MAK, TDK
	SignInSM4       SignInCode = 5 // SM4: PIK, MAK
	SignInSM4Track  SignInCode = 6 // SM4: PIK, MAK, TDK
)

// Algorithm is the cipher of the terminal master key and of the keys under it,
// none for a number that is not a sign-in code.
func (c SignInCode) Algorithm() Algorithm {
	switch c {
	case SignInDES:
		return DES
	case SignInTDES, SignInTDESTrack:
		return TDES
	case SignInSM4, SignInSM4Track:
		return SM4
	}
	return 0
}

// Track tells whether the layout carries a track key (TDK).
func (c SignInCode) Track() bool { return c == SignInTDESTrack || c == SignInSM4Track }

// Size is the length of DE62 in bytes, 24, 40 or 60, or 0 for an unknown code.
func (c SignInCode) Size() int {
	switch {
	case c.Algorithm() == 0:
		return 0
	case c == SignInDES:
		return 2 * (8 + CheckSize)
	case c.Track():
		return 3 * (16 + CheckSize)
	}
	return 2 * (16 + CheckSize)
}

// WorkingKeys are the keys of one sign-in in clear. PIK and TDK are 8 bytes after
// code 001, else 16; TDK is empty where the code has none. MAK is 8 bytes after
// 001, 16 after 005 and 006; after 003 and 004 its length chooses the layout: 8
// bytes for a single DES MAC, 16 for ECB-3DES and X9.19
// (docs/protocol/unionpay-pos.md, section 9A.20).
type WorkingKeys struct{ PIK, MAK, TDK secret.Bytes }

// Wipe zeroes the keys for every copy.
func (k WorkingKeys) Wipe() {
	k.PIK.Wipe()
	k.MAK.Wipe()
	k.TDK.Wipe()
}

// Errors of the working-key layouts.
var (
	// ErrSignInCode is returned for a number that is not a sign-in code.
	ErrSignInCode = errors.New("working keys: unknown sign-in code")
	// ErrMasterKey is returned for a master key of another algorithm than the code's.
	ErrMasterKey = errors.New("working keys: master key does not fit the sign-in code")
	// ErrWorkingKey is returned for a working key of a length the layout has no place for.
	ErrWorkingKey = errors.New("working keys: key does not fit the sign-in code")
	// ErrLayout is returned for a DE62 of another length than the code's.
	ErrLayout = errors.New("working keys: wrong length")
	// ErrCheckValue is returned when a check value does not match the key it
	// follows: the terminal's master key is not the one the host holds, or the
	// bytes were damaged. Which key it was is not told.
	ErrCheckValue = errors.New("working keys: check value does not match")
)

// maxWorkingKey is the longest working key in bytes.
const maxWorkingKey = 16

// AppendWorkingKeys appends DE62 of the 0810 to dst; on error dst comes back as it was.
//
//	001  E(PIK) 8  + check 4 + E(MAK) 8               + check 4
//	003  E(PIK) 16 + check 4 + E(MAK) 8 + zeros 8     + check 4
//	     with a MAK of 16 bytes: E(MAK) 16 in place of E(MAK) 8 + zeros 8
//	004  003 + E(TDK) 16 + check 4
//	005  E(PIK) 16 + check 4 + E(MAK) 16              + check 4
//	006  005 + E(TDK) 16 + check 4
//
// E is ECB under the master key tmk: DES, TDES (also for the 8-byte MAK) or SM4.
// A check value is CheckValue under the clear key, single DES for an 8-byte one;
// docs/protocol/unionpay-pos.md, section 3.2.
func AppendWorkingKeys(dst []byte, code SignInCode, tmk *Cipher, keys WorkingKeys) ([]byte, error) {
	if err := checkMaster(code, tmk); err != nil {
		return dst, err
	}
	size, err := 16, error(nil)
	if code == SignInDES {
		size = 8
	}
	out := dst
	add := func(key secret.Bytes, short bool) {
		key.Use(func(b []byte) {
			if err == nil && len(b) != size && (len(b) != 8 || !short) {
				err = ErrWorkingKey
			}
			if err == nil {
				out, err = appendWorkingKey(out, code, tmk, b, size)
			}
		})
	}
	add(keys.PIK, false)
	add(keys.MAK, code.Algorithm() == TDES)
	if code.Track() {
		add(keys.TDK, false)
	} else if keys.TDK.Len() != 0 {
		err = ErrWorkingKey
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendWorkingKey appends one wrapped key, zeros up to size and its check value.
func appendWorkingKey(dst []byte, code SignInCode, tmk *Cipher, key []byte, size int) ([]byte, error) {
	own, err := NewCipher(workingAlgorithm(code, len(key)), key)
	if err != nil {
		return dst, ErrWorkingKey
	}
	defer own.Wipe()
	var wrapped [maxWorkingKey]byte
	if err := tmk.EncryptECB(wrapped[:len(key)], key); err != nil {
		return dst, ErrWorkingKey
	}
	check := own.CheckValue()
	return append(append(dst, wrapped[:size]...), check[:]...), nil
}

// ParseWorkingKeys is the terminal's side: it unwraps DE62 under tmk and compares
// every check value, in constant time. After 003 and 004 a MAK whose second half
// is eight zero bytes is an 8-byte one; the check value is of that reading. It
// returns ErrSignInCode, ErrMasterKey, ErrLayout or ErrCheckValue, and then no key.
func ParseWorkingKeys(code SignInCode, tmk *Cipher, de62 []byte) (WorkingKeys, error) {
	if err := checkMaster(code, tmk); err != nil {
		return WorkingKeys{}, err
	}
	if len(de62) != code.Size() {
		return WorkingKeys{}, ErrLayout
	}
	size := 16
	if code == SignInDES {
		size = 8
	}
	var keys WorkingKeys
	right := true
	take := func(short bool) secret.Bytes {
		field := de62[:size+CheckSize]
		de62 = de62[size+CheckSize:]
		key, same := unwrapWorkingKey(code, tmk, field, short)
		right = right && same
		return key
	}
	keys.PIK = take(false)
	keys.MAK = take(code.Algorithm() == TDES)
	if code.Track() {
		keys.TDK = take(false)
	}
	if !right {
		keys.Wipe()
		return WorkingKeys{}, ErrCheckValue
	}
	return keys, nil
}

// unwrapWorkingKey reads one wrapped key and its check value.
func unwrapWorkingKey(code SignInCode, tmk *Cipher, field []byte, short bool) (secret.Bytes, bool) {
	wrapped, check := field[:len(field)-CheckSize], field[len(field)-CheckSize:]
	if short && [8]byte(wrapped[8:]) == ([8]byte{}) {
		wrapped = wrapped[:8]
	}
	var clearKey [maxWorkingKey]byte
	key := clearKey[:len(wrapped)]
	if tmk.DecryptECB(key, wrapped) != nil {
		return secret.Bytes{}, false
	}
	own, err := NewCipher(workingAlgorithm(code, len(key)), key)
	if err != nil {
		clear(key)
		return secret.Bytes{}, false
	}
	defer own.Wipe()
	want := own.CheckValue()
	return secret.Take(key), subtle.ConstantTimeCompare(want[:], check) == 1
}

// workingAlgorithm is the cipher a working key is for: an 8-byte key is single DES.
func workingAlgorithm(code SignInCode, size int) Algorithm {
	if a := code.Algorithm(); a != TDES || size != 8 {
		return a
	}
	return DES
}

func checkMaster(code SignInCode, tmk *Cipher) error {
	a := code.Algorithm()
	if a == 0 {
		return ErrSignInCode
	}
	if tmk.Algorithm() != a {
		return ErrMasterKey
	}
	return nil
}
