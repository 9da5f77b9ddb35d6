package browser

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// walker asks for pages as a program would, without a browser: it reads the text of every page that links lead to.
type walker struct {
	t      *testing.T
	client *http.Client
	base   string // http://127.0.0.1:PORT
	lang   string // en or zh
	most   int    // of one shape: pages of a list are alike

	queue  []string
	known  map[string]bool // paths that were queued
	shapes map[string]int  // pages looked at, by shape
}

func newWalker(t *testing.T, base, lang string, most int) *walker {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &walker{t: t, client: &http.Client{Jar: jar}, base: base, lang: lang, most: most, known: map[string]bool{}, shapes: map[string]int{}}
}

// ask makes one request; the caller closes the body.
func (k *walker) ask(method, path string, form url.Values) *http.Response {
	k.t.Helper()
	req, err := http.NewRequest(method, k.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", map[string]string{"en": "en-GB,en", "zh": "zh-CN,zh"}[k.lang])
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", k.base)
	}
	got, err := k.client.Do(req)
	if err != nil {
		k.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

// signIn lets somebody in whose passphrase is published.
func (k *walker) signIn(data, account string) {
	k.t.Helper()
	pass, err := os.ReadFile(filepath.Join(data, "staff", account+".pass"))
	if err != nil {
		k.t.Fatal(err)
	}
	got := k.ask(http.MethodPost, "/sign-in", url.Values{"account": {account}, "passphrase": {strings.TrimSpace(string(pass))}})
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK || got.Request.URL.Path == "/sign-in" {
		k.t.Fatalf("%s is not let in: %s at %s", account, got.Status, got.Request.URL)
	}
}

// an id within a path: a number of ours, of the standard's, a hash.
var idInPath = regexp.MustCompile(`/(?:txn|key)_[^/?]+|/(?:accounts|transcripts|operations|clones|keys|explain)/[^/?]+|/[A-Z]{2,4}-[0-9]+[^/?]*|/[0-9]+[^/?]*|/[0-9a-f]{32,}|/Sample[^/?]*|/TS[0-9A-Z-]+`)

// shape is an address without what tells pages of one template apart.
func shape(path string) string {
	p, q, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(q)
	if err != nil {
		return p
	}
	q = ""
	for _, key := range [...]string{"op", "tab", "kind"} { // each is a page of its own; other filters show the same page again
		if v := values.Get(key); v != "" {
			q += key + "=" + v
		}
	}
	return idInPath.ReplaceAllString(p, "/*") + "?" + q
}

// notWalked are addresses that do something, stream, or hand out a file.
var notWalked = regexp.MustCompile(`^/(assets|enter|sign-out|api|files|terms)/|^/sign-out|\.(csv|json|pdf|png|svg|txt)$`)

// add queues a local address.
func (k *walker) add(href string) {
	u, err := url.Parse(href)
	if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") || notWalked.MatchString(u.Path) {
		return
	}
	q := u.Query()
	q.Del("lang")
	u.RawQuery, u.Fragment = q.Encode(), ""
	if path := u.String(); !k.known[path] {
		k.known[path] = true
		k.queue = append(k.queue, path)
	}
}

// mostPages is more than there are, of every shape.
const mostPages = 600

// walk looks at every page that the first ones lead to; see is told each text of each.
func (k *walker) walk(first []string, see func(path, text string)) int {
	k.t.Helper()
	for _, path := range first {
		k.add(path)
	}
	looked := 0
	for len(k.queue) > 0 && looked < mostPages {
		path := k.queue[0]
		k.queue = k.queue[1:]
		if s := shape(path); k.shapes[s] >= k.most {
			continue
		} else {
			k.shapes[s]++
		}
		looked++
		k.page(path, see)
	}
	return looked
}

func (k *walker) page(path string, see func(path, text string)) {
	k.t.Helper()
	got := k.ask(http.MethodGet, path, nil)
	for end := time.Now().Add(patience); got.StatusCode == http.StatusServiceUnavailable && time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // it says that it is being counted
		got.Body.Close()
		got = k.ask(http.MethodGet, path, nil)
	}
	defer got.Body.Close()
	if got.StatusCode >= 500 {
		k.t.Errorf("%s: %s", path, got.Status)
	}
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		_, _ = io.Copy(io.Discard, io.LimitReader(got.Body, 1<<20))
		return
	}
	tree, err := html.Parse(got.Body)
	if err != nil {
		k.t.Errorf("%s: %v", path, err)
		return
	}
	k.read(tree, path, see)
}

// read goes through one element: links are queued, texts are seen.
func (k *walker) read(n *html.Node, path string, see func(path, text string)) {
	if n.Type == html.TextNode {
		if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
			see(path, text)
		}
	}
	if n.Type == html.ElementNode {
		if n.Data == "script" || n.Data == "style" || n.Data == "noscript" || n.Data == "textarea" {
			return // what a program reads, and what a person would write
		}
		for _, a := range n.Attr {
			switch a.Key {
			case "href":
				k.add(a.Val)
			case "title", "alt", "placeholder", "aria-label", "label":
				see(path, a.Val)
			}
		}
		if n.Data != "html" && foreign(n, k.lang) || n.Data == "code" || n.Data == "pre" || n.Data == "kbd" {
			see = func(string, string) {} // said to be of another language, or what a machine says
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		k.read(c, path, see)
	}
}

// foreign says whether an element is marked as of another language, or as not to be translated.
func foreign(n *html.Node, lang string) bool {
	for _, a := range n.Attr {
		if a.Key == "lang" && !strings.HasPrefix(a.Val, lang) || a.Key == "translate" && a.Val == "no" {
			return true
		}
	}
	return false
}

// allowed are the Latin words of a Chinese page. Each is a name that has no Chinese one in the trade, or what somebody
// wrote; a common English word does not belong here.
var allowed = map[string]string{
	"this program, and names in its data": `touchstone|Touchstone|Sample|setup|consumer-desk|central-bank-branch|sample-bank|shop-tea|duty|public-notice|visitor|Visitor|English|standard|demonstration|chen|feng|li|qian|sun|wang|wu|zhao|zheng|zhou|cashier`,
	"abbreviations of the trade":          `[A-Z][A-Z0-9]{1,8}|[A-Z]-[0-9]+|KCVs?|SIM|MAC|PIN|ms|km|hw|txn|vers|ecb|PoS|pcap|vCPU|CycloneDX|WebP|UnionPay|EMVCo|PTS|POI|UTVT|UPTS|TUF|Argon|MiB|KiB|Ed|Excel|Python|ClientHello|event|in-toto|toto|base|age|tcp|smtp|file|any|json|csv|osv|csaf|Cookie`,
	"networks, schemes and documents":     `Mastercard|Visa|Account|Data|Compromise|User|Guide|What|To|Do|If|Compromised|processor|guide|preliminary|report|template|Regulation|firmware|licence|security|scheme|Std|Secure|Software|Program|Domain|Req|Annex|part|Appendix|FAQ|Jun|only|or|higher|approval|listing|expiry|device-security|keys|bit|effective|strength|PCI|POS|ECharts|Apache|world-atlas|world|atlas|Laboratory|Maker|Acquirer|Asia|Shanghai|Chrome|on|Linux|Go-http-client|Ok|kept|as|written|to|sample`,
}

// parts of a text that are data or names of things, whatever letters they have: addresses, ids, digests, versions,
// events and commands, people's names in both writings, shops, quoted file names.
var notWords = regexp.MustCompile(`https?://\S+|rule:[a-z-]+|touchstone( [a-z-]+| --[a-z]+ \p{Han}+)+|\S*[0-9_@/]\S*|[a-z]+(\.[a-z_]+)+|\p{Han}{2,4} [A-Z][a-z]+ [A-Z][a-z]+|Sample [A-Z][a-z]+|\([a-z_]+\)|\S+\.(pdf|csv|txt|witness)|"[^"]*"|“[a-z]+”|(contain|cac|pboc|visa|mastercard|pfi|mac|old|package|pts|serial|server|signature|unionpay|sbom|secrets|location|replay)(-[a-z]+)*`)

// saidBySomebody are the sentences that people of the demonstration wrote, in the language that they wrote in.
var saidBySomebody = regexp.MustCompile(`I did not know that|My card was refused|The rim of the card slot|the trouble of a new card|made up for the demonstration|the receipt buffer keeps|New Here|reference scanner|kept as|written to|Incident INC|incident INC|Report of a security|Exposed cards`)

var latin = regexp.MustCompile(`[A-Za-z][A-Za-z'’-]*[A-Za-z]`)

// strange are the words of a text that are of the other language.
func strange(lang, text string, known *regexp.Regexp) (words []string) {
	if saidBySomebody.MatchString(text) {
		return nil
	}
	if lang == "en" {
		return han.FindAllString(hanNames.ReplaceAllString(text, ""), -1)
	}
	for _, w := range latin.FindAllString(notWords.ReplaceAllString(text, " "), -1) {
		if !known.MatchString(w) {
			words = append(words, w)
		}
	}
	return words
}

var (
	han = regexp.MustCompile(`\p{Han}+`)
	// Chinese on an English page: the brand, people's and shops' names in both writings, addresses, standards by their
	// Chinese names, and what a code's published text says.
	hanNames = regexp.MustCompile(`试金石|\p{Han}{2,4} [A-Z][a-z]+( [A-Z][a-z]+)?|(Sample [A-Z][A-Za-z]+( Laboratory)? |Sample POS Laboratory )\p{Han}+|示例\p{Han}+ ?[0-9]* ?号?|银\p{Han}+〔[0-9]+〕[0-9]+号( 一\(一\)\S*)?|银联\p{Han}*( UPTS [0-9.]+)?( \(\p{Han}+\))?|JR/T \S+ \p{Han}+MAC|报文MAC|UPTS \p{Han}+|\(?(一机一户|移机)\)?|中文|签到|请重新签到|\p{Han}+, (事件 )?INC-[0-9]+ /|\p{Han}+, (事件 )?INC-[0-9]+`)
)

// oneLanguage walks through the console as a person of every role sees it, and the public pages, and reads them: a page
// is in its language but for names.
func oneLanguage(t *testing.T, d *demo, _ *chrome, _, _ *window, _ *shop) {
	list := make([]string, 0, len(allowed))
	for _, words := range allowed {
		list = append(list, words)
	}
	known := regexp.MustCompile(`^(?:` + strings.Join(list, "|") + `)$`)
	wrong := []string{"/nothing-of-the-kind", "/terminals/99999999", "/transactions/txn_999999999", "/incidents/INC-999", "/transactions?from=yesterday", "/fleet?due_before=soon"}
	for _, lang := range []string{"zh", "en"} {
		for _, base := range []string{d.console, d.public} {
			k := newWalker(t, base, lang, 2)
			first := append([]string{"/"}, wrong[:1]...)
			least := 8
			if base == d.console {
				k.signIn(d.data, "visitor")
				for _, p := range pages {
					first = append(first, p.path)
				}
				first, least = append(first, wrong...), 80
			}
			told := map[string]bool{}
			n := k.walk(first, func(path, text string) {
				words := strange(lang, text, known)
				if key := strings.Join(words, " "); len(words) > 0 && !told[key] && !strings.HasPrefix(path, "/docs") && !rawEntry.MatchString(path) {
					told[key] = true
					t.Errorf("%s, %s: %q has %q", lang, path, text[:min(len(text), 300)], words)
				}
			})
			if n < least {
				t.Errorf("%s: only %d pages were looked at", base, n)
			}
		}
	}
}

// rawEntry is an entry of the journal, whose bytes its page shows.
var rawEntry = regexp.MustCompile(`^/journal/[0-9]+`)
