package paycrypto

import "math/bits"

// desRounds is the number of round keys of one DES key.
const desRounds = 16

// expandDES writes the 16 round keys of an 8-byte DES key to sub. Parity bits
// are ignored; FIPS 46-3, "Key schedule". Every step is a table look-up, which
// makes it about ten times as fast as crypto/des.
func expandDES(sub *[desRounds]uint64, key []byte) {
	var cd uint64
	for i := range 8 {
		cd |= pc1Tables[i][key[i]>>1]
	}
	const half = 1<<28 - 1
	c, d := uint32(cd>>28), uint32(cd)&half
	for i, n := range keyShifts {
		c = (c<<n | c>>(28-n)) & half
		d = (d<<n | d>>(28-n)) & half
		sub[i] = pc2Tables[0][c>>21&127] | pc2Tables[1][c>>14&127] | pc2Tables[2][c>>7&127] | pc2Tables[3][c&127] |
			pc2Tables[4][d>>21&127] | pc2Tables[5][d>>14&127] | pc2Tables[6][d>>7&127] | pc2Tables[7][d&127]
	}
}

// expandTDES gives the round keys of an 8-, 16- or 24-byte key: 16, 32 or 48.
func expandTDES(key []byte) []uint64 {
	sub := make([]uint64, len(key)/8*desRounds)
	for i := range len(key) / 8 {
		expandDES((*[desRounds]uint64)(sub[i*desRounds:]), key[i*8:])
	}
	return sub
}

// desEncrypt enciphers one block, big-endian in x, under round keys of
// expandTDES: DES for 16, EDE with K1 K2 K1 for 32, with K1 K2 K3 for 48;
// FIPS 46-3 and ANSI X9.52, keying options 2 and 1. The final permutation of one
// DES and the initial one of the next cancel and are left out.
func desEncrypt(sub []uint64, x uint64) uint64 {
	l, r := initialPermutation(x)
	l, r = roundsForward(l, r, (*[desRounds]uint64)(sub))
	if len(sub) > desRounds {
		l, r = roundsBackward(l, r, (*[desRounds]uint64)(sub[desRounds:]))
		l, r = roundsForward(l, r, lastKey(sub))
	}
	return finalPermutation(l, r)
}

// desDecrypt is the inverse of desEncrypt.
func desDecrypt(sub []uint64, x uint64) uint64 {
	l, r := initialPermutation(x)
	if len(sub) > desRounds {
		l, r = roundsBackward(l, r, lastKey(sub))
		l, r = roundsForward(l, r, (*[desRounds]uint64)(sub[desRounds:]))
	}
	l, r = roundsBackward(l, r, (*[desRounds]uint64)(sub))
	return finalPermutation(l, r)
}

// lastKey is the third key of the three: K1 of a double-length key, else K3.
func lastKey(sub []uint64) *[desRounds]uint64 {
	if len(sub) > 2*desRounds {
		return (*[desRounds]uint64)(sub[2*desRounds:])
	}
	return (*[desRounds]uint64)(sub)
}

// roundsForward runs rounds 1 to 16 and swaps the halves.
func roundsForward(l, r uint32, sub *[desRounds]uint64) (uint32, uint32) {
	for i := 0; i < desRounds; i += 2 {
		l ^= feistel(r, sub[i])
		r ^= feistel(l, sub[i+1])
	}
	return r, l
}

// roundsBackward runs rounds 16 to 1 and swaps the halves.
func roundsBackward(l, r uint32, sub *[desRounds]uint64) (uint32, uint32) {
	for i := desRounds - 1; i > 0; i -= 2 {
		l ^= feistel(r, sub[i])
		r ^= feistel(l, sub[i-1])
	}
	return r, l
}

// feistel is the cipher function f of FIPS 46-3. The half is kept rotated left by
// one bit, so that the six bits E gives to S8, S6, S4 and S2 lie at the low end of
// its four bytes, and those of S7, S5, S3 and S1 after a rotation by four.
func feistel(half uint32, key uint64) uint32 {
	a := half ^ uint32(key>>32)
	b := bits.RotateLeft32(half, -4) ^ uint32(key)
	return spBoxes[7][a&63] ^ spBoxes[5][a>>8&63] ^ spBoxes[3][a>>16&63] ^ spBoxes[1][a>>24&63] ^
		spBoxes[6][b&63] ^ spBoxes[4][b>>8&63] ^ spBoxes[2][b>>16&63] ^ spBoxes[0][b>>24&63]
}

// initialPermutation is IP as five exchanges of bit groups between the halves,
// with both halves left rotated by one bit as feistel wants them.
func initialPermutation(x uint64) (l, r uint32) {
	l, r = uint32(x>>32), uint32(x)
	l, r = exchange(l, r, 4, 0x0F0F0F0F)
	l, r = exchange(l, r, 16, 0x0000FFFF)
	r, l = exchange(r, l, 2, 0x33333333)
	r, l = exchange(r, l, 8, 0x00FF00FF)
	r = bits.RotateLeft32(r, 1)
	l, r = exchange(l, r, 0, 0xAAAAAAAA)
	return bits.RotateLeft32(l, 1), r
}

// finalPermutation undoes initialPermutation on the swapped halves of round 16.
func finalPermutation(l, r uint32) uint64 {
	l = bits.RotateLeft32(l, -1)
	l, r = exchange(l, r, 0, 0xAAAAAAAA)
	r = bits.RotateLeft32(r, -1)
	r, l = exchange(r, l, 8, 0x00FF00FF)
	r, l = exchange(r, l, 2, 0x33333333)
	l, r = exchange(l, r, 16, 0x0000FFFF)
	l, r = exchange(l, r, 4, 0x0F0F0F0F)
	return uint64(l)<<32 | uint64(r)
}

// exchange swaps the bits of a at mask<<n with those of b at mask.
func exchange(a, b uint32, n uint, mask uint32) (uint32, uint32) {
	t := (a>>n ^ b) & mask
	return a ^ t<<n, b ^ t
}
