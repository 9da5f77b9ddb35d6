package pos

import (
	"encoding/hex"
	"fmt"
)

// The text forms below are what JSON and SQL show.

func (id TerminalID) MarshalText() ([]byte, error) { return id[:], nil }

func (id *TerminalID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseTerminalID(b)
	return err
}

func (id MerchantID) MarshalText() ([]byte, error) { return id[:], nil }

func (id *MerchantID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseMerchantID(b)
	return err
}

func (c Currency) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c *Currency) UnmarshalText(b []byte) error { return fixed(c[:], b) }

func (t TruncatedPAN) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *TruncatedPAN) UnmarshalText(b []byte) error {
	*t = TruncatedPAN{}
	if len(b) == 0 {
		return nil
	}
	if len(b) != 16 || string(b[6:12]) != "******" {
		return ErrIdentity
	}
	for i, c := range b {
		if (i < 6 || i >= 12) && (c < '0' || c > '9') {
			return ErrIdentity
		}
	}
	copy(t[:6], b)
	copy(t[6:], b[12:])
	return nil
}

// String is 32 hexadecimal digits, or "" for no card.
func (h PANHash) String() string {
	if h == (PANHash{}) {
		return ""
	}
	return hex.EncodeToString(h[:])
}

func (h PANHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h *PANHash) UnmarshalText(b []byte) error {
	*h = PANHash{}
	if len(b) == 0 {
		return nil
	}
	if len(b) != 2*len(h) {
		return fmt.Errorf("card hash: %d of %d digits", len(b), 2*len(h))
	}
	if _, err := hex.Decode(h[:], b); err != nil {
		*h = PANHash{}
		return fmt.Errorf("card hash: not hexadecimal")
	}
	return nil
}

func fixed(dst, src []byte) error {
	clear(dst)
	if len(src) != 0 && len(src) != len(dst) {
		return ErrIdentity
	}
	copy(dst, src)
	return nil
}
