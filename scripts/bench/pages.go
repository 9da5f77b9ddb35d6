package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/terminal/load"
)

// The targets of the console.
const (
	targetPage   = 200 * time.Millisecond // p99 of the server's time of any page
	targetView   = 300 << 10              // bytes of a first view: the page with its sheets and scripts
	targetOpen   = 5.0                    // per cent that the host may lose with ten consoles open at consoleRate
	pageAsks     = 200                    // of each page, two at a time
	consoles     = 10
	consoleRate  = 5_000
	smoothRate   = 2_000
	pagesSales   = 10_000_000
	pagesPassage = "a passphrase of a benchmark"
)

// pages asks for every page over a large estate and a long journal, then leaves ten consoles open.
func (b *bench) pages(ctx context.Context) error {
	terminals, sales, asks := 1_000_000, pagesSales, pageAsks
	if b.quick {
		terminals, sales, asks = 20_000, 50_000, 40
	}
	flags := append([]string{"--http", "127.0.0.1:0"}, everyFlags...)
	return b.withFlags(ctx, fmt.Sprintf("ecb=%d,sm4=%d", terminals*4/5, terminals/5), flags, func(h *host) error {
		if err := h.people(ctx); err != nil {
			return err
		}
		c, err := h.console(ctx)
		if err != nil {
			return err
		}
		sold, err := h.sellUntil(ctx, c, sales)
		if err != nil {
			return err
		}
		if err := b.everyPage(ctx, c, asks, fmt.Sprintf("%s terminals and %s messages", load.Thousands(uint64(terminals)), load.Thousands(sold))); err != nil {
			return err
		}
		return b.openConsoles(ctx, h, c)
	})
}

// client is a browser that is signed in.
type client struct {
	at     string
	cookie string
	http   *http.Client
}

var httpSaid = regexp.MustCompile(`msg=serving .*\bhttp=(\S+)`)

// console signs an auditor and security officer in, as the sign-in page does.
func (h *host) console(ctx context.Context) (*client, error) {
	found := httpSaid.FindStringSubmatch(h.said.String())
	if found == nil {
		return nil, errors.New("the host serves no console")
	}
	c := &client{at: "http://" + found[1], http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	form := url.Values{"account": {"ann"}, "passphrase": {pagesPassage}, "next": {"/"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at+"/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	for _, k := range answer.Cookies() {
		if k.Name == "__Host-touchstone" {
			c.cookie = k.Name + "=" + k.Value
		}
	}
	if c.cookie == "" {
		return nil, fmt.Errorf("the sign-in was answered %s", answer.Status)
	}
	return c, nil
}

// get asks once and tells how long it took. A host bounds how fast one address may ask; where that is reached this waits as
// long as it is told to and asks anew.
func (c *client) get(ctx context.Context, path string) (body []byte, took time.Duration, err error) {
	for range 20 {
		var status, wait int
		if body, took, status, wait, err = c.ask(ctx, path); err != nil {
			return nil, 0, err
		}
		switch status {
		case http.StatusOK, http.StatusSeeOther: // an exact hit leads on
			return body, took, nil
		case http.StatusTooManyRequests:
			select {
			case <-ctx.Done():
				return nil, 0, ctx.Err()
			case <-time.After(time.Duration(max(1, wait)) * time.Second):
			}
		default:
			return nil, 0, fmt.Errorf("%s: %d %s", path, status, http.StatusText(status))
		}
	}
	return nil, 0, fmt.Errorf("%s: %d, again and again", path, http.StatusTooManyRequests)
}

func (c *client) ask(ctx context.Context, path string) (body []byte, took time.Duration, status, wait int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.at+path, nil)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	r.Header.Set("Cookie", c.cookie)
	begin := time.Now()
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	took = time.Since(begin)
	wait, _ = strconv.Atoi(answer.Header.Get("Retry-After")) // without one it is a second
	return body, took, answer.StatusCode, wait, err
}

// sellUntil sells, one in a hundred with a wrong MAC, until the journal holds so many messages more.
func (h *host) sellUntil(ctx context.Context, c *client, sales int) (sold uint64, err error) {
	terminals, wrong := "10000", "1"
	if h.bench.quick {
		terminals, wrong = "300", "10" // a terminal's first wrong MAC comes after ten sales, where a hundred are never reached
	}
	for length := h.bench.length(2*time.Minute, 3*time.Second); sold < uint64(sales); {
		m, err := h.loadAlone(ctx, "--mix", "ecb=4,sm4=1", "--terminals", terminals, "--connections", "256", "--warmup", h.bench.warmup(), "--duration", length.String(), "--wrong-mac", wrong)
		if err != nil && !m.kept() {
			return sold, err
		}
		if m.PerSecond == 0 {
			return sold, errors.New("nothing was sold")
		}
		sold += uint64(m.PerSecond*m.Seconds) + m.Prepared
		if sold < uint64(sales) { // no longer than what is left takes
			rest := time.Duration(float64(uint64(sales)-sold) / m.PerSecond * float64(time.Second))
			length = min(length, rest.Truncate(time.Second)+2*time.Second)
		}
	}
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) { // until the projection has caught up
		body, _, err := c.get(ctx, "/api/v1/transactions?limit=1")
		if err != nil {
			return sold, err
		}
		if !strings.Contains(string(body), `"lag":`) {
			return sold, nil
		}
	}
	return sold, errors.New("the projection does not catch up")
}

// consolePages are asked for by everyPage; {terminal} and {message} are ones that exist.
var consolePages = []string{"/", "/failures", "/transactions", "/transactions?reason=mac_failed", "/transactions?outcome=approved", "/transactions?terminal={terminal}", "/transactions/{message}", "/clones",
	"/find?q={terminal}", "/find?q={terminal}+{trace}", "/find?q={part}", "/find?q=9999", "/find?q=zzzz", "/find?q=Load", "/find?q=1111+{clock}", "/find?q={digits}", "/fleet", "/fleet?q=123", "/fleet?q=1", "/fleet?q=zzzz", "/fleet/map", "/fleet/grades", "/fleet/permits", "/fleet/inspections", "/fleet/training", "/fleet/releases", "/fleet/advisories", "/fleet/campaigns", "/fleet/policy",
	"/terminals/{terminal}", "/terminals/{terminal}/repair", "/api/v1/terminals/{terminal}", "/api/v1/terminals/{terminal}/timeline", "/keys", "/keys/{terminal}", "/incidents", "/claims", "/reports", "/notices", "/laboratory", "/staff", "/staff/proposals", "/journal", "/acts", "/me"}

var assetLink = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// shown is how many different terminals and messages a page is asked for in turn: one alone would be in every cache.
const shown = 50

// subjects are refused messages with their terminals, spread over the newest thousand.
func (c *client) subjects(ctx context.Context) (list []subject, err error) {
	var page struct {
		Data []struct{ ID, Terminal, Trace string } `json:"data"`
		Next string                                 `json:"next_cursor"`
	}
	for cursor := ""; len(list) < shown; cursor = page.Next {
		body, _, err := c.get(ctx, "/api/v1/transactions?reason=mac_failed&limit=200&cursor="+cursor)
		if err != nil {
			return nil, err
		}
		page.Data, page.Next = nil, ""
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		for i, x := range page.Data {
			if i%20 == 0 && len(list) < shown {
				list = append(list, subject{message: x.ID, terminal: x.Terminal, trace: x.Trace})
			}
		}
		if page.Next == "" {
			break
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no refusal is listed: nothing was sold with a wrong MAC")
	}
	return list, nil
}

// subject is what a page may be about.
type subject struct{ message, terminal, trace string }

// hostZone is the zone that a host has unless it is told another.
var hostZone = time.FixedZone("UTC+8", 8*60*60)

// paths are the addresses of a page, one of each subject where it is about one.
func paths(page string, list []subject) (all []string) {
	if !strings.Contains(page, "{") {
		return []string{page}
	}
	for _, s := range list {
		all = append(all, strings.NewReplacer("{terminal}", s.terminal, "{message}", s.message, "{trace}", s.trace, "{part}", s.terminal[1:7], "{clock}", time.Now().In(hostZone).Format("15:04"),
			"{digits}", strings.TrimPrefix(s.message, "txn_")).Replace(page))
	}
	return all
}

func (b *bench) everyPage(ctx context.Context, c *client, asks int, over string) error {
	list, err := c.subjects(ctx)
	if err != nil {
		return err
	}
	worst, largest := time.Duration(0), 0
	var slow, big string
	for _, page := range consolePages {
		p50, p99, view, err := c.measure(ctx, paths(page, list), asks)
		if err != nil {
			b.table.add(row{what: "- " + page, figure: err.Error()})
			continue
		}
		b.table.add(row{what: "- " + page, figure: fmt.Sprintf("p50 %s, p99 %s ms; first view %d KiB", load.Milliseconds(p50), load.Milliseconds(p99), view>>10)})
		if p99 > worst {
			worst, slow = p99, page
		}
		if view > largest {
			largest, big = view, page
		}
	}
	b.table.add(row{what: "slowest page over " + over + ": p99 of the whole request, two at a time", figure: fmt.Sprintf("%s ms, %s", load.Milliseconds(worst), slow), target: "200 ms", met: judge(worst <= targetPage)})
	b.table.add(row{what: "largest first view, with sheets and scripts, not compressed", figure: fmt.Sprintf("%d KiB, %s", largest>>10, big), target: "300 KB", met: judge(largest <= targetView)})
	return nil
}

// measure asks for a page again and again, two at a time, for each of its addresses in turn. A page whose figures are being
// counted is waited for. A search that leads on to its one exact hit is timed as that.
func (c *client) measure(ctx context.Context, paths []string, asks int) (p50, p99 time.Duration, view int, err error) {
	path := paths[0]
	body, _, err := c.get(ctx, path)
	for end := time.Now().Add(2 * time.Minute); err != nil && strings.Contains(err.Error(), "503") && time.Now().Before(end); time.Sleep(time.Second) {
		body, _, err = c.get(ctx, path)
	}
	if err != nil {
		return 0, 0, 0, err
	}
	view = len(body)
	for _, m := range assetLink.FindAllSubmatch(body, -1) {
		asset, _, err := c.get(ctx, string(m[1]))
		if err != nil {
			return 0, 0, 0, err
		}
		view += len(asset)
	}
	var mu sync.Mutex
	var all []time.Duration
	var two sync.WaitGroup
	for half := range 2 {
		two.Go(func() {
			for i := range asks / 2 {
				_, took, more := c.get(ctx, paths[(2*i+half)%len(paths)])
				mu.Lock()
				all, err = append(all, took), errors.Join(err, more)
				mu.Unlock()
			}
		})
	}
	two.Wait()
	slices.Sort(all)
	return all[len(all)/2], all[(len(all)-1)*99/100], view, err
}

// openConsoles compares the host's cost of a sale with no console open and with ten, in turns, and how evenly the live
// page is told.
func (b *bench) openConsoles(ctx context.Context, h *host, c *client) error {
	length := b.length(20*time.Second, 3*time.Second).String()
	sell := func(rate int) (measured, error) {
		m, err := h.generate(ctx, "--host", h.tcp, "--host-pid", fmt.Sprint(h.cmd.Process.Pid), "--mix", "ecb=4,sm4=1", "--terminals", "10000", "--rate", fmt.Sprint(rate), "--warmup", b.warmup(), "--duration", length)
		if m.kept() {
			err = nil
		}
		return m, err
	}
	rate, smooth := consoleRate, smoothRate
	if b.quick {
		rate, smooth = 500, 500
	}
	var without, with []float64
	for turn := range 6 {
		var close func() []time.Duration
		if turn%2 == 1 {
			close = c.follow(ctx, consoles)
		}
		m, err := sell(rate)
		if err != nil {
			return err
		}
		if close == nil {
			without = append(without, m.Host)
			continue
		}
		close()
		with = append(with, m.Host)
	}
	slices.Sort(without)
	slices.Sort(with)
	lost := 100 * (with[1] - without[1]) / without[1]
	b.table.add(row{what: fmt.Sprintf("host's CPU of a sale at %s/s, no console open and %d, median of three turns", load.Thousands(uint64(rate)), consoles), figure: fmt.Sprintf("%.1f and %.1f us: %.1f %% more", without[1], with[1], lost),
		target: "5 %", met: judge(lost <= targetOpen)})
	close := c.follow(ctx, consoles)
	m, err := sell(smooth)
	gaps := close()
	if err != nil {
		return err
	}
	if len(gaps) == 0 {
		return errors.New("the live page is told nothing")
	}
	slices.Sort(gaps)
	b.table.add(row{what: fmt.Sprintf("live page at %.0f sales a second, %d open: time between two pictures", m.PerSecond, consoles), figure: fmt.Sprintf("median %s, p99 %s, longest %s ms", load.Milliseconds(gaps[len(gaps)/2]),
		load.Milliseconds(gaps[(len(gaps)-1)*99/100]), load.Milliseconds(gaps[len(gaps)-1])), target: "one a second"})
	return nil
}

// follow opens n live pages; the returned func closes them and returns the times between two pictures.
func (c *client) follow(ctx context.Context, n int) (end func() []time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var gaps []time.Duration
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.at+"/api/v1/live", nil)
			if err != nil {
				return
			}
			r.Header.Set("Cookie", c.cookie)
			r.Header.Set("Accept", "text/event-stream")
			answer, err := c.http.Do(r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			last := time.Time{}
			for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
				if !strings.HasPrefix(lines.Text(), "data:") {
					continue
				}
				if now := time.Now(); last.IsZero() {
					last = now
				} else {
					mu.Lock()
					gaps = append(gaps, now.Sub(last))
					mu.Unlock()
					last = now
				}
			}
		})
	}
	return func() []time.Duration {
		cancel()
		all.Wait()
		return gaps
	}
}
