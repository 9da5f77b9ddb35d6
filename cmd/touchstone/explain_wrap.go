package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"touchstone/explain"
)

// cellGap is between two cells of a line.
const cellGap = "   "

// flow sets cells into lines of at most width columns: as many on a line as fit, one that does not fit any line is
// broken between words, and its later lines hang under its text.
func flow(cells []string, width, hang int) []string {
	var out []string
	line := ""
	for _, cell := range cells {
		if cell == "" {
			continue
		}
		if line != "" && seen(line+cellGap+cell) <= width {
			line += cellGap + cell
			continue
		}
		if line != "" {
			out = append(out, line)
		}
		broken := hangText(cell, width, hang)
		out = append(out, broken[:len(broken)-1]...)
		line = broken[len(broken)-1]
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

// packed sets words side by side, a space between, in lines of at most width columns; no word is broken.
func packed(words []string, width int) []string {
	var out []string
	for _, w := range words {
		if n := len(out); n > 0 && seen(out[n-1]+" "+w) <= width {
			out[n-1] += " " + w
			continue
		}
		out = append(out, strings.TrimLeft(w, " "))
	}
	return out
}

// seen is how many columns of a line are seen: colours take none.
func seen(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if skip := sgrAt(s[i:]); skip > 0 {
			i += skip
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n += explain.Columns(string(r))
		i += size
	}
	return n
}

// sgrAt is the length of a colour at the start of s, 0 when there is none.
func sgrAt(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	return strings.IndexByte(s, 'm') + 1
}

// hangText breaks s into lines of at most width columns: at a space, or before any wide character that is no stop.
// Lines after the first are set in by hang columns.
func hangText(s string, width, hang int) []string {
	var out []string
	for seen(s) > width {
		at := breakAt(s, width, hang)
		out = append(out, strings.TrimRight(s[:at], " "))
		s = strings.Repeat(" ", hang) + strings.TrimLeft(s[at:], " ")
	}
	return append(out, s)
}

// breakAt is the last place within width columns, and after the first least of them, at which s may be broken.
func breakAt(s string, width, least int) int {
	at, columns := 0, 0
	for i := 0; i < len(s); {
		if skip := sgrAt(s[i:]); skip > 0 {
			i += skip
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		c := explain.Columns(string(r))
		if columns+c > width {
			if at == 0 {
				at = i
			}
			return at
		}
		if columns > least && (r == ' ' || c == 2 && !strings.ContainsRune(stops, r)) {
			at = i
		}
		columns += c
		i += size
	}
	return len(s)
}

// stops begin no line.
const stops = "，。；：、）》”"

// breakText is hangText for steps and paragraphs.
func breakText(s string, width int) []string { return hangText(s, width, stepHang) }

// milliseconds writes microseconds as milliseconds with the digits that matter.
func milliseconds(us uint32) string {
	switch ms := float64(us) / 1000; {
	case us < 100:
		return fmt.Sprintf("%.2f", ms)
	case us < 10_000:
		return fmt.Sprintf("%.1f", ms)
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}

// roundNumber writes a large number as people say it, rounded down: 80 million, 8000 万.
func roundNumber(n uint64, lang explain.Language) string {
	type unit struct {
		of   uint64
		word string
	}
	units := []unit{{1e12, " trillion"}, {1e9, " billion"}, {1e6, " million"}, {1e3, " thousand"}}
	if lang == explain.Chinese {
		units = []unit{{1e12, " 万亿"}, {1e8, " 亿"}, {1e4, " 万"}}
	}
	for _, u := range units {
		if n < u.of {
			continue
		}
		if whole := n / u.of; whole >= 10 || n%u.of < u.of/10 {
			return fmt.Sprintf("%d%s", whole, u.word)
		}
		return fmt.Sprintf("%d.%d%s", n/u.of, n%u.of*10/u.of, u.word)
	}
	return fmt.Sprint(n)
}
