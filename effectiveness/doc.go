// Package effectiveness says whether authentication still works: of every
// approval, which of the proofs required of it passed, were weak, were not run
// by profile, or were waived by policy.
//
// Grade judges one approval from its journal entry and what is registered of its
// terminal. State is the fold of the journal: figures by terminal, model,
// merchant and hour, and each terminal's habits, so that a change against them
// is told. Folding the same entries gives the same figures. Report puts a range
// of hours into numbers.
//
// The package is pure: it reads no clock and no journal, and writes no event.
//
// Sources: docs/design/010-effectiveness.md; docs/protocol/unionpay-pos.md
// sections 4, 6, 9A.13 and 9A.20 to 9A.23.
package effectiveness
