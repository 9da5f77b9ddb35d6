package paycrypto

// Algorithm is a block cipher. The numbers are stable: the journal may keep them.
type Algorithm uint8

// The block ciphers. The zero value is none and makes no Cipher.
const (
	DES  Algorithm = 1 // FIPS 46-3, 8-byte key, 8-byte block
	TDES Algorithm = 2 // ANSI X9.52 keying options 2 and 1, 16- or 24-byte key, 8-byte block
	AES  Algorithm = 3 // FIPS 197, 16-, 24- or 32-byte key, 16-byte block
	SM4  Algorithm = 4 // GB/T 32907-2016, 16-byte key, 16-byte block
)

// String is the algorithm's name, or "none".
func (a Algorithm) String() string {
	switch a {
	case DES:
		return "DES"
	case TDES:
		return "TDES"
	case AES:
		return "AES"
	case SM4:
		return "SM4"
	}
	return "none"
}

// BlockSize is the block in bytes: 8 for DES and TDES, 16 for AES and SM4, 0 for none.
func (a Algorithm) BlockSize() int {
	switch a {
	case DES, TDES:
		return 8
	case AES, SM4:
		return 16
	}
	return 0
}

// KeySize tells whether a key of n bytes, parity bits included, fits the algorithm.
func (a Algorithm) KeySize(n int) bool {
	switch a {
	case DES:
		return n == 8
	case TDES:
		return n == 16 || n == 24
	case AES:
		return n == 16 || n == 24 || n == 32
	case SM4:
		return n == 16
	}
	return false
}
