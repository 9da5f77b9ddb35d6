package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hookTimeout is Guard.Patience where none is given.
const hookTimeout = 10 * time.Second

// Kinds of failures of a webhook, as a word that is kept; what a receiver says is not.
const (
	HookRefusedAddress = "address_refused"    // the name stands for an address that is not dialled
	HookNoConnection   = "connection_refused" // nobody hears there
	HookTimeout        = "timeout"
	HookNoName         = "name_not_found"
	HookTLS            = "tls" // the certificate is not trusted, or the handshake failed
	HookBroken         = "connection_broken"
	HookRedirect       = "redirect" // redirects are not followed
	HookStatus         = "status"   // any other answer than 2xx
)

// ErrHookURL is returned for a URL that no webhook is sent to.
var ErrHookURL = errors.New("webhook: want https://HOST/PATH, without a name, a password or a fragment")

// Guard says to which addresses requests may go that people asked for. It looks at the address that is dialled, after the
// name was looked up: a name that stands for an address inside leads nowhere. The zero Guard lets public addresses pass.
type Guard struct {
	Loopback bool           // of a test data directory: this machine, also without TLS
	Inside   []netip.Prefix // addresses that are not public and may be dialled all the same

	// Patience is how long a receiver may take, from the dial to its answer; 0 is ten seconds.
	Patience time.Duration
}

// URL tells whether requests may be sent to a URL, as far as its text tells.
func (g *Guard) URL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return ErrHookURL
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return ErrHookURL
		}
	}
	a, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	literal := err == nil
	switch {
	case literal && !g.allows(a):
		return fmt.Errorf("%w: %s is no public address, and not among webhook-network", ErrHookURL, a)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && g.Loopback && (literal && a.Unmap().IsLoopback() || u.Hostname() == "localhost"):
		return nil
	}
	return ErrHookURL
}

// sharedSpace is of carriers (RFC 6598), benchmark of RFC 2544, and thisNetwork of RFC 1122: none is public. Addresses of
// protocols (RFC 6890) and of NAT64 (RFC 6052) lead to others.
var notPublic = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32")}

func (g *Guard) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.Inside {
		if p.Contains(a) {
			return true
		}
	}
	if a.IsLoopback() {
		return g.Loopback
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// errAddress is of a dial that is not made.
var errAddress = errors.New("not a public address")

// control is net.Dialer's Control: it sees the address that is about to be dialled.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(ap.Addr()) {
		return errAddress
	}
	return nil
}

// Hook is one message of a webhook.
type Hook struct {
	URL, ID   string
	Body      []byte
	Signature string // of the header
	Trace     string // traceparent of the W3C, "" none
}

// SignedText is what the signature of a webhook is computed over: the digits of the instant, a full stop, the body.
func SignedText(at time.Time, body []byte) []byte {
	return append(strconv.AppendInt(nil, at.Unix(), 10), append([]byte{'.'}, body...)...)
}

// Signature is the header's value for one sum, or two while a secret is changed.
func Signature(at time.Time, sums ...[32]byte) string {
	text := "t=" + strconv.FormatInt(at.Unix(), 10)
	for _, s := range sums {
		text += ",v1=" + hex.EncodeToString(s[:])
	}
	return text
}

// Sent is what became of a hook. Kind is "" when the receiver took it.
type Sent struct {
	Kind string
	Code int // the answer's status, 0 without one
}

// Send sends one hook once. No proxy of the environment is used and no redirect followed; the answer is not kept.
func (g *Guard) Send(ctx context.Context, h *Hook) Sent {
	if g.URL(h.URL) != nil {
		return Sent{Kind: HookRefusedAddress}
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(g.Patience, hookTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(h.Body))
	if err != nil {
		return Sent{Kind: HookRefusedAddress}
	}
	req.GetBody = nil // the transport may not send it a second time by itself
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Touchstone-Webhook/1")
	req.Header.Set("Touchstone-Event-Id", h.ID)
	req.Header.Set(SignatureHeader, h.Signature)
	if h.Trace != "" {
		req.Header.Set("Traceparent", h.Trace)
	}
	dialer := &net.Dialer{Control: g.control}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: hookTimeout, MaxResponseHeaderBytes: maxAnswer}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		return Sent{Kind: hookKind(err)}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // the status is the answer
	switch answer.StatusCode / 100 {
	case 2:
		return Sent{Code: answer.StatusCode}
	case 3:
		return Sent{HookRedirect, answer.StatusCode}
	}
	return Sent{HookStatus, answer.StatusCode}
}

func hookKind(err error) string {
	var timeout net.Error
	var name *net.DNSError
	switch {
	case errors.Is(err, errAddress):
		return HookRefusedAddress
	case errors.Is(err, syscall.ECONNREFUSED):
		return HookNoConnection
	case errors.As(err, &name):
		return HookNoName
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return HookTimeout
	case strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: "): // the packages have no common type
		return HookTLS
	}
	return HookBroken
}
