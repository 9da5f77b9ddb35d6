package soft

import (
	"touchstone/diagnosis"
	"touchstone/paycrypto"
	"touchstone/secret"
)

// checkBytes is the length of a check value in DE62.
const checkBytes = paycrypto.CheckSize

// form writes the key that a terminal has that went wrong as the trial says, 8 or 16 bytes, to out; nil where there is no
// such key: the bytes are outside of DE62, the cipher is the right one, or a master key is not at hand.
func (x *experiment) form(s *live, t *diagnosis.Trial, out *[16]byte) []byte {
	o := x.open(s, t.Key)
	if o == nil {
		return nil
	}
	mak, _ := o.mak()
	n := len(mak)
	switch t.Form {
	case diagnosis.Whole:
		return out[:copy(out[:], mak)]
	case diagnosis.PINKey:
		return out[:copy(out[:], o.pik()[:n])]
	case diagnosis.LeftHalf, diagnosis.RightHalf, diagnosis.LeftZeros, diagnosis.Swapped:
		return halves(out, mak, t.Form)
	}
	return x.unwrapped(s, o, t, out)
}

// halves makes a 16-byte key of the halves of one.
func halves(out *[16]byte, mak []byte, f diagnosis.Form) []byte {
	if len(mak) != 16 {
		return nil
	}
	left, right := mak[:8], mak[8:]
	switch f {
	case diagnosis.LeftHalf:
		right = left
	case diagnosis.RightHalf:
		left = right
	case diagnosis.LeftZeros:
		right = make([]byte, 8)
	case diagnosis.Swapped:
		left, right = right, left
	}
	copy(out[:], left)
	copy(out[8:], right)
	return out[:]
}

// unwrapped is what a terminal makes of DE62 that reads it in the wrong place or unwraps it in the wrong way;
// docs/protocol/unionpay-pos.md, section 3.2.
func (x *experiment) unwrapped(s *live, o *opened, t *diagnosis.Trial, out *[16]byte) []byte {
	tmk, key := x.master(s, 0, o.cipher)
	if tmk == nil {
		return nil
	}
	defer tmk.Wipe()
	defer clear(key)
	if o.de62 == nil {
		o.de62 = de62Of(o, tmk)
	}
	size := o.size()
	at, n := size+checkBytes, len8(o)
	switch t.Form {
	case diagnosis.Before4:
		at -= 4
	case diagnosis.After4:
		at += 4
	case diagnosis.Before8:
		at -= 8
	case diagnosis.After8:
		at += 8
	case diagnosis.WholeField, diagnosis.BySM4:
		n = size // SM4 takes 16 bytes, of which a short key is the first 8
	}
	if at < 0 || at+n > len(o.de62) {
		return nil
	}
	copy(out[:], o.de62[at:at+n])
	with := tmk
	switch t.Form {
	case diagnosis.Undecrypted:
		return out[:n]
	case diagnosis.FormerMaster:
		former, formerKey := x.master(s, t.Master, o.cipher)
		if former == nil {
			return nil
		}
		defer former.Wipe()
		defer clear(formerKey)
		with = former
	case diagnosis.ByDES, diagnosis.ByTDES, diagnosis.BySM4:
		other := otherUnwrap(t.Form, key)
		if other == nil || other.Algorithm() == tmk.Algorithm() {
			return nil
		}
		defer other.Wipe()
		with = other
	}
	if with.DecryptECB(out[:n], out[:n]) != nil {
		return nil
	}
	return out[:min(n, keyLength(o, t.Form))]
}

// len8 is the length of the wrapped MAK, 8 or 16.
func len8(o *opened) int {
	mak, _ := o.mak()
	return len(mak)
}

// keyLength is how much of what was unwrapped is the key.
func keyLength(o *opened, f diagnosis.Form) int {
	if f == diagnosis.WholeField {
		return 16
	}
	return len8(o)
}

// otherUnwrap is the master key in another cipher, nil where its length does not go with it.
func otherUnwrap(f diagnosis.Form, key []byte) *paycrypto.Cipher {
	a := map[diagnosis.Form]paycrypto.Algorithm{diagnosis.ByDES: paycrypto.DES, diagnosis.ByTDES: paycrypto.TDES, diagnosis.BySM4: paycrypto.SM4}[f]
	if f == diagnosis.ByDES {
		key = key[:8]
	}
	c, err := paycrypto.NewCipher(a, key)
	if err != nil {
		return nil
	}
	return c
}

// de62Of is DE62 of the sign-in's answer as it was sent, nil where it cannot be made again.
func de62Of(o *opened, tmk *paycrypto.Cipher) []byte {
	mak, _ := o.mak()
	k := paycrypto.WorkingKeys{PIK: take(o.pik()), MAK: take(mak)}
	if tdk := o.tdk(); !zero(tdk) {
		k.TDK = take(tdk)
	}
	defer k.Wipe()
	b, err := paycrypto.AppendWorkingKeys(nil, paycrypto.SignInCode(o.code), tmk, k)
	if err != nil {
		return nil
	}
	return b
}

func take(b []byte) secret.Bytes { return secret.Take(append([]byte(nil), b...)) }
