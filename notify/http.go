package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync/atomic"
	"text/template"
	"time"

	"touchstone/redress"
	"touchstone/secret"
)

// Bounds of a request.
const (
	httpTimeout   = 30 * time.Second
	maxAnswer     = 64 << 10 // bytes read of an answer
	maxSecret     = 4 << 10  // bytes of a file that holds a secret
	leastSecret   = 32       // bytes of the key of a signature
	maxSMSRequest = 16 << 10
)

// SignatureHeader is the header that proves who sent a webhook and when: "t=1764300000,v1=HEX", where HEX is HMAC-SHA-256 with
// the recipient's key over the digits of t, a full stop, and the body as it was sent.
const SignatureHeader = "Touchstone-Signature"

// Sign is the value of the header for a body at an instant.
func Sign(key, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// readSecret reads a small file and takes the line end off.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxSecret {
		clear(raw)
		return nil, fmt.Errorf("%w: a file that holds a secret is over %d bytes", ErrConfig, maxSecret)
	}
	return bytes.TrimRight(raw, "\r\n"), nil
}

func (c *Config) sendWebhook(ctx context.Context, o *Outgoing) Outcome {
	var r *Recipient
	for i := range c.Recipients {
		if c.Recipients[i].Name == o.To.Name && c.Recipients[i].Address == o.To.Address {
			r = &c.Recipients[i]
		}
	}
	if r == nil {
		return Outcome{Result: redress.RefusedNow, Text: "the address book no longer has this recipient at this address"}
	}
	raw, err := readSecret(r.Secret)
	if err != nil || len(raw) < leastSecret {
		return Outcome{Result: redress.RefusedNow, Text: fmt.Sprintf("the key of the signature cannot be read or has under %d bytes", leastSecret)}
	}
	key := secret.Take(raw)
	defer key.Wipe()
	signature := ""
	key.Use(func(b []byte) { signature = Sign(b, o.Message, time.Now()) })
	return c.post(ctx, o.To.Address, o.Message, map[string]string{"Content-Type": "application/json", "Idempotency-Key": o.Key, SignatureHeader: signature})
}

// render fills the gateway's template. What it gives must be JSON.
func (s *SMS) render(to, text, key string) ([]byte, error) {
	body := s.Body
	if body == "" {
		body = `{"to":{{json .To}},"text":{{json .Text}},"reference":{{json .Key}}}`
	}
	t, err := template.New("sms.body").Option("missingkey=error").Funcs(template.FuncMap{"json": func(v string) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(body)
	if err != nil {
		return nil, fmt.Errorf("%w: sms.body is no template", ErrConfig)
	}
	b := &bounded{most: maxSMSRequest}
	if err := t.Execute(b, struct{ To, Text, Key string }{to, text, key}); err != nil || !json.Valid(b.Bytes()) {
		return nil, fmt.Errorf("%w: sms.body: want JSON with {{json .To}}, {{json .Text}} and {{json .Key}}, at most %d bytes", ErrConfig, maxSMSRequest)
	}
	return b.Bytes(), nil
}

// bounded is a buffer that refuses what is over most bytes.
type bounded struct {
	bytes.Buffer
	most int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, io.ErrShortBuffer
	}
	return b.Buffer.Write(p)
}

func (c *Config) sendSMS(ctx context.Context, o *Outgoing) Outcome {
	s := &c.SMS
	body, err := s.render(o.To.Address, string(o.Message), o.Key)
	if err != nil {
		return Outcome{Result: redress.RefusedNow, Text: err.Error()}
	}
	headers := map[string]string{"Content-Type": "application/json", "Idempotency-Key": o.Key}
	for k, v := range s.Headers {
		headers[k] = v
	}
	if s.TokenFile != "" {
		token, err := readSecret(s.TokenFile)
		if err != nil {
			return Outcome{Result: redress.RefusedNow, Text: "the gateway's token cannot be read"}
		}
		headers["Authorization"] = "Bearer " + string(token)
		clear(token)
	}
	return c.post(ctx, s.URL, body, headers)
}

// errRedirect ends a request that is sent elsewhere: a notice goes where the address book says.
var errRedirect = errors.New("the server sends the request elsewhere: redirects are not followed")

// post makes one request. What decides is the status: 2xx took it; 408, 425, 429 and 5xx refuse it for now; every other
// refuses it. Before a connection is there nothing was handed over; after that, without an answer, nobody knows.
func (c *Config) post(ctx context.Context, url string, body []byte, headers map[string]string) Outcome {
	var connected atomic.Bool
	ctx, cancel := context.WithTimeout(ctx, httpTimeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Outcome{Result: redress.Refused, Text: "the address is no URL"}
	}
	req.GetBody = nil // the transport may not send it a second time by itself
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	transport := &http.Transport{DialContext: c.dialer(req.URL.Hostname()).DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: httpTimeout, MaxResponseHeaderBytes: maxAnswer}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		result := redress.Unreachable
		if connected.Load() {
			result = redress.Doubtful
		}
		if errors.Is(err, errAddress) {
			return Outcome{Result: redress.RefusedNow, Text: errInside.Error()}
		}
		return Outcome{Result: result, Text: plainCause(errors.Unwrap(err))}
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	sum := sha256.Sum256(said)
	out := Outcome{Code: answer.StatusCode, Text: answer.Status, Reference: hex.EncodeToString(sum[:]), Result: redress.Refused}
	switch s := answer.StatusCode; {
	case s/100 == 2 && err == nil, s/100 == 2: // the status is the answer; a body cut short changes nothing
		out.Result = redress.Accepted
	case s/100 == 3:
		out.Text += ": " + errRedirect.Error()
	case s/100 == 5, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests:
		out.Result = redress.RefusedNow
	}
	out.Talk = fmt.Appendf(nil, "C: POST %s\nC: Idempotency-Key: %s\nC: %d bytes\nS: %s\nS: body SHA-256 %s\n", req.URL.Redacted(), headers["Idempotency-Key"], len(body), answer.Status, out.Reference)
	return out
}
