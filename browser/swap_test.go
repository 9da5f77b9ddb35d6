package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The spare device of the swap: in stock, with a published serial-number key.
const (
	spareSerial = "00000304TS0090000902"
	spareKey    = "0123456789ABCDEFFEDCBA9876543210"
	swappedAt   = "90000002"
)

// spare takes a device into stock and returns the terminal of the shop whose device somebody exchanged for it.
func (s *shop) spare() *shop {
	s.t.Helper()
	dir := s.t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(spareKey+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	model := []string{"--model", "Sample V1", "--hardware", "2.0"}
	two := []string{"--data", s.d.data, "--seal", "SEAL-902", "--source", "Sample Maker", "--as", "li", "--with", "zhou"}
	s.d.touchstone(s.t, append(append([]string{"device", "announce", "--serial", spareSerial, "--maker", "Sample Maker", "--shipment", "SHP-902"}, model...), two...)...)
	s.d.touchstone(s.t, append([]string{"device", "receive", spareSerial}, two...)...)
	s.d.touchstone(s.t, append([]string{"register", "device", "--data", s.d.data, "--serial", spareSerial, "--component", key, "--app", "1.0.0"}, model...)...)

	text, err := os.ReadFile(s.fixture)
	if err != nil {
		s.t.Fatal(err)
	}
	var world map[string]any
	if err := json.Unmarshal(text, &world); err != nil {
		s.t.Fatal(err)
	}
	for _, one := range world["terminals"].([]any) {
		if t := one.(map[string]any); t["terminal_id"] == swappedAt {
			t["serial"], t["serial_key"] = spareSerial, spareKey
		}
	}
	if text, err = json.Marshal(world); err != nil {
		s.t.Fatal(err)
	}
	other := &shop{t: s.t, d: s.d, fixture: filepath.Join(dir, "fixture.json")}
	if err := os.WriteFile(other.fixture, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return other
}

// fits fails the test when the page is wider than the window.
func (w *window) fits() {
	w.t.Helper()
	wide, err := 0.0, error(nil)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // charts are drawn anew after the window has another size
		wide, err = chromedp.Run(w.ctx, chromedp.Evaluate[float64]("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
		if err != nil || wide <= 1 || time.Now().After(end) {
			break
		}
	}
	if err != nil || wide > 1 {
		which, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).slice(0, 6).map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 60)).join("; ")`))
		w.t.Errorf("%s is %.0f pixels wider than the window, %v: %s", w.where(), wide, err, which)
	}
}

// mostStops are more than any page of this test has for the Tab key.
const mostStops = 120

// tabTo presses the Tab key until what a selector names has the focus.
func (w *window) tabTo(selector string) {
	w.t.Helper()
	at, err := json.Marshal(selector)
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(chromedp.WaitReady(chromedp.CSS(selector)))
	for range mostStops {
		w.do(chromedp.KeyEvent(kb.Tab))
		there, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("document.activeElement.matches("+string(at)+")"))
		if err != nil {
			w.t.Fatal(err)
		}
		if there {
			return
		}
	}
	w.t.Fatalf("%s: the Tab key does not reach %s", w.where(), selector)
}

// swaps: a shop's terminal was exchanged for a spare one, and its sales are refused. Support finds that on a phone and
// proposes to bind the device that is there; a security officer agrees by keyboard alone, in another browser; the next
// sale passes, and the phone says so by itself.
func swaps(t *testing.T, d *demo, c *chrome, _, _ *window, till *shop) {
	shop := till.spare()
	if said := shop.do("--terminal", swappedAt, "sign-in", "sale", "12.00"); !strings.Contains(said, "0210 97") {
		t.Fatalf("another device than the registered one was not refused:\n%s", said)
	}
	phone := c.person("en", 390)
	phone.signIn(d, "chen")
	phone.fits()
	phone.do(chromedp.SendKeys(chromedp.CSS("#find"), swappedAt+kb.Enter))
	phone.reads(swappedAt, "May sell", "97")
	phone.fits()
	phone.follow("main a.button[href*='/repair']")
	phone.reads("Bind device "+spareSerial, "Waiting for the next sale")
	phone.fits()
	phone.accessible()
	phone.do(chromedp.SendKeys(chromedp.CSS("form input[name=note]"), "li read label and screen on the spot"), chromedp.Click(chromedp.CSS("main form[action*='/repair'] button")))
	phone.reads("Proposed as PRP-")
	phone.fits()
	proposal := proposalNumber.FindString(phone.words())

	keys := c.person("en", 1280)
	agreesByKeyboard(t, d, keys, proposal)
	phone.reads("Device " + spareSerial + " is bound to this terminal now") // by itself
	if said := shop.do("--terminal", swappedAt, "sale", "13.00"); !strings.Contains(said, "0210 00") {
		t.Fatalf("the sale after the repair:\n%s", said)
	}
	phone.reads("The next sale passed at")
	phone.fits()
	phone.follow("#passed")
	phone.reads("13.00", "approved")
	phone.clean()
	keys.clean()
}

// agreesByKeyboard signs a security officer in and approves a proposal without a pointer.
func agreesByKeyboard(t *testing.T, d *demo, p *window, proposal string) {
	t.Helper()
	pass, err := os.ReadFile(filepath.Join(d.data, "staff", "qian.pass"))
	if err != nil {
		t.Fatal(err)
	}
	p.open(d.console + "/sign-in") // the account has the focus
	p.do(chromedp.KeyEvent("qian"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(strings.TrimSpace(string(pass))), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".side")))
	p.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)) // the first stop skips to the content
	at, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.activeElement.id + location.hash"))
	if err != nil || !strings.Contains(at, "main") {
		t.Errorf("the first stop leads to %q, %v", at, err)
	}
	p.do(chromedp.KeyEvent("g"), chromedp.KeyEvent("f"))
	p.reads("Reason by hour")
	p.tabTo(".side a[href='/staff']")
	p.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitReady(chromedp.CSS("a[href='/staff/proposals']")))
	p.tabTo("main a[href='/staff/proposals']")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.tabTo("main a[href='/staff/proposals/" + proposal + "']")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.reads(spareSerial, "chen", "li read label and screen on the spot")
	p.accessible()
	p.tabTo("main button[value=approve]")
	p.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitNotPresent(chromedp.CSS("main button[value=approve]")))
	p.reads(proposal, "done")
}
