package estate

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// names are different texts, each with a slot, the number of its coming. They are found by text and walked in order.
// A name stays for ever.
type names struct {
	body  []byte
	width int      // of every text, while they are all as long
	start []uint32 // by slot, once they are not: where its text begins in body; the next one's beginning is its end
	sign  []uint32 // by slot: its signature, halved
	order []uint32 // slots by text, without those of fresh
	fresh map[string]uint32
	pairs pairs
}

func newNames() names { return names{fresh: map[string]uint32{}} }

func (n *names) len() int { return len(n.sign) }

func (n *names) text(slot uint32) []byte {
	if n.start == nil {
		at := int(slot) * n.width
		return n.body[at : at+n.width]
	}
	end := len(n.body)
	if int(slot)+1 < len(n.start) {
		end = int(n.start[slot+1])
	}
	return n.body[n.start[slot]:end]
}

// begin notes where the next text begins.
func (n *names) begin(width int) {
	switch {
	case n.len() == 0:
		n.width = width
	case n.start == nil && width != n.width:
		n.start = make([]uint32, n.len(), n.len()+64)
		for slot := range n.start {
			n.start[slot] = uint32(slot * n.width)
		}
	}
	if n.start != nil {
		n.start = push(n.start, uint32(len(n.body)))
	}
}

// slot finds a text.
func (n *names) slot(text string) (uint32, bool) {
	if last := len(n.order) - 1; last < 0 || compare(n.text(n.order[last]), text) < 0 { // names that come in order are new
		s, ok := n.fresh[text]
		return s, ok
	}
	if s, ok := n.fresh[text]; ok {
		return s, true
	}
	i, ok := slices.BinarySearchFunc(n.order, text, func(s uint32, t string) int { return compare(n.text(s), t) })
	if !ok {
		return 0, false
	}
	return n.order[i], true
}

func compare(a []byte, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// add gives a text its slot.
func (n *names) add(text string) (slot uint32, isNew bool) {
	if s, ok := n.slot(text); ok {
		return s, false
	}
	slot = uint32(n.len())
	n.begin(len(text))
	n.body, n.sign = pushText(n.body, text), push(n.sign, half(signature(text)))
	n.pairs.put(text)
	if len(n.fresh) == 0 && (len(n.order) == 0 || compare(n.text(n.order[len(n.order)-1]), text) < 0) {
		n.order = push(n.order, slot) // it comes in order
		return slot, true
	}
	n.fresh[strings.Clone(text)] = slot
	return slot, true
}

// settle puts the new names into the order; it costs a walk over all.
func (n *names) settle() {
	if len(n.fresh) == 0 {
		return
	}
	added := make([]uint32, 0, len(n.fresh))
	for _, s := range n.fresh {
		added = append(added, s)
	}
	slices.SortFunc(added, func(a, b uint32) int { return bytes.Compare(n.text(a), n.text(b)) })
	merged := make([]uint32, 0, len(n.order)+len(added))
	old := n.order
	for _, s := range added {
		i := 0
		if len(old) > 0 && bytes.Compare(n.text(old[0]), n.text(s)) < 0 {
			i, _ = slices.BinarySearchFunc(old, n.text(s), func(o uint32, t []byte) int { return bytes.Compare(n.text(o), t) })
		}
		merged = append(append(merged, old[:i]...), s)
		old = old[i:]
	}
	n.order = append(merged, old...)
	n.fresh = map[string]uint32{}
}

// after is the place in the order of the first name above a text.
func (n *names) after(text string) int {
	i, ok := slices.BinarySearchFunc(n.order, text, func(s uint32, t string) int { return compare(n.text(s), t) })
	if ok {
		i++
	}
	return i
}

// texts are words of slots that may change: an address, the name of a shop. They are kept in small letters.
type texts struct {
	body []byte
	at   []span // by slot
	sign []uint64
	dead int // bytes of body that are nobody's any more

	pairs pairs
}

// span is where a text is; n 0 none.
type span struct {
	start uint32
	n     uint16
}

// maxText is the most bytes of one text that are kept.
const maxText = 1000

func (t *texts) of(slot uint32) []byte {
	if int(slot) >= len(t.at) {
		return nil
	}
	s := t.at[slot]
	return t.body[s.start : s.start+uint32(s.n)]
}

func (t *texts) set(slot uint32, text string) {
	text = strings.ToLower(text)
	text = text[:min(len(text), maxText)]
	if int(slot) < len(t.at) && string(t.of(slot)) == text {
		return
	}
	for int(slot) >= len(t.at) {
		t.at, t.sign = push(t.at, span{}), push(t.sign, 0)
	}
	t.dead += int(t.at[slot].n)
	t.at[slot], t.sign[slot] = span{uint32(len(t.body)), uint16(len(text))}, signature([]byte(text))
	t.body = pushText(t.body, text)
	t.pairs.put(text)
	if t.dead > 1<<16 && t.dead > len(t.body)/2 {
		t.compact()
	}
}

// compact forgets what is nobody's any more.
func (t *texts) compact() {
	body := make([]byte, 0, len(t.body)-t.dead)
	for slot := range t.at {
		text := t.of(uint32(slot))
		t.at[slot].start = uint32(len(body))
		body = append(body, text...)
	}
	t.body, t.dead = body, 0
}

// signature has a bit for each pair of neighbouring bytes of a text, letters in small: a text that contains another
// has all its bits. Most texts are told apart by it without being read.
func signature[T string | []byte](text T) (s uint64) {
	for i := 1; i < len(text); i++ {
		pair := uint32(small(text[i-1]))<<8 | uint32(small(text[i]))
		s |= 1 << (pair * 0x9E3779B1 >> 26)
	}
	return s
}

// half is a signature in half the room.
func half(s uint64) uint32 { return uint32(s) | uint32(s>>32) }

func small(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// contains tells whether a text contains what is sought, which is in small letters and not empty.
func contains(text []byte, sought string) bool {
	for i := 0; i+len(sought) <= len(text); i++ {
		n := 0
		for n < len(sought) && small(text[i+n]) == sought[n] {
			n++
		}
		if n == len(sought) {
			return true
		}
	}
	return false
}

// match calls hit with every slot of which the name contains what is sought, in small letters. What is shorter than
// wholeSearch is sought at the beginning only: it is in most names somewhere.
func (n *names) match(sought string, hit func(slot uint32)) {
	if len(sought) < wholeSearch {
		n.beginning(sought, hit)
		return
	}
	if !n.pairs.mayHave(sought) {
		return
	}
	has := contains
	if plain := []byte(sought); !strings.ContainsFunc(sought, func(r rune) bool { return r >= 'a' && r <= 'z' }) { // small and large are one
		has = func(text []byte, _ string) bool { return bytes.Contains(text, plain) }
	}
	want := half(signature(sought))
	for slot, sign := range n.sign {
		if sign&want == want && has(n.text(uint32(slot)), sought) {
			hit(uint32(slot))
		}
	}
}

// wholeSearch is the fewest bytes that are sought anywhere in a name.
const wholeSearch = 3

// beginning calls hit with every slot of which the name begins with a text of one or two bytes in small letters.
func (n *names) beginning(sought string, hit func(slot uint32)) {
	forms := []string{""}
	for i := range len(sought) {
		var longer []string
		for _, form := range forms {
			longer = append(longer, form+sought[i:i+1])
			if c := sought[i]; c >= 'a' && c <= 'z' {
				longer = append(longer, form+string(c-'a'+'A'))
			}
		}
		forms = longer
	}
	for _, form := range forms {
		from, _ := slices.BinarySearchFunc(n.order, form, func(s uint32, t string) int { return compare(n.text(s), t) })
		to, _ := slices.BinarySearchFunc(n.order[from:], form, func(s uint32, t string) int {
			if text := n.text(s); bytes.HasPrefix(text, []byte(t)) {
				return -1 // it stands before the end
			}
			return 1
		})
		for _, slot := range n.order[from : from+to] {
			hit(slot)
		}
	}
}

// match likewise, but anywhere whatever its length.
func (t *texts) match(sought string, hit func(slot uint32)) {
	if !t.pairs.mayHave(sought) {
		return
	}
	want := signature(sought)
	for slot, sign := range t.sign {
		if sign&want == want && bytes.Contains(t.of(uint32(slot)), []byte(sought)) {
			hit(uint32(slot))
		}
	}
}
