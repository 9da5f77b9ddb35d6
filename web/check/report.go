package check

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/web"
)

// Bounds of what somebody writes, in bytes.
const (
	maxText    = 2000
	maxContact = 300
	maxField   = 8 << 10                                    // one text field as it is sent
	maxReport  = MaxPhoto + 8*maxField + multipartBoundsMax // the whole body
	// multipartBoundsMax is what boundaries and headers of the parts may take.
	multipartBoundsMax = 16 << 10
)

// reportKind is a kind of report in words; the words are those of the command.
type reportKind struct{ Name, EN, ZH string }

var reportKinds = [...]reportKind{
	{"skimmer", "Something is attached to the terminal, or it looks opened", "终端上装了东西, 或像是被拆开过"},
	{"wrong_amount", "The amount was wrong, or I was charged twice", "金额不对, 或重复扣款"},
	{"refused", "It refuses cards, or says that security failed", "终端拒绝刷卡, 或提示安全认证失败"},
	{"fake_technician", "Somebody wanted to change or take the terminal", "有人上门要求更换或取走终端"},
	{"other", "Something else", "其他"},
}

// reportForm is what the page shows.
type reportForm struct {
	Kinds    []reportKind
	Contact  bool // one can be taken
	Kind     string
	Terminal string
	Serial   string
	Text     string
	Full     bool
}

// filed is the number that somebody goes home with.
type filed struct {
	Number, Code string
	Claim        bool
	At           time.Time
}

func (p *Pages) mountReport() {
	p.get("/report", p.reportPage)
	p.router.HandleLarge(web.Route{Method: http.MethodPost, Pattern: "/report", Rule: web.Rule{Public: true}}, maxReport, http.HandlerFunc(p.report))
}

func (p *Pages) reportPage(w http.ResponseWriter, r *http.Request) {
	q, err := query(r, "serial", "kind")
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	f := reportForm{Serial: cut(q.Get("serial"), pos.MaxSerial), Kind: cut(q.Get("kind"), 20)}
	p.showReport(w, r, http.StatusOK, f, "")
}

func (p *Pages) showReport(w http.ResponseWriter, r *http.Request, status int, f reportForm, wrong string) {
	f.Kinds, f.Contact = reportKinds[:], p.Cases.TakesContact()
	p.show(w, r, status, "report", view{Title: two(r, "Report something wrong", "举报异常"), Wrong: wrong, Data: f})
}

// report takes a report. What is wrong with it costs no entry of the journal.
func (p *Pages) report(w http.ResponseWriter, r *http.Request) {
	now, who := p.Clock(), p.who(r)
	if !p.limits.filings.Left(who, now) {
		tooMany(w)
		return
	}
	select {
	case p.uploads <- struct{}{}:
		defer func() { <-p.uploads }()
	default:
		tooMany(w)
		return
	}
	fields, photo, err := readReport(r)
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	r.PostForm = map[string][]string{langField: {fields[langField]}} // for langOf
	made := &Report{Kind: fields["kind"], Terminal: strings.TrimSpace(narrow(fields["terminal"])), Text: strings.TrimSpace(fields["text"]), Contact: strings.TrimSpace(fields["contact"])}
	back := reportForm{Kind: made.Kind, Terminal: made.Terminal, Serial: fields["serial"], Text: made.Text}
	if wrong := p.checkReport(r, made, fields["serial"]); wrong != "" {
		for _, shown := range []*string{&back.Text, &back.Serial, &back.Terminal} {
			if pos.HasPAN(*shown) {
				*shown = "" // nor is it shown again
			}
		}
		p.showReport(w, r, http.StatusUnprocessableEntity, back, wrong)
		return
	}
	if len(photo) > 0 {
		if made.Photo, err = p.retake(photo); err != nil {
			p.showReport(w, r, http.StatusUnprocessableEntity, back, two(r, "The photograph could not be read: send a JPEG of at most 8 MB and 25 million pixels, or a PNG or WebP of at most 12 million.", "照片无法读取: 请发送不超过 8 MB 的 JPEG (2500 万像素以内) 或 PNG、WebP (1200 万像素以内)。"))
			return
		}
	}
	if !p.limits.reports.AllowN(now, 1) {
		back.Full = true
		p.showReport(w, r, http.StatusTooManyRequests, back, fullText(r))
		return
	}
	p.limits.filings.Allow(who, now)
	whole, err := p.Cases.Report(r.Context(), made)
	switch {
	case errors.Is(err, ErrFull):
		back.Full = true
		p.showReport(w, r, http.StatusTooManyRequests, back, fullText(r))
		return
	case errors.Is(err, ErrContact):
		p.showReport(w, r, http.StatusUnprocessableEntity, back, two(r, "No contact can be taken now: leave it out.", "目前无法保存联系方式: 请留空。"))
		return
	case err != nil:
		p.failed(w, r, err)
		return
	}
	number, code := split(whole)
	p.show(w, r, http.StatusOK, "filed", view{Title: two(r, "Your report was taken", "举报已受理"), Data: filed{Number: number, Code: code, At: now}})
}

func fullText(r *http.Request) string {
	return two(r, "More reports came in than people can read. Yours was not taken: telephone the acquirer, or try again in an hour.", "收到的举报过多, 您的举报未被受理: 请致电收单机构, 或一小时后再试。")
}

// checkReport says what is wrong with a report, in the language of whoever wrote it; "" nothing.
func (p *Pages) checkReport(r *http.Request, made *Report, serial string) string {
	known := false
	for _, k := range reportKinds {
		known = known || k.Name == made.Kind
	}
	switch {
	case !known:
		return two(r, "Choose what it is about.", "请选择举报类型。")
	case made.Text == "" || len(made.Text) > maxText:
		return two(r, "Say what happened, in up to 2,000 characters (about 600 Chinese ones).", "请说明情况, 最多约 600 个汉字。")
	case len(made.Contact) > maxContact:
		return two(r, "The contact is too long.", "联系方式过长。")
	case pos.HasPAN(made.Text) || pos.HasPAN(made.Contact) || pos.HasPAN(serial) || pos.HasPAN(made.Terminal):
		return panText(r)
	case made.Terminal == "" && strings.TrimSpace(serial) == "":
		return two(r, "Name the terminal: the terminal's number on the receipt, or the serial number on its label.", "请填写终端: 签购单上的终端号, 或终端标签上的序列号。")
	}
	if made.Terminal != "" {
		if _, err := pos.ParseTerminalID(made.Terminal); err != nil {
			return two(r, "The terminal's number on the receipt has 8 characters.", "签购单上的终端号为 8 位。")
		}
	}
	if strings.TrimSpace(serial) == "" {
		return ""
	}
	s, err := parseSerial(serial)
	if err != nil {
		return wrongText(r, errSerial)
	}
	made.Serial = string(s)
	return ""
}

func panText(r *http.Request) string {
	return two(r, "That looks like a whole card number. Leave it out: the last four digits are enough, and nobody who helps you ever needs more. Nothing was kept.",
		"内容中疑似有完整卡号。请删去: 只需末四位, 真正帮助您的人绝不需要更多。本次内容未被保存。")
}

// retake makes a photograph anew, one at a time.
func (p *Pages) retake(sent []byte) ([]byte, error) {
	p.decodes <- struct{}{} // at most mostUploads wait here
	defer func() { <-p.decodes }()
	return retake(sent)
}

// reportFields are the text fields of the form.
var reportFields = map[string]bool{"kind": true, "terminal": true, "serial": true, "text": true, "contact": true, langField: true}

// readReport reads the form strictly, part by part, each field once.
func readReport(r *http.Request) (fields map[string]string, photo []byte, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, nil, errForm
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	fields = map[string]string{}
	seen := map[string]bool{}
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return fields, photo, nil
		}
		if err != nil {
			return nil, nil, errForm
		}
		name := part.FormName()
		if seen[name] || name != "photo" && !reportFields[name] {
			return nil, nil, errForm
		}
		seen[name] = true
		most := int64(maxField)
		if name == "photo" {
			most = MaxPhoto
		}
		content, err := io.ReadAll(io.LimitReader(part, most+1))
		if err != nil || int64(len(content)) > most {
			return nil, nil, errForm
		}
		if name == "photo" {
			photo = content
			continue
		}
		if !soundText(string(content)) {
			return nil, nil, errForm
		}
		fields[name] = strings.ReplaceAll(string(content), "\r\n", "\n")
	}
}

// cut keeps a text of a link within bounds.
func cut(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}
