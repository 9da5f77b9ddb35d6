// Package soft is the security module in software: the one place where keys, PINs
// and encrypted tracks are in the clear. It implements keys.Module, host.Prover,
// host.Sealer, host.PANHasher and issuer.Vault.
//
// It is not tamper resistant hardware and does not pretend to be: whoever is root
// on the machine while the module is open can read its memory. PCI PIN Security
// 3.1 wants clear PINs only inside a secure cryptographic device; where that
// applies the same ports belong to a hardware module.
//
// How it is used. Create draws a keyring and writes it to one file, encrypted with
// age under a passphrase or to an age identity. New makes a sealed module, Unseal
// opens the keyring after a self-test of every algorithm, Wipe seals it again. A
// sealed module answers keys.ErrSealed or proof.Unavailable and nothing else. Keys
// of terminals are kept outside as keys.Wrapped, AES-256-GCM under a master key of
// the keyring, and bound to their use and their owner.
//
// Draw order of Create, 32 bytes each, so that a keyring can be made again from a
// published seed: master key of term 1, card-hash key, PIN-verification key, dummy
// MAC key. The keyring inside age, integers big-endian:
//
//	"TSKR" | version 1 = 1 | current term 4 | card 32 | PIN 32 | dummy 32 |
//	count 4 | count times: term 4, master key 32, terms ascending
//
// Expanded schedules of working keys and serial-number keys are cached under the
// key's id, at most MaxCached of them; a hit counts only when the whole record and
// its owner are the ones that were opened. What Prove, Seal, VerifyPIN, HashPAN and
// Fingerprint do with cached keys allocates nothing and waits for nobody but Wipe.
//
// Diagnose tries, after the answer, what may be behind a refusal; docs/design/024-diagnosis.md. What to try and what
// it means is package diagnosis'; here keys are opened for the experiment alone, outside the cache, and wiped after it.
//
// Wiping. Working keys, DES schedules and keyring bytes are zeroed. Schedules of
// AES, SM4 and HMAC belong to other packages and are let go, a passphrase is a
// string inside age, and Go may have copied any of them; Harden keeps core dumps
// and debuggers away from what is left. Swap is the operator's: run without it.
//
// Locks, in the order they are taken: the module's admin, the gates by rising number,
// one shard of the cache. Operations hold one gate for reading; Wipe and
// RotateMaster hold all of them, so that no key is wiped while in use.
//
// Sources: docs/protocol/unionpay-pos.md sections 3.2, 4, 5, 6.4, 9A.20, 9A.21;
// NIST SP 800-38D (GCM); FIPS 198-1 (HMAC); age-encryption.org/v1.
package soft
