// Package failure puts refusals into figures: how many by reason, cause, model, version, shop, terminal and hour; how many
// honest terminals were wrongly refused; and what became of the sales that security refused: tried again and approved at
// the same shop within ten minutes, or lost.
//
// Table is the fold of the journal. A refusal counts when it is folded, under its reason; the cause found later, in an
// entry of its own, moves it. Folding the same entries gives the same figures. Whether a refusal was wrong is judged by
// Judge, from reason and cause alone, and stays Unknown where neither proves it: the rate of wrong refusals therefore has
// a lower and an upper figure.
//
// The package is pure: it reads no clock and no journal. Sources: docs/design/032-figures-of-failure.md.
package failure
