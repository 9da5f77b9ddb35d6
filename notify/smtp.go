package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"touchstone/redress"
	"touchstone/secret"
)

// maxTalk bounds a kept conversation, in bytes.
const maxTalk = 32 << 10

// talk is a conversation as it was held: "C: " before what we said and "S: " before what the server said. It gets what
// the client writes and reads, mixed; a line that begins with three digits is the server's (RFC 5321, 4.2), none of ours does.
// What carries the message or a password is switched off.
type talk struct {
	b    bytes.Buffer
	rest []byte
	off  bool
}

// Write implements io.Writer.
func (t *talk) Write(p []byte) (int, error) {
	if t.off {
		return len(p), nil
	}
	t.rest = append(t.rest, p...)
	for {
		line, rest, ok := bytes.Cut(t.rest, []byte("\r\n"))
		if !ok {
			if len(t.rest) > 2<<10 {
				t.rest = nil
			}
			return len(p), nil
		}
		t.rest = rest
		if len(line) >= 3 && isDigit(line[0]) && isDigit(line[1]) && isDigit(line[2]) {
			t.say("S: %s", line)
		} else {
			t.say("C: %s", line)
		}
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (t *talk) say(form string, args ...any) {
	if t.b.Len() < maxTalk {
		fmt.Fprintf(&t.b, form+"\n", args...)
	}
}

// send is one conversation with the mail server: RFC 5321, over TLS unless configured otherwise for loopback.
func (s *SMTP) send(ctx context.Context, o *Outgoing, by *net.Dialer) Outcome {
	t := &talk{}
	out := s.converse(ctx, o, t, by)
	out.Talk = t.b.Bytes()
	return out
}

func (s *SMTP) converse(ctx context.Context, o *Outgoing, t *talk, by *net.Dialer) Outcome {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return Outcome{Result: redress.Refused, Text: "smtp.from is no mail address"}
	}
	client, err := s.dial(ctx, t, by)
	switch {
	case errors.Is(err, errAddress):
		return Outcome{Result: redress.RefusedNow, Text: errInside.Error()}
	case err != nil:
		return failed(redress.Unreachable, err)
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	err = s.login(client, t)
	if err == nil {
		err = client.Mail(from.Address, nil)
	}
	if err != nil { // what is refused before a recipient is named is about us and not about this notice: it is tried again
		out := failed(redress.RefusedNow, err)
		out.Result = redress.RefusedNow
		return out
	}
	if err := client.Rcpt(o.To.Address, nil); err != nil {
		return failed(redress.RefusedNow, err)
	}
	out := deliver(client, o, t)
	if out.Result == redress.Accepted {
		_ = client.Quit() // it has the message: how it takes its leave changes nothing
	}
	return out
}

// deliver hands the message over. Until its last line is written nothing was handed over (RFC 5321, 4.1.1.4); after that, without
// an answer, nobody knows.
func deliver(client *gosmtp.Client, o *Outgoing, t *talk) Outcome {
	w, err := client.Data()
	if err != nil {
		return failed(redress.RefusedNow, err)
	}
	t.say("C: (the message: %d bytes)", len(o.Message))
	t.off = true
	if _, err := w.Write(o.Message); err != nil {
		t.off = false
		t.say("(cut in the message)")
		return failed(redress.RefusedNow, fmt.Errorf("cut in the message: %w", err))
	}
	answer, err := w.CloseWithResponse()
	t.off = false
	var refusal *gosmtp.SMTPError
	switch {
	case errors.As(err, &refusal):
		t.say("C: .\nS: %d %s", refusal.Code, refusal.Message)
		return failed(redress.RefusedNow, err)
	case err != nil:
		t.say("C: .\n(no answer)")
		return failed(redress.Doubtful, err)
	}
	text := strings.ReplaceAll(answer.StatusText, "\n", " ")
	t.say("C: .\nS: 250 %s", text)
	return Outcome{Result: redress.Accepted, Code: 250, Text: text, Reference: queueID(text)}
}

// dial connects, with TLS as configured.
func (s *SMTP) dial(ctx context.Context, t *talk, by *net.Dialer) (*gosmtp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	conn, err := by.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // the library's own bound of STARTTLS is minutes
	defer stop()
	var client *gosmtp.Client
	config, err := s.config()
	switch {
	case err != nil:
	case s.TLS == "none":
		client = gosmtp.NewClient(conn)
	case s.TLS == "tls":
		secure := tls.Client(conn, config)
		if err = secure.HandshakeContext(ctx); err == nil {
			client = gosmtp.NewClient(secure)
		}
	default:
		client, err = gosmtp.NewClientStartTLS(conn, config)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	client.CommandTimeout, client.SubmissionTimeout = s.Timeout, 4*s.Timeout
	client.DebugWriter = t
	return client, nil
}

func (s *SMTP) config() (*tls.Config, error) {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: cmp.Or(s.Name, host), MinVersion: tls.VersionTLS12}
	if s.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: smtp.ca_file holds no certificate", ErrConfig)
	}
	return config, nil
}

func (s *SMTP) login(client *gosmtp.Client, t *talk) error {
	if err := client.Hello(cmp.Or(s.Hello, "localhost")); err != nil { // again after STARTTLS: RFC 3207, 4.2
		return err
	}
	if state, ok := client.TLSConnectionState(); ok {
		t.say("(%s, %s, %s)", s.TLS, tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	}
	if s.User == "" {
		return nil
	}
	raw, err := readSecret(s.PasswordFile)
	if err != nil {
		return err
	}
	password := secret.Take(raw)
	defer password.Wipe()
	t.off = true
	password.Use(func(b []byte) { err = client.Auth(sasl.NewPlainClient("", s.User, string(b))) })
	t.off = false
	t.say("C: AUTH PLAIN (not shown)")
	return err
}

// failed is the outcome of an error: what the server said decides by its first digit (RFC 5321, 4.2.1), else it is as given.
func failed(as redress.AttemptResult, err error) Outcome {
	var refusal *gosmtp.SMTPError
	if errors.As(err, &refusal) {
		out := Outcome{Result: redress.RefusedNow, Code: refusal.Code, Text: refusal.Message}
		if refusal.EnhancedCode != (gosmtp.EnhancedCode{}) && refusal.EnhancedCode != gosmtp.EnhancedCodeNotSet && refusal.EnhancedCode != gosmtp.NoEnhancedCode {
			out.Text = fmt.Sprintf("%d.%d.%d %s", refusal.EnhancedCode[0], refusal.EnhancedCode[1], refusal.EnhancedCode[2], refusal.Message)
		}
		if refusal.Code >= 500 {
			out.Result = redress.Refused
		}
		return out
	}
	return Outcome{Result: as, Text: plainCause(err)}
}

// plainCause says in a few words why the other side did not answer.
func plainCause(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: no server hears there"
	case errors.Is(err, context.Canceled):
		return "cancelled: this program ends"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return err.Error()
}

// queued finds a queue id in what a mail server says when it took a message: "Ok: queued as 4F5A1", "2.0.0 Ok: kept as 0001",
// "OK id=1rABcD-0000xy-2E". Servers are free in their words: no id found is none.
var queued = regexp.MustCompile(`(?i)(?:queued as|kept as|id=|queued|message accepted for delivery:?)\s*([A-Za-z0-9][A-Za-z0-9.-]{2,60})`)

func queueID(text string) string {
	if m := queued.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
