package anatomy

import (
	"fmt"
	"math/bits"

	"touchstone/explain"
	"touchstone/iso8583"
	"touchstone/pos"
)

// dissection is an anatomy being made.
type dissection struct {
	*Anatomy
	b         []byte
	hidden    []uint8
	catalogue *explain.Catalogue
	dialect   *iso8583.Dialect
	at        int // the first byte not read yet
	bitmapAt  int
	values    map[int]value // of the elements read
}

// value is where an element's value lies and its length in digits or bytes.
type value struct {
	Span
	count int
}

// dissect reads bytes under a framing. Everything is hidden until it is understood.
func dissect(message []byte, f Framing, c *explain.Catalogue) *Anatomy {
	in := &inside{bytes: append([]byte(nil), message...), hidden: make([]uint8, len(message))}
	for i := range in.hidden {
		in.hidden[i] = 3
	}
	a := &Anatomy{Framing: f, Size: len(message), hold: func() *inside { return in }}
	d := &dissection{Anatomy: a, b: in.bytes, hidden: in.hidden, catalogue: c, dialect: &iso8583.UnionPay, values: map[int]value{}}
	if d.frame() && d.head() && d.elements() {
		d.tracks()
	}
	d.end()
	return a
}

// take reads n bytes as a part and shows them; false, with a fault, where they are missing.
func (d *dissection) take(name string, title explain.Text, n int) (Span, bool) {
	s := Span{d.at, d.at + n}
	if s.To > len(d.b) {
		d.fail(Fault{Name: name, At: len(d.b), Kind: iso8583.KindCut, Expected: bytesText(s.To - len(d.b)), Found: endText, Do: doCut})
		return Span{}, false
	}
	d.show(s)
	d.at = s.To
	d.Parts = append(d.Parts, Part{Name: name, Title: title, Span: s})
	return s, true
}

func (d *dissection) last() *Part { return &d.Parts[len(d.Parts)-1] }

func (d *dissection) show(s Span) {
	for i := s.From; i < s.To; i++ {
		d.hidden[i] = 0
	}
}

func (d *dissection) hide(s Span) {
	for i := s.From; i < s.To; i++ {
		d.hidden[i] = 3
	}
}

// hideNibble hides nibble i of the bytes from an offset on.
func (d *dissection) hideNibble(from, i int) { d.hidden[from+i/2] |= 2 >> (i % 2) }

func (d *dissection) nibble(from, i int) byte {
	if i%2 == 0 {
		return d.b[from+i/2] >> 4
	}
	return d.b[from+i/2] & 15
}

// fail keeps the first fault.
func (d *dissection) fail(f Fault) bool {
	if d.Fault == nil {
		d.Fault = &f
	}
	return false
}

func (d *dissection) check(name explain.Text, ok bool, why explain.Text) {
	if ok {
		why = explain.Text{}
	}
	d.Checks = append(d.Checks, Check{Name: name, OK: ok, Why: why})
}

// frame reads LEN, TPDU and header.
func (d *dissection) frame() bool {
	if d.Framing.Length && !d.length() {
		return false
	}
	if d.Framing.TPDU {
		s, ok := d.take("TPDU", titles["TPDU"], tpduSize)
		if !ok {
			return false
		}
		if d.b[s.From] != 0x60 {
			d.unshow()
			return d.fail(Fault{Name: "TPDU", At: s.From, Expected: text("60, the first byte of every TPDU", "60, 即 TPDU 的首字节"), Found: d.byteText(s.From), Do: doFrame})
		}
		if !d.packed(s, "TPDU") {
			return false
		}
		d.last().Value = text(fmt.Sprintf("to %X, from %X", d.b[s.From+1:s.From+3], d.b[s.From+3:s.To]), fmt.Sprintf("目的 %X, 源 %X", d.b[s.From+1:s.From+3], d.b[s.From+3:s.To]))
	}
	if d.Framing.Header {
		s, ok := d.take("HEADER", titles["HEADER"], headerSize)
		if !ok || !d.packed(s, "HEADER") {
			return false
		}
		d.last().Value = headerText(d.b[s.From:s.To])
	}
	if d.Framing.TPDU || d.Framing.Header {
		d.check(text("TPDU, header", "TPDU、报文头"), true, explain.Text{})
	}
	return true
}

// length reads LEN and compares it with what follows.
func (d *dissection) length() bool {
	s, ok := d.take("LEN", titles["LEN"], iso8583.LengthSize)
	if !ok {
		return false
	}
	says, follow := int(d.b[0])<<8|int(d.b[1]), len(d.b)-iso8583.LengthSize
	d.last().Value = text(fmt.Sprintf("%d bytes follow", says), fmt.Sprintf("其后 %d 字节", says))
	if says == follow {
		d.check(text("LEN", "LEN"), true, explain.Text{})
		return true
	}
	why := text(fmt.Sprintf("it says %d, and %d bytes follow", says, follow), fmt.Sprintf("声明 %d 字节, 实有 %d 字节", says, follow))
	d.check(text("LEN", "LEN"), false, why)
	d.fail(Fault{Name: "LEN", At: s.From, Found: d.wordText(s), Do: doLength,
		Expected: text(fmt.Sprintf("%04X, as %d bytes follow", follow&0xFFFF, follow), fmt.Sprintf("%04X, 因其后有 %d 字节", follow&0xFFFF, follow))})
	return true // what follows may still be read
}

// packed tells whether every nibble of a part is a digit.
func (d *dissection) packed(s Span, name string) bool {
	for i := s.From; i < s.To; i++ {
		if d.b[i]>>4 > 9 || d.b[i]&15 > 9 {
			d.unshow()
			return d.fail(Fault{Name: name, At: i, Expected: twoDigits, Found: d.byteText(i), Do: doFrame, Kind: kindOfFrame(name)})
		}
	}
	return true
}

func kindOfFrame(name string) iso8583.Kind {
	if name == "MTI" {
		return iso8583.KindDigit
	}
	return 0
}

// unshow takes the last part back: it was not understood, and neither is what follows.
func (d *dissection) unshow() {
	p := d.last()
	d.at = p.Span.From
	d.hide(p.Span)
	d.Parts = d.Parts[:len(d.Parts)-1]
}

// head reads message type and bitmap.
func (d *dissection) head() bool {
	s, ok := d.take("MTI", titles["MTI"], mtiSize)
	if !ok || !d.packed(s, "MTI") {
		return false
	}
	d.MTI = pos.MTI(uint16(d.b[s.From])<<8 | uint16(d.b[s.From+1]))
	d.last().Value = mtiText(d.MTI)
	d.Covered.From = s.From
	s, ok = d.take("BITMAP", titles["BITMAP"], bitmapSize)
	if !ok {
		return false
	}
	d.bitmapAt = s.From
	list := ""
	for _, n := range d.present() {
		list += fmt.Sprintf(" %d", n)
	}
	if list == "" {
		list = " –"
	}
	d.last().Value = text("elements"+list, "域"+list)
	if d.b[s.From]&0x80 != 0 {
		return d.fail(Fault{Name: "BITMAP", Element: 1, Kind: iso8583.KindSecondary, At: s.From, Found: d.byteText(s.From), Do: doBitmap,
			Expected: text("a byte under 80: no second bitmap is used", "小于 80 的字节: 不使用扩展位图")})
	}
	d.check(text("message type, bitmap", "消息类型、位图"), true, explain.Text{})
	return true
}

// present lists the elements whose bits are set.
func (d *dissection) present() []int {
	var all []int
	for left := d.bits(); left != 0; {
		n := bits.LeadingZeros64(left) + 1
		left &^= 1 << (64 - n)
		all = append(all, n)
	}
	return all
}

func (d *dissection) bits() (all uint64) {
	for _, b := range d.b[d.bitmapAt : d.bitmapAt+bitmapSize] {
		all = all<<8 | uint64(b)
	}
	return all
}

// elements reads every element of the bitmap.
func (d *dissection) elements() bool {
	for _, n := range d.present() {
		e, ok := d.dialect.Element(n)
		if !ok {
			at := d.bitmapAt + (n-1)/8
			return d.fail(Fault{Name: fmt.Sprintf("DE%d", n), Element: n, Kind: iso8583.KindUnknown, At: at, Found: d.byteText(at), Do: doBitmap,
				Expected: text(fmt.Sprintf("bit %d clear: the dialect has no element %d", n, n), fmt.Sprintf("第 %d 位为 0: 本规范没有 %d 域", n, n))})
		}
		if !d.element(&e) {
			return false
		}
	}
	if d.at != len(d.b) {
		rest := len(d.b) - d.at
		return d.fail(Fault{Name: unread, Kind: iso8583.KindTrailing, At: d.at, Do: doTrailing, Found: hiddenText,
			Expected: text(fmt.Sprintf("the end of the message; %d bytes are left over", rest), fmt.Sprintf("报文结束; 尚余 %d 字节", rest))})
	}
	return true
}

// element reads one element; the parts inside it are added by inner.
func (d *dissection) element(e *iso8583.Element) bool {
	name := fmt.Sprintf("DE%d", e.Number)
	start, count, ok := d.prefix(e, name)
	if !ok {
		return false
	}
	size := count
	if e.Format == iso8583.N || e.Format == iso8583.Z {
		size = (count + 1) / 2
	}
	v := value{Span{start, start + size}, count}
	if v.To > len(d.b) {
		missing := v.To - len(d.b)
		return d.fail(Fault{Name: name, Element: e.Number, Kind: iso8583.KindCut, At: len(d.b), Do: doCut,
			Expected: text(fmt.Sprintf("%d more bytes: the element has %d", missing, size), fmt.Sprintf("还应有 %d 字节: 该域共 %d 字节", missing, size)), Found: endText})
	}
	if f, bad := d.faultIn(e, v); bad {
		f.Name, f.Element = name, e.Number
		return d.fail(f)
	}
	d.Parts = append(d.Parts, Part{Name: name, Title: ElementTitle(e), Span: Span{d.at, v.To}})
	d.show(Span{d.at, v.From})
	d.values[e.Number], d.at = v, v.To
	return true
}

// prefix reads an element's length: where its value starts and how many digits or bytes it has.
func (d *dissection) prefix(e *iso8583.Element, name string) (start, count int, ok bool) {
	n := int(e.Length)
	if n == 0 {
		return d.at, e.Max, true
	}
	f := Fault{Name: name, Element: e.Number, At: d.at, Do: doPrefix}
	if d.at+n > len(d.b) {
		f.Kind, f.At, f.Expected, f.Found, f.Do = iso8583.KindCut, len(d.b), bytesText(d.at+n-len(d.b)), endText, doCut
		return 0, 0, d.fail(f)
	}
	for i := d.at; i < d.at+n; i++ {
		if d.b[i]>>4 > 9 || d.b[i]&15 > 9 {
			f.Kind, f.At, f.Expected, f.Found = iso8583.KindPrefix, i, text("two digits of a length", "长度的两位数字"), d.byteText(i)
			return 0, 0, d.fail(f)
		}
		count = count*100 + int(d.b[i]>>4)*10 + int(d.b[i]&15)
	}
	f.Found = d.wordText(Span{d.at, d.at + n})
	if count == 0 {
		f.Kind, f.Expected = iso8583.KindEmpty, text("a length of at least 1: the bitmap says the element is there", "长度至少为 1: 位图表明该域存在")
		return 0, 0, d.fail(f)
	}
	if count > e.Max {
		f.Kind, f.Expected = iso8583.KindLength, text(fmt.Sprintf("a length of at most %d", e.Max), fmt.Sprintf("长度至多为 %d", e.Max))
		return 0, 0, d.fail(f)
	}
	return d.at + n, count, true
}

// faultIn finds the first byte of a value that its format does not allow. A track's nibbles are judged at the end, when it
// is known whether it is enciphered.
func (d *dissection) faultIn(e *iso8583.Element, v value) (f Fault, bad bool) {
	if e.Format != iso8583.N && e.Format != iso8583.Z {
		for i := v.From; i < v.To; i++ {
			if !allowed(d.b[i], e.Charset) {
				return Fault{Kind: iso8583.KindCharacter, At: i, Expected: text("a printable character", "可显示字符"), Found: d.seen(e, i), Do: doShift}, true
			}
		}
		return f, false
	}
	from := 0
	if v.count%2 == 1 {
		pad := v.count // nibble that fills up
		if e.Align == iso8583.Right {
			pad, from = 0, 1
		}
		if p := d.nibble(v.From, pad); p != 0 && (p != 15 || e.Pad != iso8583.PadZeroOrMax) {
			at := v.From + pad/2
			return Fault{Kind: iso8583.KindPad, At: at, Expected: text("the nibble 0 that fills up an odd number of digits", "奇数位数字的填充半字节 0"), Found: d.seen(e, at), Do: doShift}, true
		}
	}
	if e.Format == iso8583.Z {
		return f, false
	}
	for i := from; i < from+v.count; i++ {
		if d.nibble(v.From, i) > 9 {
			at := v.From + i/2
			return Fault{Kind: iso8583.KindDigit, At: at, Expected: twoDigits, Found: d.seen(e, at), Do: doShift}, true
		}
	}
	return f, false
}

// seen shows the byte at fault of an element that holds no secret.
func (d *dissection) seen(e *iso8583.Element, at int) explain.Text {
	if e.Sensitive {
		return hiddenText
	}
	return d.byteText(at)
}

// allowed tells whether a byte is one that an element's rule allows.
func allowed(c byte, rule iso8583.Charset) bool {
	switch rule {
	case iso8583.Printable:
		return c >= ' ' && c <= '~'
	case iso8583.Text:
		return c >= ' ' && c != 0x7F && c != 0xFF
	}
	return true
}

// tracks judges the nibbles of clear tracks.
func (d *dissection) tracks() {
	if d.tracksEnciphered() {
		return
	}
	for _, n := range d.present() {
		e, ok := d.dialect.Element(n)
		if !ok || e.Format != iso8583.Z {
			continue
		}
		v := d.values[n]
		for i := range v.count {
			if x := d.nibble(v.From, i); x > 9 && x != 0xD {
				d.fail(Fault{Name: fmt.Sprintf("DE%d", n), Element: n, Kind: iso8583.KindDigit, At: v.From + i/2, Found: hiddenText, Do: doTrack,
					Expected: text("digits and one separator D, as DE53 says that the track is clear", "数字和一个分隔符 D: 53 域表明磁道未加密")})
				return
			}
		}
	}
}

// tracksEnciphered is digit 3 of DE53; docs/protocol/unionpay-pos.md, section 5.1.
func (d *dissection) tracksEnciphered() bool {
	v, ok := d.values[53]
	return ok && v.count >= 3 && d.nibble(v.From, 2) == 1
}

// end adds what the elements hold inside, the bytes that were not read, and the MAC's coverage.
func (d *dissection) end() {
	d.inside()
	if d.Fault != nil && d.Fault.Kind != 0 {
		d.check(text("elements", "各域"), false, d.Fault.Expected)
	} else if d.Fault == nil || d.Fault.Name == "LEN" {
		d.check(text("elements", "各域"), d.at == len(d.b), explain.Text{})
	}
	if d.at < len(d.b) {
		rest := len(d.b) - d.at
		d.Parts = append(d.Parts, Part{Name: unread, Title: titles[unread], Span: Span{d.at, len(d.b)},
			Value: text(fmt.Sprintf("%d bytes, not shown: what they are is not known", rest), fmt.Sprintf("%d 字节, 不显示: 含义未知", rest))})
	}
	if d.Fault != nil {
		d.suspects()
	}
	mac, ok := d.values[64]
	if !ok || d.Fault != nil && d.Fault.Name != "LEN" {
		d.Covered = Span{}
		return
	}
	d.Covered.To = mac.From
}
