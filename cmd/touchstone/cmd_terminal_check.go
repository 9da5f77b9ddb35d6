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
	Code   string `json:"code,omitempty"` // of a terminal with a serial-number key
	Left   int    `json:"seconds_left"`
	URL    string `json:"url"`                 // what the label's QR code says
	Proof  string `json:"proof_url,omitempty"` // of one with a device certificate: what the QR code on its screen says
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
	proof, proofLeft, signed := t.CheckProof()
	if !ok && !signed {
		return errors.New("this terminal shows no check code: it has no serial-number key and no device certificate, or is locked")
	}
	shown := shownCheckCode{Serial: string(setup.config.Serial), Code: code, Left: int(max(left, proofLeft) / time.Second), URL: check.TerminalURL(base, setup.config.Serial)}
	if signed {
		shown.Proof = check.ProofURL(base, setup.config.Serial, proof)
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(&shown)
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	printer := &terminalPrinter{out: a.stdout, lang: terminal.Language(c.Lang)}
	t.ShowCheckCodeOn(printer)
	return errors.Join(printer.err, shown.write(a.stdout, l))
}

// write prints what screen and label show. The screen's own QR code, of a device with a certificate, stands last: it is
// what a phone is to scan, and it is over with its minute.
func (s *shownCheckCode) write(w io.Writer, l *lines) error {
	if s.Code != "" {
		fmt.Fprintf(w, l.two("check code %s, new in %d s\n", "核验码 %s, %d 秒后更新\n"), s.Code, s.Left)
	}
	fmt.Fprintf(w, l.two("label: %s\n", "标签: %s\n"), s.URL)
	if err := writeQR(w, s.URL, qr.M); err != nil || s.Proof == "" {
		return err
	}
	fmt.Fprintf(w, l.two("signed QR code of the screen, new in %d s: %s\n", "屏幕上的签名二维码, %d 秒后更新: %s\n"), s.Left, s.Proof)
	return writeQR(w, s.Proof, qr.L)
}

// quietZone is how many modules of white a QR code has around it; ISO/IEC 18004, 6.3.8 wants four. On a screen two are
// read by every reader that was tried.
const quietZone = 2

// writeQR draws a QR code with half blocks, dark on light whatever the colours of the screen: white is drawn.
// On a screen, which nobody scratches, level L leaves the modules large.
func writeQR(w io.Writer, text string, level qr.Level) error {
	code, err := qr.Encode(text, level)
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
