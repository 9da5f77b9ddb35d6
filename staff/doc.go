// Package staff holds the people: those of acquirer and laboratory, who act in Touchstone under an account of
// their own, and the cashiers at the counter, whom a terminal's sign-in names by an operator number.
//
// An account belongs to one person. What needs two people needs two persons: a proposal made under one account
// is approved under the account of another person, and two accounts of one person are one. The room judges; the
// program authenticates, draws randomness and asks the clock.
//
// Sources: PCI PIN v3.1 requirement 32 and PCI DSS 4.0.1 requirements 8.2.1, 8.3.6 and 8.6 for accounts (by topic;
// clause numbers recalled, unverified); RFC 9106 (Argon2), section 4, and the OWASP Password Storage Cheat Sheet
// for the parameters of the hash.
package staff
