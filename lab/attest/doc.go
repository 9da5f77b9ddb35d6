// Package attest makes and verifies the laboratory's security certificates: an in-toto Statement v1 in a DSSE
// envelope with the signatures of two people. Verifying needs the envelope and a file of trusted public keys, no
// network and no data directory. The predicate is described in docs/operating/laboratory.md.
//
// It decides nothing about who may issue: package lab does. It holds no private key: a signer lends signatures.
//
// Sources: in-toto Attestation Framework, Statement v1; DSSE 1.0.2, PAE and envelope.
package attest
