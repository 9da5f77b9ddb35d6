// Package redress makes consumers whole: they are told, they claim, two people decide, money goes back to the
// card that paid, and compensation is booked with its payer and reason.
package redress
