package main

import (
	"fmt"
	"io"
	"strings"

	"touchstone/explain"
)

// sheet prints what the catalogue says: a label, then text that hangs under itself.
type sheet struct {
	w    io.Writer
	lang explain.Language
	err  error
}

// The sheet's columns.
const (
	sheetLabel = 13
	sheetWidth = 110
)

func (s *sheet) two(en, zh string) string { return two(s.lang, en, zh) }

func (s *sheet) line(text string) {
	if s.err == nil {
		_, s.err = fmt.Fprintln(s.w, strings.TrimRight(text, " "))
	}
}

// say is text over the whole width.
func (s *sheet) say(text string) {
	for _, l := range breakText(text, sheetWidth) {
		s.line(strings.TrimLeft(l, " "))
	}
}

// row is one text under a label; an empty text is no row.
func (s *sheet) row(label, text string) {
	if text == "" {
		return
	}
	for _, l := range breakText(text, sheetWidth-sheetLabel) {
		s.line(pad(" "+label, sheetLabel) + strings.TrimLeft(l, " "))
		label = ""
	}
}

// item is one text under a label whose later lines hang under its first, behind a mark of two columns.
func (s *sheet) item(label, text string) {
	for _, l := range breakText(text, sheetWidth-sheetLabel) {
		s.line(pad(" "+label, sheetLabel) + l)
		label = ""
	}
}

// texts are rows under one label, each begun by mark.
func (s *sheet) texts(label, mark string, list []explain.Text) {
	for _, t := range list {
		s.item(label, mark+t.In(s.lang))
		label = ""
	}
}

// steps are numbered rows under one label.
func (s *sheet) steps(label string, list []explain.Text) {
	for i, t := range list {
		s.item(label, fmt.Sprintf("%d %s", i+1, t.In(s.lang)))
		label = ""
	}
}

// screen is the cashier's display, its lines as they stand.
func (s *sheet) screen(label string, lines []string) {
	for _, l := range lines {
		s.line(pad(" "+label, sheetLabel) + "| " + pad(l, explain.ScreenColumns) + " |")
		label = ""
	}
}

// signIn says whether to sign in, the word first.
func (s *sheet) signIn(g explain.SignIn) { s.row(s.two("SIGN IN", "签到"), g.Text.In(s.lang)) }
