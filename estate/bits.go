package estate

import "math/bits"

// set is a set of slots.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) put(i uint32)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i uint32) bool { return s[i/64]>>(i%64)&1 == 1 }

func (s set) size() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) and(o set) {
	for i := range s {
		s[i] &= o[i]
	}
}

func (s set) or(o set) {
	for i := range s {
		s[i] |= o[i]
	}
}

// fill puts every slot below n.
func (s set) fill(n int) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	if n%64 != 0 {
		s[len(s)-1] = 1<<(n%64) - 1
	}
}

// each calls f with the slots, ascending.
func (s set) each(f func(i uint32)) {
	for w, word := range s {
		for word != 0 {
			f(uint32(w*64 + bits.TrailingZeros64(word)))
			word &= word - 1
		}
	}
}

// flags are a set that grows.
type flags struct{ set set }

func (f *flags) put(i uint32, on bool) {
	for int(i/64) >= len(f.set) {
		f.set = append(f.set, 0)
	}
	f.set[i/64] &^= 1 << (i % 64)
	if on {
		f.set.put(i)
	}
}

func (f *flags) has(i uint32) bool { return int(i/64) < len(f.set) && f.set.has(i) }
