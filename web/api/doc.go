// Package api is the JSON interface of the host, under /api/v1: resources that programs read, and acts of people that
// they ask for. The console's pages show the same resources.
//
// A resource is a struct of this package with a port that the host implements, at most six methods each; Desk holds
// the ports. An operation has an id, a rule that says who may call it, and types from which the OpenAPI document is
// made: /api/v1/openapi.json.
//
// Identifiers carry their kind: txn_ and the entry number of a message, ter_ a terminal, mer_ a merchant, dev_ a
// device; what has a number of its own with a prefix (INC-3, PRP-7) keeps it.
//
// Sources: OpenAPI 3.1; RFC 9110; RFC 8259; the idempotency key is that of draft-ietf-httpapi-idempotency-key-header.
package api
