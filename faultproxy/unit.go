package faultproxy

import (
	"bufio"
	"encoding/binary"
	"io"
)

// Units cuts a stream into what is counted and handled as one. It returns the next unit in new memory;
// with an error what is left of the stream, which may be nothing.
type Units func(r *bufio.Reader) (unit []byte, err error)

// Frames are LEN, 2 bytes big-endian, and as many bytes as it says.
func Frames(r *bufio.Reader) ([]byte, error) {
	return counted(r, 2, func(head []byte) int { return int(binary.BigEndian.Uint16(head)) })
}

// Records are TLS records: type 1, version 2, length 2, fragment; RFC 8446, section 5.1.
func Records(r *bufio.Reader) ([]byte, error) {
	return counted(r, 5, func(head []byte) int { return int(binary.BigEndian.Uint16(head[3:])) })
}

// Bytes are whatever one read gives.
func Bytes(r *bufio.Reader) ([]byte, error) {
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	unit := make([]byte, r.Buffered())
	_, err := io.ReadFull(r, unit)
	return unit, err
}

// counted reads a head and the bytes that it counts.
func counted(r *bufio.Reader, head int, size func(head []byte) int) ([]byte, error) {
	unit := make([]byte, head)
	if n, err := io.ReadFull(r, unit); err != nil {
		return unit[:n], err
	}
	whole := append(unit, make([]byte, size(unit))...)
	n, err := io.ReadFull(r, whole[head:])
	return whole[:head+n], err
}
