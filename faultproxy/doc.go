// Package faultproxy is a bad network between a terminal and a host, on purpose and
// by plan: a TCP proxy on loopback that reads what passes in units, counts them in
// each direction, and does to the n-th what a Schedule says: delays it, splits it,
// sends it twice, late or never, cuts the connection in the middle of it, or leaves
// the connection open in one direction only.
//
// A Schedule is data and prints as one line; the same line parsed again does the same
// to the same traffic, so a case that failed is tried again by what it printed:
//
//	request:2:cut:bytes=7 answer:1:drop seed=4711
//
// Units are frames (LEN and the bytes it counts, docs/protocol/unionpay-pos.md,
// section 1), TLS records (RFC 8446, section 5.1), or whatever bytes one read gives.
// Frames are for plain TCP. Under TLS the frames are sealed: there a unit is a record,
// and what the proxy doubles, alters or reorders is for TLS to notice.
//
// The proxy is no load generator, changes no message but by alter (one bit), and
// never leaves loopback: neither the address it listens on nor the one it connects to
// may be another. It connects from the address its client came from, so that the
// host's rules about networks hold through it.
//
// In use:
//
//	p, err := faultproxy.Listen("127.0.0.1:0", faultproxy.Config{To: host})
//	defer p.Close()
//	p.Arm(schedule) // counts begin anew
//	...             // a terminal with Host: p.Addr()
//	p.Heal()        // what was held goes on, half-open connections end
package faultproxy
