package journal

// Link is one step of the chain: an entry with the chain values around it.
type Link struct {
	Seq           uint64
	Raw           []byte // the entry as the chain covers it, without its length; a view
	Before, After Hash
}

// Links computes the chain over a block's entries from its own Prev and calls f with each. The last After is the block's
// Head where the block is intact; the error is a *ChainError where it is not.
func (b Block) Links(f func(Link) error) error {
	v := newChain(b.Prev)
	body := b.Body
	for i := range b.N {
		raw, _, rest, err := cut(body)
		if err != nil {
			return &ChainError{b.First + uint64(i), "length or bytes do not fit the block"}
		}
		l := Link{Seq: b.First + uint64(i), Raw: raw, Before: v.head}
		v.next(body[:lengthSize+len(raw)])
		l.After = v.head
		if err := f(l); err != nil {
			return err
		}
		body = rest
	}
	if v.head != b.Head || len(body) != 0 {
		return &ChainError{b.First, "the chain value of its block differs"}
	}
	return nil
}
