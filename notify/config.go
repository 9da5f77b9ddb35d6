package notify

import (
	"cmp"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/pelletier/go-toml/v2"

	"touchstone/pos"
	"touchstone/redress"
)

// Config is how others are told, and who they are: a TOML file.
type Config struct {
	Handler    Handler     `toml:"handler"`
	SMTP       SMTP        `toml:"smtp"`
	SMS        SMS         `toml:"sms"`
	Webhook    Webhook     `toml:"webhook"`
	Outgoing   string      `toml:"outgoing"` // directory of channel file; "" is outgoing in the data directory
	Retry      Retry       `toml:"retry"`
	Recipients []Recipient `toml:"recipient"`

	Inside []string `toml:"inside"` // networks that are not public, where gateways and receivers are all the same: "10.1.0.0/16"
}

// Handler is who answers for the notice: the handler of personal information of PIPL Art. 57. Links are refused in
// every line of it, since a notice about cards that carries one teaches people to follow the next thief's.
type Handler struct {
	NameEN      string `toml:"name_en"`
	NameZH      string `toml:"name_zh"`
	Phone       string `toml:"phone"`
	Mail        string `toml:"mail"`
	ComplaintEN string `toml:"complaint_en"` // where to complain about us
	ComplaintZH string `toml:"complaint_zh"`
}

// SMTP is the mail server that takes our mail.
type SMTP struct {
	Address      string        `toml:"address"`  // host:port
	TLS          string        `toml:"tls"`      // starttls (default), tls, or none: loopback only
	Name         string        `toml:"name"`     // of its certificate, when not the host of address
	CAFile       string        `toml:"ca_file"`  // PEM; "" is the machine's
	Hello        string        `toml:"hello"`    // our name in EHLO
	From         string        `toml:"from"`     // a mail address, with a name or without
	User         string        `toml:"user"`     // of AUTH PLAIN, "" for none
	PasswordFile string        `toml:"password"` // file that holds it
	Timeout      time.Duration `toml:"-"`
	TimeoutText  string        `toml:"timeout"`       // of one command; default 30s
	HoldInDoubt  bool          `toml:"hold_in_doubt"` // an attempt whose fate is unknown waits for a person, instead of going again under its Message-ID
}

// SMS is a gateway that takes one JSON request for one message.
type SMS struct {
	URL          string            `toml:"url"`
	Body         string            `toml:"body"` // text/template of the request: {{json .To}}, {{json .Text}}, {{json .Key}}
	Headers      map[string]string `toml:"headers"`
	TokenFile    string            `toml:"token"`        // file that holds what stands after Authorization: Bearer
	Deduplicates bool              `toml:"deduplicates"` // it sends a second request of one Key to nobody
}

// Webhook is how requests to webhooks are signed: each recipient has a secret of its own.
type Webhook struct {
	Deduplicates bool `toml:"deduplicates"`
}

// Retry bounds the attempts.
type Retry struct {
	Attempts int    `toml:"attempts"` // 1 to redress.MaxAttempts; default 12
	First    string `toml:"first"`    // default 30s
	Longest  string `toml:"longest"`  // default 30m
}

// Recipient is one line of the address book.
type Recipient struct {
	Name     string               `toml:"name"`
	Group    redress.Group        `toml:"group"`
	Channel  redress.Channel      `toml:"channel"`
	Address  string               `toml:"address"`  // mail address, number, URL; of file: a name, or "" for the recipient's
	Language string               `toml:"language"` // en, zh or both (default)
	Prefixes []string             `toml:"prefixes"` // of an issuer: the first digits of its cards, 4 to 6
	Age      string               `toml:"age"`      // of an issuer or a drill's: age1..., to which its file is encrypted
	Merchant string               `toml:"merchant"` // of a merchant: its DE42, 15 characters
	Kinds    []redress.NoticeKind `toml:"kinds"`    // of a drill's: which notices; default all that it can take
	Secret   string               `toml:"secret"`   // of a webhook: file that holds the key of its signature, 32 bytes or more
}

// ErrConfig is returned for a configuration that cannot be used.
var ErrConfig = errors.New("notices configuration")

// Bounds of a configuration.
const (
	maxConfigBytes = 1 << 20
	maxRecipients  = 10_000
	maxField       = redress.MaxNoticeText
)

// ParseConfig reads a configuration. An unknown key, an impossible value and a link in the handler's lines are refused.
func ParseConfig(text []byte) (*Config, error) {
	if len(text) > maxConfigBytes {
		return nil, fmt.Errorf("%w: over %d bytes", ErrConfig, maxConfigBytes)
	}
	c := new(Config)
	d := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
			line, _ := unknown.Errors[0].Position()
			return nil, fmt.Errorf("%w, line %d: unknown key %s", ErrConfig, line, strings.Join(unknown.Errors[0].Key(), "."))
		}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, column := at.Position()
			return nil, fmt.Errorf("%w, line %d, column %d: %s", ErrConfig, line, column, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Resolve makes the paths of a configuration absolute: they are relative to its own file. outgoing is the directory of channel
// file where none is given.
func (c *Config) Resolve(dir, outgoing string) {
	paths := []*string{&c.SMTP.CAFile, &c.SMTP.PasswordFile, &c.SMS.TokenFile, &c.Outgoing}
	for i := range c.Recipients {
		paths = append(paths, &c.Recipients[i].Secret)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	c.Outgoing = cmp.Or(c.Outgoing, outgoing)
}

func (c *Config) check() error {
	if err := c.Handler.check(); err != nil {
		return err
	}
	if err := c.SMTP.check(); err != nil {
		return err
	}
	if _, err := c.Policy(); err != nil {
		return err
	}
	if _, err := c.inside(); err != nil {
		return err
	}
	if c.SMS.URL != "" {
		if err := checkURL("sms.url", c.SMS.URL); err != nil {
			return err
		}
		if _, err := c.SMS.render("+8613800000000", "text", "key"); err != nil {
			return err
		}
	}
	if len(c.Recipients) > maxRecipients {
		return fmt.Errorf("%w: %d recipients, the most is %d", ErrConfig, len(c.Recipients), maxRecipients)
	}
	seen := map[string]bool{}
	for i := range c.Recipients {
		r := &c.Recipients[i]
		if err := c.checkRecipient(r); err != nil {
			return err
		}
		if seen[r.Name] {
			return fmt.Errorf("%w: two recipients are called %s", ErrConfig, r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

func (h *Handler) check() error {
	for _, line := range []struct{ key, text string }{{"name_en", h.NameEN}, {"name_zh", h.NameZH}, {"phone", h.Phone}, {"mail", h.Mail},
		{"complaint_en", h.ComplaintEN}, {"complaint_zh", h.ComplaintZH}} {
		switch {
		case strings.TrimSpace(line.text) == "":
			return fmt.Errorf("%w: handler.%s is missing: a notice names who answers for it and where to complain", ErrConfig, line.key)
		case !oneLine(line.text):
			return fmt.Errorf("%w: handler.%s: want one line of at most %d bytes", ErrConfig, line.key, maxField)
		case HasLink(line.text):
			return fmt.Errorf("%w: handler.%s holds a link: notices carry none", ErrConfig, line.key)
		}
	}
	return nil
}

func (s *SMTP) check() (err error) {
	if s.Timeout = 30 * time.Second; s.TimeoutText != "" {
		if s.Timeout, err = time.ParseDuration(s.TimeoutText); err != nil || s.Timeout < 100*time.Millisecond || s.Timeout > 10*time.Minute {
			return fmt.Errorf("%w: smtp.timeout: want 100ms to 10m", ErrConfig)
		}
	}
	if s.Address == "" {
		return nil
	}
	host, port, ok := strings.Cut(s.Address, ":")
	if strings.HasPrefix(s.Address, "[") {
		if at, err := netip.ParseAddrPort(s.Address); err == nil {
			host, port, ok = at.Addr().String(), "1", true
		}
	}
	if !ok || host == "" || port == "" || !oneLine(s.Address) {
		return fmt.Errorf("%w: smtp.address %.40q: want host:port", ErrConfig, s.Address)
	}
	switch s.TLS {
	case "":
		s.TLS = "starttls"
	case "starttls", "tls":
	case "none":
		if !loopback(host) {
			return fmt.Errorf("%w: smtp.tls none is for loopback only", ErrConfig)
		}
	default:
		return fmt.Errorf("%w: smtp.tls %.20q: want starttls, tls or none", ErrConfig, s.TLS)
	}
	if s.User != "" && (s.TLS == "none" || s.PasswordFile == "") {
		return fmt.Errorf("%w: smtp.user needs TLS and a password file", ErrConfig)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		return fmt.Errorf("%w: smtp.from: want a mail address", ErrConfig)
	}
	return nil
}

// Policy is the bounds of the attempts.
func (c *Config) Policy() (p redress.NoticePolicy, err error) {
	p = redress.NoticePolicy{Attempts: 12, First: 30 * time.Second, Longest: 30 * time.Minute}
	if c.Retry.Attempts != 0 {
		p.Attempts = c.Retry.Attempts
	}
	for _, d := range []struct {
		text string
		to   *time.Duration
	}{{c.Retry.First, &p.First}, {c.Retry.Longest, &p.Longest}} {
		if d.text == "" {
			continue
		}
		if *d.to, err = time.ParseDuration(d.text); err != nil {
			return p, fmt.Errorf("%w: retry: %.20q is no duration such as 30s", ErrConfig, d.text)
		}
	}
	if p.Attempts < 1 || p.Attempts > redress.MaxAttempts || p.First < 10*time.Millisecond || p.Longest < p.First || p.Longest > 24*time.Hour {
		return p, fmt.Errorf("%w: retry: want 1 to %d attempts, first 10ms or more, longest not less and at most 24h", ErrConfig, redress.MaxAttempts)
	}
	return p, nil
}

func (c *Config) checkRecipient(r *Recipient) error {
	bad := func(why string) error { return fmt.Errorf("%w: recipient %.40q: %s", ErrConfig, r.Name, why) }
	if !pathName(r.Name) {
		return bad("name: want 1 to 40 of a-z, 0-9 and -")
	}
	if r.Channel == redress.ByFile && r.Address == "" {
		r.Address = r.Name
	}
	switch r.Channel {
	case redress.ByMail:
		if a, err := mail.ParseAddress(r.Address); err != nil || a.Address != r.Address || !oneLine(r.Address) {
			return bad("address: want a mail address")
		}
		if c.SMTP.Address == "" {
			return bad("channel smtp needs [smtp]")
		}
	case redress.BySMS:
		digits := strings.TrimPrefix(r.Address, "+")
		if len(digits) < 5 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
			return bad("address: want a number of 5 to 15 digits")
		}
		if c.SMS.URL == "" || r.Group != redress.GroupPublic && r.Group != redress.GroupInternal && r.Group != redress.GroupDrill {
			return bad("channel sms needs [sms], and is for public, internal and drill")
		}
	case redress.ByWebhook:
		if err := checkURL("address", r.Address); err != nil {
			return bad(err.Error())
		}
		if r.Secret == "" {
			return bad("a webhook needs secret: the file that holds its key")
		}
	case redress.ByFile:
		if !pathName(r.Address) {
			return bad("address: want 1 to 40 of a-z, 0-9 and -")
		}
	default:
		return bad("channel: want smtp, sms, webhook or file")
	}
	if r.Language == "" {
		r.Language = "both"
	}
	if !slices.Contains([]string{"en", "zh", "both"}, r.Language) {
		return bad("language: want en, zh or both")
	}
	return r.checkGroup(bad)
}

func (r *Recipient) checkGroup(bad func(string) error) error {
	switch r.Group {
	case redress.GroupIssuer:
		if len(r.Prefixes) == 0 || r.Age == "" {
			return bad("an issuer needs prefixes and age")
		}
		for _, p := range r.Prefixes {
			if len(p) < 4 || len(p) > 6 || strings.Trim(p, "0123456789") != "" {
				return bad("prefixes: want 4 to 6 digits each")
			}
		}
	case redress.GroupMerchant:
		if _, err := pos.ParseMerchantID(r.Merchant); err != nil {
			return bad("merchant: want 15 characters")
		}
	case redress.GroupPublic, redress.GroupRegulator, redress.GroupInternal, redress.GroupDrill:
	default:
		return bad("group: want issuer, merchant, public, regulator, internal or drill")
	}
	if r.Age != "" {
		if _, err := age.ParseX25519Recipient(r.Age); err != nil {
			return bad("age: want a recipient such as age1...")
		}
	}
	for _, k := range r.Kinds {
		if !slices.Contains(Kinds, k) {
			return bad("kinds: want issuer_file, merchant_kit, consumer_notice, regulator_note or internal")
		}
	}
	return nil
}

// Kinds are the kinds of notices.
var Kinds = []redress.NoticeKind{redress.IssuerFile, redress.MerchantKit, redress.ConsumerNotice, redress.RegulatorNote, redress.InternalNotice}

// checkURL refuses a URL that would carry a notice in clear beyond this machine, or a secret of its own.
func checkURL(key, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || !oneLine(text):
		return fmt.Errorf("%w: %s: want a URL without a password", ErrConfig, key)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%w: %s: want https, or http on loopback", ErrConfig, key)
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}

func oneLine(s string) bool {
	return len(s) <= maxField && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}

// pathName tells whether a text may be a name in the address book, and of a directory.
func pathName(s string) bool {
	return len(s) > 0 && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-'
}
