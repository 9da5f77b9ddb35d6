package paycrypto

import "math/bits"

// Lengths of check values in bytes.
const (
	LegacyKCVSize = 3 // the usual six hex digits
	CheckSize     = 4 // the check value in UnionPay working-key layouts
	CMACKCVSize   = 5 // ANSI X9.24-1:2017, Annex A
)

// ZeroBlock is the encryption of one all-zero block, of which the older check
// values are the left-most bytes. Only the first BlockSize bytes are set. A check
// value tells one key from another; it proves nothing and is never a MAC.
func (c *Cipher) ZeroBlock() (block [MaxBlock]byte) {
	n := c.BlockSize()
	c.Encrypt(block[:n], block[:n])
	return block
}

// LegacyKCV is the left-most 3 bytes of ZeroBlock: the usual check value of TDES
// keys, and met with AES and SM4.
func (c *Cipher) LegacyKCV() (kcv [LegacyKCVSize]byte) {
	block := c.ZeroBlock()
	copy(kcv[:], block[:])
	return kcv
}

// CheckValue is the left-most 4 bytes of ZeroBlock: the check value that follows
// each working key; docs/protocol/unionpay-pos.md, section 3.2.
func (c *Cipher) CheckValue() (check [CheckSize]byte) {
	block := c.ZeroBlock()
	copy(check[:], block[:])
	return check
}

// CMACKCV is the left-most 5 bytes of the CMAC of one all-zero block, the only
// standard check value for AES keys; ANSI X9.24-1:2017, Annex A.
func (c *Cipher) CMACKCV() (kcv [CMACKCVSize]byte) {
	var zero, tag [MaxBlock]byte
	copy(kcv[:], c.AppendCMAC(tag[:0], zero[:c.BlockSize()]))
	return kcv
}

// AdjustParity sets the lowest bit of every byte of a DES or TDES key so that
// the byte has an odd number of ones; FIPS 46-3, "Keying".
func AdjustParity(key []byte) {
	for i, b := range key {
		key[i] = b&^1 | byte(bits.OnesCount8(b>>1)&1^1)
	}
}
