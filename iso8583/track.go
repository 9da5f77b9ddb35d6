package iso8583

import "touchstone/pos"

// The bounds of track 2, in digits; docs/protocol/unionpay-pos.md, section 2, DE35: z..37.
const (
	MaxTrack2 = 37

	expiryDigits  = 4
	serviceDigits = 3
)

// Track2 is where the parts of a track 2 lie. It holds neither the card number nor the
// discretionary data, only counts, so that printing it shows neither.
//
//	PAN 12 to 19 digits | separator "=" or D | expiry YYMM | service code n3 | discretionary data
type Track2 struct {
	PANDigits     int    // the digits of the card number, from the start
	Expiry        uint16 // YYMM as a number; 0 when the card states none (0000)
	Service       uint16 // service code, 0 to 999: first digit 2 or 6 is a chip card
	Discretionary int    // the digits after the service code, to the end
}

// Chip tells whether the service code says that the card has a chip: first digit 2 or 6;
// docs/protocol/unionpay-pos.md, section 9A.23.
func (t Track2) Chip() bool { return t.Service/100 == 2 || t.Service/100 == 6 }

// SetPAN sets dst to the card number of the track that ParseTrack2 was given. It fails with pos.ErrPAN.
func (t Track2) SetPAN(track []byte, dst pos.PAN) error {
	if t.PANDigits > len(track) {
		dst.Clear()
		return pos.ErrPAN
	}
	return dst.Set(track[:t.PANDigits])
}

// ParseTrack2 reads a clear track 2: ASCII digits with one separator, "=" or D, as Message.CopyDigits
// gives DE35, without sentinels. Expiry and service code must be there; the month is 01 to 12, or
// the whole expiry 0000. It fails with a DecodeError of element 35.
func ParseTrack2(track []byte) (Track2, error) {
	if len(track) > MaxTrack2 {
		return Track2{}, DecodeError{Element: 35, Kind: KindLength, Have: len(track), Want: MaxTrack2}
	}
	sep := 0
	for sep < len(track) && isDigit(track[sep]) {
		sep++
	}
	rest := len(track) - sep - 1
	if sep < pos.MinPAN || sep > pos.MaxPAN || rest < expiryDigits+serviceDigits {
		return Track2{}, DecodeError{Element: 35, Kind: KindLayout, Have: len(track)}
	}
	if track[sep] != '=' && track[sep] != 'D' {
		return Track2{}, DecodeError{Element: 35, Kind: KindDigit}
	}
	after := track[sep+1:]
	for _, c := range after {
		if !isDigit(c) {
			return Track2{}, DecodeError{Element: 35, Kind: KindDigit}
		}
	}
	expiry := uint16(value(after[:expiryDigits]))
	if month := expiry % 100; expiry != 0 && (month < 1 || month > 12) {
		return Track2{}, DecodeError{Element: 35, Kind: KindValue}
	}
	return Track2{
		PANDigits:     sep,
		Expiry:        expiry,
		Service:       uint16(value(after[expiryDigits : expiryDigits+serviceDigits])),
		Discretionary: rest - expiryDigits - serviceDigits,
	}, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// digits tells whether b is ASCII digits only.
func digits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// value is the number that at most 19 ASCII digits write; the caller has checked them.
func value(b []byte) (n uint64) {
	for _, c := range b {
		n = n*10 + uint64(c-'0')
	}
	return n
}

// appendNumber appends v as width ASCII digits; the caller has checked that it fits.
func appendNumber(dst []byte, v uint64, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}
