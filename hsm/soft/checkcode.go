package soft

import (
	"crypto/subtle"

	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/pos"
)

// The device that stands in for every one that is unknown or has no key: its code is computed and compared all the
// same, so that the time of an answer does not tell which serial numbers there are.
const (
	decoySerial = pos.Serial("00000000DECOY0000000")
	decoyOwner  = keys.Owner("serial " + string(decoySerial))
)

// ProveCheckCodes tells whether codes that somebody read off a screen, the older first, are those of a device at
// steps that follow one another: the first at step or one to either side of it (paycrypto.CheckStep). One code is the
// ordinary question; two are asked where somebody guesses. The key never leaves the module, every comparison is made
// and takes the same time whatever fits. An empty w is a device without a key: never right. Errors are keys.ErrSealed,
// keys.ErrOwner and keys.ErrUsage; with one, nothing is known.
func (m *Module) ProveCheckCodes(serial pos.Serial, w keys.Wrapped, step uint64, codes ...paycrypto.CheckCode) (right bool, err error) {
	s, leave := m.enter(byte(step))
	if s == nil {
		return false, keys.ErrSealed
	}
	defer leave.RUnlock()
	owner, known := keys.OfSerial(serial), 1
	if len(w) == 0 {
		w, serial, owner, known = s.decoy, decoySerial, decoyOwner, 0
	}
	_, raw, err := s.unwrap(w, owner, keys.SerialKey)
	if err != nil {
		return false, err
	}
	key := paycrypto.CheckKey(raw, string(serial))
	clear(raw)
	defer clear(key[:])
	if step == 0 {
		step = 1 // of a clock that stands at 1970; there is no step before
	}
	fits := 0
	for from := step - 1; from <= step+1; from++ {
		all := 1
		for i := range codes {
			want := paycrypto.CheckCodeAt(&key, from+uint64(i))
			all &= subtle.ConstantTimeCompare(want[:], codes[i][:])
		}
		fits |= all
	}
	return fits&known == 1 && len(codes) > 0, nil
}
