package soft

import (
	"crypto/subtle"

	"touchstone/iso8583"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/proof"
)

// trackRoom is the packed length of the longest track 2, in bytes.
const trackRoom = (proof.MaxTrack2 + 1) / 2

// proveTrack deciphers a sealed track under the TDK of the set that verified, reads it and compares or
// fills in the card number; docs/protocol/unionpay-pos.md, section 5.3. It tells whether all passed.
// A set without a TDK, or no set, is Unavailable with keys.ErrUsage.
func proveTrack(c *proof.Claims, e *proof.Evidence, set *entry) bool {
	if set == nil || set.tdk.Algorithm() == 0 {
		e.Track, e.Err = proof.Unavailable, keys.ErrUsage
		return false
	}
	var text [2 * trackRoom]byte
	defer clear(text[:])
	n := decipherTrack(&text, set.tdk, c)
	track, err := iso8583.ParseTrack2(text[:n])
	if n == 0 || err != nil {
		e.Track = proof.Failed
		return false
	}
	digits := text[:track.PANDigits]
	if namesCard(c) {
		same := false
		c.PAN.Use(func(sent []byte) { same = len(sent) > 0 && subtle.ConstantTimeCompare(sent, digits) == 1 })
		e.TrackPAN = outcome(same)
	} else if err := c.PAN.Set(digits); err != nil {
		e.Track, e.Err = proof.Unavailable, err
		return false
	}
	e.Track = proof.Passed
	if e.TrackPAN == proof.Failed {
		return false
	}
	e.Expiry = track.Expiry
	at := track.PANDigits + 1 + 4 // separator, YYMM
	copy(e.ServiceCode[:], text[at:])
	return true
}

// decipherTrack writes the clear track as ASCII digits and D to text and gives its length, 0 where it
// is none. The block that was enciphered ends just before the last byte. A track that is shorter was
// filled up with FF before enciphering and comes as one block and the last byte; the FF bytes are
// dropped (unverified: no capture of one is published).
func decipherTrack(text *[2 * trackRoom]byte, tdk *paycrypto.Cipher, c *proof.Claims) int {
	packed := (c.TrackDigits + 1) / 2
	if c.TrackDigits < 1 || packed > trackRoom || packed != len(c.Track) {
		return 0
	}
	var room [trackRoom]byte
	defer clear(room[:])
	b := room[:copy(room[:], c.Track)]
	if paycrypto.DecryptTrack(tdk, b) != nil {
		return 0
	}
	last := b[len(b)-1]
	b = b[:len(b)-1]
	if len(b) == tdk.BlockSize() {
		for len(b) > 0 && b[len(b)-1] == 0xFF {
			b = b[:len(b)-1]
		}
	}
	n := 0
	for _, pair := range b {
		text[n], text[n+1] = nibble(pair>>4), nibble(pair&15)
		n += 2
	}
	text[n], text[n+1] = nibble(last>>4), nibble(last&15)
	if c.TrackDigits%2 == 1 { // the last nibble is filling
		return n + 1
	}
	return n + 2
}

// nibble is a digit or D, else a character no track has.
func nibble(n byte) byte {
	switch {
	case n < 10:
		return '0' + n
	case n == 0xD:
		return 'D'
	}
	return '?'
}
