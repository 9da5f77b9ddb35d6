package paycrypto

import (
	"crypto/hmac"
	"encoding/binary"
)

// The check code is what a terminal's screen shows so that anybody can ask whether it is the registered one: a
// time-based one-time password (RFC 6238) of 8 digits and steps of 60 seconds, whose HMAC is over SM3 (GB/T 32905) and
// whose key is made of the device's serial-number key:
//
//	K    = HMAC-SM3(serial-number key, "touchstone/check/1" | 00 | serial number)    32 bytes
//	step = floor(seconds since 1970-01-01T00:00:00Z / 60)                            RFC 6238, 4.2: T0 0, X 60
//	S    = HMAC-SM3(K, step as 8 bytes, big-endian)                                  RFC 4226, 5.2
//	code = truncate(S) mod 10^8, leading zeros kept                                  RFC 4226, 5.3
//
// The serial-number key itself enciphers messages with SM4; under HMAC-SM3 with a label of its own no code and no
// cipher of a message are ever an answer to the same question.
const (
	CheckCodeDigits  = 8
	CheckCodeSeconds = 60
)

// checkLabel keeps the key of check codes apart from every other use of the serial-number key.
const checkLabel = "touchstone/check/1\x00"

// CheckCode is one code, ASCII digits.
type CheckCode [CheckCodeDigits]byte

// CheckStep is the step of an instant, in seconds since 1970; before 1970 it is step 0.
func CheckStep(unixSeconds int64) uint64 {
	if unixSeconds < 0 {
		return 0
	}
	return uint64(unixSeconds) / CheckCodeSeconds
}

// CheckKey derives the key of a device's check codes from its serial-number key. The caller clears what it no longer
// needs.
func CheckKey(serialKey []byte, serial string) (key [32]byte) {
	h := hmac.New(NewSM3, serialKey)
	h.Write([]byte(checkLabel))
	h.Write([]byte(serial))
	h.Sum(key[:0])
	return key
}

// CheckCodeAt is the code of a step under a key of CheckKey.
func CheckCodeAt(key *[32]byte, step uint64) (code CheckCode) {
	var text [8]byte
	binary.BigEndian.PutUint64(text[:], step)
	h := hmac.New(NewSM3, key[:])
	h.Write(text[:])
	var sum [32]byte
	h.Sum(sum[:0])
	// RFC 4226, 5.3: the low four bits of the last byte say where 31 bits are taken.
	at := sum[len(sum)-1] & 0x0F
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7FFF_FFFF
	for i := len(code) - 1; i >= 0; i-- {
		code[i] = '0' + byte(n%10)
		n /= 10
	}
	clear(sum[:])
	return code
}
