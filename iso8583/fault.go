package iso8583

import "fmt"

// Kind says what was wrong with an element. The zero value is no fault.
type Kind uint8

// The kinds of fault.
const (
	// KindCut: fewer bytes are left than the element needs; Have of Want bytes.
	KindCut Kind = iota + 1
	// KindPrefix: the length prefix is not BCD.
	KindPrefix
	// KindLength: the length, Have, is not what the table gives, Want.
	KindLength
	// KindEmpty: an element of variable length is present with length 0.
	KindEmpty
	// KindDigit: a nibble is not one the format allows.
	KindDigit
	// KindCharacter: a byte is not one the character rule allows.
	KindCharacter
	// KindPad: the nibble that fills an odd number of digits is not one the table allows.
	KindPad
	// KindUnknown: the dialect has no such element.
	KindUnknown
	// KindSecondary: bit 1 is set, and no secondary bitmap is used.
	KindSecondary
	// KindTrailing: Have bytes follow the last element.
	KindTrailing
	// KindLayout: a length of Have fits no layout of the element.
	KindLayout
	// KindValue: a value is outside its table.
	KindValue
	// KindTag: a tag, its length or its order is malformed.
	KindTag
	// KindDuplicate: a tag occurs twice.
	KindDuplicate
	// KindCount: there are more than Want tags.
	KindCount
	// KindAbsent: the message has no such element.
	KindAbsent
	// KindOrder: elements were not put in ascending order.
	KindOrder
	// KindFormat: the element has another format than the setter writes.
	KindFormat
	// KindRoom: the buffer or the frame is full; Have of Want bytes.
	KindRoom
	// KindMAC: DE64 was reserved and not set, set and not reserved, or not put last.
	KindMAC
	// KindDialect: the message is of another dialect than the builder.
	KindDialect
	// KindEnvelope: the TPDU or the header is malformed.
	KindEnvelope
)

// DecodeError tells which element could not be read and why, never its bytes. Element 0 is the
// message as a whole. It is a value: errors.As finds DecodeError, not a pointer.
type DecodeError struct {
	Element    int
	Kind       Kind
	Have, Want int // counts; their meaning is said at the Kind
}

// Error is one line: "unpack element 52: 7 of 8 bytes".
func (e DecodeError) Error() string { return describe("unpack", e.Element, e.Kind, e.Have, e.Want) }

// EncodeError tells which element could not be packed and why, never its bytes. Element 0 is the
// message as a whole. It is a value: errors.As finds EncodeError, not a pointer.
type EncodeError struct {
	Element    int
	Kind       Kind
	Have, Want int // counts; their meaning is said at the Kind
}

// Error is one line: "pack element 4: not in ascending order".
func (e EncodeError) Error() string { return describe("pack", e.Element, e.Kind, e.Have, e.Want) }

func describe(verb string, element int, k Kind, have, want int) string {
	what := "message"
	if element != 0 {
		what = fmt.Sprintf("element %d", element)
	}
	why := "not said"
	switch k {
	case KindCut, KindRoom:
		why = fmt.Sprintf("%d of %d bytes", have, want)
	case KindLength:
		why = fmt.Sprintf("length %d where %d is allowed", have, want)
	case KindTrailing:
		why = fmt.Sprintf("%d bytes after the last element", have)
	case KindLayout:
		why = fmt.Sprintf("length %d fits no layout", have)
	case KindCount:
		why = fmt.Sprintf("more than %d tags", want)
	default:
		if int(k) < len(plain) && plain[k] != "" {
			why = plain[k]
		}
	}
	return verb + " " + what + ": " + why
}

// plain is the text of the kinds that carry no count.
var plain = [...]string{
	KindPrefix:    "length prefix is not BCD",
	KindEmpty:     "present with length 0",
	KindDigit:     "a nibble the format does not allow",
	KindCharacter: "a character the format does not allow",
	KindPad:       "a pad nibble the format does not allow",
	KindUnknown:   "not in the dialect",
	KindSecondary: "secondary bitmap",
	KindValue:     "a value outside its table",
	KindTag:       "a malformed tag",
	KindDuplicate: "a tag twice",
	KindAbsent:    "absent",
	KindOrder:     "not in ascending order",
	KindFormat:    "another format",
	KindMAC:       "MAC missing or out of place",
	KindDialect:   "another dialect",
	KindEnvelope:  "TPDU or header malformed",
}
