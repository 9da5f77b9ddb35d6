// Package paycrypto holds the block ciphers of payment cryptography with their
// key schedules expanded once and kept: DES, TDES, AES and SM4 as Cipher, and
// what is built directly on one of them: ECB and CBC, CMAC, key check values, odd
// parity and the working-key layouts of the sign-in answer. The national
// algorithms SM3, SM2 and SM4 in GCM and CCM are thin covers over
// github.com/emmansun/gmsm, so that no other package imports it.
//
// It is not a key store and gives no rights: it knows nothing of a key's purpose,
// owner or life. It draws no randomness. Message authentication codes are in
// paycrypto/mac and PIN blocks in paycrypto/pinblock.
//
// A security module builds a Cipher from bytes lent by secret.Bytes.Use, keeps
// it as long as the key is in force, calls it from many goroutines at once
// without allocation, and calls Wipe when the key goes. A Cipher prints nothing
// of its key by any verb.
//
// DES and TDES work by table look-up and are not constant time against somebody
// who shares the processor's cache; the same holds for crypto/des, for AES
// without the processor's instructions, and for any software DES of this speed.
// It is accepted because this software module is for a host that runs nothing
// else; where that does not hold the keys belong in a hardware module.
//
// Sources: FIPS 46-3 and ANSI X9.52 (DES, TDES), FIPS 197 (AES), GB/T 32907-2016
// (SM4), NIST SP 800-38B (CMAC), ANSI X9.24-1:2017 Annex A (check values),
// docs/protocol/unionpay-pos.md sections 3.2 and 9A.20 (working keys),
// GB/T 32905-2016 (SM3), GB/T 32918-2016 (SM2), RFC 8998 (SM4 GCM and CCM).
package paycrypto
