package paycrypto

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/emmansun/gmsm/sm4"

	"touchstone/secret"
)

// MaxBlock is the largest block of any Algorithm, in bytes.
const MaxBlock = 16

// ErrKeySize is returned for a key whose length does not fit its algorithm.
var ErrKeySize = errors.New("key: wrong length for the algorithm")

// ErrDataSize is returned for data that is not a whole number of blocks, or a
// destination or initial value of another length.
var ErrDataSize = errors.New("data: not whole blocks of the algorithm")

// Cipher is a block cipher under one key with the key schedule expanded. It may
// be used by many goroutines at once and allocates nothing, unless two of them
// use one AES or SM4 Cipher in the same moment. It is a cipher.Block.
//
// The schedule lives behind a func for the reason given at secret.Bytes: fmt
// reaches unexported fields by reflection and prints a func as an address.
type Cipher struct{ hold func() *schedule }

var _ cipher.Block = (*Cipher)(nil)

// schedule is an expanded key. Exactly one of des and block is set.
type schedule struct {
	algorithm Algorithm
	des       []uint64 // 16 round keys a DES key
	block     cipher.Block
	// scratch is the buffer AES and SM4 work in: what is passed to an interface
	// method must live on the heap. busy guards it; who finds it busy allocates.
	busy    atomic.Bool
	scratch [MaxBlock]byte
}

// NewCipher expands key, which is only read, for an algorithm. It returns nil and
// ErrKeySize when the length does not fit, also for the algorithm none. Parity
// bits of DES keys are ignored; weak keys and equal halves are not refused here,
// which is the business of who accepts keys.
func NewCipher(a Algorithm, key []byte) (*Cipher, error) {
	if !a.KeySize(len(key)) {
		return nil, ErrKeySize
	}
	s := &schedule{algorithm: a}
	var err error
	switch a {
	case DES, TDES:
		s.des = expandTDES(key)
	case AES:
		s.block, err = aes.NewCipher(key)
	case SM4:
		s.block, err = sm4.NewCipher(key)
	}
	if err != nil {
		return nil, ErrKeySize
	}
	return &Cipher{func() *schedule { return s }}, nil
}

// NewDES expands an 8-byte key; see NewCipher.
func NewDES(key []byte) (*Cipher, error) { return NewCipher(DES, key) }

// NewTDES expands a 16- or 24-byte key; see NewCipher.
func NewTDES(key []byte) (*Cipher, error) { return NewCipher(TDES, key) }

// NewAES expands a 16-, 24- or 32-byte key; see NewCipher.
func NewAES(key []byte) (*Cipher, error) { return NewCipher(AES, key) }

// NewSM4 expands a 16-byte key; see NewCipher.
func NewSM4(key []byte) (*Cipher, error) { return NewCipher(SM4, key) }

// Algorithm is the cipher's algorithm: none for a nil, zero or wiped Cipher,
// which must not be asked for anything else.
func (c *Cipher) Algorithm() Algorithm {
	if c == nil || c.hold == nil {
		return 0
	}
	return c.hold().algorithm
}

// BlockSize is the block in bytes, 8 or 16.
func (c *Cipher) BlockSize() int { return c.Algorithm().BlockSize() }

// Wipe forgets the key for every copy of c. The DES and TDES schedule is zeroed;
// that of AES and SM4 belongs to another package and is only let go. It must not
// run while c is in use.
func (c *Cipher) Wipe() {
	if c == nil || c.hold == nil {
		return
	}
	s := c.hold()
	s.algorithm = 0
	clear(s.des)
	s.des, s.block = nil, nil
}

// live is the schedule. Using a cipher without a key is a broken invariant of ours.
func (c *Cipher) live() *schedule {
	if c.Algorithm() == 0 {
		panic("paycrypto: use of a cipher without a key")
	}
	return c.hold()
}

// Encrypt enciphers the first block of src to dst, which may be the same. Both
// hold at least one block, or it panics as every cipher.Block does.
func (c *Cipher) Encrypt(dst, src []byte) {
	s := c.live()
	if s.des != nil {
		binary.BigEndian.PutUint64(dst, desEncrypt(s.des, binary.BigEndian.Uint64(src)))
		return
	}
	s.through(dst, src, false)
}

// Decrypt is the inverse of Encrypt.
func (c *Cipher) Decrypt(dst, src []byte) {
	s := c.live()
	if s.des != nil {
		binary.BigEndian.PutUint64(dst, desDecrypt(s.des, binary.BigEndian.Uint64(src)))
		return
	}
	s.through(dst, src, true)
}

// through carries one 16-byte block through the scratch buffer.
func (s *schedule) through(dst, src []byte, decrypt bool) {
	to, from := (*[MaxBlock]byte)(dst), (*[MaxBlock]byte)(src)
	b, own := &s.scratch, s.busy.CompareAndSwap(false, true)
	if !own {
		b = new([MaxBlock]byte)
	}
	*b = *from
	if decrypt {
		s.block.Decrypt(b[:], b[:])
	} else {
		s.block.Encrypt(b[:], b[:])
	}
	*to = *b
	*b = [MaxBlock]byte{}
	if own {
		s.busy.Store(false)
	}
}

// ChainBlocks runs CBC-MAC over data: for every block, state = E(state xor
// block). state is one block and starts as zero or as a previous call left it;
// data is whole blocks, possibly none. Other lengths return ErrDataSize and leave
// state alone. ISO/IEC 9797-1:2011, algorithm 1, without padding.
func (c *Cipher) ChainBlocks(state, data []byte) error {
	s := c.live()
	n := s.algorithm.BlockSize()
	if len(state) != n || len(data)%n != 0 {
		return ErrDataSize
	}
	if s.des != nil {
		x := binary.BigEndian.Uint64(state)
		for ; len(data) > 0; data = data[8:] {
			x = desEncrypt(s.des, x^binary.BigEndian.Uint64(data))
		}
		binary.BigEndian.PutUint64(state, x)
		return nil
	}
	s.chainWide(state, data)
	return nil
}

// chainWide is ChainBlocks for 16-byte blocks.
func (s *schedule) chainWide(state, data []byte) {
	b, own := &s.scratch, s.busy.CompareAndSwap(false, true)
	if !own {
		b = new([MaxBlock]byte)
	}
	copy(b[:], state)
	for ; len(data) > 0; data = data[MaxBlock:] {
		xor16(b, (*[MaxBlock]byte)(data))
		s.block.Encrypt(b[:], b[:])
	}
	copy(state, b[:])
	clear(b[:])
	if own {
		s.busy.Store(false)
	}
}

func xor16(x, y *[MaxBlock]byte) {
	le := binary.LittleEndian
	le.PutUint64(x[:8], le.Uint64(x[:8])^le.Uint64(y[:8]))
	le.PutUint64(x[8:], le.Uint64(x[8:])^le.Uint64(y[8:]))
}

// EncryptECB enciphers src, whole blocks, to dst of the same length, which may be
// src itself. Other lengths return ErrDataSize and write nothing. In payment it is
// right for keys wrapped under a master key and for PIN blocks, for nothing else.
func (c *Cipher) EncryptECB(dst, src []byte) error { return c.blocks(dst, src, false) }

// DecryptECB is the inverse of EncryptECB.
func (c *Cipher) DecryptECB(dst, src []byte) error { return c.blocks(dst, src, true) }

func (c *Cipher) blocks(dst, src []byte, decrypt bool) error {
	n := c.live().algorithm.BlockSize()
	if len(dst) != len(src) || len(src)%n != 0 {
		return ErrDataSize
	}
	for i := 0; i < len(src); i += n {
		if decrypt {
			c.Decrypt(dst[i:i+n], src[i:i+n])
		} else {
			c.Encrypt(dst[i:i+n], src[i:i+n])
		}
	}
	return nil
}

// EncryptCBC enciphers src, whole blocks, to dst of the same length, which may be
// src itself, with an initial value of one block; NIST SP 800-38A, 6.2. Other
// lengths return ErrDataSize and write nothing.
func (c *Cipher) EncryptCBC(dst, src, iv []byte) error {
	n := c.live().algorithm.BlockSize()
	if len(dst) != len(src) || len(src)%n != 0 || len(iv) != n {
		return ErrDataSize
	}
	var x [MaxBlock]byte
	copy(x[:], iv)
	for i := 0; i < len(src); i += n {
		for j := range n {
			x[j] ^= src[i+j]
		}
		c.Encrypt(x[:n], x[:n])
		copy(dst[i:], x[:n])
	}
	return nil
}

// DecryptCBC is the inverse of EncryptCBC.
func (c *Cipher) DecryptCBC(dst, src, iv []byte) error {
	n := c.live().algorithm.BlockSize()
	if len(dst) != len(src) || len(src)%n != 0 || len(iv) != n {
		return ErrDataSize
	}
	var previous, current [MaxBlock]byte
	copy(previous[:], iv)
	for i := 0; i < len(src); i += n {
		copy(current[:n], src[i:])
		c.Decrypt(dst[i:i+n], current[:n])
		for j := range n {
			dst[i+j] ^= previous[j]
		}
		previous = current
	}
	return nil
}

// Format prints secret.Redacted for every verb.
func (c *Cipher) Format(w fmt.State, _ rune)     { io.WriteString(w, secret.Redacted) }
func (c *Cipher) MarshalText() ([]byte, error)   { return nil, secret.ErrPrinted }
func (c *Cipher) MarshalJSON() ([]byte, error)   { return nil, secret.ErrPrinted }
func (c *Cipher) MarshalBinary() ([]byte, error) { return nil, secret.ErrPrinted }
func (c *Cipher) GobEncode() ([]byte, error)     { return nil, secret.ErrPrinted }
