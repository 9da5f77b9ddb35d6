package redress

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"touchstone/pos"
)

// NoticeKind is what a notice is for.
type NoticeKind string

// The kinds.
const (
	IssuerFile     NoticeKind = "issuer_file"     // to an issuer: its exposed cards, encrypted to it
	MerchantKit    NoticeKind = "merchant_kit"    // to a shop: the notice for its counter, and its affected receipts
	ConsumerNotice NoticeKind = "consumer_notice" // to those who pass it on to cardholders, or publish it
	RegulatorNote  NoticeKind = "regulator_note"  // to an authority or a scheme: the facts, with the clocks
	InternalNotice NoticeKind = "internal"        // to our own people on duty
)

// Channel is how a notice travels.
type Channel string

// The channels.
const (
	ByMail    Channel = "smtp"
	BySMS     Channel = "sms"
	ByWebhook Channel = "webhook"
	ByFile    Channel = "file" // into a directory, from which somebody carries it
)

// Group is which part of the address book a recipient stands in.
type Group string

// The groups. A drill's notices go to GroupDrill and to nobody else.
const (
	GroupIssuer    Group = "issuer"
	GroupMerchant  Group = "merchant"
	GroupPublic    Group = "public"
	GroupRegulator Group = "regulator"
	GroupInternal  Group = "internal"
	GroupDrill     Group = "drill"
)

// NoticeState is where a notice stands.
type NoticeState string

// The states.
const (
	NoticeDrafted    NoticeState = "drafted"    // made, and sent to nobody until two people agree
	NoticeSuperseded NoticeState = "superseded" // a draft that a later one took the place of
	NoticeQueued     NoticeState = "queued"     // to be tried at Next
	NoticeSending    NoticeState = "sending"    // an attempt began; what became of it is not recorded yet
	NoticeSent       NoticeState = "sent"       // the other side took it: see Proof
	NoticeFailed     NoticeState = "failed"     // the other side refuses it for good
	NoticeGivenUp    NoticeState = "given_up"   // tried as often as the policy says
	NoticeInDoubt    NoticeState = "in_doubt"   // perhaps taken, by one that cannot tell a second from the first: a person decides
)

// AttemptResult is what became of one attempt.
type AttemptResult string

// The results. The zero value is an attempt of which nothing is recorded: the program ended during it.
const (
	Accepted    AttemptResult = "accepted"
	Refused     AttemptResult = "refused"     // for good: SMTP 5yz, HTTP 4xx
	RefusedNow  AttemptResult = "refused_now" // for now: SMTP 4yz, HTTP 429 and 5xx, or cut before all was handed over
	Unreachable AttemptResult = "unreachable" // nothing was handed over
	Doubtful    AttemptResult = "in_doubt"    // all was handed over and no answer came
)

// Attempt is one try to hand a notice over.
type Attempt struct {
	N         int           `json:"n"` // 1 is the first of the notice
	Began     pos.Instant   `json:"began"`
	Ended     pos.Instant   `json:"ended,omitempty"`
	Result    AttemptResult `json:"result,omitempty"`
	Code      int           `json:"code,omitempty"`      // SMTP reply code, HTTP status
	Text      string        `json:"text,omitempty"`      // the other side's words, or why there are none; at most MaxAttemptText bytes
	Reference string        `json:"reference,omitempty"` // queue id of a mail server, SHA-256 of an HTTP answer's body
	Talk      string        `json:"talk,omitempty"`      // digest of the kept conversation
}

// Proof is that the other side took a notice, in a form that a clock can cite as its answer.
type Proof struct {
	Notice string      `json:"notice"` // NTC-3
	At     pos.Instant `json:"at"`
	Code   int         `json:"code,omitempty"`
	Text   string      `json:"text"`
	Digest string      `json:"digest"` // SHA-256 of ProofText, 64 lower-case hexadecimal digits
}

// NoticeContent is one thing that a notice carries.
type NoticeContent struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // media type
	Digest string `json:"digest"`
	Bytes  int    `json:"bytes"`
}

// NoticeTo is to whom.
type NoticeTo struct {
	Name    string  `json:"name"` // in the address book
	Group   Group   `json:"group"`
	Channel Channel `json:"channel"`
	Address string  `json:"address"` // mail address, number, URL, or directory below the outgoing one
}

// Notice is one message to one recipient about one incident.
type Notice struct {
	ID       string          `json:"id"` // NTC-1, NTC-2, ...
	Incident string          `json:"incident"`
	Kind     NoticeKind      `json:"kind"`
	To       NoticeTo        `json:"to"`
	Drill    bool            `json:"drill,omitempty"`
	Subject  string          `json:"subject"`
	Key      string          `json:"key"`     // Message-ID without its brackets, and Idempotency-Key: one for all attempts
	Message  string          `json:"message"` // digest of the kept bytes that are sent, the same at each attempt
	Contents []NoticeContent `json:"contents"`
	Basis    string          `json:"basis"` // digest of what it was made of: the same basis is not drafted twice
	Exposed  int             `json:"exposed"`
	State    NoticeState     `json:"state"`
	By       []string        `json:"by,omitempty"`       // who agreed to send it
	Proposal string          `json:"proposal,omitempty"` // under which
	Drafted  pos.Instant     `json:"drafted"`
	Queued   pos.Instant     `json:"queued,omitempty"`
	Next     pos.Instant     `json:"next,omitempty"`  // when it is tried, of one that is queued
	Tries    int             `json:"tries,omitempty"` // since it was queued by people; the policy bounds them
	Attempts []Attempt       `json:"attempts,omitempty"`
	Proof    *Proof          `json:"proof,omitempty"`
}

// Bounds of a notice: its record has to fit an entry whatever the other side answers.
const (
	MaxAttempts       = 16  // tries between two decisions of people
	MaxAttemptsKept   = 10  // attempts in the record; earlier ones are in the journal
	MaxAttemptText    = 300 // bytes as written in a record, of the other side's words
	MaxReference      = 100 // bytes likewise
	MaxNoticeText     = 200 // bytes of a subject, an address, a key or a name
	MaxNoticeContents = 8
	MaxNotices        = 20_000 // drafted at once
)

// NoticePolicy bounds the attempts.
type NoticePolicy struct {
	Attempts int           // 1 to MaxAttempts
	First    time.Duration // wait after the first attempt; doubled after each
	Longest  time.Duration // the most of it
}

// wait is how long after attempt n, 1 and up, the next one is.
func (p NoticePolicy) wait(n int) time.Duration {
	w := p.First
	for i := 1; i < n && w < p.Longest; i++ {
		w *= 2
	}
	return min(w, p.Longest)
}

// ErrNotice is returned for a notice that may not be, or an act on one that does not fit its state.
var ErrNotice = errors.New("notice")

// Check tells what is wrong with a draft. The check of the group is the bar between a drill and the world.
func (n *Notice) Check() error {
	for _, text := range []string{n.ID, n.Incident, string(n.Kind), n.To.Name, n.To.Address, n.Subject, n.Key, n.Message, n.Basis} {
		if text == "" || len(text) > MaxNoticeText || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00") {
			return fmt.Errorf("%w %.20s: a text is missing, over %d bytes or not one line", ErrNotice, n.ID, MaxNoticeText)
		}
	}
	switch n.To.Channel {
	case ByMail, BySMS, ByWebhook, ByFile:
	default:
		return fmt.Errorf("%w %s: channel %.20q: want smtp, sms, webhook or file", ErrNotice, n.ID, n.To.Channel)
	}
	switch {
	case n.Drill != (n.To.Group == GroupDrill):
		return fmt.Errorf("%w %s: a drill goes to drill recipients only, and only a drill does", ErrNotice, n.ID)
	case len(n.Contents) == 0 || len(n.Contents) > MaxNoticeContents:
		return fmt.Errorf("%w %s: %d contents, want 1 to %d", ErrNotice, n.ID, len(n.Contents), MaxNoticeContents)
	}
	return nil
}

// ProofText is what the digest of a proof is made of: any reader of the journal can compute it again.
func (n *Notice) ProofText(a Attempt) string {
	return fmt.Sprintf("touchstone-notice-proof/1\n%s\n%s\n%s\n%s\n%s\n%s\n%d\n%d\n%s\n%s\n", n.ID, n.Incident, n.Key, n.Message,
		n.To.Channel, n.To.Address, a.Ended, a.Code, a.Text, a.Reference)
}

func (n *Notice) prove(a Attempt) *Proof {
	sum := sha256.Sum256([]byte(n.ProofText(a)))
	return &Proof{Notice: n.ID, At: a.Ended, Code: a.Code, Text: a.Text, Digest: hex.EncodeToString(sum[:])}
}

// clip cuts a text of the other side to one valid line of at most n bytes as it stands in a record.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*n)], "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	for {
		written, err := json.Marshal(s)
		if err != nil {
			return ""
		}
		if len(written)-2 <= n {
			return s
		}
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
}
