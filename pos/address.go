package pos

import (
	"errors"
	"strconv"
	"strings"
)

// Address is an IP address in 16 bytes; an IPv4 address is mapped (::ffff:a.b.c.d). It has no port.
type Address [16]byte

// IPv4 makes the mapped address of four bytes.
func IPv4(a, b, c, d byte) Address {
	return Address{10: 0xff, 11: 0xff, 12: a, 13: b, 14: c, 15: d}
}

// Is4 tells whether it is an IPv4 address.
func (a Address) Is4() bool {
	return a[10] == 0xff && a[11] == 0xff && [10]byte(a[:10]) == [10]byte{}
}

// String is dotted decimal for IPv4, else eight groups of hexadecimal digits; "" for the zero value.
func (a Address) String() string {
	if a == (Address{}) {
		return ""
	}
	if !a.Is4() {
		return a.groups()
	}
	var s []string
	for _, b := range a[12:] {
		s = append(s, strconv.Itoa(int(b)))
	}
	return strings.Join(s, ".")
}

// groups is the form of IPv6, of a mapped address too.
func (a Address) groups() string {
	var s []string
	for i := 0; i < 16; i += 2 {
		s = append(s, strconv.FormatUint(uint64(a[i])<<8|uint64(a[i+1]), 16))
	}
	return strings.Join(s, ":")
}

// ErrNetwork is returned for a network that is not written as address/bits.
var ErrNetwork = errors.New("network: want a.b.c.d/bits, or eight groups of hexadecimal digits and /bits")

// Network is a range of addresses. Bits counts over the 16 bytes: 96 and the written bits for IPv4.
// The zero value holds no address.
type Network struct {
	Base Address
	Bits uint8
}

// Contains tells whether a is in the range.
func (n Network) Contains(a Address) bool {
	if n == (Network{}) {
		return false
	}
	for i := range 16 {
		left := int(n.Bits) - 8*i
		if left <= 0 {
			return true
		}
		mask := byte(0xff)
		if left < 8 {
			mask <<= 8 - left
		}
		if (n.Base[i]^a[i])&mask != 0 {
			return false
		}
	}
	return true
}

// String is the form ParseNetwork reads.
func (n Network) String() string {
	if n == (Network{}) {
		return ""
	}
	if n.Base.Is4() && n.Bits >= 96 {
		return n.Base.String() + "/" + strconv.Itoa(int(n.Bits)-96)
	}
	return n.Base.groups() + "/" + strconv.Itoa(int(n.Bits))
}

// ParseNetwork reads "10.1.0.0/16", "10.1.2.3" (one address) or the full form of an IPv6 network.
func ParseNetwork(s string) (Network, error) {
	host, bits, ranged := strings.Cut(s, "/")
	base, four, ok := parseAddress(host)
	if !ok {
		return Network{}, ErrNetwork
	}
	most, add := 128, 0
	if four {
		most, add = 32, 96
	}
	n := most
	if ranged {
		v, err := strconv.Atoi(bits)
		if err != nil || v < 0 || v > most || strconv.Itoa(v) != bits {
			return Network{}, ErrNetwork
		}
		n = v
	}
	return Network{base, uint8(n + add)}, nil
}

func parseAddress(s string) (a Address, four, ok bool) {
	sep, base, width, groups := ":", 16, 16, 8
	if strings.Contains(s, ".") {
		sep, base, width, groups, four = ".", 10, 8, 4, true
		a = IPv4(0, 0, 0, 0)
	}
	parts := strings.Split(s, sep)
	if len(parts) != groups {
		return Address{}, false, false
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, base, width)
		if err != nil || len(p) > 4 || (four && len(p) > 1 && p[0] == '0') {
			return Address{}, false, false
		}
		if four {
			a[12+i] = byte(v)
		} else {
			a[2*i], a[2*i+1] = byte(v>>8), byte(v)
		}
	}
	return a, four, a != Address{}
}

// MarshalText is String.
func (n Network) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText is ParseNetwork.
func (n *Network) UnmarshalText(b []byte) (err error) {
	*n, err = ParseNetwork(string(b))
	return err
}
