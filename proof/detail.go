package proof

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/transaction"
)

// value is one thing presented or expected, small and without secrets. Layout in the journal: tag 1,
// length 1, bytes.
type value struct {
	tag byte
	n   uint64
	b   []byte
}

const (
	tagNone    = 0
	tagText    = 't'
	tagNumber  = 'u' // 8 bytes
	tagDigits6 = '6' // 4 bytes, shown as six digits
	tagNetwork = 'n' // 16 bytes and bits
	tagKey     = 'k' // set number 4, algorithm 1, covered bytes 2
	tagInstant = 'i' // 8 bytes
	tagPlace   = 'p' // latitude 4, longitude 4
	tagCircle  = 'c' // latitude 4, longitude 4, metres 4
	tagEntry   = 'e' // a journal entry, 8 bytes
	tagPermit  = 'q' // a journal entry, 8 bytes, 0 none; the permit and the facts that made it, text
)

const maxText = 50

func textOf(b []byte) value       { return value{tag: tagText, b: b[:min(len(b), maxText)]} }
func six(n uint32) value          { return value{tag: tagDigits6, n: uint64(n)} }
func entryOf(seq uint64) value    { return value{tag: tagEntry, n: seq} }
func instant(i pos.Instant) value { return value{tag: tagInstant, n: uint64(i)} }

// details is evidence being written: per value-pair check 1, then two values.
type details struct {
	n   int
	buf [journal.DetailRoom]byte
}

// note records what was presented and what was expected; what does not fit is left out.
func (d *details) note(c Check, presented, expected value) {
	var room [4 + 2*(maxText+20)]byte
	b := append(room[:0], byte(c))
	b = presented.append(b)
	b = expected.append(b)
	if d.n+len(b) <= len(d.buf) {
		d.n += copy(d.buf[d.n:], b)
	}
}

func (v value) append(b []byte) []byte {
	start := len(b)
	b = append(b, v.tag, 0)
	e := binary.BigEndian
	switch v.tag {
	case tagDigits6:
		b = e.AppendUint32(b, uint32(v.n))
	case tagNumber, tagInstant, tagEntry:
		b = e.AppendUint64(b, v.n)
	case tagPermit:
		b = append(e.AppendUint64(b, v.n), v.b...)
	default:
		b = append(b, v.b...)
	}
	b[start+1] = byte(len(b) - start - 2)
	return b
}

// anyAddress stands for a registration that takes every address.
const anyAddress = "any address"

func network(n pos.Network, anywhere bool) value {
	if anywhere {
		return textOf([]byte(anyAddress))
	}
	return value{tag: tagNetwork, b: append(n.Base[:], n.Bits)}
}

func keyOf(number uint32, a mac.Algorithm, covered int) value {
	b := binary.BigEndian.AppendUint32(nil, number)
	return value{tag: tagKey, b: binary.BigEndian.AppendUint16(append(b, byte(a)), uint16(covered))}
}

func place(lat, lon int32) value {
	b := binary.BigEndian.AppendUint32(nil, uint32(lat))
	return value{tag: tagPlace, b: binary.BigEndian.AppendUint32(b, uint32(lon))}
}

func circle(lat, lon int32, metres uint32) value {
	b := binary.BigEndian.AppendUint32(nil, uint32(lat))
	b = binary.BigEndian.AppendUint32(b, uint32(lon))
	return value{tag: tagCircle, b: binary.BigEndian.AppendUint32(b, metres)}
}

// Shown is one check of a verdict as a reader sees it.
type Shown struct {
	Check     string `json:"check"`
	State     string `json:"state"`
	Presented string `json:"presented,omitempty"`
	Expected  string `json:"expected,omitempty"`
}

// Show puts the verdict of a journal entry into words, every check in order.
func Show(x *journal.Exchange) []Shown {
	all := make([]Shown, Checks)
	for c := range Checks {
		all[c] = Shown{Check: c.String(), State: States(x.Checks).Of(c).String()}
	}
	all[Identity].Presented = x.Terminal.String() + " " + x.Merchant.String()
	all[Network].Presented = x.Source.String()
	all[Function].Presented = fmt.Sprintf("%s %s %s %s", x.MTI, x.Processing, x.Type, x.Network)
	all[Binding].Presented = x.Terminal.String() + " of " + x.Merchant.String()
	all[Batch].Presented = x.Batch.String()
	all[Original].Presented = x.Amount.String()
	if _, traced := transaction.ClassOf(x.MTI); traced {
		all[Replay].Presented, all[Replay].Expected = "trace "+x.STAN.String(), "a trace not used in batch "+x.Batch.String()
	}
	if x.Shown != (pos.TruncatedPAN{}) {
		all[Track].Presented, all[CardCheck].Presented = x.Shown.String(), x.Shown.String()
	}
	if x.Flags&journal.FlagPlace != 0 {
		all[Place].Presented = degrees(x.Latitude, x.Longitude)
	}
	for c := range Checks {
		if all[c].State == NotRun.String() {
			all[c].Presented, all[c].Expected = "", ""
		}
	}
	for b := x.Details; len(b) > 0; {
		c := Check(b[0])
		presented, rest, ok1 := cutValue(b[1:])
		expected, rest, ok2 := cutValue(rest)
		if !ok1 || !ok2 || c >= Checks {
			break
		}
		if presented != "" {
			all[c].Presented = presented
		}
		if expected != "" {
			all[c].Expected = expected
		}
		b = rest
	}
	for c := range Checks {
		if all[c].State == Passed.String() && all[c].Expected == "" {
			all[c].Expected = all[c].Presented
		}
	}
	return all
}

func cutValue(b []byte) (text string, rest []byte, ok bool) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return "", nil, false
	}
	tag, v, rest := b[0], b[2:2+int(b[1])], b[2+int(b[1]):]
	return render(tag, v), rest, true
}

func render(tag byte, v []byte) string {
	e := binary.BigEndian
	switch {
	case tag == tagNone:
		return ""
	case tag == tagText:
		return safe(v)
	case tag == tagDigits6 && len(v) == 4:
		return fmt.Sprintf("%06d", e.Uint32(v))
	case tag == tagNumber && len(v) == 8:
		return strconv.FormatUint(e.Uint64(v), 10)
	case tag == tagEntry && len(v) == 8:
		return "journal entry " + strconv.FormatUint(e.Uint64(v), 10)
	case tag == tagPermit && len(v) >= 8 && e.Uint64(v) == 0:
		return safe(v[8:])
	case tag == tagPermit && len(v) >= 8:
		return fmt.Sprintf("%s; journal entry %d", safe(v[8:]), e.Uint64(v))
	case tag == tagInstant && len(v) == 8:
		return pos.Instant(e.Uint64(v)).Time().Format("2006-01-02T15:04:05Z")
	case tag == tagNetwork && len(v) == 17:
		return pos.Network{Base: pos.Address(v[:16]), Bits: v[16]}.String()
	case tag == tagKey && len(v) == 7:
		return fmt.Sprintf("under working key set %d, %s, over %d bytes", e.Uint32(v), mac.Algorithm(v[4]), e.Uint16(v[5:]))
	case tag == tagPlace && len(v) == 8:
		return degrees(int32(e.Uint32(v)), int32(e.Uint32(v[4:])))
	case tag == tagCircle && len(v) == 12:
		return fmt.Sprintf("within %d m of %s", e.Uint32(v[8:]), degrees(int32(e.Uint32(v)), int32(e.Uint32(v[4:]))))
	}
	return "unreadable"
}

func degrees(lat, lon int32) string {
	return fmt.Sprintf("%.5f, %.5f", float64(lat)/1e6, float64(lon)/1e6)
}

// safe shows printable ASCII as it is and anything else as hexadecimal.
func safe(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return "0x" + hex.EncodeToString(b)
		}
	}
	return string(b)
}
