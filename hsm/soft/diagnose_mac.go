package soft

import (
	"crypto/subtle"

	"touchstone/diagnosis"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
)

// stepTrials is how many explanations are tried under one gate, stepAlterations how many alterations.
const (
	stepTrials      = 8
	stepAlterations = 128
)

// mac tries the explanations of a wrong MAC, and where none fits the alterations.
func (x *experiment) mac(digest [16]byte) diagnosis.Finding {
	c := x.c
	if !c.HasMAC {
		return diagnosis.NotTried("no_mac")
	}
	reading := diagnosis.Read(c.DE64)
	var r diagnosis.MACResult
	plan := c.Plan()
	for len(plan) > 0 {
		some := plan[:min(stepTrials, len(plan))]
		plan = plan[len(some):]
		if !x.step(func(s *live) { x.trials(s, some, &reading, &r) }) {
			return diagnosis.NotTried("sealed")
		}
	}
	if r.Tried == 0 {
		return diagnosis.NotTried("no_keys")
	}
	if len(r.Fits) == 0 && !c.Flood {
		x.alterations(&reading, &r)
	}
	x.agreement(&r)
	return c.ConcludeMAC(&r, digest)
}

// trials computes the code of each trial and compares it. A key that does not open, or that has no such form, is not
// tried and not counted.
func (x *experiment) trials(s *live, list []diagnosis.Trial, reading *diagnosis.Reading, r *diagnosis.MACResult) {
	var room [16]byte
	defer clear(room[:])
	for i := range list {
		t := &list[i]
		key := x.form(s, t, &room)
		if key == nil {
			continue
		}
		code := codeOf(t, key, x.c.Cover(x.room[:0], t))
		if code == nil {
			continue
		}
		if x.changesNothing(t, code) {
			continue
		}
		r.Tried++
		if reading.Match(code, t.Part) {
			r.Fits = append(r.Fits, diagnosis.Fit{Trial: *t, Encoding: reading.Encoding})
		}
		clear(code)
	}
}

// changesNothing tells whether another coverage gives the code of the right one, as a fold does where eight zero bytes are
// left out: that is no other explanation. The right one comes first in a plan.
func (x *experiment) changesNothing(t *diagnosis.Trial, code []byte) bool {
	plain := *t
	plain.Coverage, plain.Element = diagnosis.Right, 0
	if plain == *t {
		if t.Form == diagnosis.Whole && t.Part == diagnosis.FirstPart && !t.Plain && t.Algorithm == x.c.AlgorithmOf(t.Key) {
			x.codes[t.Key] = [16]byte(append(append(make([]byte, 0, 16), code...), make([]byte, 16-len(code))...))
		}
		return false
	}
	right, known := x.codes[t.Key]
	return known && subtle.ConstantTimeCompare(right[:len(code)], code) == 1
}

// codeOf is the whole code of data, 8 or 16 bytes; nil for a key that does not go with the algorithm. An algorithm of
// 8-byte keys takes the first half of a longer one.
func codeOf(t *diagnosis.Trial, key, data []byte) []byte {
	if single(t.Algorithm) && len(key) > 8 {
		key = key[:8]
	}
	k, err := mac.New(t.Algorithm, t.Padding, key)
	if err != nil {
		return nil
	}
	defer k.Wipe()
	if !t.Plain {
		return k.AppendSum(nil, data)
	}
	steps, ok := k.Trace(data)
	if !ok {
		return nil
	}
	c, err := paycrypto.NewCipher(cipherOfFold(t.Algorithm), key)
	if err != nil {
		return nil
	}
	defer c.Wipe()
	code := make([]byte, steps.Size)
	c.Encrypt(code, steps.XOR[:steps.Size])
	return code
}

// single tells whether the algorithm takes an 8-byte key.
func single(a mac.Algorithm) bool {
	return a == mac.UnionPayECBDES || a == mac.X99 || a == mac.CBCMACDES
}

// cipherOfFold is the block cipher of a UnionPay ECB algorithm.
func cipherOfFold(a mac.Algorithm) paycrypto.Algorithm {
	switch a {
	case mac.UnionPayECBDES:
		return paycrypto.DES
	case mac.UnionPayECBTDES:
		return paycrypto.TDES
	case mac.UnionPayECBSM4:
		return paycrypto.SM4
	}
	return 0
}

// alterations tries the alterations of one or two keys, at most diagnosis.MaxAlterations.
func (x *experiment) alterations(reading *diagnosis.Reading, r *diagnosis.MACResult) {
	left := diagnosis.MaxAlterations
	list := x.c.AlteredKeys(func(key int) (reads bool) {
		x.step(func(s *live) { reads = x.pinReads(s, key) })
		return reads
	})
	for n, i := range list {
		fold, block := x.c.Folded(i)
		switch {
		case fold && left >= 255*block:
			left -= 255 * block
			x.foldAlterations(i, block, reading, r)
		case !fold && block > 0:
			share := left / (len(list) - n)
			left -= share
			x.chainAlterations(i, block, share, reading, r)
		}
	}
}

// keyOf opens the right key of a candidate with its algorithm; the caller wipes it.
func (x *experiment) keyOf(s *live, i int) (key []byte, a mac.Algorithm) {
	o := x.open(s, i)
	if o == nil {
		return nil, mac.None
	}
	mak, _ := o.mak()
	return append([]byte(nil), mak...), x.c.AlgorithmOf(i)
}

// foldAlterations tries every difference in every column of a fold: whatever byte of the message was altered, the fold
// differs in the column it lies in, by the difference. A column of the first half of the block changes the first half of
// the hexadecimal form and so both encipherments, one of the second half only the last.
func (x *experiment) foldAlterations(i, block int, reading *diagnosis.Reading, r *diagnosis.MACResult) {
	var c *paycrypto.Cipher
	var steps mac.Steps
	ok := false
	x.step(func(s *live) {
		key, a := x.keyOf(s, i)
		defer clear(key)
		k, err := mac.New(a, 0, key)
		if err != nil {
			return
		}
		defer k.Wipe()
		if steps, ok = k.Trace(x.c.Frame[x.c.Message:x.c.End]); !ok {
			return
		}
		c, err = paycrypto.NewCipher(cipherOfFold(a), key)
		ok = err == nil
	})
	if !ok {
		return
	}
	defer c.Wipe()
	defer func() { steps = mac.Steps{} }()
	for column := range block {
		for half := range 2 {
			if !x.step(func(*live) {
				for d := max(1, half*128); d < half*128+128; d++ {
					r.Tried++
					if reading.Match(foldCode(c, &steps, column, byte(d), &x.room), diagnosis.FirstPart) {
						r.Alters = append(r.Alters, diagnosis.Alter{Key: i, Fold: true, Column: column, Difference: byte(d), Block: block})
					}
				}
			}) {
				return
			}
		}
	}
}

// foldCode is the code of a fold that differs in one column, in the first bytes of room.
func foldCode(c *paycrypto.Cipher, steps *mac.Steps, column int, d byte, room *[diagnosis.MaxFrame + 16]byte) []byte {
	const digits = "0123456789ABCDEF"
	n := steps.Size
	hex := room[32 : 32+2*n]
	copy(hex, steps.Hex[:2*n])
	b := steps.XOR[column] ^ d
	hex[2*column], hex[2*column+1] = digits[b>>4], digits[b&15]
	code := room[:n]
	if column < n/2 {
		c.Encrypt(code, hex[:n])
	} else {
		copy(code, steps.E1[:n])
	}
	for i := range n {
		code[i] ^= hex[n+i]
	}
	c.Encrypt(code, code)
	return code
}

// chainAlterations tries the alterations that diagnosis lists under a chaining MAC. The chain before the altered block is
// computed once.
func (x *experiment) chainAlterations(i, block, limit int, reading *diagnosis.Reading, r *diagnosis.MACResult) {
	var ch chain
	x.step(func(s *live) {
		key, a := x.keyOf(s, i)
		defer clear(key)
		ch = newChain(a, key)
	})
	if ch.first == nil || x.lost {
		return
	}
	defer ch.wipe()
	each := 1
	if ch.first.Algorithm() == paycrypto.TDES {
		each = 3
	}
	mab := x.room[:copy(x.room[:], x.c.Frame[x.c.Message:x.c.End])]
	batch := make([]diagnosis.Alteration, 0, stepAlterations)
	try := func() bool {
		return x.step(func(*live) {
			for _, a := range batch {
				r.Tried++
				at := a.At - x.c.Message
				copy(mab[at:], a.Bytes[:a.Size])
				if reading.Match(ch.code(mab, at/block), diagnosis.FirstPart) {
					r.Alters = append(r.Alters, diagnosis.Alter{Key: i, At: []diagnosis.Alteration{a}, Block: block})
				}
				copy(mab[at:at+a.Size], x.c.Frame[a.At:])
			}
			batch = batch[:0]
		})
	}
	x.c.Alterations(limit, block, each, func(a diagnosis.Alteration) bool {
		batch = append(batch, a)
		return len(batch) < stepAlterations || try()
	})
	if len(batch) > 0 {
		try()
	}
}

// chain computes a CBC-MAC with padding 1 from a block on; X9.19 ends it with the second key.
type chain struct {
	first, second *paycrypto.Cipher
	before        [16]byte // the state before block at
	at            int
	room          [16]byte
}

func newChain(a mac.Algorithm, key []byte) (c chain) {
	switch {
	case a == mac.X919 && len(key) == 16:
		c.first, _ = paycrypto.NewDES(key[:8])
		c.second, _ = paycrypto.NewDES(key[8:])
	case a == mac.X99 && len(key) == 8:
		c.first, _ = paycrypto.NewDES(key)
	case a == mac.CBCMACTDES && len(key) == 16:
		c.first, _ = paycrypto.NewTDES(key)
	}
	return c
}

func (c *chain) wipe() {
	c.first.Wipe()
	c.second.Wipe()
	clear(c.before[:])
	clear(c.room[:])
}

// code is the code of mab whose bytes before block at are those of the calls before with at or less.
func (c *chain) code(mab []byte, at int) []byte {
	n := c.first.BlockSize()
	if at < c.at {
		c.at = 0
		clear(c.before[:])
	}
	_ = c.first.ChainBlocks(c.before[:n], mab[c.at*n:at*n])
	c.at = at
	state := c.room[:n]
	copy(state, c.before[:n])
	whole := len(mab) / n * n
	_ = c.first.ChainBlocks(state, mab[at*n:whole])
	if rest := len(mab) - whole; rest > 0 || len(mab) == 0 {
		var last [16]byte
		copy(last[:], mab[whole:])
		_ = c.first.ChainBlocks(state, last[:n])
	}
	if c.second != nil {
		c.second.Decrypt(state, state)
		c.first.Encrypt(state, state)
	}
	return state
}

// agreement looks whether the PIN block of the same message agrees with the one former key or key of another terminal that
// fits, and with the latter whether the serial number does.
func (x *experiment) agreement(r *diagnosis.MACResult) {
	if len(r.Fits) != 1 {
		return
	}
	k := &x.c.Keys[r.Fits[0].Trial.Key]
	switch k.Source {
	case diagnosis.Sibling, diagnosis.Neighbour:
	case diagnosis.OwnFormer:
		x.step(func(s *live) { r.PINAgrees = x.pinReads(s, r.Fits[0].Trial.Key) })
		return
	default:
		return
	}
	x.step(func(s *live) {
		p := &x.c.Presented
		reading := diagnosis.Read(p.Cipher)
		right := func(d *diagnosis.Candidate) bool {
			code := x.serialCode(s, d, &diagnosis.SerialTrial{})
			return code != nil && reading.Match(code, diagnosis.FirstPart)
		}
		for i := range x.c.Serials {
			if d := &x.c.Serials[i]; d.Serial == x.c.Device && d.Serial != "" && right(d) {
				r.CipherOf = diagnosis.OwnDevice
			}
		}
		if r.CipherOf == diagnosis.NoDevice && k.Serial != "" && right(k) {
			r.CipherOf = diagnosis.OwnerDevice
		}
		r.PINAgrees = x.pinReads(s, r.Fits[0].Trial.Key)
	})
}

// pinReads tells whether the PIN block reads under the PIN key of a set in the format that DE53 states.
func (x *experiment) pinReads(s *live, i int) bool {
	if !x.pinOpen() {
		return false
	}
	o := x.open(s, i)
	if o == nil {
		return false
	}
	f := pinblock.ISO0
	switch {
	case x.c.PIN.Size == 16:
		f = pinblock.SM4PAN1
	case x.c.PIN.Form == '1':
		f = pinblock.NoPAN
	}
	return x.reads(o.pik(), o.cipher, f, diagnosis.RightDigits)
}
