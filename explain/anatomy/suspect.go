package anatomy

// suspects hides what may be a card number or a track in a message that could not be read to its end: an element that
// stands where the bitmap does not say so shifts card data into fields that are shown. It looks for a length of 13 to 37
// followed by as many digits that are a card number by their check digit, or a track with its separator. No card number
// begins with 0; ISO/IEC 7812-1.
func (d *dissection) suspects() {
	for at := 0; at+1 < len(d.b); at++ {
		count := int(d.b[at]>>4)*10 + int(d.b[at]&15)
		if d.b[at]>>4 > 9 || d.b[at]&15 > 9 || count < 13 || count > 37 || at+1+(count+1)/2 > len(d.b) {
			continue
		}
		if d.isCard(at + 1) {
			continue // shown as a card is
		}
		digits := 0
		for digits < count && d.nibble(at+1, digits) <= 9 {
			digits++
		}
		separated := digits < count && digits >= 13 && digits <= 19 && d.nibble(at+1, digits) == 0xD
		if separated || digits == count && count <= 19 && d.nibble(at+1, 0) != 0 && d.luhn(at+1, count) {
			d.suspect(Span{at + 1, at + 1 + (count+1)/2})
		}
	}
}

// isCard tells whether an element that is masked as card data begins at an offset.
func (d *dissection) isCard(from int) bool {
	for _, n := range [...]int{2, 35, 36} {
		if v, ok := d.values[n]; ok && v.From == from {
			return true
		}
	}
	return false
}

// suspect hides bytes, and the value of every part they touch with all that is inside it.
func (d *dissection) suspect(s Span) {
	d.hide(s)
	touched := false
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.Depth == 0 {
			touched = p.Span.From < s.To && s.From < p.Span.To
		}
		if touched && p.Name != unread {
			p.Value = hiddenText
		}
	}
}

// luhn tells whether count digits end in their check digit; ISO/IEC 7812-1, Annex B.
func (d *dissection) luhn(from, count int) bool {
	sum := 0
	for i := range count {
		x := int(d.nibble(from, count-1-i))
		if i%2 == 1 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}
