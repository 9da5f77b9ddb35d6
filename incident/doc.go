// Package incident gathers failures into incidents, which people work on and close: severity, owner, timeline,
// cause with its proof, the clocks within which others must be told, and the transactions that were exposed.
package incident
