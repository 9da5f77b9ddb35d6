package anatomy

import (
	"fmt"
	"io"
	"strings"

	"touchstone/explain"
)

// Style is how an anatomy is drawn.
type Style struct {
	Language explain.Language
	Colour   bool
}

// Width is the most columns of a line.
const Width = 120

// bytesPerRow of the picture: an offset of 6 columns, then 3 columns a byte.
const bytesPerRow = 32

// SGR codes: the fields take turns; underline is the MAC's coverage.
const (
	reset     = "\x1b[0m"
	underline = "4;"
	bold      = "\x1b[1m"
)

var colours = [...]string{"36", "33", "32", "35", "34", "31"}

type artist struct {
	*Anatomy
	w   io.Writer
	s   Style
	err error
}

// Draw writes the anatomy for a person: the bytes with their fields, the fields in words, the checks, and what is at fault.
func (a *Anatomy) Draw(w io.Writer, s Style) error {
	t := &artist{Anatomy: a, w: w, s: s}
	t.headline()
	t.picture()
	t.table()
	t.checks()
	t.fault()
	return t.err
}

func (t *artist) two(en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(t.s.Language) }

func (t *artist) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, strings.TrimRight(fmt.Sprintf(format, args...), " ")+"\n")
	}
}

func (t *artist) bold(s string) string {
	if t.s.Colour {
		return bold + s + reset
	}
	return s
}

// fields are the parts that bytes belong to.
func (t *artist) fields() (all []Part) {
	for _, p := range t.Parts {
		if p.Depth == 0 {
			all = append(all, p)
		}
	}
	return all
}

func (t *artist) headline() {
	n := 0
	for _, p := range t.fields() {
		if strings.HasPrefix(p.Name, "DE") {
			n++
		}
	}
	what := t.two("Message", "报文")
	if t.MTI != 0 {
		what += " " + t.MTI.String()
	}
	state := t.two("whole", "完整")
	if t.Fault != nil {
		state = fmt.Sprintf(t.two("at fault at byte %d", "第 %d 字节有误"), t.Fault.At)
	}
	t.line("%s", t.bold(fmt.Sprintf(t.two("%s · %d bytes · %d elements · %s", "%s · %d 字节 · %d 个域 · %s"), what, t.Size, n, state)))
}

// letter marks a field: a to z, then A to Z, then again from a.
func letter(i int) string {
	const all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return all[i%len(all) : i%len(all)+1]
}

// picture draws the bytes. With colours each field has one and the MAC's coverage is underlined; without, a line below names
// each field by its letter and a line of ▔ marks the coverage.
func (t *artist) picture() {
	fields := t.fields()
	field := make([]int, t.Size)
	for i, p := range fields {
		for at := p.Span.From; at < p.Span.To && at < t.Size; at++ {
			field[at] = i
		}
	}
	for row := 0; row < t.Size; row += bytesPerRow {
		to := min(row+bytesPerRow, t.Size)
		t.line("%04X  %s", row, t.hexRow(row, to, field))
		if t.s.Colour {
			continue
		}
		t.line("      %s", letters(row, to, field))
		if marks := t.coverage(row, to); strings.TrimSpace(marks) != "" {
			t.line("      %s", marks)
		}
	}
	if t.Covered.Len() > 0 {
		mark := t.two("▔▔ marks", "▔▔ 标出")
		if t.s.Colour {
			mark = "\x1b[4m" + t.two("underlined", "下划线") + reset + t.two(" are", "标出")
		}
		t.line(t.two("      %s the %d bytes that the MAC covers: %d to %d", "      %s MAC 计算范围 %d 字节: %d 至 %d"), mark, t.Covered.Len(), t.Covered.From, t.Covered.To-1)
	}
}

func (t *artist) covered(at int) bool { return at >= t.Covered.From && at < t.Covered.To }

func (t *artist) hexRow(row, to int, field []int) string {
	in := t.hold()
	var b strings.Builder
	for at := row; at < to; at++ {
		hex := hexByte(in.bytes[at], in.hidden[at])
		if at > row {
			b.WriteByte(' ')
		}
		if !t.s.Colour {
			b.Write(hex[:])
			continue
		}
		sgr := colours[field[at]%len(colours)]
		if t.covered(at) {
			sgr = underline + sgr
		}
		b.WriteString("\x1b[" + sgr + "m" + string(hex[:]) + reset)
	}
	return b.String()
}

// letters names the fields of a row: a letter at the first byte of each, dashes to its last.
func letters(row, to int, field []int) string {
	var b strings.Builder
	for at := row; at < to; at++ {
		first := at == row || field[at] != field[at-1]
		last := at+1 == to || field[at] != field[at+1]
		mark := "--"
		if first {
			mark = letter(field[at]) + "-"
			if last {
				mark = letter(field[at]) + " "
			}
		}
		b.WriteString(mark)
		switch {
		case at+1 == to:
		case last:
			b.WriteByte(' ')
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}

func (t *artist) coverage(row, to int) string {
	var b strings.Builder
	for at := row; at < to; at++ {
		mark := "   "
		if t.covered(at) {
			mark = "▔▔ "
		}
		b.WriteString(mark)
	}
	return b.String()
}

// The columns of the table: letter 2, name 8, title 32, bytes 24, and the value to the end.
const (
	nameColumns  = 8
	titleColumns = 32
	rawColumns   = 24
)

// table lists the fields and what is in them.
func (t *artist) table() {
	i := -1
	for _, p := range t.Parts {
		mark := " "
		if p.Depth == 0 {
			i++
			mark = letter(i)
			if t.s.Colour {
				mark = "\x1b[" + colours[i%len(colours)] + "m" + mark + reset
			}
		}
		indent := strings.Repeat(" ", 2*p.Depth)
		lead := mark + " " + indent + pad(p.Name, nameColumns-len(indent)) + " " + pad(fit(p.Title.In(t.s.Language), titleColumns-1), titleColumns) + pad(t.raw(p), rawColumns) + " "
		width := Width - (2 + nameColumns + 1 + titleColumns + rawColumns + 1)
		for _, l := range fold(p.Value.In(t.s.Language), width) {
			t.line("%s%s", lead, l)
			lead = strings.Repeat(" ", Width-width)
		}
	}
}

// raw is the start of a part's bytes, masked.
func (t *artist) raw(p Part) string {
	const most = (rawColumns - 2) / 2
	s := p.Span
	if s.Len() <= most {
		return t.HexOf(s)
	}
	return t.HexOf(Span{s.From, s.From + most}) + "…"
}

// checks names each structural check.
func (t *artist) checks() {
	var parts []string
	for _, c := range t.Checks {
		mark := "✓"
		if !c.OK {
			mark = "✗"
		}
		if t.s.Colour {
			mark = map[bool]string{true: "\x1b[32m", false: "\x1b[31m"}[c.OK] + mark + reset
		}
		parts = append(parts, c.Name.In(t.s.Language)+" "+mark)
	}
	t.row(t.two("CHECKS", "检查"), strings.Join(parts, "   "))
	for _, c := range t.Checks {
		if !c.OK && c.Why.In(t.s.Language) != "" {
			t.row("", c.Name.In(t.s.Language)+": "+c.Why.In(t.s.Language))
		}
	}
}

// fault tells the first byte at fault, and what to look at.
func (t *artist) fault() {
	f := t.Fault
	if f == nil {
		return
	}
	t.row(t.two("FAULT", "错误"), fmt.Sprintf(t.two("byte %d (0x%02X), in %s", "第 %d 字节 (0x%02X), 在 %s"), f.At, f.At, f.Name))
	t.row("", t.two("stands there   ", "实为   ")+f.Found.In(t.s.Language))
	t.row("", t.two("expected       ", "应为   ")+f.Expected.In(t.s.Language))
	t.row(t.two("DO", "处理"), f.Do.In(t.s.Language))
}

const labelColumns = 8

func (t *artist) row(label, s string) {
	lead := pad(label, labelColumns)
	if label != "" {
		lead = strings.Replace(lead, label, t.bold(label), 1)
	}
	for _, l := range fold(s, Width-labelColumns) {
		t.line("%s%s", lead, l)
		lead = strings.Repeat(" ", labelColumns)
	}
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(n-explain.Columns(s), 0))
}

// fit cuts s to n columns.
func fit(s string, n int) string {
	if explain.Columns(s) <= n {
		return s
	}
	out := ""
	for _, r := range s {
		if explain.Columns(out+string(r)) > n-1 {
			break
		}
		out += string(r)
	}
	return out + "…"
}

// fold breaks s into lines of at most n columns, at spaces where there are any; colours count for nothing.
func fold(s string, n int) []string {
	var out []string
	line := ""
	for _, word := range strings.SplitAfter(s, " ") {
		for columns(word) > n { // a word longer than a line
			head := ""
			for _, r := range word {
				if columns(head+string(r)) > n {
					break
				}
				head += string(r)
			}
			if line != "" {
				out, line = append(out, line), ""
			}
			out, word = append(out, head), word[len(head):]
		}
		if line != "" && columns(line+strings.TrimRight(word, " ")) > n {
			out, line = append(out, line), ""
		}
		line += word
	}
	return append(out, line)
}

// columns counts what is seen.
func columns(s string) int {
	n := 0
	for {
		before, rest, ok := strings.Cut(s, "\x1b[")
		n += explain.Columns(before)
		if !ok {
			return n
		}
		_, s, _ = strings.Cut(rest, "m")
	}
}
