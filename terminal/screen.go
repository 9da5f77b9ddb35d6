package terminal

import "strings"

// Columns is the width of the screen; a Chinese character takes two.
const Columns = 20

// Screen is a terminal's display: four lines of at most Columns columns each, not filled up.
type Screen interface {
	Show(lines [4]string)
}

// heading is the first two lines while an operation runs.
type heading struct {
	title  Words
	amount string
}

// Width is how many columns a text takes: two for a wide character of East Asia, one for any other.
// The ranges are those of Unicode Standard Annex #11 that our texts can hold.
func Width(s string) (n int) {
	for _, r := range s {
		n++
		if wide(r) {
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115F, r >= 0x2E80 && r <= 0x303E, r >= 0x3041 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3,
		r >= 0xF900 && r <= 0xFAFF, r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6,
		r >= 0x20000 && r <= 0x3FFFD:
		return true
	}
	return false
}

// Fit cuts a text to n columns and never through a character.
func Fit(s string, n int) string {
	for i, r := range s {
		if n -= Width(string(r)); n < 0 {
			return s[:i]
		}
	}
	return s
}

// Pad fills a text up with spaces to n columns, cutting it where it is wider.
func Pad(s string, n int) string {
	s = Fit(s, n)
	return s + strings.Repeat(" ", n-Width(s))
}

func (t *Terminal) show(lines ...string) {
	if t.cfg.Screen == nil {
		return
	}
	var four [4]string
	for i := range min(len(four), len(lines)) {
		four[i] = Fit(lines[i], Columns)
	}
	t.cfg.Screen.Show(four)
}

func (t *Terminal) say(w Words) string { return w.In(t.cfg.Language) }

// showLocked is all that a locked terminal ever shows.
func (t *Terminal) showLocked() { t.show("", t.say(wordsLocked)) }

func (t *Terminal) showIdle() {
	state := wordsReady
	if t.keys == nil {
		state = wordsSignIn
	}
	t.show(t.say(state), t.cfg.Terminal.String(), t.say(wordsBatch)+" "+t.st.Batch.String(), t.idleLine())
}

// begin sets the heading of an operation.
func (t *Terminal) begin(r *request) {
	t.heading = heading{title: titleOf(r.operation)}
	if r.amount > 0 {
		t.heading.amount = t.say(wordsAmount) + " " + r.amount.String()
	}
}

func (t *Terminal) showPIN() {
	t.show(t.say(t.heading.title), t.heading.amount, t.say(wordsCover))
}

func (t *Terminal) showWaiting() {
	t.show(t.say(t.heading.title), t.heading.amount, t.say(wordsWaiting))
}

// showResult shows how a message ended: what it was, for how much or with what balance, the outcome,
// and trace and answer code.
func (t *Terminal) showResult(res *Result) {
	if t.st.Tampered {
		t.showLocked()
		return
	}
	second := t.heading.amount
	if res.HasBalance && res.Approved {
		second = t.say(wordsBalance) + " " + res.Balance.String()
	}
	last := t.say(wordsTrace) + " " + res.Trace.String()
	if code := res.DE39.String(); code != "" {
		last += " " + t.say(wordsCode) + " " + code
	}
	t.show(t.say(titleOf(res.Operation)), second, t.say(res.Words), last)
}
