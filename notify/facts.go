package notify

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/redress"
)

// Text is one thing said in both languages.
type Text struct{ EN, ZH string }

// In is the text in language en or zh; the other one where it is missing.
func (t Text) In(lang string) string {
	if lang == "zh" && t.ZH != "" || t.EN == "" {
		return t.ZH
	}
	return t.EN
}

// Sale is one exposed sale. It knows no more of a card than its truncated number and keyed hash.
type Sale struct {
	RRN      pos.RRN
	At       pos.Instant
	Terminal pos.TerminalID
	Merchant pos.MerchantID
	Shown    pos.TruncatedPAN
	Card     pos.PANHash
	Amount   pos.Amount // minor units of CNY
}

// Last4 is all that a person is told of a card.
func (s *Sale) Last4() string {
	if s.Shown[0] == 0 {
		return "----"
	}
	return string(s.Shown[6:])
}

// Clock is one deadline of the incident, as the regulator's note states it.
type Clock struct {
	Rule     string
	Duty     Text
	Start    pos.Instant
	Due      pos.Instant
	Answered pos.Instant // 0: not yet
	By       string      // what answered it, such as NTC-3
	Waived   string      // why people agreed that it does not apply, "" they did not
	Checked  bool        // the deadline was read in its source; else it is as configured, and the note says so
}

// Facts are what notices of one incident are made of. Every one is of the journal, the register or the people who draft:
// nothing here is guessed, and what is not known yet is said to be not known.
type Facts struct {
	Incident  string
	Drill     bool
	Title     Text
	Severity  Text
	Cause     Text // zero: still being looked into
	Kinds     []string
	Measures  []Text
	Aware     pos.Instant // since when we know
	From, To  pos.Instant // the window in which cards were exposed
	Terminals int         // looked at
	Sales     []Sale
	Shops     map[pos.MerchantID]string // names
	Clocks    []Clock
	Handler   Handler
	Zone      *time.Location
	Now       pos.Instant // of drafting
}

// information is what a terminal can lose, with its words. Order is that of a notice.
var information = []struct {
	key  string
	text Text
}{
	{"card_number", Text{"card number", "银行卡卡号"}},
	{"expiry", Text{"expiry date of the card", "卡片有效期"}},
	{"track", Text{"data of the magnetic stripe", "磁条信息"}},
	{"receipt", Text{"date, amount and place of the payment", "交易日期、金额和地点"}},
	{"pin", Text{"PIN (password of the card)", "银行卡密码 (PIN)"}},
	{"person", Text{"name, phone number, identity document, address", "姓名、手机号、身份证件、住址"}},
}

// InformationKinds are the words for Facts.Kinds.
func InformationKinds() (keys []string) {
	for _, k := range information {
		keys = append(keys, k.key)
	}
	return keys
}

// told lists the kinds of information that were exposed, or those that were not.
func (f *Facts) told(exposed bool, lang string) (list []string) {
	for _, k := range information {
		if slices.Contains(f.Kinds, k.key) == exposed {
			list = append(list, k.text.In(lang))
		}
	}
	return list
}

// only is the facts with the sales that keep tells.
func (f *Facts) only(keep func(*Sale) bool) *Facts {
	part := *f
	part.Sales = nil
	for i := range f.Sales {
		if keep(&f.Sales[i]) {
			part.Sales = append(part.Sales, f.Sales[i])
		}
	}
	return &part
}

// ofIssuer tells whether a card is an issuer's by its first digits.
func (r *Recipient) ofIssuer(s *Sale) bool {
	shown := s.Shown.String()
	return shown != "" && slices.ContainsFunc(r.Prefixes, func(p string) bool { return strings.HasPrefix(shown, p) })
}

// counts sums the sales.
func (f *Facts) counts() (cards, shops int, amount pos.Amount) {
	c, m := map[pos.PANHash]bool{}, map[pos.MerchantID]bool{}
	for i := range f.Sales {
		c[f.Sales[i].Card], m[f.Sales[i].Merchant] = true, true
		amount += f.Sales[i].Amount
	}
	return len(c), len(m), amount
}

// link finds what a reader could follow.
var link = regexp.MustCompile(`(?i)(https?:|ftp:|www\.|://|\bhref\b|<a\b|[a-z0-9-]+\.(com|cn|net|org|example|top|xyz|info)/)`)

// HasLink tells whether a text carries a link.
func HasLink(s string) bool { return link.MatchString(s) }

// shop is what a merchant is called. Its number is 15 digits, which a reader may take for a card's: it is parted.
func (f *Facts) shop(m pos.MerchantID) string {
	if name := f.Shops[m]; name != "" {
		return name
	}
	id := m.String()
	return id[:5] + "/" + id[5:10] + "/" + id[10:]
}

// drillMark stands in the subject and the body of every notice of a drill.
const drillMark = "DRILL 演练"

// groupOf is where the recipients of a kind stand.
func groupOf(k redress.NoticeKind) redress.Group {
	switch k {
	case redress.IssuerFile:
		return redress.GroupIssuer
	case redress.MerchantKit:
		return redress.GroupMerchant
	case redress.ConsumerNotice:
		return redress.GroupPublic
	case redress.RegulatorNote:
		return redress.GroupRegulator
	}
	return redress.GroupInternal
}
