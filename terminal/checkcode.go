package terminal

import (
	"time"

	"touchstone/paycrypto"
)

// CheckCode is what the screen shows so that anybody can ask whether this is the registered terminal: 8 digits of the
// minute by the terminal's clock, under a key made of its serial-number key. left is how long it is shown. ok is false
// for a terminal without such a key, and for one that is locked.
func (t *Terminal) CheckCode() (code string, left time.Duration, ok bool) {
	if t.checkKey.Len() == 0 || t.file == nil || t.st.Tampered {
		return "", 0, false
	}
	now := t.Clock()
	step := paycrypto.CheckStep(now.Unix())
	var shown paycrypto.CheckCode
	t.checkKey.Use(func(key []byte) { shown = paycrypto.CheckCodeAt((*[32]byte)(key), step) })
	return string(shown[:]), time.Unix(int64(step+1)*paycrypto.CheckCodeSeconds, 0).Sub(now), true
}

// ShowCheckCodeOn puts the code on a screen, large enough to be read to somebody.
func (t *Terminal) ShowCheckCodeOn(screen Screen) {
	if code, _, ok := t.CheckCode(); ok {
		screen.Show([4]string{t.say(wordsCheck), "", code[:4] + " " + code[4:], t.say(wordsCheckFor)})
	}
}

// idleLine is the last line of the idle screen: the time, and the check code where the terminal has one.
func (t *Terminal) idleLine() string {
	if code, _, ok := t.CheckCode(); ok {
		return t.Clock().Format("15:04") + " " + t.say(wordsCheckCode) + " " + code
	}
	return t.Clock().Format("2006-01-02 15:04")
}
