package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	gomail "github.com/emersion/go-message/mail"

	"touchstone/pos"
	"touchstone/redress"
)

// Attachment is a file that a notice carries.
type Attachment struct {
	Name, Type string
	Content    []byte
}

// Planned is a notice to be made: who gets what. Basis is the digest of what it is made of, so that the same is not made twice.
type Planned struct {
	Kind  redress.NoticeKind
	To    redress.NoticeTo
	Basis string
	Drill bool

	recipient *Recipient
	facts     *Facts
}

// Unreached are sales of which an issuer or a shop is not told, because the address book does not know it.
type Unreached struct {
	What  string // "issuer 622588" or "merchant 898..."
	Sales int
}

// Plan says who is to be told of an incident, in the order of the address book. In a drill everything goes to the
// drill's recipients. A merchant that the book does not know gets its kit as files, for somebody to carry there.
func (c *Config) Plan(f *Facts) (list []Planned, missed []Unreached) {
	of := *f
	of.Handler = c.Handler
	f = &of
	add := func(k redress.NoticeKind, r *Recipient, part *Facts) {
		if len(part.Sales) == 0 && (k == redress.IssuerFile || k == redress.MerchantKit) {
			return
		}
		p := Planned{Kind: k, recipient: r, facts: part, Drill: f.Drill,
			To: redress.NoticeTo{Name: r.Name, Group: r.Group, Channel: r.Channel, Address: r.Address}}
		p.Basis = p.basis()
		list = append(list, p)
	}
	if f.Drill {
		for i := range c.Recipients {
			if r := &c.Recipients[i]; r.Group == redress.GroupDrill {
				for _, k := range Kinds {
					if r.takes(k) {
						add(k, r, f)
					}
				}
			}
		}
		return list, nil
	}
	issued, sold := map[pos.RRN]bool{}, map[pos.MerchantID]bool{}
	for i := range c.Recipients {
		r := &c.Recipients[i]
		switch r.Group {
		case redress.GroupIssuer:
			part := f.only(r.ofIssuer)
			for i := range part.Sales {
				issued[part.Sales[i].RRN] = true
			}
			add(redress.IssuerFile, r, part)
		case redress.GroupMerchant:
			part := f.only(func(s *Sale) bool { return s.Merchant.String() == r.Merchant })
			for i := range part.Sales {
				sold[part.Sales[i].Merchant] = true
			}
			add(redress.MerchantKit, r, part)
		case redress.GroupPublic:
			add(redress.ConsumerNotice, r, f)
		case redress.GroupRegulator:
			add(redress.RegulatorNote, r, f)
		case redress.GroupInternal:
			add(redress.InternalNotice, r, f)
		}
	}
	for _, m := range f.merchants() {
		if !sold[m] {
			name := "merchant-" + strings.Map(nameRune, strings.ToLower(m.String()))
			r := &Recipient{Name: name, Group: redress.GroupMerchant, Channel: redress.ByFile, Address: name, Language: "both", Merchant: m.String()}
			add(redress.MerchantKit, r, f.only(func(s *Sale) bool { return s.Merchant == m }))
		}
	}
	return list, f.unissued(issued)
}

func nameRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// takes tells whether a drill recipient can be sent a kind.
func (r *Recipient) takes(k redress.NoticeKind) bool {
	if len(r.Kinds) > 0 && !slices.Contains(r.Kinds, k) {
		return false
	}
	switch k {
	case redress.IssuerFile:
		return r.Age != "" && r.Channel != redress.BySMS
	case redress.ConsumerNotice:
		return true
	}
	return r.Channel != redress.BySMS
}

// merchants lists the shops of the sales in the order they appear.
func (f *Facts) merchants() (list []pos.MerchantID) {
	seen := map[pos.MerchantID]bool{}
	for i := range f.Sales {
		if m := f.Sales[i].Merchant; !seen[m] {
			seen[m], list = true, append(list, m)
		}
	}
	return list
}

func (f *Facts) unissued(issued map[pos.RRN]bool) (missed []Unreached) {
	counts := map[string]int{}
	for i := range f.Sales {
		if s := &f.Sales[i]; !issued[s.RRN] {
			prefix := "unknown"
			if s.Shown[0] != 0 {
				prefix = string(s.Shown[:6])
			}
			counts["issuer "+prefix]++
		}
	}
	for what, n := range counts {
		missed = append(missed, Unreached{what, n})
	}
	slices.SortFunc(missed, func(a, b Unreached) int { return strings.Compare(a.What, b.What) })
	return missed
}

// basis is the digest of all that a notice says, but for the instant at which it is drafted.
func (p *Planned) basis() string {
	f := *p.facts
	f.Now = 0
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%+v\n%s\n%s\n%t\n%v\n%s\n%v\n%d %d %d %d\n%+v\n%v\n%s\n", p.Kind, p.To, p.recipient.Age, f.Incident, f.Drill, f.Title, f.Severity, f.Cause,
		f.Aware, f.From, f.To, f.Terminals, f.Handler, f.Kinds, p.recipient.Language)
	fmt.Fprintf(h, "%v\n", f.Measures)
	if p.Kind == redress.RegulatorNote || p.Kind == redress.InternalNotice {
		fmt.Fprintf(h, "%+v\n", f.Clocks)
	}
	for i := range f.Sales {
		s := &f.Sales[i]
		fmt.Fprintf(h, "%s %d %s %s %s %s %d\n", s.RRN, s.At, s.Terminal, s.Merchant, s.Shown, s.Card, s.Amount)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Exposed is how many sales a planned notice is about.
func (p *Planned) Exposed() int { return len(p.facts.Sales) }

// Made is a notice as it is sent: the bytes are the same at each attempt.
type Made struct {
	Subject  string
	Text     string
	Message  []byte // of smtp an Internet message; of sms the text; of webhook and file JSON
	Contents []Attachment
}

// Maker makes the notices of one plan. The counter notice is the same for every shop, and is made once.
type Maker struct {
	c     *Config
	pages map[string][]byte
}

// Maker is for one plan.
func (c *Config) Maker() *Maker { return &Maker{c, map[string][]byte{}} }

// Make writes a planned notice. key is its Message-ID without brackets, and its Idempotency-Key.
func (mk *Maker) Make(p *Planned, id, key string) (*Made, error) {
	m := &Made{Subject: p.facts.subject(p.Kind, p.recipient.Language)}
	var err error
	if p.To.Channel == redress.BySMS {
		m.Text, err = p.facts.body("sms", p.recipient.Language, p.To.Name, "", "")
		m.Message = []byte(m.Text)
		m.Contents = []Attachment{{"text.txt", "text/plain; charset=utf-8", m.Message}}
		return m, err
	}
	if m.Contents, err = mk.attach(p); err != nil {
		return nil, err
	}
	file, shop := "", ""
	if p.Kind == redress.IssuerFile {
		file = m.Contents[0].Name
		if p.Drill {
			file = "DRILL-" + file
		}
	}
	if all := p.facts.merchants(); len(all) > 0 {
		shop = p.facts.shop(all[0])
		if p.Drill {
			shop = Text{"the shops concerned", "相关商户"}.EN + " 相关商户"
		}
	}
	if m.Text, err = p.facts.body(string(p.Kind), p.recipient.Language, p.To.Name, shop, file); err != nil {
		return nil, err
	}
	if p.Drill {
		for i := range m.Contents {
			m.Contents[i].Name = "DRILL-" + m.Contents[i].Name
		}
	}
	m.Contents = append([]Attachment{{"text.txt", "text/plain; charset=utf-8", []byte(m.Text)}}, m.Contents...)
	if p.To.Channel == redress.ByMail {
		m.Message, err = mk.c.mail(m, p.To.Address, key, p.facts)
	} else {
		m.Message, err = payload(m, p, id, key)
	}
	return m, err
}

// attach makes the files of a notice.
func (mk *Maker) attach(p *Planned) (list []Attachment, err error) {
	switch p.Kind {
	case redress.IssuerFile:
		sealed, err := p.facts.IssuerFile(p.recipient.Age)
		if err != nil {
			return nil, err
		}
		holders, err := p.facts.body("consumer_notice", "both", "", "", "")
		return []Attachment{{"exposed-" + p.facts.Incident + ".csv.age", "application/age-encryption", sealed},
			{"notice-to-cardholders.txt", "text/plain; charset=utf-8", []byte(holders)}}, err
	case redress.MerchantKit:
		for _, lang := range []string{"zh", "en"} {
			if mk.pages[lang] == nil {
				if mk.pages[lang], err = p.facts.CounterNotice(lang); err != nil {
					return nil, err
				}
			}
			list = append(list, Attachment{"counter-notice." + lang + ".pdf", "application/pdf", mk.pages[lang]})
		}
		receipts, err := p.facts.Receipts()
		return append(list, Attachment{"receipts.csv", "text/csv; charset=utf-8", receipts}), err
	}
	return nil, nil
}

// mail writes an Internet message (RFC 5322) with its text and files (RFC 2045, 2183).
func (c *Config) mail(m *Made, to, key string, f *Facts) ([]byte, error) {
	from, err := mail.ParseAddress(c.SMTP.From)
	if err != nil {
		return nil, fmt.Errorf("%w: smtp.from", ErrConfig)
	}
	var h gomail.Header
	h.SetDate(f.Now.Time().In(f.Zone))
	h.SetSubject(m.Subject)
	h.SetAddressList("From", []*gomail.Address{(*gomail.Address)(from)})
	h.SetAddressList("To", []*gomail.Address{{Address: to}})
	h.SetMessageID(key)
	h.Set("Auto-Submitted", "auto-generated") // RFC 3834: no answering machine answers it
	var b bytes.Buffer
	w, err := gomail.CreateWriter(&b, h)
	if err != nil {
		return nil, err
	}
	for i, a := range m.Contents {
		kind, params, _ := strings.Cut(a.Type, "; charset=")
		fields := map[string]string{}
		if params != "" {
			fields["charset"] = params
		}
		if err := writePart(w, i == 0, kind, fields, &a); err != nil {
			return nil, err
		}
	}
	err = w.Close() // writes the last boundary
	return b.Bytes(), err
}

func writePart(w *gomail.Writer, inline bool, kind string, fields map[string]string, a *Attachment) error {
	if inline {
		var h gomail.InlineHeader
		h.SetContentType(kind, fields)
		h.Set("Content-Transfer-Encoding", "base64")
		part, err := w.CreateSingleInline(h)
		if err != nil {
			return err
		}
		if _, err := part.Write(a.Content); err != nil {
			return err
		}
		return part.Close()
	}
	var h gomail.AttachmentHeader
	h.SetContentType(kind, fields)
	h.Set("Content-Transfer-Encoding", "base64")
	h.SetFilename(a.Name)
	part, err := w.CreateAttachment(h)
	if err != nil {
		return err
	}
	if _, err := part.Write(a.Content); err != nil {
		return err
	}
	return part.Close()
}

// Payload is what a webhook is sent, and what channel file writes apart: one JSON object.
type Payload struct {
	Notice      string        `json:"notice"` // NTC-3
	Key         string        `json:"key"`    // the Idempotency-Key: the same of every attempt
	Incident    string        `json:"incident"`
	Kind        string        `json:"kind"`
	Drill       bool          `json:"drill"`
	Drafted     string        `json:"drafted"` // RFC 3339
	Subject     string        `json:"subject"`
	Text        string        `json:"text"`
	Attachments []PayloadFile `json:"attachments,omitempty"`
}

// PayloadFile is one of its files.
type PayloadFile struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	SHA256  string `json:"sha256"`
	Content string `json:"content"` // base64
}

func payload(m *Made, p *Planned, id, key string) ([]byte, error) {
	out := Payload{Notice: id, Key: key, Incident: p.facts.Incident, Kind: string(p.Kind), Drill: p.Drill, Drafted: p.facts.Now.Time().Format(time.RFC3339),
		Subject: m.Subject, Text: m.Text}
	for _, a := range m.Contents[1:] {
		sum := sha256.Sum256(a.Content)
		out.Attachments = append(out.Attachments, PayloadFile{a.Name, a.Type, hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(a.Content)})
	}
	return json.Marshal(&out)
}
