package paycrypto

// The tables of FIPS 46-3 as the standard prints them: positions count from 1,
// which is the most significant bit. What the block function uses is computed
// from them once, when the program starts, and never written again.

// sBoxes are S1 to S8, four rows of sixteen; FIPS 46-3, Appendix 1.
var sBoxes = [8][64]byte{
	{ // S1
		14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7,
		0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
		4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0,
		15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
	},
	{ // S2
		15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10,
		3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
		0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15,
		13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
	},
	{ // S3
		10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8,
		13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
		13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7,
		1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
	},
	{ // S4
		7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15,
		13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
		10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4,
		3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
	},
	{ // S5
		2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9,
		14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
		4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14,
		11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
	},
	{ // S6
		12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11,
		10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
		9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6,
		4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
	},
	{ // S7
		4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1,
		13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
		1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2,
		6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
	},
	{ // S8
		13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7,
		1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
		7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8,
		2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
	},
}

// permutationP spreads the S-box outputs; FIPS 46-3, Appendix 1.
var permutationP = [32]byte{
	16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
	2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
}

// permutedChoice1 picks the 56 key bits: C in the first 28, D in the rest.
var permutedChoice1 = [56]byte{
	57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18,
	10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
	63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22,
	14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
}

// permutedChoice2 picks the 48 bits of a round key from C and D.
var permutedChoice2 = [48]byte{
	14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10,
	23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
	41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48,
	44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
}

// keyShifts are the left rotations of C and D before each round.
var keyShifts = [16]byte{1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1}

// The computed tables: 2 KiB, 8 KiB and 8 KiB.
var (
	spBoxes   = makeSPBoxes()
	pc1Tables = makePC1Tables()
	pc2Tables = makePC2Tables()
)

// makeSPBoxes joins each S-box with P and the rotation by one bit that the block
// function works in: spBoxes[i][x] is what S(i+1) adds to the other half.
func makeSPBoxes() (t [8][64]uint32) {
	for i := range t {
		for x := range t[i] {
			row, column := x>>5<<1|x&1, x>>1&15
			wide := uint32(sBoxes[i][row*16+column]) << (28 - 4*i)
			var out uint32
			for to, from := range permutationP {
				out |= wide >> (32 - from) & 1 << (31 - to)
			}
			t[i][x] = out<<1 | out>>31
		}
	}
	return t
}

// makePC1Tables gives for key byte i with its parity bit dropped the bits it
// sets in C (bits 55 to 28) and D (bits 27 to 0).
func makePC1Tables() (t [8][128]uint64) {
	for to, from := range permutedChoice1 {
		i, bit := (from-1)/8, 6-(from-1)%8
		for v := range t[i] {
			t[i][v] |= uint64(v) >> bit & 1 << (55 - to)
		}
	}
	return t
}

// makePC2Tables gives for the g-th seven bits of C || D the bits they set in the
// round key. A round key is eight bytes of six bits: those of S8, S6, S4, S2 in
// the upper word from its low byte up, those of S7, S5, S3, S1 in the lower.
func makePC2Tables() (t [8][128]uint64) {
	for to, from := range permutedChoice2 {
		g, bit := (from-1)/7, 6-(from-1)%7
		box, place := to/6, 5-to%6
		shift := (7-box)/2*8 + box%2*32 + place
		for v := range t[g] {
			t[g][v] |= uint64(v) >> bit & 1 << shift
		}
	}
	return t
}
