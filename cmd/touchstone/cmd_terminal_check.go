package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"rsc.io/qr"

	"touchstone/terminal"
	"touchstone/web/check"
)

// checkCodeAction is the action that needs no host: what the screen shows for whoever asks whether this is the
// registered terminal.
const checkCodeAction = "check-code"

// shownCheckCode is what check-code prints with --json.
type shownCheckCode struct {
	Serial string `json:"serial"`
	Code   string `json:"code"`
	Left   int    `json:"seconds_left"`
	URL    string `json:"url"` // what the label's QR code says
}

// checkCode shows the terminal's check code and, as text, the QR code of its label.
func (c *terminalCmd) checkCode(a *app) error {
	setup, err := c.load(a)
	if err != nil {
		return err
	}
	defer setup.card.Wipe()
	if setup.config.StateDir, err = c.stateDir(a); err != nil {
		return err
	}
	t, err := terminal.Open(setup.config)
	if err != nil {
		return err
	}
	defer t.Close()
	base := firstOf(c.CheckURL, setup.checkURL)
	if base == "" {
		return errors.New("the address of the check page is not known: give --check-url https://...")
	}
	code, left, ok := t.CheckCode()
	if !ok {
		return errors.New("this terminal shows no check code: it has no serial-number key, or is locked")
	}
	shown := shownCheckCode{Serial: string(setup.config.Serial), Code: code, Left: int(left / time.Second), URL: check.TerminalURL(base, setup.config.Serial)}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(&shown)
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	printer := &terminalPrinter{out: a.stdout, lang: terminal.Language(c.Lang)}
	t.ShowCheckCodeOn(printer)
	fmt.Fprintf(a.stdout, l.two("check code %s, new in %d s\n%s\n", "核验码 %s, %d 秒后更新\n%s\n"), code, shown.Left, shown.URL)
	return errors.Join(printer.err, writeQR(a.stdout, shown.URL))
}

// quietZone is how many modules of white a QR code has around it; ISO/IEC 18004, 6.3.8 wants four. On a screen two are
// read by every reader that was tried.
const quietZone = 2

// writeQR draws a QR code with half blocks, dark on light whatever the colours of the screen: white is drawn.
func writeQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return fmt.Errorf("QR code: %w", err)
	}
	white := func(x, y int) bool { return !code.Black(x, y) } // outside the code it is white
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			switch upper, lower := white(x, y), white(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	_, err = io.WriteString(w, b.String())
	return err
}
