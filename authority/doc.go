// Package authority makes and judges the X.509 certificates of Touchstone: a
// small certificate authority for one acquirer's devices and its own listener.
//
// It never holds a private key: what signs is a crypto.Signer of the security
// module. It keeps nothing: records are registry.Certificate in the journal. The
// authority is one self-signed P-256 root with path length 0, so nothing below it
// can issue. A device certificate names its device by CN and by the URI
// urn:touchstone:device:SERIAL, and may be used for client authentication only.
//
// Gate is what a TLS listener asks at every handshake, resumed ones included, and
// again whenever the epoch moves: of our authority, for this use, in its time,
// recorded and not revoked. Its errors are classes that can be counted.
//
// Sources: RFC 5280 (certificates), RFC 2986 (requests), RFC 8446 and RFC 5246
// (where they are used), CA/Browser Forum BR 6.3.2 (398 days for a server).
package authority
