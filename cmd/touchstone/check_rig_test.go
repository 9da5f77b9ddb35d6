package main

import (
	"time"

	"touchstone/paycrypto"
	"touchstone/pos"
)

// shownCode is what the screen of a sample terminal shows at an instant: its keys are published, so a test needs no
// terminal to know it.
func (t sampleTerminal) shownCode(at time.Time) string {
	key := paycrypto.CheckKey(t.serialKey(), string(t.serial))
	code := paycrypto.CheckCodeAt(&key, paycrypto.CheckStep(at.Unix()))
	return string(code[:])
}

// sampleBySerial is the sample terminal of a serial number.
func sampleBySerial(serial pos.Serial) (sampleTerminal, bool) {
	for _, t := range append(staffTerminals(), visitors()...) {
		if t.serial == serial {
			return t, true
		}
	}
	return sampleTerminal{}, false
}
