// Package browser holds the tests of the pages in a real browser: Debian's chromium, driven over its own protocol,
// against the binary as it is shipped. They ask what a person asks: can I sign in, find, understand, repair.
package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page, a sentence or a host may take on a machine that does other things too.
const patience = 2 * time.Minute

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "touchstone-browser-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "touchstone")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "touchstone/cmd/touchstone")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v: %s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// demo is a running demonstration.
type demo struct {
	data    string
	link    string // the one-time link
	console string // http://127.0.0.1:PORT
	public  string // the public pages
	tcp     string

	mu   sync.Mutex
	said []string
}

var (
	saidLink   = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)(/enter/\S+)`)
	saidPublic = regexp.MustCompile(`(?:check page|核验页)\s+(http://127\.0\.0\.1:\d+)`)
	saidTCP    = regexp.MustCompile(`tcp (127\.0\.0\.1:\d+)`)
)

// startDemo runs the demonstration on ports of its own until the test ends.
func startDemo(t *testing.T, more ...string) *demo {
	t.Helper()
	d := &demo{data: filepath.Join(t.TempDir(), "demo")}
	args := []string{"demo", "--data", d.data, "--observe", ""}
	for _, door := range []string{"--tcp", "--tls", "--https", "--mail", "--http", "--public"} {
		args = append(args, door, "127.0.0.1:0")
	}
	cmd := exec.Command(binary, append(args, more...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		d.listen(bufio.NewScanner(out), ready)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demonstration ended with %v", err)
		}
		stuck.Stop()
	})
	select {
	case <-ready:
	case <-time.After(2 * patience):
		t.Fatalf("no link:\n%s", d.text())
	}
	return d
}

func (d *demo) listen(lines *bufio.Scanner, ready chan struct{}) {
	for lines.Scan() {
		line := lines.Text()
		d.mu.Lock()
		d.said = append(d.said, line)
		if m := saidLink.FindStringSubmatch(line); m != nil && d.link == "" {
			d.console, d.link = m[1], m[1]+m[2]
		}
		if m := saidPublic.FindStringSubmatch(line); m != nil {
			d.public = m[1]
		}
		if m := saidTCP.FindStringSubmatch(line); m != nil {
			d.tcp = m[1]
		}
		d.mu.Unlock()
		if strings.Contains(line, "Ctrl-C") { // the banner is whole
			close(ready)
		}
	}
}

func (d *demo) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n")
}

// touchstone runs the program on the demonstration's data directory.
func (d *demo) touchstone(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("touchstone %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// command runs the program and returns what it said.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(binary, append([]string{name}, args...)...).CombinedOutput()
	return string(out), err
}

// chrome is one browser; each person has a window of a context of its own, with other cookies.
type chrome struct {
	t   *testing.T
	ctx context.Context
}

func newChrome(t *testing.T) *chrome {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed: make need installs it")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.WSURLReadTimeout(patience), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(alloc)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	t.Cleanup(func() {
		end()
		stop()
	})
	return &chrome{t, ctx}
}

// window is one person's browser.
type window struct {
	t    *testing.T
	ctx  context.Context
	lang string

	mu     sync.Mutex
	seen   []string // every address asked for
	wrong  []string // what the browser complained of
	status int64    // of the last document
}

// person opens a window of somebody who reads a language, en or zh, on a screen of a width in pixels.
func (c *chrome) person(lang string, width int64) *window {
	c.t.Helper()
	ctx, end := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	w := &window{t: c.t, ctx: ctx, lang: lang}
	accept := map[string]string{"en": "en-GB,en", "zh": "zh-CN,zh"}[lang]
	_, err1 := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, err3 := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": accept}})
	if err := errors.Join(chromedp.Listen(ctx, w.heard), err1, err2, err3, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900))); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(end)
	return w
}

func (w *window) heard(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.seen = append(w.seen, e.Request.URL)
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			w.status = e.Response.Status
		}
	case *runtime.EventExceptionThrown:
		w.wrong = append(w.wrong, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "status of 4") {
			w.wrong = append(w.wrong, e.Entry.Text+" "+e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		w.wrong = append(w.wrong, "dialog: "+e.Message)
	}
}

// do runs steps, within patience.
func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := w.try(steps...); err != nil {
		w.t.Fatalf("%v\nat %s\n%s", err, w.where(), w.words())
	}
}

func (w *window) try(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// open goes to an address and checks that the page is there. A page that says that its figures are being counted is asked
// for again, as it says.
func (w *window) open(address string) {
	w.t.Helper()
	for end := time.Now().Add(patience); ; {
		w.do(chromedp.Navigate(address), chromedp.WaitReady("body"))
		w.mu.Lock()
		status := w.status
		if status == http.StatusServiceUnavailable { // the browser complains of it, too
			w.wrong = slices.DeleteFunc(w.wrong, func(s string) bool { return strings.Contains(s, "status of 503") })
		}
		w.mu.Unlock()
		if status < 400 {
			return
		}
		if status != http.StatusServiceUnavailable || time.Now().After(end) {
			w.t.Errorf("%s: status %d", address, status)
			return
		}
	}
}

func (w *window) where() string {
	at, _ := chromedp.Run(w.ctx, chromedp.Location()) // "" when there is no page
	return at
}

// words is the text of the page as it is seen.
func (w *window) words() string {
	text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''")) // "" between two pages
	return text
}

// reads waits until the page shows every text.
func (w *window) reads(texts ...string) {
	w.t.Helper()
	end := time.Now().Add(patience)
	for {
		now := w.words()
		missing := slices.IndexFunc(texts, func(s string) bool { return !strings.Contains(strings.ToLower(now), strings.ToLower(s)) })
		if missing < 0 {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s does not show %q:\n%s", w.where(), texts[missing], now)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// click follows the link, or presses the button, of which this is the whole text.
func (w *window) click(text string) {
	w.t.Helper()
	path := fmt.Sprintf(`(//a[normalize-space(.)=%[1]q]|//button[normalize-space(.)=%[1]q]|//summary[normalize-space(.)=%[1]q])[1]`, text)
	w.do(chromedp.Click(path))
	w.do(chromedp.WaitReady("body"))
}

// follow follows the first element that a selector finds.
func (w *window) follow(selector string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS(selector)))
	w.do(chromedp.WaitReady("body"))
}

// forget drops what the browser said so far.
func (w *window) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.wrong = nil, nil
}

// label is the control that a label with this text belongs to.
func label(text string) string {
	return fmt.Sprintf(`(//*[@id=//label[normalize-space(.)=%[1]q]/@for]|//label[normalize-space(.)=%[1]q]//input|//label[normalize-space(.)=%[1]q]//select)[1]`, text)
}

// fill types into the control with this label.
func (w *window) fill(name, value string) {
	w.t.Helper()
	w.do(chromedp.WaitVisible(label(name)), chromedp.SetValue(label(name), ""), chromedp.SendKeys(label(name), value))
}

// clean fails the test when a request left this machine, or the browser complained of anything.
func (w *window) clean() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range w.seen {
		u, err := url.Parse(address)
		if err != nil || u.Hostname() != "127.0.0.1" && u.Scheme != "data" && u.Scheme != "chrome" && u.Scheme != "about" && u.Scheme != "blob" {
			w.t.Errorf("a request left the host: %s", address)
		}
	}
	for _, what := range w.wrong {
		w.t.Errorf("the browser says: %s", what)
	}
}

// mostTall is how many pixels of a page a picture shows.
const mostTall = 1500

// shot keeps what the window shows as a WebP picture, from its top.
func (w *window) shot(path string) {
	w.t.Helper()
	tall, err := chromedp.Run(w.ctx, chromedp.Evaluate[float64]("document.documentElement.scrollHeight"))
	if err != nil {
		w.t.Fatal(err)
	}
	wide, err := chromedp.Run(w.ctx, chromedp.Evaluate[float64]("document.documentElement.clientWidth"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(chromedp.EmulateViewport(int64(wide), int64(max(900, min(tall, mostTall))))) // the side bar is as high as the window
	quality, beyond := int64(70), true
	picture, err := chromedp.Call(w.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality, CaptureBeyondViewport: &beyond,
		Clip: &page.Viewport{Width: wide, Height: min(tall, mostTall), Scale: 1}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(chromedp.EmulateViewport(int64(wide), 900))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, picture.Data, 0o644)); err != nil {
		w.t.Fatal(err)
	}
}
