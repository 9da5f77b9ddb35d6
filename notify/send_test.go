package notify_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/notify"
	"touchstone/redress"
)

// mailed is one mail notice as it is sent.
func mailed(t *testing.T, c *notify.Config) *notify.Outgoing {
	t.Helper()
	plan, _ := c.Plan(facts())
	for i := range plan {
		if plan[i].To.Name == "bank" {
			m, err := c.Maker().Make(&plan[i], "NTC-1", "ntc-1.1f00@acquirer.example")
			if err != nil {
				t.Fatal(err)
			}
			return &notify.Outgoing{ID: "NTC-1", To: plan[i].To, Key: "ntc-1.1f00@acquirer.example", Message: m.Message}
		}
	}
	t.Fatal("no notice to the bank")
	return nil
}

// catcher runs one on a free port.
func catcher(t *testing.T, c *notify.Catcher) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ln) }()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func TestMailReachesTheCatcherOnce(t *testing.T) {
	more, _, _ := book(t)
	box := &notify.Catcher{}
	c := config(t, catcher(t, box), more)
	o := mailed(t, c)
	out := c.Send(t.Context(), o)
	if out.Result != redress.Accepted || out.Code != 250 || out.Reference != "0001" {
		t.Fatalf("%+v", out)
	}
	for _, line := range []string{"S: 220 ", "C: EHLO localhost", "C: MAIL FROM:<security@acquirer.example>", "C: RCPT TO:<desk@bank.example>", "C: DATA", "S: 354 ",
		"C: (the message: ", "S: 250 2.0.0 Ok: kept as 0001"} {
		if !strings.Contains(string(out.Talk), line) {
			t.Errorf("%q is not in the conversation:\n%s", line, out.Talk)
		}
	}
	if strings.Contains(string(out.Talk), "Subject") {
		t.Error("the message itself is in the conversation")
	}
	// The same notice again, as after a crash whose attempt is in doubt: it is taken, and kept once.
	if again := c.Send(t.Context(), o); again.Result != redress.Accepted || !strings.Contains(again.Text, "kept as 0001 before, offered 2 times") {
		t.Errorf("%+v", again)
	}
	all := must(notify.Mailbox(box.Dir))
	if len(all) != 1 || all[0].Offered != 2 || len(all[0].Sessions) != 2 || all[0].To[0] != "desk@bank.example" {
		t.Errorf("caught %+v", all)
	}
	kept := must(notify.CaughtMessage(box.Dir, 1))
	if !bytes.Equal(bytes.TrimSpace(kept), bytes.TrimSpace(o.Message)) {
		t.Error("what was kept is not what was sent")
	}
	talk := string(must(notify.Conversation(box.Dir, 1)))
	if !strings.Contains(talk, "C: DATA\nS: 354 ") || !strings.Contains(talk, "S: 250 2.0.0 Ok: kept as 0001") || strings.Contains(talk, "Subject") {
		t.Errorf("conversation:\n%s", talk)
	}
	// Another catcher on the same directory, as after a restart, still knows it.
	c2 := config(t, catcher(t, &notify.Catcher{Dir: box.Dir}), more)
	if again := c2.Send(t.Context(), o); !strings.Contains(again.Text, "offered 3 times") || len(must(notify.Mailbox(box.Dir))) != 1 {
		t.Errorf("after a restart: %+v", again)
	}
}

// TestMessageIsRead: Python's email package, which is not ours, reads subject, text and files as they were meant. Between two encoded
// words of a name it keeps the blank that RFC 2047, 6.2, has a reader drop; names are compared without blanks.
func TestMessageIsRead(t *testing.T) {
	python := need(t, "python3")
	more, _, _ := book(t)
	c := config(t, "127.0.0.1:1", more)
	o := mailed(t, c)
	cmd := exec.Command(python, "-c", `
import sys, email, email.policy, json
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
print(json.dumps({"subject": m["Subject"], "from": m["From"].addresses[0].display_name, "to": str(m["To"]), "id": m["Message-ID"], "auto": m["Auto-Submitted"],
  "text": m.get_body(("plain",)).get_content(), "files": [[a.get_filename(), a.get_content_type(), len(a.get_payload(decode=True))] for a in m.iter_attachments()],
  "defects": [type(d).__name__ for part in m.walk() for d in part.defects]}))`)
	cmd.Stdin = bytes.NewReader(o.Message)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Subject, From, To, ID, Auto, Text string
		Files                             [][]any
		Defects                           []string
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
	if bare(read.Subject) != bare("涉险卡片清单, 事件 INC-1 / Exposed cards, incident INC-1") || bare(read.From) != "SampleAcquirer示例收单机构" || read.To != "desk@bank.example" ||
		read.ID != "<ntc-1.1f00@acquirer.example>" || read.Auto != "auto-generated" || !strings.HasPrefix(read.Text, "致发卡机构 bank") || len(read.Defects) > 0 {
		t.Errorf("read as %+v", read)
	}
	if len(read.Files) != 2 || read.Files[0][0] != "exposed-INC-1.csv.age" || read.Files[1][0] != "notice-to-cardholders.txt" {
		t.Errorf("files %v", read.Files)
	}
}

func TestServersThatDoNotTakeIt(t *testing.T) {
	more, _, _ := book(t)
	const down = "127.0.0.1:1" // not a port that was free a moment ago: the servers below, and other tests, take such
	for _, c := range []struct {
		name, address string
		result        redress.AttemptResult
		code          int
		words         string
	}{
		{"down", down, redress.Unreachable, 0, "connection refused"},
		{"451", catcher(t, &notify.Catcher{Answer: 451}), redress.RefusedNow, 451, "4.3.0 "},
		{"554", catcher(t, &notify.Catcher{Answer: 554}), redress.Refused, 554, "5.3.0 "},
		{"cut in DATA", catcher(t, &notify.Catcher{DropData: 500}), redress.Doubtful, 0, ""},
		{"421 at once", scripted(t, "421 4.3.2 closing\r\n"), redress.RefusedNow, 421, "closing"},
		{"554 at once is about us", scripted(t, "554 5.7.1 no service for you\r\n"), redress.RefusedNow, 554, "no service"},
		{"refuses the recipient", scripted(t, "220 x\r\n", "250 x\r\n", "250 ok\r\n", "550 5.1.1 no such user\r\n"), redress.Refused, 550, "no such user"},
		{"cut before DATA", scripted(t, "220 x\r\n", "250 x\r\n", "250 ok\r\n"), redress.RefusedNow, 0, ""},
		{"cut after DATA", scripted(t, "220 x\r\n", "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"), redress.Doubtful, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, c.address, more)
			out := cfg.Send(t.Context(), mailed(t, cfg))
			if out.Result != c.result || out.Code != c.code || !strings.Contains(out.Text, c.words) {
				t.Errorf("%s %d %q; want %s %d %q", out.Result, out.Code, out.Text, c.result, c.code, c.words)
			}
		})
	}
}

// scripted is a server that says one line after each line it hears, and then closes.
func scripted(t *testing.T, lines ...string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			heard := make([]byte, 4096)
			for _, line := range lines {
				if _, err := io.WriteString(conn, line); err != nil {
					break
				}
				if _, err := conn.Read(heard); err != nil {
					break
				}
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

func TestServerThatIsSilent(t *testing.T) {
	more, _, _ := book(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	template := handler + "\n[smtp]\ntls = \"%s\"\naddress = \"%s\"\nfrom = \"a@b.example\"\ntimeout = \"150ms\"\n"
	for _, at := range []struct{ mode, address string }{{"none", ln.Addr().String()}, {"starttls", ln.Addr().String()}, {"tls", ln.Addr().String()},
		{"none", scripted(t, "SSH-2.0-x\r\n")}} {
		c := must(notify.ParseConfig([]byte(fmt.Sprintf(template, at.mode, at.address) + more)))
		// Nothing but its own timeout ends it before this, which is far off, for how soon it notices is the machine's.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		out := c.Send(ctx, mailed(t, c))
		if out.Result == redress.Accepted || ctx.Err() != nil {
			t.Errorf("%s: %s, %v", at.mode, out.Result, ctx.Err())
		}
		cancel()
	}
}

// certificate is a self-signed one for 127.0.0.1, in two files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	priv := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv))
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(priv))}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// debianPython is a Python that has aiosmtpd.
func debianPython(t *testing.T) string {
	t.Helper()
	for _, at := range []string{"/usr/bin/python3", "python3"} { // Debian's own first: another on the path has not its packages
		if exec.Command(at, "-c", "import aiosmtpd").Run() == nil {
			return at
		}
	}
	t.Skip("NOT RUN: python3-aiosmtpd is not installed (make need installs it)")
	return ""
}

// mailServer is aiosmtpd, as Debian packages it, with a maildir and perhaps a certificate, which it then demands to be used. It
// says its port, which the kernel chose, and ends with its standard input.
const mailServer = `
import asyncio, ssl, sys
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.handlers import Mailbox
more = {}
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    more = {"tls_context": context, "require_starttls": True}
loop = asyncio.new_event_loop()
c = UnthreadedController(Mailbox(sys.argv[1]), loop=loop, hostname="127.0.0.1", port=0, **more)
c.begin()
print(c.server.sockets[0].getsockname()[1], flush=True)
loop.run_until_complete(loop.run_in_executor(None, sys.stdin.read))
`

// debianServer runs a program of Python until the test ends; the program hears on the address when it has said its port.
func debianServer(t *testing.T, program string, args ...string) (address string) {
	t.Helper()
	cmd := exec.Command(debianPython(t), append([]string{"-c", program}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // what it says of its end is of no interest
	})
	if err != nil {
		in.Close()
		_ = cmd.Wait()
		t.Fatalf("aiosmtpd says no port: %v\n%s", err, said.String())
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}

func maildirHolds(t *testing.T, maildir string) (messages [][]byte) {
	t.Helper()
	files := must(filepath.Glob(filepath.Join(maildir, "new", "*")))
	for _, f := range files {
		messages = append(messages, must(os.ReadFile(f)))
	}
	return messages
}

// TestRealServer: a mail server that is not ours takes the mail, and what it stores is what was sent.
func TestRealServer(t *testing.T) {
	maildir := filepath.Join(t.TempDir(), "maildir")
	address := debianServer(t, mailServer, maildir)
	more, _, _ := book(t)
	c := config(t, address, more)
	o := mailed(t, c)
	out := c.Send(t.Context(), o)
	if out.Result != redress.Accepted || out.Code != 250 {
		t.Fatalf("%+v\n%s", out, out.Talk)
	}
	got := maildirHolds(t, maildir)
	if len(got) != 1 || !bytes.Contains(got[0], []byte("<ntc-1.1f00@acquirer.example>")) {
		t.Fatalf("%d messages", len(got))
	}
	_, body, _ := strings.Cut(string(o.Message), "\r\n\r\n")
	if !strings.Contains(strings.ReplaceAll(string(got[0]), "\n", "\r\n"), strings.TrimSpace(body)) && !strings.Contains(string(got[0]), strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))) {
		t.Error("what it stored is not what was sent")
	}
}

// TestRealServerStartTLS: with that server's certificate trusted the conversation goes under TLS, and the server demands it;
// without trust, or where a server offers no TLS, nothing is handed over.
func TestRealServerStartTLS(t *testing.T) {
	cert, key := certificate(t)
	maildir := filepath.Join(t.TempDir(), "maildir")
	address := debianServer(t, mailServer, maildir, cert, key)
	more, _, _ := book(t)
	with := func(address, lines string) *notify.Config {
		return must(notify.ParseConfig([]byte(handler + "\n[smtp]\naddress = \"" + address + "\"\nfrom = \"security@acquirer.example\"\ntimeout = \"60s\"\n" + lines + more)))
	}
	c := with(address, "ca_file = \""+cert+"\"\n")
	out := c.Send(t.Context(), mailed(t, c))
	if out.Result != redress.Accepted || !strings.Contains(string(out.Talk), "(starttls, TLS 1.3, ") {
		t.Fatalf("%+v\n%s", out, out.Talk)
	}
	if n := len(maildirHolds(t, maildir)); n != 1 {
		t.Fatalf("%d messages", n)
	}
	for name, c := range map[string]*notify.Config{"a certificate nobody trusts": with(address, ""), "another name": with(address, "ca_file = \""+cert+"\"\nname = \"mail.example\"\n"),
		"a server without TLS": with(catcher(t, &notify.Catcher{}), "")} {
		if out := c.Send(t.Context(), mailed(t, c)); out.Result == redress.Accepted || out.Result == redress.Doubtful {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if n := len(maildirHolds(t, maildir)); n != 1 {
		t.Errorf("%d messages after refused attempts", n)
	}
}

// hook is a receiver of requests.
type hook struct {
	*httptest.Server
	mu      sync.Mutex // guards the two lists
	answers []int      // one after the other; the last again and again; 0 cuts the connection
	got     []*http.Request
	bodies  [][]byte
}

func newHook(t *testing.T, answers ...int) *hook {
	h := &hook{answers: answers}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.got, h.bodies = append(h.got, r), append(h.bodies, body)
		n := len(h.got)
		h.mu.Unlock()
		answer := h.answers[min(n, len(h.answers))-1]
		if answer == 0 {
			panic(http.ErrAbortHandler)
		}
		if answer/100 == 3 {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		}
		w.WriteHeader(answer)
		fmt.Fprintf(w, "answer %d", n)
	}))
	t.Cleanup(h.Close)
	return h
}

// TestWebhookSignature: OpenSSL computes the signature of what arrived, from the documented recipe and the shared key alone.
func TestWebhookSignature(t *testing.T) {
	openssl := need(t, "openssl")
	h := newHook(t, 200)
	key := strings.Repeat("k3y!", 10)
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config(t, "127.0.0.1:1", "[[recipient]]\nname = \"press\"\ngroup = \"public\"\nchannel = \"webhook\"\naddress = \""+h.URL+"/notices\"\nsecret = \""+secret+"\"\n")
	plan, _ := c.Plan(facts())
	m := must(c.Maker().Make(&plan[0], "NTC-7", "ntc-7.aa@acquirer.example"))
	before := time.Now().Unix()
	out := c.Send(t.Context(), &notify.Outgoing{ID: "NTC-7", To: plan[0].To, Key: "ntc-7.aa@acquirer.example", Message: m.Message})
	if out.Result != redress.Accepted || out.Code != 200 || len(out.Reference) != 64 {
		t.Fatalf("%+v", out)
	}
	if got := h.got[0].Header.Get("Idempotency-Key"); got != "ntc-7.aa@acquirer.example" {
		t.Errorf("Idempotency-Key %q", got)
	}
	header := h.got[0].Header.Get("Touchstone-Signature")
	stamp, signature, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil || seconds < before || seconds > time.Now().Unix() {
		t.Fatalf("header %q", header)
	}
	cmd := exec.Command(openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", fmt.Sprintf("hexkey:%x", key))
	cmd.Stdin = io.MultiReader(strings.NewReader(stamp+"."), bytes.NewReader(h.bodies[0]))
	said, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if fields := strings.Fields(string(said)); fields[len(fields)-1] != signature {
		t.Errorf("OpenSSL says %s, the header %s", said, signature)
	}
	var p notify.Payload
	if err := json.Unmarshal(h.bodies[0], &p); err != nil || p.Notice != "NTC-7" || p.Kind != "consumer_notice" || p.Drill {
		t.Errorf("payload %+v, %v", p, err)
	}
}

func TestAnswersOfWebhooks(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, bytes.Repeat([]byte("k"), 31), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, key string
		answer    int
		result    redress.AttemptResult
		requests  int
	}{
		{"200", secret, 200, redress.Accepted, 1}, {"202", secret, 202, redress.Accepted, 1}, {"400", secret, 400, redress.Refused, 1}, {"404", secret, 404, redress.Refused, 1},
		{"408", secret, 408, redress.RefusedNow, 1}, {"425", secret, 425, redress.RefusedNow, 1}, {"429", secret, 429, redress.RefusedNow, 1}, {"500", secret, 500, redress.RefusedNow, 1},
		{"503", secret, 503, redress.RefusedNow, 1}, {"302 is not followed", secret, 302, redress.Refused, 1}, {"cut", secret, 0, redress.Doubtful, 1},
		{"a key of 31 bytes", short, 200, redress.RefusedNow, 0}, {"no key", secret + ".none", 200, redress.RefusedNow, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHook(t, c.answer)
			cfg := config(t, "127.0.0.1:1", "[[recipient]]\nname = \"press\"\ngroup = \"public\"\nchannel = \"webhook\"\naddress = \""+h.URL+"\"\nsecret = \""+c.key+"\"\n")
			out := cfg.Send(t.Context(), &notify.Outgoing{ID: "NTC-1", To: redress.NoticeTo{Name: "press", Channel: redress.ByWebhook, Address: h.URL}, Key: "k", Message: []byte("{}")})
			h.mu.Lock()
			requests := len(h.got)
			h.mu.Unlock()
			if out.Result != c.result || requests != c.requests {
				t.Errorf("%s after %d requests (%s); want %s after %d", out.Result, requests, out.Text, c.result, c.requests)
			}
			if strings.Contains(out.Text+string(out.Talk), "kkkk") {
				t.Error("the key of the signature is shown")
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		h := newHook(t, 200)
		h.Server.Close()
		cfg := config(t, "127.0.0.1:1", "[[recipient]]\nname = \"press\"\ngroup = \"public\"\nchannel = \"webhook\"\naddress = \""+h.URL+"\"\nsecret = \""+secret+"\"\n")
		out := cfg.Send(t.Context(), &notify.Outgoing{ID: "NTC-1", To: redress.NoticeTo{Name: "press", Channel: redress.ByWebhook, Address: h.URL}, Key: "k", Message: []byte("{}")})
		if out.Result != redress.Unreachable {
			t.Errorf("%+v", out)
		}
	})
}

func TestSMS(t *testing.T) {
	h := newHook(t, 503, 200)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config(t, "127.0.0.1:1", "[sms]\nurl = \""+h.URL+"\"\ntoken = \""+token+"\"\nbody = '{\"phone\":{{json .To}},\"content\":{{json .Text}},\"uid\":{{json .Key}}}'\nheaders = {X-Tenant = \"a\"}\n",
		"[[recipient]]\nname = \"desk\"\ngroup = \"public\"\nchannel = \"sms\"\naddress = \"+8613800000000\"\nlanguage = \"zh\"\n")
	plan, _ := c.Plan(facts())
	m := must(c.Maker().Make(&plan[0], "NTC-1", "ntc-1.00@x"))
	o := &notify.Outgoing{ID: "NTC-1", To: plan[0].To, Key: "ntc-1.00@x", Message: m.Message}
	if out := c.Send(t.Context(), o); out.Result != redress.RefusedNow || out.Code != 503 {
		t.Fatalf("%+v", out)
	}
	if out := c.Send(t.Context(), o); out.Result != redress.Accepted || strings.Contains(out.Text+string(out.Talk), "t0ken") {
		t.Fatalf("%+v", out)
	}
	var sent struct{ Phone, Content, UID string }
	if err := json.Unmarshal(h.bodies[1], &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Phone != "+8613800000000" || sent.UID != "ntc-1.00@x" || !strings.Contains(sent.Content, "示例收单机构") || notify.HasLink(sent.Content) || len([]rune(sent.Content)) > 200 {
		t.Errorf("sent %+v", sent)
	}
	if h.got[1].Header.Get("Authorization") != "Bearer t0ken" || h.got[1].Header.Get("X-Tenant") != "a" || h.got[0].Header.Get("Idempotency-Key") != h.got[1].Header.Get("Idempotency-Key") {
		t.Errorf("headers %v", h.got[1].Header)
	}
	if c.Resends(redress.BySMS) || !c.Resends(redress.ByMail) || !c.Resends(redress.ByFile) || c.Resends(redress.ByWebhook) {
		t.Error("only mail and files go again by themselves when an attempt is in doubt, unless configured")
	}
}

func TestFileChannel(t *testing.T) {
	more, _, _ := book(t)
	dir := t.TempDir()
	c := config(t, "127.0.0.1:1", more)
	c.Resolve(dir, filepath.Join(dir, "outgoing"))
	plan, _ := c.Plan(facts())
	for i := range plan {
		if plan[i].To.Channel != redress.ByFile {
			continue
		}
		m := must(c.Maker().Make(&plan[i], "NTC-4", "k@x"))
		o := &notify.Outgoing{ID: "NTC-4", To: plan[i].To, Message: m.Message}
		for range 2 { // again changes nothing
			if out := c.Send(t.Context(), o); out.Result != redress.Accepted {
				t.Fatalf("%+v", out)
			}
			files := must(os.ReadDir(filepath.Join(dir, "outgoing", plan[i].To.Address, "NTC-4")))
			if len(files) != len(m.Contents) {
				t.Errorf("%d files, want %d", len(files), len(m.Contents))
			}
		}
		for name, address := range map[string]string{"above": "../x", "absolute": "/tmp", "empty": ""} {
			o.To.Address = address
			if out := c.Send(t.Context(), o); out.Result == redress.Accepted {
				t.Errorf("%s: written to %q", name, address)
			}
		}
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	more, _, _ := book(t)
	heard := make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		close(heard)
		_, _ = io.Copy(io.Discard, conn)
	}()
	c := config(t, ln.Addr().String(), more)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-heard
		cancel()
	}()
	if out := c.Send(ctx, mailed(t, c)); out.Result == redress.Accepted {
		t.Errorf("%+v", out)
	}
}
