package estate

// column is a number of each slot. While all are below 256, which the words of most facets are, it takes a byte of each;
// while all are one, which an estate's facets often are, nothing.
type column struct {
	one    uint16 // of every slot, while there is neither narrow nor wide
	slots  int    // of one
	narrow []uint8
	wide   []uint16 // in place of narrow once a number needs it
}

// uniform tells whether all slots have one.
func (c *column) uniform() bool { return c.narrow == nil && c.wide == nil }

func (c *column) len() int { return c.slots + len(c.narrow) + len(c.wide) }

func (c *column) of(slot uint32) uint16 {
	switch {
	case c.wide != nil:
		return c.wide[slot]
	case c.narrow != nil:
		return uint16(c.narrow[slot])
	}
	return c.one
}

func (c *column) push(code uint16) {
	if c.uniform() && c.slots == 0 {
		c.one = code
	}
	if c.uniform() && c.one == code {
		c.slots++
		return
	}
	c.widen(code)
	if c.wide != nil {
		c.wide = push(c.wide, code)
		return
	}
	c.narrow = push(c.narrow, uint8(code))
}

func (c *column) set(slot uint32, code uint16) {
	if c.uniform() && c.one == code {
		return
	}
	c.widen(code)
	if c.wide != nil {
		c.wide[slot] = code
		return
	}
	c.narrow[slot] = uint8(code)
}

// spread gives each slot its own number.
func (c *column) spread() {
	if !c.uniform() {
		return
	}
	n := c.slots
	if c.slots = 0; c.one >= 256 {
		c.wide = make([]uint16, n, n+n/16+64)
		for slot := range c.wide {
			c.wide[slot] = c.one
		}
		return
	}
	c.narrow = make([]uint8, n, n+n/16+64)
	for slot := range c.narrow {
		c.narrow[slot] = uint8(c.one)
	}
}

// widen makes room for a number.
func (c *column) widen(code uint16) {
	if c.spread(); code < 256 || c.wide != nil {
		return
	}
	c.wide = make([]uint16, len(c.narrow), cap(c.narrow)+1)
	for slot, n := range c.narrow {
		c.wide[slot] = uint16(n)
	}
	c.narrow = nil
}

// where puts the slots of which the number fits into a set.
func (c *column) where(fits []bool, to set) {
	if c.uniform() && c.slots > 0 && fits[c.one] {
		to.fill(c.slots)
	}
	for slot, code := range c.narrow {
		if fits[code] {
			to.put(uint32(slot))
		}
	}
	for slot, code := range c.wide {
		if fits[code] {
			to.put(uint32(slot))
		}
	}
}

// count adds how many slots of a set have each number.
func (c *column) count(of set, number []int32) {
	switch {
	case c.wide != nil:
		of.each(func(slot uint32) { number[c.wide[slot]]++ })
	case c.narrow != nil:
		of.each(func(slot uint32) { number[c.narrow[slot]]++ })
	default:
		number[c.one] += int32(of.size())
	}
}

// push appends and leaves less room than append does: of a million rows a quarter would often be empty.
func push[T any](list []T, one T) []T {
	if len(list) == cap(list) {
		grown := make([]T, len(list), len(list)+len(list)/16+64)
		copy(grown, list)
		list = grown
	}
	return append(list, one)
}

// pushText is push of bytes.
func pushText(body []byte, text string) []byte {
	if len(body)+len(text) > cap(body) {
		grown := make([]byte, len(body), len(body)+len(body)/16+len(text)+256)
		copy(grown, body)
		body = grown
	}
	return append(body, text...)
}

// pairs are the pairs of neighbouring bytes, letters in small, that some text of a collection has or had. What has another pair
// is in none of them, which is said without looking at any.
type pairs [1 << 16 / 64]uint64

func (p *pairs) put(text string) {
	for i := 1; i < len(text); i++ {
		pair := uint32(small(text[i-1]))<<8 | uint32(small(text[i]))
		p[pair/64] |= 1 << (pair % 64)
	}
}

// mayHave tells whether every pair of a text in small letters is there.
func (p *pairs) mayHave(text string) bool {
	for i := 1; i < len(text); i++ {
		pair := uint32(text[i-1])<<8 | uint32(text[i])
		if p[pair/64]>>(pair%64)&1 == 0 {
			return false
		}
	}
	return true
}
