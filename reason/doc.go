// Package reason is the one table of stable reasons: the name of every cause for
// which a message is refused, the answer code (DE39) of the UnionPay dialect that
// the terminal sees, and who must act first.
//
// A reason is in the verdict, the journal, the interfaces and the explanations.
// Its name and its number are never changed and never reused; a new one is added
// at the end. A reason is known at the decision and never changes afterwards; a
// cause proven later is a further journal entry. The words a person reads are in
// package explain.
//
// Source: docs/protocol/failures.md.
package reason
