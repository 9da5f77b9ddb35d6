package paycrypto

import "encoding/binary"

// AppendCMAC appends the CMAC of data, one whole block, to dst; NIST SP 800-38B,
// also ISO/IEC 9797-1 algorithm 5. It allocates nothing when dst has room.
func (c *Cipher) AppendCMAC(dst, data []byte) []byte {
	n := c.live().algorithm.BlockSize()
	var subkey, last, state [MaxBlock]byte
	c.Encrypt(subkey[:n], subkey[:n])
	double(subkey[:n])
	whole := 0
	if len(data) > 0 {
		whole = (len(data) - 1) / n * n
	}
	if rest := copy(last[:n], data[whole:]); rest < n {
		double(subkey[:n])
		last[rest] = 0x80
	}
	for i := range n {
		last[i] ^= subkey[i]
	}
	// Both lengths are whole blocks, which is all ChainBlocks asks for.
	_ = c.ChainBlocks(state[:n], data[:whole])
	_ = c.ChainBlocks(state[:n], last[:n])
	clear(subkey[:])
	return append(dst, state[:n]...)
}

// double multiplies a block by x in the field of SP 800-38B, 5.3: R64 is 1B, R128 is 87.
func double(b []byte) {
	hi := binary.BigEndian.Uint64(b)
	if len(b) == 8 {
		binary.BigEndian.PutUint64(b, hi<<1^0x1B&-(hi>>63))
		return
	}
	lo := binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b, hi<<1|lo>>63)
	binary.BigEndian.PutUint64(b[8:], lo<<1^0x87&-(hi>>63))
}
