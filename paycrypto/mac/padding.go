package mac

import (
	"encoding/binary"
	"errors"
)

// Padding is a padding method of ISO/IEC 9797-1:2011, 6.3. The zero value is none.
type Padding uint8

// The padding methods.
const (
	Padding1 Padding = 1 // zeros to a whole block; an empty message is one block
	Padding2 Padding = 2 // 80 and zeros to a whole block, always at least one byte
	Padding3 Padding = 3 // a block with the length in bits, then padding 1
)

// ErrPadding is returned for an unknown padding method, or one where the
// algorithm has no place for it, or a block size of less than 1 or over 255.
var ErrPadding = errors.New("mac: padding method does not fit")

// maxPadBlock bounds the block size of AppendPadded, in bytes.
const maxPadBlock = 255

// AppendPadded appends data, padded to whole blocks of size bytes, to dst.
func (p Padding) AppendPadded(dst, data []byte, size int) ([]byte, error) {
	if p < Padding1 || p > Padding3 || size < 1 || size > maxPadBlock {
		return dst, ErrPadding
	}
	if p == Padding3 {
		dst = appendLength(dst, len(data), size)
	}
	dst = append(dst, data...)
	fill := (size - len(data)%size) % size
	if p == Padding2 {
		dst, fill = append(dst, 0x80), (2*size-len(data)%size-1)%size
	} else if len(data) == 0 {
		fill = size
	}
	for range fill {
		dst = append(dst, 0)
	}
	return dst, nil
}

// appendLength appends the length of data in bits, big-endian in one block.
func appendLength(dst []byte, n, size int) []byte {
	var wide [8]byte
	binary.BigEndian.PutUint64(wide[:], uint64(n)*8)
	for range size - len(wide) {
		dst = append(dst, 0)
	}
	return append(dst, wide[max(0, len(wide)-size):]...)
}
