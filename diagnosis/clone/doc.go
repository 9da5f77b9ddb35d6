// Package clone tells when two devices bear one terminal's identity. A Detector folds journal entries, keeps of each
// terminal the little that its next message is compared with, and splits its messages into two lanes when they contradict
// being one device: traces that fork, keys of an earlier sign-in used after newer ones, two addresses or TLS certificates in
// turn, impossible travel, serial numbers or versions in turn.
//
// Each contradiction has a weight, ten times the decimal logarithm of how much likelier two devices make it than one: a
// table of data with its derivation (weights.json), to the safe side and marked unverified where no fleet was measured.
// Weights of different events add up; what one misfortune explains together (a battery lost, a device restored from a copy)
// counts once. At the threshold of 50 one honest device does as much at most once in 100,000: a product of likelihood
// ratios exceeds 1/a with a chance of at most a when one device did it all (Ville's inequality), if no weight is overstated.
//
// Only what was authenticated counts for Suspicion.Keys: a right MAC, or a MAC proven right under an earlier key of the same
// terminal. Bytes sent again are no evidence, for anybody who can listen can send them.
//
// It is not a judge of intent: a board swapped in repair and a copied terminal look the same. It keeps no clock, reads no
// journal and sends nothing: cmd/touchstone does.
//
// Sources: docs/design/026-clone-proof.md; docs/protocol/failures.md; J. Ville, Étude critique de la notion de collectif
// (1939).
package clone
