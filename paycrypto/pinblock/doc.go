// Package pinblock builds, reads and translates PIN blocks: ISO 9564-1 formats 0
// to 4 and the blocks of UnionPay POS, which are format 0 under DES or TDES, the
// F-filled block without card number, and the 16-byte blocks under SM4.
//
// It does not verify a PIN, keeps none, draws no randomness (fill is an
// argument) and never gives a PIN as a string: Decode and Decipher write to a
// buffer of the caller, who zeroes it after use. A block that does not decode is
// ErrFormat whatever was wrong with it, found without branches on its content, so
// that neither the answer nor its time tells a wrong card number from a wrong key.
//
// A security module holds a paycrypto.Cipher for each PIN key and calls
// Translate, or Decipher where the issuer is in the same module. Card numbers are
// ASCII digits lent by pos.PAN.Use. Outside hardware this is a test double of a
// hardware module: PCI PIN Security 3.1 wants clear PINs only inside a secure
// cryptographic device.
//
// Sources: ISO 9564-1:2017, clause 9; docs/protocol/unionpay-pos.md sections 5.2
// and 9A.21; PCI PIN Security 3.1, requirement 3-3 (translations).
package pinblock
