// Package capture finds point-of-sale messages in captured network traffic and pairs requests with their answers.
//
// It reads files of tcpdump (pcap and pcapng) through a library, puts TCP streams together, and looks in both
// directions of each for frames: LEN, TPDU, header, message. No port is assumed: a stream is one of payments when
// frames stand in it. After lost bytes, and where a capture begins in the middle, it searches for the next frame;
// what it then takes for one was parsed to its last byte. Streams that begin as TLS are counted and let be.
//
// It never sends anything, judges nothing and opens no cipher. Memory is bounded for each stream and for all of
// them; a file of any size is read once, from front to back. Nothing that is wrong in a file can make it fail but
// a header that is none: what cannot be read is counted in Stats.
//
// The bytes of messages are secret. They are views that hold during a callback, are wiped afterwards, and are
// never part of an error or of Stats.
//
// In use:
//
//	t := capture.NewTracker(capture.Options{OnPair: func(p *capture.Pair) error { ... }})
//	err := t.Read(ctx, file)
//	stats := t.Close()
//
// Sources: docs/protocol/unionpay-pos.md, section 1 (frames); RFC 9293 (TCP); RFC 8446, section 5.1 (TLS records);
// the formats of captures as the library reads them, github.com/gopacket/gopacket.
package capture
