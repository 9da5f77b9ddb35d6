// Package keys holds the nouns of key management: a key wrapped under the
// module's master key, the working key set a sign-in issues, and the session of
// a terminal: which set is in force, which is pending, and until when.
//
// No key is ever in the clear here. Everything that needs one is done behind the
// Module port by a security module (hsm/soft).
//
// The life of a working key set, docs/protocol/unionpay-pos.md 9A.7 and 9A.9:
// issued at sign-in it is pending; the first message that verifies under it
// brings it into force and retires the former one. At most one set is pending; a
// newer sign-in replaces it. So an unauthenticated sign-in never takes a shop's
// keys away.
package keys
