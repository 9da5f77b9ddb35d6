package journal

import (
	"encoding/binary"

	"touchstone/pos"
	"touchstone/reason"
)

// Effect is what an exchange changed beyond the fact that it took place. Numbers are in the journal
// for ever.
type Effect uint8

// The effects.
const (
	NoEffect     Effect = 0
	Recorded     Effect = 1  // MAC verified: trace used, answer recorded, no money
	KeysIssued   Effect = 2  // sign-in: a pending working key set
	SignedOff    Effect = 3  // the keys in force end
	Sold         Effect = 4  // an approved sale
	VoidedSale   Effect = 5  // an approved void of Original
	Refunded     Effect = 6  // an approved refund of Original, whole or part
	ReversedSale Effect = 7  // Original, a sale, undone
	ReversedVoid Effect = 8  // Original, a void, undone: its sale stands again
	Buried       Effect = 9  // a reversal whose original is unknown: a tombstone for its key
	Settled      Effect = 10 // the batch is closed and the next one open
	Tampered     Effect = 11 // the device proved itself and reported tampering
	ReversedNone Effect = 12 // Original was refused: undone without effect on money
	Compensated  Effect = 13 // an approved compensation for the sale Original, which it leaves as it is
)

var effectNames = [...]string{"none", "recorded", "keys_issued", "signed_off", "sold", "voided", "refunded",
	"sale_reversed", "void_reversed", "buried", "settled", "tampered", "reversed_without_money", "compensated"}

// String is the effect's stable word.
func (e Effect) String() string {
	if int(e) < len(effectNames) {
		return effectNames[e]
	}
	return "unknown"
}

// PINOutcome is what the issuer's verification of a PIN changed on the card.
type PINOutcome uint8

// The outcomes of a PIN.
const (
	PINNotTried PINOutcome = 0
	PINRight    PINOutcome = 1 // tries go back to none
	PINWrong    PINOutcome = 2 // one more try is used
)

// Bounds of an exchange's variable parts, so that an entry stays below 400 bytes.
const (
	MaxDetails = 184 // bytes of evidence that an entry may hold
	DetailRoom = 176 // bytes of evidence that are written beside a certificate's 8; older entries have up to MaxDetails
	MaxWrapped = 120 // bytes of a wrapped working key set
)

// Fixed-width facts carry these flags.
const (
	FlagMACVerified uint16 = 1 << iota
	FlagPIN                // a PIN was sent
	FlagTrack2
	FlagTrack3
	FlagChip     // DE55 was sent
	FlagPromoted // the pending key set came into force with this message
	FlagRepeat   // answered from the record of Original
	FlagPlace    // A5 was sent and parsed
	FlagTest     // published keys
	FlagOutside  // outside its registered circle, only observed
)

// Flags told apart from those above so that neither row moves the other.
const (
	FlagNoFallback  uint16 = 1 << 10 // of a financial message: the card was not read by falling back from its chip; absent in entries from before this was kept
	FlagTLS13       uint16 = 1 << 11 // it came over TLS 1.3; never without FlagTLS
	FlagTLS         uint16 = 1 << 13 // it came over TLS
	FlagTrackSealed uint16 = 1 << 14 // track 2 came enciphered under the track key
	FlagCanary      uint16 = 1 << 15 // of a reserved terminal: it moves no money and counts as no sale
)

// Totals is DE48 as counted by one side: what was sold, and what was voided or refunded, domestic cards.
type Totals struct {
	DebitAmount  pos.Amount
	DebitCount   uint32
	CreditAmount pos.Amount
	CreditCount  uint32
}

// Exchange is one message judged and answered, whatever the judgment: what it claimed, the checks, the
// answer and the effect. It holds no PIN block, track or card verification value; a card is its keyed
// hash and its truncated number. All integers are big-endian on disk.
type Exchange struct {
	At       pos.Instant
	Source   pos.Address // where it came from
	Terminal pos.TerminalID
	Merchant pos.MerchantID

	MTI        pos.MTI
	Type       pos.TransactionCode // DE60.1
	Network    pos.NetworkCode     // DE60.3
	Processing pos.ProcessingCode  // DE3
	Batch      pos.BatchNo         // DE60.2
	STAN       pos.STAN            // DE11
	Amount     pos.Amount          // DE4
	Currency   pos.Currency        // DE49
	EntryMode  uint16              // DE22, three digits
	Condition  uint8               // DE25
	Flags      uint16
	Card       pos.PANHash
	Shown      pos.TruncatedPAN
	Print      [16]byte // keyed fingerprint of MTI to DE64

	OriginalBatch  pos.BatchNo      // DE61.1
	OriginalSTAN   pos.STAN         // DE61.2
	ReversalReason pos.ResponseCode // DE39 of a 0400 request
	Latitude       int32            // micro-degrees, with FlagPlace
	Longitude      int32

	Reason     reason.Reason
	DE39       pos.ResponseCode // zero when the connection was closed without an answer
	Checks     uint64           // two bits a check, by proof
	KeySet     uint32           // number of the working key set that verified, 0 none
	Details    []byte           // what was presented and expected, by proof; at most MaxDetails
	ElapsedUS  uint32           // from the frame's arrival to the decision, microseconds
	LocalTime  uint32           // DE12 of the answer, HHMMSS
	LocalDate  pos.Date         // business day of DE13 and DE15, YYYYMMDD
	AuthCode   pos.AuthCode     // DE38
	Available  pos.Amount       // DE54, with balance inquiry
	Effect     Effect
	PIN        PINOutcome
	Delta      pos.Amount // added to the card's balance: negative for a sale
	Original   uint64     // number of the entry voided, refunded, reversed or repeated
	NextBatch  pos.BatchNo
	Claimed    Totals // DE48 of a settlement request
	SettleCode uint8  // 1 balanced, 2 not balanced
	Wrapped    []byte // the working key set issued, wrapped under the module's master key
	KeyCode    pos.NetworkCode
	Operator   pos.Operator // DE63.1 of a sign-in; zero when none was sent
	App        [8]byte      // application version as presented in A2 sub-tag 05, padded with zeros; proven by the MAC alone

	Certificate [8]byte // the first bytes of the SHA-256 of the TLS certificate that the peer proved to hold; zero without
}

// section tags of the encoding; absent means zero.
const (
	secCard   = 1 << iota // Card, Shown
	secPrint              // Print
	secOrigin             // OriginalBatch, OriginalSTAN, ReversalReason, Original
	secPlace              // Latitude, Longitude
	secMoney              // Amount, Currency, Delta, AuthCode, Available
	secSettle             // NextBatch, Claimed, SettleCode
	secKeys               // KeyCode, Wrapped
	secMore               // a byte of the tags below, and what they stand for
)

// tags of the section secMore.
const (
	moreOperator    = 1 << iota // Operator
	moreApp                     // App
	moreCertificate             // Certificate
)

func (x *Exchange) more() (tags uint8) {
	if x.Operator != (pos.Operator{}) {
		tags |= moreOperator
	}
	if x.App != [8]byte{} {
		tags |= moreApp
	}
	if x.Certificate != [8]byte{} {
		tags |= moreCertificate
	}
	return tags
}

func (x *Exchange) sections() (s uint8) {
	mark := func(on bool, bit uint8) {
		if on {
			s |= bit
		}
	}
	mark(x.Card != pos.PANHash{} || x.Shown != pos.TruncatedPAN{}, secCard)
	mark(x.Print != [16]byte{}, secPrint)
	mark(x.OriginalBatch != 0 || x.OriginalSTAN != 0 || x.ReversalReason != pos.ResponseCode{} || x.Original != 0, secOrigin)
	mark(x.Latitude != 0 || x.Longitude != 0, secPlace)
	mark(x.Amount != 0 || x.Currency != pos.Currency{} || x.Delta != 0 || x.AuthCode != pos.AuthCode{} || x.Available != 0, secMoney)
	mark(x.NextBatch != 0 || x.Claimed != Totals{} || x.SettleCode != 0, secSettle)
	mark(x.KeyCode != 0 || len(x.Wrapped) > 0, secKeys)
	mark(x.more() != 0, secMore)
	return s
}

// AppendBody appends the binary form. Details and Wrapped beyond their bounds are a broken invariant
// of ours and panic.
func (x *Exchange) AppendBody(b []byte) []byte {
	if len(x.Details) > MaxDetails || len(x.Wrapped) > MaxWrapped {
		panic("journal: exchange part beyond its bound")
	}
	e := binary.BigEndian
	sec := x.sections()
	b = append(b, sec)
	b = append(b, x.Source[:]...)
	b = append(b, x.Terminal[:]...)
	b = append(b, x.Merchant[:]...)
	b = e.AppendUint16(b, uint16(x.MTI))
	b = append(b, byte(x.Type))
	b = e.AppendUint16(b, uint16(x.Network))
	b = e.AppendUint32(b, uint32(x.Processing))
	b = e.AppendUint32(b, uint32(x.Batch))
	b = e.AppendUint32(b, uint32(x.STAN))
	b = e.AppendUint16(b, x.EntryMode)
	b = append(b, x.Condition)
	b = e.AppendUint16(b, x.Flags)
	b = append(b, byte(x.Reason), x.DE39[0], x.DE39[1])
	b = e.AppendUint64(b, x.Checks)
	b = e.AppendUint32(b, x.KeySet)
	b = e.AppendUint32(b, x.ElapsedUS)
	b = e.AppendUint32(b, x.LocalTime)
	b = e.AppendUint32(b, uint32(x.LocalDate))
	b = append(b, byte(x.Effect), byte(x.PIN), byte(len(x.Details)))
	b = append(b, x.Details...)
	return x.appendSections(b, sec)
}

func (x *Exchange) appendSections(b []byte, sec uint8) []byte {
	e := binary.BigEndian
	if sec&secCard != 0 {
		b = append(b, x.Card[:]...)
		b = append(b, x.Shown[:]...)
	}
	if sec&secPrint != 0 {
		b = append(b, x.Print[:]...)
	}
	if sec&secOrigin != 0 {
		b = e.AppendUint32(b, uint32(x.OriginalBatch))
		b = e.AppendUint32(b, uint32(x.OriginalSTAN))
		b = append(b, x.ReversalReason[:]...)
		b = e.AppendUint64(b, x.Original)
	}
	if sec&secPlace != 0 {
		b = e.AppendUint32(b, uint32(x.Latitude))
		b = e.AppendUint32(b, uint32(x.Longitude))
	}
	if sec&secMoney != 0 {
		b = e.AppendUint64(b, uint64(x.Amount))
		b = append(b, x.Currency[:]...)
		b = e.AppendUint64(b, uint64(x.Delta))
		b = append(b, x.AuthCode[:]...)
		b = e.AppendUint64(b, uint64(x.Available))
	}
	if sec&secSettle != 0 {
		b = e.AppendUint32(b, uint32(x.NextBatch))
		b = e.AppendUint64(b, uint64(x.Claimed.DebitAmount))
		b = e.AppendUint32(b, x.Claimed.DebitCount)
		b = e.AppendUint64(b, uint64(x.Claimed.CreditAmount))
		b = e.AppendUint32(b, x.Claimed.CreditCount)
		b = append(b, x.SettleCode)
	}
	if sec&secKeys != 0 {
		b = e.AppendUint16(b, uint16(x.KeyCode))
		b = append(b, byte(len(x.Wrapped)))
		b = append(b, x.Wrapped...)
	}
	if sec&secMore != 0 {
		tags := x.more()
		b = append(b, tags)
		if tags&moreOperator != 0 {
			b = append(b, x.Operator[:]...)
		}
		if tags&moreApp != 0 {
			b = append(b, x.App[:]...)
		}
		if tags&moreCertificate != 0 {
			b = append(b, x.Certificate[:]...)
		}
	}
	return b
}

// AppendEntry implements Encoder.
func (x *Exchange) AppendEntry(dst []byte, _ uint64) ([]byte, Kind) {
	return x.AppendBody(AppendHead(dst, KindExchange, x.At)), KindExchange
}

var _ Encoder = (*Exchange)(nil)

// reader takes big-endian values off the front; after the first shortage all are zero and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// Parse reads the body of an entry of KindExchange; Details and Wrapped are views of the entry. On
// error x is zero.
func (x *Exchange) Parse(entry Entry) error {
	*x = Exchange{At: entry.At}
	r := &reader{b: entry.Body}
	sec := r.u8()
	copy(x.Source[:], r.take(16))
	copy(x.Terminal[:], r.take(8))
	copy(x.Merchant[:], r.take(15))
	x.MTI = pos.MTI(r.u16())
	x.Type = pos.TransactionCode(r.u8())
	x.Network = pos.NetworkCode(r.u16())
	x.Processing = pos.ProcessingCode(r.u32())
	x.Batch, x.STAN = pos.BatchNo(r.u32()), pos.STAN(r.u32())
	x.EntryMode, x.Condition, x.Flags = r.u16(), r.u8(), r.u16()
	x.Reason = reason.Reason(r.u8())
	copy(x.DE39[:], r.take(2))
	x.Checks, x.KeySet, x.ElapsedUS = r.u64(), r.u32(), r.u32()
	x.LocalTime, x.LocalDate = r.u32(), pos.Date(r.u32())
	x.Effect, x.PIN = Effect(r.u8()), PINOutcome(r.u8())
	n := int(r.u8())
	x.Details = r.take(n)
	x.parseSections(r, sec)
	if r.bad || len(r.b) != 0 || entry.Kind != KindExchange || n > MaxDetails || len(x.Wrapped) > MaxWrapped || sec != x.sections() {
		*x = Exchange{}
		return ErrEntry
	}
	return nil
}

func (x *Exchange) parseSections(r *reader, sec uint8) {
	if sec&secCard != 0 {
		copy(x.Card[:], r.take(16))
		copy(x.Shown[:], r.take(10))
	}
	if sec&secPrint != 0 {
		copy(x.Print[:], r.take(16))
	}
	if sec&secOrigin != 0 {
		x.OriginalBatch, x.OriginalSTAN = pos.BatchNo(r.u32()), pos.STAN(r.u32())
		copy(x.ReversalReason[:], r.take(2))
		x.Original = r.u64()
	}
	if sec&secPlace != 0 {
		x.Latitude, x.Longitude = int32(r.u32()), int32(r.u32())
	}
	if sec&secMoney != 0 {
		x.Amount = pos.Amount(r.u64())
		copy(x.Currency[:], r.take(3))
		x.Delta = pos.Amount(r.u64())
		copy(x.AuthCode[:], r.take(6))
		x.Available = pos.Amount(r.u64())
	}
	if sec&secSettle != 0 {
		x.NextBatch = pos.BatchNo(r.u32())
		x.Claimed = Totals{pos.Amount(r.u64()), r.u32(), pos.Amount(r.u64()), r.u32()}
		x.SettleCode = r.u8()
	}
	if sec&secKeys != 0 {
		x.KeyCode = pos.NetworkCode(r.u16())
		x.Wrapped = r.take(int(r.u8()))
	}
	if sec&secMore != 0 {
		tags := r.u8()
		if tags&moreOperator != 0 {
			copy(x.Operator[:], r.take(len(x.Operator)))
		}
		if tags&moreApp != 0 {
			copy(x.App[:], r.take(len(x.App)))
		}
		if tags&moreCertificate != 0 {
			copy(x.Certificate[:], r.take(len(x.Certificate)))
		}
		r.bad = r.bad || tags != x.more()
	}
}
