package main

import (
	"strings"

	"touchstone/explain"
)

// What stays with the character before it, and with the one behind it: neither begins, or ends, a line.
const (
	closers = "，。；：、！？）》」』】,.;:!?)]%"
	openers = "（《「『【(["
)

// setText breaks text into lines of at most width columns, as they are seen: between words, and in Chinese between any
// two characters but before a stop and after an opening bracket. A word that is wider than a line has one to itself.
func setText(text string, width int) []string {
	var out []string
	line, columns := "", 0
	for _, piece := range pieces(text) {
		bare := strings.TrimLeft(piece, " ")
		w := explain.Columns(piece)
		switch {
		case line == "":
			line, columns = bare, explain.Columns(bare)
		case columns+w <= width:
			line += piece
			columns += w
		default:
			out = append(out, line)
			line, columns = bare, explain.Columns(bare)
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

// pieces are what is not broken: a word with the space before it, a wide character with the stops after it.
func pieces(text string) []string {
	var out []string
	piece, last := "", rune(0)
	for _, r := range text {
		if piece != "" && breaksBetween(last, r) {
			out = append(out, piece)
			piece = ""
		}
		piece += string(r)
		last = r
	}
	if strings.TrimSpace(piece) != "" {
		out = append(out, piece)
	}
	return out
}

// breaksBetween tells whether a line may end between two characters that follow each other.
func breaksBetween(before, after rune) bool {
	if before == ' ' || strings.ContainsRune(closers, after) || strings.ContainsRune(openers, before) {
		return false
	}
	return after == ' ' || isWide(before) || isWide(after)
}

func isWide(r rune) bool { return explain.Columns(string(r)) == 2 }
