package browser

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestConsole walks through the console and the public pages of one demonstration as its people do. The demonstration's
// own traffic goes on beside; what is looked for, a visitor's terminal of this test made.
func TestConsole(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser and a host")
	}
	d := startDemo(t)
	c := newChrome(t)
	w := c.person("en", 1280)
	w.enter(d)
	zh := c.person("zh", 1280)
	zh.signIn(d, "sun")
	till := newShop(t, d)
	on := func(name string, f func(t *testing.T, d *demo, c *chrome, w, zh *window, shop *shop)) {
		t.Run(name, func(t *testing.T) {
			for _, x := range []*window{w, zh} {
				x.t = t
			}
			c.t, till.t = t, t
			f(t, d, c, w, zh, till)
			w.clean()
			zh.clean()
		})
	}
	on("a failed payment, its cause in both languages, its repair, the next sale", repairs)
	on("a claim decided by two people", decides)
	on("the public check", checks)
	on("every page in its language", oneLanguage) // before there are names that are scripts
	on("a swapped device bound by two people on a phone and by keyboard alone", swaps)
	on("a package of releases that is none", sends)
	on("another site", otherSite)
	on("names that are scripts", scripts)
	on("every page, on a phone too", everyPage)
}

// shop is a visitor's terminal.
type shop struct {
	t       *testing.T
	d       *demo
	fixture string
}

func newShop(t *testing.T, d *demo) *shop {
	t.Helper()
	s := &shop{t: t, d: d, fixture: filepath.Join(t.TempDir(), "fixture.json")}
	text := d.touchstone(t, "demo", "--print-fixture", "--tcp", d.tcp)
	if err := os.WriteFile(s.fixture, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// do runs the terminal; its exit code is not looked at, because it tells of refusals, too.
func (s *shop) do(args ...string) string {
	s.t.Helper()
	out, err := command("terminal", append([]string{"--fixture", s.fixture, "--state", filepath.Dir(s.fixture)}, args...)...)
	if err != nil && !strings.Contains(out, "0210") && !strings.Contains(out, "TRACE") && !strings.Contains(out, "check") {
		s.t.Fatalf("touchstone terminal %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// checkCode is what the screen of one of the fixture's terminals shows now.
func (s *shop) checkCode(terminal string) (serial, code string) {
	s.t.Helper()
	out, err := command("terminal", "--fixture", s.fixture, "--state", filepath.Dir(s.fixture), "--terminal", terminal, "--check-url", s.d.public, "--json", "check-code")
	if err != nil {
		s.t.Fatalf("check-code: %v\n%s", err, out)
	}
	var shown struct{ Serial, Code string }
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return shown.Serial, shown.Code
}

// proof is what the QR code on the screen of one of the fixture's terminals says now.
func (s *shop) proof(terminal string) (serial, address string) {
	s.t.Helper()
	out, err := command("terminal", "--fixture", s.fixture, "--state", filepath.Dir(s.fixture), "--terminal", terminal, "--check-url", s.d.public, "--json", "check-code")
	if err != nil {
		s.t.Fatalf("check-code: %v\n%s", err, out)
	}
	var shown struct {
		Serial string
		Proof  string `json:"proof_url"`
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Proof == "" {
		s.t.Fatalf("%v: %s", err, out)
	}
	return shown.Serial, shown.Proof
}

// repairs: support finds a payment that failed, reads why, has the shop sign in, and sees the next sale pass.
func repairs(t *testing.T, d *demo, _ *chrome, w, zh *window, shop *shop) {
	shop.do("sign-in", "sale", "18.50")
	said := shop.do("--fault", "sign-in-answer-lost", "sale", "20.00")
	if !strings.Contains(said, "A0") {
		t.Fatalf("the key of the earlier sign-in was not refused:\n%s", said)
	}
	w.open(d.console + "/")
	w.reads("90000001") // among the latest refusals, live
	w.open(d.console + "/transactions?terminal=90000001&outcome=refused")
	w.follow("main a[href^='/transactions/txn_']")
	w.reads("90000001", "A0", "not charged", "PROVEN", "earlier sign-in")
	zh.open(w.where())
	zh.reads("90000001", "A0", "已证实", "MAC")
	w.accessible()
	zh.accessible()
	w.open(d.console + "/terminals/90000001")
	w.reads("May sell", "A0")
	w.open(d.console + "/terminals/90000001/repair")
	w.reads("Waiting for the next sale", "earlier sign-in")
	shop.do("sign-in", "sale", "21.00")
	w.reads("The next sale passed at") // by itself
	w.accessible()
	w.follow("#passed")
	w.reads("21.00", "approved")
}

// decides: chen proposes what a consumer is paid, wang agrees, and the money is paid.
func decides(t *testing.T, d *demo, c *chrome, w, _ *window, _ *shop) {
	chen, wang := c.person("en", 1280), c.person("en", 1280)
	chen.signIn(d, "chen")
	chen.open(d.console + "/claims")
	claim := ""
	for end := time.Now().Add(3 * patience); claim == "" && time.Now().Before(end); time.Sleep(time.Second) { // the demonstration's consumers claim in its first minute
		claim = chen.link("/claims", "main a[href^='/claims/CLM']")
	}
	chen.open(d.console + claim)
	chen.accessible()
	chen.do(chromedp.Click(chromedp.CSS("form[action$='/decide'] button")), chromedp.WaitVisible(chromedp.CSS(".told, .failed")))
	chen.reads("PRP-")
	wang.signIn(d, "wang")
	wang.open(d.console + claim)
	wang.reads("chen")
	wang.do(chromedp.Click(chromedp.CSS("form[action$='/proposal'] button[value=approve]")), chromedp.WaitVisible(chromedp.CSS(".told, .failed")))
	wang.open(d.console + claim)
	wang.reads("paid")
	chen.clean()
	wang.clean()
}

var proposalNumber = regexp.MustCompile(`PRP-[0-9]+`)

// checks: the right code on the right label says yes; a wrong one does not; nor does the code of another shop's
// terminal, whose label was photographed.
func checks(t *testing.T, d *demo, c *chrome, _, _ *window, shop *shop) {
	customer := c.person("en", 390)
	serial, right := shop.checkCode("90000001")
	_, others := shop.checkCode("90000002")
	ask := func(serial, code string, want ...string) {
		t.Helper()
		customer.open(d.public + "/t/" + serial)
		customer.do(chromedp.SendKeys(chromedp.CSS("input[name=code]"), code), chromedp.Click(chromedp.CSS("main form button")))
		customer.reads(want...)
		customer.accessible()
	}
	ask(serial, right, "yes", "Sample Visitors")
	for _, wrong := range []string{"00000000", others} {
		ask(serial, wrong, "This code is not the code of the terminal with that number", "Put no card in")
		if words := customer.words(); strings.Contains(words, "Sample Visitors") {
			t.Errorf("a wrong code shows the shop:\n%s", words)
		}
	}
	scans(t, d, customer, shop)
	customer.clean()
}

// scans: a phone opens the QR code that a device with a certificate signs: yes, with the picture of its model, once the people
// of the demonstration have hung it; the same signature under another number is a no.
func scans(t *testing.T, d *demo, customer *window, shop *shop) {
	serial, signed := shop.proof("90000008")
	for end := time.Now().Add(patience); ; {
		customer.open(signed)
		customer.reads("yes", "Sample Visitors", "What this yes does not prove")
		wide, _ := chromedp.Run(customer.ctx, chromedp.Evaluate[int]("(document.querySelector('.looks img') || {naturalWidth: 0}).naturalWidth"))
		if wide > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no picture of the model with the yes")
		}
		time.Sleep(100 * time.Millisecond)
		_, signed = shop.proof("90000008")
	}
	customer.accessible()
	over, err := chromedp.Run(customer.ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
	if err != nil || over > 0 {
		t.Errorf("the answer is %d pixels wider than the phone, %v", over, err)
	}
	customer.do(chromedp.Click(chromedp.CSS("main form button")))
	customer.reads("May I use this device?", "its own code was right")
	customer.accessible()
	customer.open(strings.Replace(signed, serial, "00000304TS0090000001", 1))
	customer.reads("This code is not the code of the terminal with that number")
}

// otherSite: a page of another origin posts to the console from the browser of somebody who is signed in.
func otherSite(t *testing.T, d *demo, _ *chrome, w, _ *window, _ *shop) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	evil := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, `<form id="f" method="post" action="%[1]s/sign-out" target="_self"></form><iframe src="%[1]s/"></iframe>
<script>fetch("%[1]s/api/v1/approvals", {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body: '{"id":"PRP-1"}'}).finally(() => document.getElementById("f").submit())</script>`, d.console)
	})}
	go func() { _ = evil.Serve(ln) }()
	defer evil.Close()
	if err := w.try(chromedp.Navigate("http://localhost:" + ln.Addr().String()[strings.LastIndex(ln.Addr().String(), ":")+1:] + "/")); err != nil {
		t.Logf("the other site: %v", err) // the refusal is a page of status 403
	}
	w.reads("came from another site")
	w.forget() // what the browser said of the other site is no fault of ours
	w.open(d.console + "/me")
	w.reads("visitor") // still signed in
}

// scripts: a shop whose name is a script is shown as text, and nothing runs.
// notMade fails the test where the page has an element or an attribute that only somebody's text asks for.
func (w *window) notMade() {
	w.t.Helper()
	made, err := chromedp.Run(w.ctx, chromedp.Evaluate[int]("document.querySelectorAll('xq7,[xq7],[onerror],[onload],[onclick],[onfocus],[ontoggle],iframe,object,embed,base,script:not([src])').length"))
	if err != nil || made != 0 {
		w.t.Errorf("%s has %d elements of somebody's text, %v", w.where(), made, err)
	}
}

func scripts(t *testing.T, d *demo, _ *chrome, w, zh *window, _ *shop) {
	names := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(2)>`, `'-alert(3)-'`, `{{7*7}}<svg onload=alert(4)>`, "javascript:alert(5)//"}
	if os.Getenv("TOUCHSTONE_LONG") != "" { // the whole list, whose mark is a call in a script and a name elsewhere
		text, err := os.ReadFile("../testdata/xss.txt")
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	for i, name := range names {
		id := fmt.Sprintf("8983100581299%02d", i)
		d.touchstone(t, "register", "merchant", "--id", id, "--name="+name, "--network", "127.0.0.0/8", "--data", d.data)
		for _, x := range []*window{w, zh} {
			x.open(d.console + "/merchants/" + id)
			x.reads(name)
			x.open(d.console + "/find?q=" + id)
			x.notMade()
		}
	}
	w.open(d.console + "/fleet")
	w.open(d.console + "/journal")
}

// everyPage: nothing serious by axe-core in light and dark, no page wider than a phone, and each has a heading.
func everyPage(t *testing.T, d *demo, c *chrome, w, _ *window, _ *shop) {
	for _, page := range pages {
		w.theme("light")
		w.open(d.console + page.path)
		w.accessible()
		w.theme("dark")
		w.accessible()
		w.do(chromedp.EmulateViewport(390, 800))
		w.fits()
		heads, err := chromedp.Run(w.ctx, chromedp.Evaluate[int]("document.querySelectorAll('h1').length"))
		if err != nil || heads != 1 {
			t.Errorf("%s has %d headings of the first level, %v", page.path, heads, err)
		}
		w.do(chromedp.EmulateViewport(1280, 900))
	}
	customer := c.person("zh", 390)
	for _, path := range []string{"/", "/t", "/device", "/explain", "/explain/A7", "/report", "/claim", "/case"} {
		customer.open(d.public + path)
		customer.accessible()
		customer.fits()
	}
	customer.clean()
}
