// Package mac computes and verifies message authentication codes: the ones of
// UnionPay POS messages (ECB with DES, TDES or SM4, X9.9, X9.19) and the generic
// ones of banking (ISO/IEC 9797-1 CBC-MACs with paddings 1 to 3, the retail MAC,
// CMAC, HMAC), and the ciphertext of a terminal's serial number, which is the
// SM4 message authentication code over serial number and factor.
//
// It does not choose: which algorithm a terminal must use, which bytes of a
// message are covered and what follows from a wrong code belong to the caller. It
// takes a message whole; nothing streams.
//
// A security module makes a Key once from bytes lent by secret.Bytes.Use, keeps
// it while the key is in force, and calls Sum8 and Verify from many goroutines:
// neither allocates for the UnionPay algorithms. A nil, zero or wiped Key
// verifies nothing.
//
// Sources: docs/protocol/unionpay-pos.md sections 4, 6.4 and 9A.20; ANSI X9.9 and
// FIPS 113; ANSI X9.19; ISO/IEC 9797-1:2011; GB/T 15852.1-2020; NIST SP 800-38B;
// FIPS 198-1.
package mac
