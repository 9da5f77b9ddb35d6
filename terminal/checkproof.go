package terminal

import (
	"crypto"
	"time"

	"touchstone/paycrypto"
)

// CheckProof is what the screen shows as a QR code so that anybody can ask whether this is the registered terminal: the
// serial number and the minute by the terminal's clock, signed by the key of its device certificate. left is how long it
// is shown. ok is false for a terminal without a certificate of an ECDSA key, and for one that is locked.
func (t *Terminal) CheckProof() (proof string, left time.Duration, ok bool) {
	if t.file == nil || t.st.Tampered || t.cfg.secure == nil || len(t.cfg.secure.Certificates) == 0 {
		return "", 0, false
	}
	key, ok := t.cfg.secure.Certificates[0].PrivateKey.(crypto.Signer)
	if !ok {
		return "", 0, false
	}
	now := t.Clock()
	step := paycrypto.CheckStep(now.Unix())
	made, err := paycrypto.SignCheckProof(t.cfg.Random, key, string(t.cfg.Serial), step)
	if err != nil {
		return "", 0, false
	}
	return made.String(), time.Unix(int64(step+1)*paycrypto.CheckCodeSeconds, 0).Sub(now), true
}
