package diagnosis_test

import (
	"bytes"
	"testing"

	"touchstone/diagnosis"
	"touchstone/pos"
)

// TestCaseWiped: after Wipe no byte of message, code, PIN block, card number, copy or factor is left where it was.
func TestCaseWiped(t *testing.T) {
	pan, err := pos.ParsePAN("6200000000000000003")
	track, err2 := pos.ParsePAN("6200000000000000004")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	frame, copied, prior := []byte{1, 2, 3}, []byte("6200"), []byte("000003")
	p := &diagnosis.PINCase{Block: [16]byte{1, 2, 3}, Size: 8, PAN: pan, Track: track}
	c := &diagnosis.Case{Frame: frame, DE64: [8]byte{1}, PIN: p, Copies: []diagnosis.Copy{{Digits: copied}}, Prior: [][]byte{prior},
		Presented: diagnosis.Presented{Serial: "1", Factor: [6]byte{1}, Cipher: [8]byte{1}}}
	c.Wipe()
	for name, left := range map[string][]byte{"message": frame, "code": c.DE64[:], "PIN block": p.Block[:], "copy": copied, "factor": prior, "factor presented": c.Presented.Factor[:], "cipher": c.Presented.Cipher[:]} {
		if !bytes.Equal(left, make([]byte, len(left))) {
			t.Errorf("%s: %d bytes are left", name, len(left))
		}
	}
	if p.PAN.Len() != 0 || p.Track.Len() != 0 {
		t.Error("a card number is left")
	}
}
