package soft

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
)

// The bounds of making keys.
const (
	maxComponents = 8
	maxDraws      = 16 // a weak key comes once in 2^52 draws; more in a row is a broken source
)

// Form combines 1 to 8 components by XOR into a terminal master key or a serial-number key; see
// keys.Module. It refuses with keys.ErrComponents what would leave fewer people knowing the key than
// gave a component (a zero component, two that are equal), a zero result, and a weak one: a weak or
// semi-weak DES key, a TDES key of two equal halves. Parity bits are kept as they come. Other errors are
// keys.ErrUsage, keys.ErrSealed, that of ctx and that of the random source.
func (m *Module) Form(ctx context.Context, owner keys.Owner, usage keys.Usage, c keys.Cipher, components []secret.Bytes) (w keys.Wrapped, kcv string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	size := sizeOf(usage, c)
	if size == 0 || usage == keys.WorkingSet || owner == "" {
		return nil, "", keys.ErrUsage
	}
	s, leave := m.enter(0)
	if s == nil {
		return nil, "", keys.ErrSealed
	}
	defer leave.RUnlock()
	key := make([]byte, size)
	defer clear(key)
	if !combine(key, components) || weak(c, key) {
		return nil, "", keys.ErrComponents
	}
	block, err := paycrypto.NewCipher(algorithmOf(c), key)
	if err != nil {
		return nil, "", keys.ErrComponents
	}
	defer block.Wipe()
	check := block.CheckValue()
	if w, err = s.wrap(m.hold().random, owner, usage, c, key); err != nil {
		return nil, "", err
	}
	return w, strings.ToUpper(hex.EncodeToString(check[:])), nil
}

// combine writes the XOR of the components to key, or tells that they may not make one.
func combine(key []byte, components []secret.Bytes) bool {
	if len(components) < 1 || len(components) > maxComponents {
		return false
	}
	ok := true
	for i, part := range components {
		for _, other := range components[:i] {
			ok = ok && !part.Equal(other)
		}
		part.Use(func(b []byte) {
			if len(b) != len(key) || zero(b) {
				ok = false
				return
			}
			for j := range b {
				key[j] ^= b[j]
			}
		})
	}
	return ok && !zero(key)
}

func zero(b []byte) bool {
	var all byte
	for _, c := range b {
		all |= c
	}
	return all == 0
}

// algorithmOf is the block cipher of a key.
func algorithmOf(c keys.Cipher) paycrypto.Algorithm {
	switch c {
	case keys.DES:
		return paycrypto.DES
	case keys.TDES:
		return paycrypto.TDES
	case keys.SM4:
		return paycrypto.SM4
	}
	return 0
}

// weakDES are the 4 weak and 12 semi-weak DES keys with odd parity; NIST SP 800-67 Rev. 2, 3.3.2.
var weakDES = [16]uint64{
	0x0101010101010101, 0xFEFEFEFEFEFEFEFE, 0xE0E0E0E0F1F1F1F1, 0x1F1F1F1F0E0E0E0E,
	0x01FE01FE01FE01FE, 0xFE01FE01FE01FE01, 0x1FE01FE00EF10EF1, 0xE01FE01FF10EF10E,
	0x01E001E001F101F1, 0xE001E001F101F101, 0x1FFE1FFE0EFE0EFE, 0xFE1FFE1FFE0EFE0E,
	0x011F011F010E010E, 0x1F011F010E010E01, 0xE0FEE0FEF1FEF1FE, 0xFEE0FEE0FEF1FEF1,
}

// weak judges an 8- or 16-byte DES or TDES key whatever its parity bits; an SM4 key is never weak.
func weak(c keys.Cipher, key []byte) bool {
	if c != keys.DES && c != keys.TDES {
		return false
	}
	const parity = 0x0101010101010101
	var halves [2]uint64
	for i := range len(key) / 8 {
		for _, b := range key[8*i : 8*i+8] {
			halves[i] = halves[i]<<8 | uint64(b)
		}
		for _, known := range weakDES {
			if (halves[i]^known)&^parity == 0 {
				return true
			}
		}
	}
	return len(key) == 16 && (halves[0]^halves[1])&^parity == 0
}

// IssueSet draws the working keys of a sign-in; see keys.Module. The set is PIK, MAK and TDK in 16 bytes
// each, padded with zeros; a code without a track key has zeros for it. DES and TDES keys have odd
// parity and are never weak. longMAK is refused with keys.ErrUsage after code 001 and is without effect
// after 005 and 006, whose MAK has 16 bytes anyway. Other errors are keys.ErrUsage for an unknown code
// or a master key of another use or cipher, keys.ErrOwner, keys.ErrSealed, that of ctx and that of the
// random source.
func (m *Module) IssueSet(ctx context.Context, terminal pos.TerminalID, master keys.Wrapped, code pos.NetworkCode, longMAK bool) (set [keys.SetSize]byte, de62 []byte, err error) {
	if err := ctx.Err(); err != nil {
		return set, nil, err
	}
	c := keys.CipherOf(code)
	if c == keys.NoCipher || longMAK && c == keys.DES {
		return set, nil, keys.ErrUsage
	}
	s, leave := m.enter(terminal[len(terminal)-1])
	if s == nil {
		return set, nil, keys.ErrSealed
	}
	defer leave.RUnlock()
	owner := keys.OfTerminal(terminal[:])
	tmk, err := s.masterOf(master, owner, c)
	if err != nil {
		return set, nil, err
	}
	defer tmk.Wipe()
	var plain [setBytes]byte
	defer clear(plain[:])
	var working paycrypto.WorkingKeys
	defer func() { working.Wipe() }()
	if working, err = m.draw(&plain, code, longMAK); err != nil {
		return set, nil, err
	}
	de62, err = paycrypto.AppendWorkingKeys(nil, paycrypto.SignInCode(code), tmk, working)
	if err != nil {
		return set, nil, fmt.Errorf("%w: %w", keys.ErrUsage, err)
	}
	w, err := s.wrap(m.hold().random, owner, keys.WorkingSet, c, plain[:])
	if err != nil {
		return set, nil, err
	}
	copy(set[:], w)
	return set, de62, nil
}

func (s *live) masterOf(w keys.Wrapped, owner keys.Owner, c keys.Cipher) (*paycrypto.Cipher, error) {
	is, key, err := s.unwrap(w, owner, keys.TerminalMaster)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if is != c {
		return nil, keys.ErrUsage
	}
	return paycrypto.NewCipher(algorithmOf(c), key)
}

// draw fills plain with new keys for a code and gives the same keys one by one.
func (m *Module) draw(plain *[setBytes]byte, code pos.NetworkCode, longMAK bool) (k paycrypto.WorkingKeys, err error) {
	c := keys.CipherOf(code)
	size, makCipher := sizeOf(keys.TerminalMaster, c), c
	makSize := size
	if c == keys.TDES && !longMAK {
		makCipher, makSize = keys.DES, 8
	}
	pik, mak, tdk := plain[:size], plain[16:16+makSize], plain[32:32+size]
	if err = m.drawKey(c, pik); err == nil {
		err = m.drawKey(makCipher, mak)
	}
	if err == nil && keys.HasTrackKey(code) {
		err = m.drawKey(c, tdk)
		k.TDK = secret.Take(append([]byte(nil), tdk...))
	}
	k.PIK, k.MAK = secret.Take(append([]byte(nil), pik...)), secret.Take(append([]byte(nil), mak...))
	return k, err
}

// drawKey fills key at random, with odd parity for DES and TDES, until it is neither zero nor weak.
func (m *Module) drawKey(c keys.Cipher, key []byte) error {
	for range maxDraws {
		if _, err := io.ReadFull(m.hold().random, key); err != nil {
			return fmt.Errorf("draw a working key: %w", err)
		}
		if c != keys.SM4 {
			paycrypto.AdjustParity(key)
		}
		if !zero(key) && !weak(c, key) {
			return nil
		}
	}
	return fmt.Errorf("draw a working key: %d weak keys in a row: %w", maxDraws, keys.ErrUnavailable)
}
