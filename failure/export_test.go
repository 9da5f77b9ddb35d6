package failure

// AddUpAnew forgets every sum that is kept.
func (t *Table) AddUpAnew() {
	t.wholes = nil
	for _, h := range t.hours {
		h.kept = nil
	}
}
