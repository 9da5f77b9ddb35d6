package check_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/explain"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/check"
)

// The world of these tests: one terminal whose code is always the same, and the one that follows it.
const (
	serial   = "00000304TS0090000001"
	code     = "12345678"
	nextCode = "87654321"
)

// world is what the host says.
type world struct {
	mu      sync.Mutex
	broken  error // of every question
	place   check.Place
	record  check.Record
	reports []check.Report
	claims  []check.Claim
	refuse  error // of reports and claims
	contact bool
	proven  int // questions that reached the module
}

func (w *world) Prove(_ context.Context, s pos.Serial, codes ...check.Code) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proven++
	if w.broken != nil {
		return false, w.broken
	}
	right := s == serial && string(codes[0][:]) == code && (len(codes) == 1 || string(codes[1][:]) == nextCode)
	return right, nil
}

// ProveSigned knows proofs by their signatures: "fresh" and "over".
func (w *world) ProveSigned(_ context.Context, s pos.Serial, p paycrypto.CheckProof) (check.Fit, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proven++
	switch {
	case w.broken != nil:
		return check.Foreign, w.broken
	case s == serial && string(p.Signature) == "fresh":
		return check.Fresh, nil
	case s == serial && string(p.Signature) == "over":
		return check.Over, nil
	}
	return check.Foreign, nil
}

// Picture is a known one by the name of 64 a's.
func (w *world) Picture(_ context.Context, name string) ([]byte, bool, error) {
	return []byte("picture"), name == strings.Repeat("a", 64), w.broken
}

func (w *world) Place(context.Context, pos.Serial) (check.Place, error) { return w.place, w.broken }

func (w *world) Record(_ context.Context, s pos.Serial) (check.Record, error) {
	if s != serial {
		return check.Record{}, w.broken
	}
	return w.record, w.broken
}

func (w *world) Advisories(_ context.Context, model string) ([]check.Advisory, error) {
	if strings.EqualFold(model, "A7") {
		return []check.Advisory{{ID: "ADV-1", Title: "weak update", EN: "an English text", ZH: "中文内容", Severity: "high"}}, w.broken
	}
	return nil, w.broken
}

func (w *world) TakesContact() bool { return w.contact }

func (w *world) Report(_ context.Context, r *check.Report) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return "", w.refuse
	}
	w.reports = append(w.reports, *r)
	return "RPT-7-7KQ2M9XD", nil
}

func (w *world) Claim(_ context.Context, c *check.Claim) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return "", w.refuse
	}
	w.claims = append(w.claims, *c)
	return "CLM-3-K3QXW7ZD2M5T", nil
}

func (w *world) ReportState(_ context.Context, n int, end string) (check.ReportState, bool) {
	return check.ReportState{Kind: "skimmer", At: start, State: "dismissed", Answer: "thank you", Contact: "kept"}, n == 7 && end == "7KQ2M9XD"
}

func (w *world) ClaimState(_ context.Context, n int, end string) (check.ClaimState, bool) {
	return check.ClaimState{At: start, Date: start, Terminal: "00000011", Last4: "3157", Amount: 8800, State: "paid",
		Paid: []check.Payment{{Amount: 8800, At: start, Reference: "000000000042"}}}, n == 3 && end == "K3QXW7ZD2M5T"
}

var start = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

type rig struct {
	*check.Pages
	*world
	t      testing.TB
	now    time.Time
	routes []web.Route
}

func newRig(t testing.TB, change ...func(*check.Options)) *rig {
	t.Helper()
	catalogue, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, now: start, world: &world{contact: true,
		place:  check.Place{Registered: true, Standing: check.Working, Shop: "Sample Tea 示例茶庄", Address: "1 Sample Road", Model: "Sample V1", Inspected: start},
		record: check.Record{Known: true, Announced: true, Maker: "Maker", Model: "Sample V1", Certificate: check.Certified, CertifiedBy: "CRT-1", Until: start.AddDate(1, 0, 0)}}}
	log := slog.New(slog.DiscardHandler)
	o := check.Options{Devices: r.world, Cases: r.world, Catalogue: catalogue, Zone: time.UTC, Clock: func() time.Time { return r.now }, Base: "https://check.example", Log: log}
	for _, f := range change {
		f(&o)
	}
	router := web.NewRouter(log)
	router.Hosts, router.Secure = []string{"check.example"}, true
	if r.Pages, err = check.New(router, o); err != nil {
		t.Fatal(err)
	}
	r.routes = router.Routes()
	return r
}

// loaded is the catalogue, read once for all tests.
var loaded = sync.OnceValues(explain.Load)

// answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

// ask sends a request from an address.
func (r *rig) ask(method, path, from string, body io.Reader, header ...string) answer {
	req := httptest.NewRequest(method, "https://check.example"+path, body)
	req.RemoteAddr = from
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	w.Header().Del("Request-Id") // random
	return answer{w.Code, w.Body.String(), w.Header()}
}

const customer = "203.0.113.5:4000"

func (r *rig) get(path string, header ...string) answer {
	return r.ask("GET", path, customer, nil, header...)
}

// post sends a form: post("/t", "serial", serial, "code", code).
func (r *rig) post(path string, pairs ...string) answer { return r.postFrom(customer, path, pairs...) }

func (r *rig) postFrom(from, path string, pairs ...string) answer {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return r.ask("POST", path, from, strings.NewReader(v.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

// upload sends the form of a report; a field "photo" is the photograph.
func (r *rig) upload(from string, pairs ...string) answer {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == "photo" {
			part, err := m.CreateFormFile("photo", "../../slot.jpg")
			if err != nil {
				r.t.Fatal(err)
			}
			_, _ = io.WriteString(part, pairs[i+1])
			continue
		}
		if err := m.WriteField(pairs[i], pairs[i+1]); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		r.t.Fatal(err)
	}
	return r.ask("POST", "/report", from, &b, "Content-Type", m.FormDataContentType())
}

// shape is which of the three answers a page shows, "" none.
func (a answer) shape() string {
	for _, s := range []string{"yes", "no", "cannot_tell"} {
		if strings.Contains(a.body, `class="answer `+s+`"`) {
			return s
		}
	}
	return ""
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")
