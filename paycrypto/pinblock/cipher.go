package pinblock

import "touchstone/paycrypto"

// Encipher builds a block and enciphers it under c to dst, Format.Size bytes. ISO4
// is E(E(PIN field) xor PANField), the rest ECB. It returns ErrCipher or ErrInput,
// and then dst is zero.
func Encipher(dst []byte, c *paycrypto.Cipher, f Format, p Parts) error {
	if !f.fits(c.Algorithm()) {
		clear(dst)
		return ErrCipher
	}
	if err := Encode(dst, f, p); err != nil {
		return err
	}
	if f == ISO4 {
		field, err := PANField(p.PAN)
		if err != nil {
			clear(dst)
			return err
		}
		c.Encrypt(dst, dst)
		for i := range dst {
			dst[i] ^= field[i]
		}
	}
	c.Encrypt(dst, dst)
	return nil
}

// Decipher deciphers a block under c and decodes it as Decode does. It returns
// ErrCipher, ErrInput or ErrFormat, and then pin is zero.
func Decipher(pin *[MaxPIN]byte, c *paycrypto.Cipher, f Format, block, pan []byte) (n int, err error) {
	clear(pin[:])
	if !f.fits(c.Algorithm()) {
		return 0, ErrCipher
	}
	if len(block) != f.Size() {
		return 0, ErrInput
	}
	var room [maxSize]byte
	defer clear(room[:])
	b := room[:len(block)]
	c.Decrypt(b, block)
	if f == ISO4 {
		field, err := PANField(pan)
		if err != nil {
			return 0, err
		}
		for i := range b {
			b[i] ^= field[i]
		}
		c.Decrypt(b, b)
	}
	return Decode(pin, f, b, pan)
}

// End is one end of a translation: the PIN key and the format of the block under it.
type End struct {
	Cipher *paycrypto.Cipher
	Format Format
}

// Translation says from what to what. Both ends share the one card number, which
// a translation must not change; PCI PIN Security 3.1, requirement 3-3.
type Translation struct {
	From, To End
	// Fill gives the fill for a PIN of n digits, Format.FillSize bytes of the
	// target format; nil where the target takes none. It must not depend on the PIN.
	Fill func(n int) []byte
}

// Translate deciphers block, builds it anew and enciphers it to dst, Size bytes of
// the target format; the PIN is in clear only inside the call. It returns
// ErrTranslation where MayTranslate is false, ErrCipher, ErrInput or ErrFormat,
// and then dst is zero.
func Translate(dst []byte, t Translation, block, pan []byte) error {
	clear(dst)
	if !MayTranslate(t.From.Format, t.To.Format) {
		return ErrTranslation
	}
	var pin [MaxPIN]byte
	defer clear(pin[:])
	n, err := Decipher(&pin, t.From.Cipher, t.From.Format, block, pan)
	if err != nil {
		return err
	}
	p := Parts{PIN: pin[:n], PAN: pan}
	if t.Fill != nil {
		p.Fill = t.Fill(n)
	}
	return Encipher(dst, t.To.Cipher, t.To.Format, p)
}
