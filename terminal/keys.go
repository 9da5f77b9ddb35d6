package terminal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"

	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/secret"
)

// errMAKSize is a MAK of another length than the MAC profile wants. The screen shows it as a key check error.
var errMAKSize = errors.New("working keys: MAK does not fit the MAC profile")

// session is the working keys of one sign-in, expanded. A nil session is none.
type session struct {
	pik, tdk *paycrypto.Cipher // tdk is nil where the code brings none
	mak      *mac.Key
}

func (s *session) wipe() {
	if s == nil {
		return
	}
	s.pik.Wipe()
	s.tdk.Wipe()
	s.mak.Wipe()
}

// newSession unwraps DE62 of a sign-in answer and expands its keys. It fails with an error of
// paycrypto.ParseWorkingKeys or errMAKSize.
func newSession(code paycrypto.SignInCode, profile MACProfile, tmk *paycrypto.Cipher, de62 []byte) (*session, error) {
	keys, err := paycrypto.ParseWorkingKeys(code, tmk, de62)
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	s := new(session)
	keys.PIK.Use(func(b []byte) { s.pik, err = paycrypto.NewCipher(code.Algorithm(), b) })
	if err == nil && code.Track() {
		keys.TDK.Use(func(b []byte) { s.tdk, err = paycrypto.NewCipher(code.Algorithm(), b) })
	}
	if err == nil {
		keys.MAK.Use(func(b []byte) { s.mak, err = newMAK(code, profile, b) })
	}
	if err != nil {
		s.wipe()
		return nil, err
	}
	return s, nil
}

// newMAK expands a MAK for the profile; docs/protocol/unionpay-pos.md, sections 4 and 9A.20.
func newMAK(code paycrypto.SignInCode, profile MACProfile, key []byte) (*mac.Key, error) {
	a, p := mac.UnionPayECBDES, mac.Padding(0)
	switch {
	case code.Algorithm() == paycrypto.SM4:
		a = mac.UnionPayECBSM4
	case profile == ECB3DES:
		a = mac.UnionPayECBTDES
	case profile == X99:
		a, p = mac.CBCMACTDES, mac.Padding1
	case profile == X919:
		a = mac.X919
	}
	k, err := mac.New(a, p, key)
	if err != nil {
		return nil, errMAKSize
	}
	return k, nil
}

// pinForm is how PINs travel under an algorithm; sections 5.1 and 5.2.
func pinForm(a paycrypto.Algorithm) pinblock.Format {
	if a == paycrypto.SM4 {
		return pinblock.SM4PAN1
	}
	return pinblock.ISO0
}

// pinBlock enciphers a PIN under pik: 8 bytes for DE52, or 16 for tag A1 of DE59.
func pinBlock(pik *paycrypto.Cipher, card Card) (block []byte, err error) {
	f := pinForm(pik.Algorithm())
	block = make([]byte, f.Size())
	card.PIN.Use(func(pin []byte) {
		card.PAN.Use(func(pan []byte) {
			err = pinblock.Encipher(block, pik, f, pinblock.Parts{PIN: pin, PAN: pan})
		})
	})
	if err != nil {
		return nil, err
	}
	return block, nil
}

const sealLabel = "touchstone/terminal/reversal/1"

// sealer is AES-256-GCM under a key derived from the TMK: HMAC-SHA-256 of a label under the TMK.
func sealer(tmk secret.Bytes) (aead cipher.AEAD, err error) {
	err = paycrypto.ErrKeySize
	tmk.Use(func(key []byte) {
		if len(key) == 0 {
			return
		}
		h := hmac.New(sha256.New, key)
		h.Write([]byte(sealLabel))
		derived := h.Sum(nil)
		defer clear(derived)
		var block cipher.Block
		if block, err = aes.NewCipher(derived); err == nil {
			aead, err = cipher.NewGCM(block)
		}
	})
	return aead, err
}

// sealPAN is nonce, ciphertext and tag of a card number, bound to the terminal and the trace.
func (t *Terminal) sealPAN(pan pos.PAN, trace pos.STAN) ([]byte, error) {
	aead, err := sealer(t.cfg.TMK)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(t.cfg.Random, nonce); err != nil {
		return nil, err
	}
	var sealed []byte
	pan.Use(func(digits []byte) {
		sealed = aead.Seal(nonce, nonce, digits, []byte(t.cfg.Terminal.String()+trace.String()))
	})
	return sealed, nil
}

// openPAN is the inverse of sealPAN; the number is empty when the seal is not ours, as after a change
// of the TMK.
func (t *Terminal) openPAN(sealed []byte, trace pos.STAN) pos.PAN {
	aead, err := sealer(t.cfg.TMK)
	if err != nil || len(sealed) < aead.NonceSize() {
		return pos.PAN{}
	}
	nonce, rest := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	digits, err := aead.Open(nil, nonce, rest, []byte(t.cfg.Terminal.String()+trace.String()))
	if err != nil {
		return pos.PAN{}
	}
	defer clear(digits)
	pan := pos.NewPAN()
	if pan.Set(digits) != nil {
		return pos.PAN{}
	}
	return pan
}
