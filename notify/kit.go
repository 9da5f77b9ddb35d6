package notify

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/signintech/gopdf"
)

// font holds Latin and Chinese glyphs in one file; font/README says whose it is.
//
//go:embed font/wqy-microhei.ttf.gz
var font []byte

// maxFont bounds the unpacked font.
const maxFont = 16 << 20

// The counter notice's page: A4, 210 by 297 mm, in points of 1/72 inch.
const (
	pageMargin   = 48.0
	titleSize    = 26.0
	bodySize     = 18.0
	leastBody    = 9.0 // a text that needs less than this has too much in it
	lineHeight   = 1.55
	paragraphGap = 0.45 // of a line
)

// counterTitle heads the notice for the counter.
var counterTitle = Text{"Notice to our customers who pay by card", "致刷卡顾客的告示"}

// CounterNotice is the notice for a shop's counter in language en or zh: one A4 page, PDF 1.7, its font embedded, made to be
// printed in black. A text that does not fit one page at a size that people can read is refused.
func (f *Facts) CounterNotice(lang string) ([]byte, error) {
	text, err := f.view(lang, "", "", "").render("counter_notice", lang)
	if err != nil {
		return nil, err
	}
	packed, err := gzip.NewReader(bytes.NewReader(font))
	if err != nil {
		return nil, err
	}
	ttf, err := io.ReadAll(io.LimitReader(packed, maxFont))
	if err != nil {
		return nil, fmt.Errorf("unpack font: %w", err)
	}
	page := *gopdf.PageSizeA4
	pdf := &gopdf.GoPdf{}
	pdf.Start(gopdf.Config{PageSize: page})
	pdf.SetInfo(gopdf.PdfInfo{Title: counterTitle.In(lang) + " " + f.Incident, Creator: "touchstone"})
	pdf.AddPage()
	if err := pdf.AddTTFFontData("hei", ttf); err != nil {
		return nil, fmt.Errorf("font: %w", err)
	}
	if err := pdf.SetFont("hei", "", titleSize); err != nil {
		return nil, err
	}
	width := page.W - 2*pageMargin
	y := pageMargin
	titles := []string{counterTitle.In(lang)}
	if f.Drill {
		titles = append([]string{drillMark}, titles...)
	}
	for _, title := range titles {
		pdf.SetXY(pageMargin, y)
		if err := pdf.Cell(nil, title); err != nil {
			return nil, err
		}
		y += titleSize * lineHeight
	}
	pdf.SetLineWidth(1.5)
	pdf.Line(pageMargin, y, page.W-pageMargin, y)
	y += titleSize * 0.6
	for size := bodySize; size >= leastBody; size -= 0.5 {
		lines, height, err := layOut(pdf, text, size, width)
		if err != nil {
			return nil, err
		}
		if y+height > page.H-pageMargin {
			continue
		}
		if err := write(pdf, lines, size, y); err != nil {
			return nil, err
		}
		return pdf.GetBytesPdfReturnErr()
	}
	return nil, fmt.Errorf("%w: the counter notice does not fit one A4 page", ErrText)
}

// layOut breaks a text into lines of one size; "" is a gap between paragraphs.
func layOut(pdf *gopdf.GoPdf, text string, size, width float64) (lines []string, height float64, err error) {
	if err := pdf.SetFont("hei", "", size); err != nil {
		return nil, 0, err
	}
	for _, paragraph := range strings.Split(text, "\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph == "" {
			lines, height = append(lines, ""), height+size*lineHeight*paragraphGap
			continue
		}
		broken, err := breakLines(pdf, paragraph, width)
		if err != nil {
			return nil, 0, err
		}
		lines, height = append(lines, broken...), height+float64(len(broken))*size*lineHeight
	}
	return lines, height, nil
}

// breakLines breaks at blanks and after every Chinese character, which is how both are set. No line begins with a closing mark.
func breakLines(pdf *gopdf.GoPdf, paragraph string, width float64) (lines []string, err error) {
	line := ""
	for _, piece := range pieces(paragraph) {
		wide, err := pdf.MeasureTextWidth(line + strings.TrimRight(piece, " "))
		if err != nil {
			return nil, err
		}
		if wide > width && line != "" && !strings.ContainsAny(piece, "。, ，、;；:：)）") {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		} else if wide > width && line != "" && strings.HasSuffix(piece, " ") {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
		line += piece
	}
	return append(lines, strings.TrimRight(line, " ")), nil
}

// pieces cuts a text where a line may break: words with the blank after them, single Chinese characters and marks.
func pieces(s string) (out []string) {
	word := strings.Builder{}
	flush := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for _, r := range s {
		switch {
		case r >= 0x2e80:
			flush()
			out = append(out, string(r))
		case r == ' ':
			word.WriteRune(r)
			flush()
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return out
}

func write(pdf *gopdf.GoPdf, lines []string, size, y float64) error {
	for _, line := range lines {
		if line == "" {
			y += size * lineHeight * paragraphGap
			continue
		}
		pdf.SetXY(pageMargin, y)
		if err := pdf.Cell(nil, line); err != nil {
			return err
		}
		y += size * lineHeight
	}
	return nil
}

// Receipts is the list of a shop's affected receipts: CSV, UTF-8 with a byte order mark so that office programs take the
// Chinese for what it is, newest last. Of a card it has the last four digits.
func (f *Facts) Receipts() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	rows := [][]string{{"terminal 终端号", "date 日期", "time 时间", "last four 卡号后四位", "amount 金额 (CNY)"}}
	for i := range f.Sales {
		s := &f.Sales[i]
		at := s.At.Time().In(f.Zone)
		rows = append(rows, []string{s.Terminal.String(), at.Format("2006-01-02"), at.Format("15:04:05"), s.Last4(), s.Amount.String()})
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}
