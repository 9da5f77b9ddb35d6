package iso8583

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The parts of a frame, in bytes; docs/protocol/unionpay-pos.md, section 1.
//
//	+--------+-----------+---------------+------+----------+-----------------+
//	| LEN 2B | TPDU 5B   | HEADER 6B     | MTI  | BITMAP   | DATA ELEMENTS   |
//	|        | 60 dst src| 12 BCD digits | 2B   | 8B       | … DE64 if MACed |
//	+--------+-----------+---------------+------+----------+-----------------+
const (
	// LengthSize is LEN: unsigned, big-endian, binary; it counts every byte after itself.
	LengthSize = 2
	// EnvelopeSize is the TPDU, 5 bytes, and the header, 6 bytes.
	EnvelopeSize = 11
	// MinFrame is the least LEN: an envelope, a message type and a bitmap.
	MinFrame = EnvelopeSize + mtiSize + bitmapSize
	// MaxFrame is the most LEN this end reads or writes; messages of the protocol are under 1.5 KB.
	MaxFrame = 2048

	mtiSize    = 2
	bitmapSize = 8
	macSize    = 8
)

var (
	// ErrFrameLength is returned for a LEN under MinFrame or over MaxFrame.
	ErrFrameLength = errors.New("read frame: length outside its bounds")
	// ErrFrameCut is returned when the stream ends or fails inside a frame.
	ErrFrameCut = errors.New("read frame: cut off")
	// ErrEnvelope is returned for a TPDU that does not begin with 60, and for a TPDU or header that is not BCD.
	ErrEnvelope = errors.New("read envelope: TPDU or header malformed")
)

// ReadFrame reads one frame from r and returns the bytes after LEN: TPDU, header, message. They lie
// in buf when its capacity is enough (MaxFrame always is), and in new memory otherwise.
//
// An end of stream before the first byte is io.EOF, any other failure there the reader's own error.
// A failure after it is ErrFrameCut, wrapped together with the reader's error when that is not an
// end of stream. A LEN outside MinFrame to MaxFrame is ErrFrameLength; the bytes it counts are not
// read, so the stream is then of no further use.
func ReadFrame(r io.Reader, buf []byte) (frame []byte, err error) {
	if cap(buf) < LengthSize {
		buf = make([]byte, LengthSize)
	}
	buf = buf[:cap(buf)]
	if n, err := io.ReadFull(r, buf[:LengthSize]); err != nil {
		if n == 0 {
			return nil, err
		}
		return nil, cut(err)
	}
	size := int(binary.BigEndian.Uint16(buf))
	if size < MinFrame || size > MaxFrame {
		return nil, ErrFrameLength
	}
	if len(buf) < size {
		buf = make([]byte, size)
	}
	if _, err := io.ReadFull(r, buf[:size]); err != nil {
		return nil, cut(err)
	}
	return buf[:size], nil
}

func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrFrameCut
	}
	return fmt.Errorf("%w: %w", ErrFrameCut, err)
}

// Envelope is the TPDU and the header of a frame, as on the wire: 11 bytes, 22 BCD digits.
//
//	60 DDDD OOOO  CC VV S R NNNNNN
//	|  |    |     |  |  | | +------ software sub-version (软件分版本号), n6
//	|  |    |     |  |  | +-------- processing requirement (处理要求), n1
//	|  |    |     |  |  +---------- terminal status (终端状态), n1
//	|  |    |     |  +------------- software total version (软件总版本号), n2
//	|  |    |     +---------------- application class (应用类别定义), n2
//	|  |    +---------------------- origin, n4
//	|  +--------------------------- destination (NII), n4
//	+------------------------------ always 60
type Envelope [EnvelopeSize]byte

// tpduID is the first byte of every TPDU; docs/protocol/unionpay-pos.md, section 1.
const tpduID = 0x60

// ParseEnvelope copies the envelope from the start of a frame. It fails with ErrEnvelope.
func ParseEnvelope(frame []byte) (e Envelope, err error) {
	if len(frame) < EnvelopeSize {
		return Envelope{}, ErrEnvelope
	}
	copy(e[:], frame)
	if !e.valid() {
		return Envelope{}, ErrEnvelope
	}
	return e, nil
}

func (e *Envelope) valid() bool { return e[0] == tpduID && packed(e[:], digitNibbles) }

// Destination is the TPDU's destination as four hexadecimal digits: 0x0601 is "0601".
func (e Envelope) Destination() uint16 { return binary.BigEndian.Uint16(e[1:]) }

// Origin is the TPDU's origin as four hexadecimal digits.
func (e Envelope) Origin() uint16 { return binary.BigEndian.Uint16(e[3:]) }

// Class is the application class: 60 magnetic-stripe payment, 61 IC-card payment, 62 magnetic and
// 63 IC value-added.
func (e Envelope) Class() int { return decimal(e[5]) }

// Version is the software total version: 31, 32.
func (e Envelope) Version() int { return decimal(e[6]) }

// Status is the terminal status: 0 is normal trading, other values are unverified.
func (e Envelope) Status() int { return int(e[7] >> 4) }

// Requirement is the processing requirement; terminals send 0.
func (e Envelope) Requirement() Requirement { return Requirement(e[7] & 0x0F) }

// SubVersion is the software sub-version, n6.
func (e Envelope) SubVersion() int {
	return decimal(e[8])*10000 + decimal(e[9])*100 + decimal(e[10])
}

// Answer is the envelope of the answer: destination and origin swapped, the header echoed with the
// processing requirement r. Builder.Begin refuses an r over 9.
func (e Envelope) Answer(r Requirement) Envelope {
	e[1], e[2], e[3], e[4] = e[3], e[4], e[1], e[2]
	e[7] = e[7]&0xF0 | byte(r)&0x0F
	return e
}

// Requirement is the processing requirement (处理要求), what a terminal is asked to do after the
// current transaction; docs/protocol/unionpay-pos.md, section 1. One digit: 9 is the highest.
type Requirement uint8

// The processing requirements.
const (
	NoRequirement        Requirement = 0
	DownloadStripeParams Requirement = 1
	UploadStripeStatus   Requirement = 2
	SignInAgain          Requirement = 3
	UpdateCAKeys         Requirement = 4
	DownloadICParams     Requirement = 5
	UpdateTMSParams      Requirement = 6
	DownloadBlacklist    Requirement = 7
	DownloadRates        Requirement = 8
	DownloadContactless  Requirement = 9 // contactless (qPBOC) parameters
)

// decimal is the value of one byte of two BCD digits.
func decimal(b byte) int { return int(b>>4)*10 + int(b&0x0F) }

// bcd is one byte of two BCD digits, of a value of 0 to 99.
func bcd(v uint32) byte { return byte(v + v/10*6) }
