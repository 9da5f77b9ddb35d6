package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// pages are what a person with every role of the demonstration can look at, by the name of the picture.
var pages = []struct{ name, path string }{
	{"now", "/"}, {"failures", "/failures"}, {"transactions", "/transactions"}, {"clones", "/clones"}, {"journal", "/journal"},
	{"fleet", "/fleet"}, {"map", "/fleet/map"}, {"grades", "/fleet/grades"}, {"permits", "/fleet/permits"}, {"inspections", "/fleet/inspections"}, {"training", "/fleet/training"},
	{"releases", "/fleet/releases"}, {"advisories", "/fleet/advisories"}, {"campaigns", "/fleet/campaigns"}, {"policy", "/fleet/policy"}, {"keys", "/keys"},
	{"incidents", "/incidents"}, {"claims", "/claims"}, {"reports", "/reports"}, {"notices", "/notices"}, {"webhooks", "/webhooks"}, {"laboratory", "/laboratory"},
	{"staff", "/staff"}, {"proposals", "/staff/proposals"}, {"me", "/me"}, {"acts", "/acts"}, {"act", "/acts/incident?op=open"}, {"reference", "/docs"}, {"errors", "/docs/errors"},
}

// enter signs the visitor in by the one-time link.
func (w *window) enter(d *demo) {
	w.t.Helper()
	w.open(d.link)
	w.do(chromedp.Click(chromedp.CSS("main form button")), chromedp.WaitVisible(chromedp.CSS(".side")))
}

// signIn signs somebody in whose passphrase is published.
func (w *window) signIn(d *demo, account string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.data, "staff", account+".pass"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.open(d.console + "/sign-in")
	w.do(chromedp.SendKeys(chromedp.CSS("input[name=account]"), account), chromedp.SendKeys(chromedp.CSS("input[name=passphrase]"), strings.TrimSpace(string(text))+kb.Enter),
		chromedp.WaitVisible(chromedp.CSS(".side")))
}

// theme makes the system light or dark.
func (w *window) theme(name string) {
	w.t.Helper()
	value := "light"
	if name == "dark" {
		value = "dark"
	}
	if _, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}}); err != nil {
		w.t.Fatal(err)
	}
}

// TestPictures keeps a picture of every page, light and dark, in both languages: TOUCHSTONE_PICTURES names the directory.
// Without it nothing is kept and nothing run.
func TestPictures(t *testing.T) {
	dir := os.Getenv("TOUCHSTONE_PICTURES")
	if dir == "" {
		t.Skip("NOT RUN: TOUCHSTONE_PICTURES names no directory")
	}
	d := startDemo(t)
	c := newChrome(t)
	w := c.person("en", 1280)
	w.enter(d)
	time.Sleep(100 * time.Second) // what the pictures show has to happen first
	one := w.first("/transactions?reason=mac_failed", "a[href^='/transactions/txn_']")
	list := append(pages[:len(pages):len(pages)], []struct{ name, path string }{
		{"transaction", one}, {"terminal", w.first("/transactions?reason=mac_failed", "main a[href^='/terminals/']")}, {"clone", w.first("/clones", "main a[href^='/clones/']")},
		{"incident", w.first("/incidents", "main a[href^='/incidents/INC']")}, {"claim", w.first("/claims", "main a[href^='/claims/CLM']")}}...)
	for _, lang := range []string{"en", "zh"} {
		p := w
		if lang == "zh" {
			p = c.person("zh", 1280)
			p.signIn(d, "visitor")
		}
		for _, theme := range []string{"light", "dark"} {
			p.theme(theme)
			for _, page := range list {
				if page.path != "" {
					p.open(d.console + page.path)
					p.shot(filepath.Join(dir, page.name+"-"+lang+"-"+theme+".webp"))
				}
			}
		}
		customer := c.person(lang, 390)
		for _, theme := range []string{"light", "dark"} {
			customer.theme(theme)
			for _, page := range publicPages {
				customer.open(d.public + page.path)
				customer.shot(filepath.Join(dir, page.name+"-"+lang+"-"+theme+".webp"))
			}
		}
	}
	customer := c.person("en", 390)
	till := newShop(t, d)
	serial, code := till.checkCode("90000001")
	customer.open(d.public + "/t/" + serial)
	customer.do(chromedp.SendKeys(chromedp.CSS("input[name=code]"), code), chromedp.Click(chromedp.CSS("main form button")))
	customer.reads("yes")
	customer.shot(filepath.Join(dir, "check-yes-en-light.webp"))
}

// publicPages are what anybody can look at, on a phone.
var publicPages = []struct{ name, path string }{{"check", "/"}, {"check-device", "/device"}, {"check-explain", "/explain/A7"}, {"check-report", "/report"}, {"check-claim", "/claim"}, {"check-case", "/case"}}

// first is the address of the first link of a page that a selector finds.
func (w *window) first(path, selector string) string {
	w.t.Helper()
	href := w.link(path, selector)
	if href == "" {
		w.t.Errorf("%s has no link %s", path, selector)
	}
	return href
}

// link is first, of a page that may have none: "".
func (w *window) link(path, selector string) string {
	w.t.Helper()
	at := w.where()
	w.open(at[:strings.Index(at[8:], "/")+8] + path)
	href, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("(document.querySelector(\""+selector+"\") || {getAttribute: () => ''}).getAttribute('href') || ''"))
	return href
}
