package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/web/check"
)

// checkRig is a host with a few sample terminals, its public pages, and a clock of its own.
type checkRig struct {
	*engine
	t     *testing.T
	pages *check.Pages
	ahead time.Duration // of the host's clock
	from  int           // every request has an address of its own
	decoy []byte        // a certificate of no device
}

func newCheckRig(t *testing.T) *checkRig {
	t.Helper()
	dir, log := filepath.Join(t.TempDir(), "data"), slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, log); err != nil {
		t.Fatal(err)
	}
	r := &checkRig{t: t}
	began, steady := time.Now(), time.Now().UnixNano()
	clock := func() pos.Instant { return pos.Instant(steady + int64(time.Since(began)+r.ahead)) }
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC, acquirerID: "48021000", log: log, clock: clock,
		withoutView: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEngine(t, e) })
	r.engine = e
	records := e.seedShops()
	for _, s := range append(staffTerminals()[:20], visitors()...) {
		more, err := e.seedTerminal(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, more...)
	}
	for _, do := range []func() error{
		func() error { return e.ledger.Register(t.Context(), e.clock(), records...) },
		func() error { return e.permits.settle(t.Context()) },
		func() error { return e.seedIncidents(t.Context()) },
		func() error { return e.seedCare(t.Context()) },
		func() error { return e.permits.settle(t.Context()) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if r.decoy, err = decoyCertificate(); err != nil {
		t.Fatal(err)
	}
	if r.pages, err = e.publicPages(&publicFlags{PublicProxy: []string{"127.0.0.1"}}, "http://127.0.0.1:8081"); err != nil {
		t.Fatal(err)
	}
	return r
}

// now is the time by the host's clock.
func (r *checkRig) now() time.Time { return r.clock().Time() }

// send is one request of a customer whom nobody has seen before.
func (r *checkRig) send(path, kind string, body io.Reader) *httptest.ResponseRecorder {
	r.from++
	req := httptest.NewRequest("POST", "http://127.0.0.1:8081"+path, body)
	req.RemoteAddr = "127.0.0.1:1"
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.%d.%d", r.from>>8, r.from&255))
	req.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	r.pages.ServeHTTP(w, req)
	return w
}

// ask asks as a program does: answer and reason.
func (r *checkRig) ask(serial pos.Serial, code string) (answer, why string) {
	r.t.Helper()
	body, err := json.Marshal(map[string]string{"serial": string(serial), "code": code})
	if err != nil {
		r.t.Fatal(err)
	}
	var told struct{ Answer, Why string }
	w := r.send("/api/v1/checks", "application/json", bytes.NewReader(body))
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil {
		r.t.Fatal(w.Code, err)
	}
	return told.Answer, told.Why
}

// TestCheckPage: states by codes by clock drift over the real module, register and rooms; then a report from the page to
// the queue, and its contact deleted when its time is over.
func TestCheckPage(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	r := newCheckRig(t)
	t.Run("drift", r.drift)
	t.Run("signed", r.signed)
	t.Run("states", r.states)
	t.Run("record", r.record)
	t.Run("report", r.report)
	t.Run("time", r.time)
}

func (r *checkRig) drift(t *testing.T) {
	own, other, keyless := visitors()[0], staffTerminals()[0], visitors()[6]
	for steps := -3; steps <= 3; steps++ {
		want := "no"
		if steps >= -1 && steps <= 1 {
			want = "yes"
		}
		if got, _ := r.ask(own.serial, own.shownCode(r.now().Add(time.Duration(steps)*time.Minute))); got != want {
			t.Errorf("clock %d minutes off: %s, want %s", steps, got, want)
		}
	}
	for name, c := range map[string]struct {
		serial pos.Serial
		code   string
		want   string
	}{
		"another shop's sticker on this terminal": {other.serial, own.shownCode(r.now()), "no"},
		"this sticker on another shop's terminal": {own.serial, other.shownCode(r.now()), "no"},
		"another shop's terminal, its own code":   {other.serial, other.shownCode(r.now()), "yes"},
		"unknown number":                          {"00000304TS0099999999", own.shownCode(r.now()), "no"},
		"a device without a key":                  {keyless.serial, "00000000", "no"},
		"a device without a key, code of no key":  {keyless.serial, keyless.shownCode(r.now()), "no"},
		"no code":                                 {own.serial, "", "cannot_tell"},
	} {
		if got, _ := r.ask(c.serial, c.code); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// states: what is blocked is a no without its reason, and what nobody can say is no tick.
func (r *checkRig) states(t *testing.T) {
	own := visitors()[1]
	terminal, err1 := r.ledger.Terminal(own.id)
	device, err2 := r.ledger.Device(own.serial)
	shop, err3 := r.ledger.Merchant(own.merchant)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	for _, c := range []struct {
		name        string
		set, unset  any
		answer, why string
	}{
		{"terminal suspended", with(terminal, func(x *registry.Terminal) { x.Suspended = true }), terminal, "no", "not_to_be_used"},
		{"terminal may not sell", with(terminal, func(x *registry.Terminal) { x.Permit = registry.BlockedPermit }), terminal, "no", "not_to_be_used"},
		{"terminal may not refund", with(terminal, func(x *registry.Terminal) { x.Permit = registry.NoRefund }), terminal, "yes", "registered"},
		{"reserved for the canary", with(terminal, func(x *registry.Terminal) { x.Canary = true }), terminal, "no", "no_shop"},
		{"another device in its place", with(terminal, func(x *registry.Terminal) { x.Serial = visitors()[2].serial }), terminal, "no", "no_shop"},
		{"device suspended", with(device, func(x *registry.Device) { x.State = registry.Suspended }), device, "no", "not_to_be_used"},
		{"certificate revoked", with(device, func(x *registry.Device) { x.CertificateVoid = true }), device, "no", "not_to_be_used"},
		{"key changed", with(device, func(x *registry.Device) { x.Key = nil }), device, "no", "not_proven"},
		{"shop suspended", with(shop, func(x *registry.Merchant) { x.Suspended = true }), shop, "no", "not_to_be_used"},
		{"two devices suspected", &journal.Event{Name: proof.EventCloneSuspected, Severity: journal.Alarm, Terminal: own.id.String(), Parameters: map[string]string{proof.SuspectKeys: "yes"}},
			&journal.Event{Name: proof.EventCloneCleared, Severity: journal.Info, Terminal: own.id.String()}, "cannot_tell", "unsure"},
	} {
		r.put(c.set)
		if answer, why := r.ask(own.serial, own.shownCode(r.now())); answer != c.answer || why != c.why {
			t.Errorf("%s: %s, %s; want %s, %s", c.name, answer, why, c.answer, c.why)
		}
		if answer, why := r.ask(own.serial, "00000000"); answer != "no" || why != "not_proven" {
			t.Errorf("%s, wrong code: %s, %s", c.name, answer, why)
		}
		r.put(c.unset)
		if answer, why := r.ask(own.serial, own.shownCode(r.now())); answer != "yes" {
			t.Errorf("after %s: %s, %s", c.name, answer, why)
		}
	}
}

// with is a changed copy.
func with[T any](x *T, change func(*T)) *T {
	copied := *x
	change(&copied)
	return &copied
}

// put registers a record and lets the permits follow.
func (r *checkRig) put(record any) {
	r.t.Helper()
	if err := r.ledger.Register(r.t.Context(), r.clock(), record); err != nil {
		r.t.Fatal(err)
	}
	if err := r.permits.settle(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// record: what a number alone tells, and that it tells nothing of shop, street or use.
func (r *checkRig) record(t *testing.T) {
	d := &publicDesk{r.engine, r.module, r.decoy}
	own := visitors()[3]
	got, err := d.Record(t.Context(), own.serial)
	if err != nil || !got.Known || !got.Announced || got.Stopped || got.Retired || got.Model != own.model {
		t.Errorf("in order: %+v, %v", got, err)
	}
	if unknown, err := d.Record(t.Context(), "NOSUCH"); err != nil || unknown.Known {
		t.Errorf("unknown: %+v, %v", unknown, err)
	}
	for _, step := range []struct {
		leave            string
		stopped, retired bool
	}{{"lose", true, false}, {"repair", false, false}, {"retire", false, true}} {
		if _, err := r.changeCare(t.Context(), &careChange{Leave: &leaveChange{Step: step.leave, Serial: string(own.serial), Note: "x"}}, fleet.Who{Actors: []string{"li", "zhou"}, Proposal: "PRP-" + step.leave}); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Record(t.Context(), own.serial); err != nil || got.Stopped != step.stopped || got.Retired != step.retired || got.Lost != (step.leave == "lose") {
			t.Errorf("%s: %+v, %v", step.leave, got, err)
		}
		if answer, why := r.ask(own.serial, own.shownCode(r.now())); answer != "no" { // a retired one has no key any more
			t.Errorf("%s, before a customer: %s, %s", step.leave, answer, why)
		}
	}
}

// report: from the form into the queue of incidents by the act of the command; the state by number and code; the contact
// sealed, and gone thirty days after the answer, also where the host died between act and file.
func (r *checkRig) report(t *testing.T) {
	var picture, form bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil {
		t.Fatal(err)
	}
	m := multipart.NewWriter(&form)
	for _, f := range [][2]string{{"kind", "skimmer"}, {"serial", string(visitors()[0].serial)}, {"text", "a loose bezel"}, {"contact", "021 5555 0100"}} {
		if err := m.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("photo", "slot.jpg")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(picture.Bytes())
	_ = m.Close()
	before := r.ledger.Durable()
	w := r.send("/report", m.FormDataContentType(), &form)
	if w.Code != 200 || r.ledger.Durable() != before+1 {
		t.Fatalf("%d, %d entries: %.300s", w.Code, r.ledger.Durable()-before, w.Body)
	}
	a, err := r.incidents(&incidentQuery{Reports: true})
	if err != nil || len(a.Reports) != 1 {
		t.Fatal(a, err)
	}
	taken := a.Reports[0]
	if taken.From != "consumer" || taken.Kind != "skimmer" || len(taken.Photos) != 1 || taken.Contact == "" || taken.State != incident.Queued {
		t.Errorf("taken: %+v", taken)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, quarantineDirectory)); err != nil || len(left) != 0 {
		t.Errorf("in quarantine: %v, %v", left, err)
	}
	sealed, err := r.keptFile(taken.Contact)
	if err != nil || bytes.Contains(sealed, []byte("5555")) {
		t.Error("the contact lies open", err)
	}
	number, end, _ := strings.Cut(strings.TrimPrefix(taken.ID, "RPT-"), "-")
	state := func(code string) string {
		return r.send("/case", "application/x-www-form-urlencoded", strings.NewReader("number=RPT-"+number+"&code="+code)).Body.String()
	}
	if !strings.Contains(state(end), "nobody has looked at it yet") || !strings.Contains(state("22222222"), "no case") {
		t.Error("the state is not that of number and code")
	}
	err = r.act(t.Context(), func(rooms *rooms, now pos.Instant) ([]journal.Draft, error) {
		return incident.Dismiss(rooms.incident, taken.ID, "it was a new bezel", incident.By{Actors: []string{"chen"}}, now)
	})
	if err != nil || !strings.Contains(state(end), "it was a new bezel") {
		t.Error("the answer is not shown", err)
	}
	r.contactGoes(taken.Contact, func() string { return state(end) })
	if _, err := r.keptFile(taken.Photos[0]); err == nil {
		t.Error("the photograph of a report that was no case outlives it")
	}
}

func (r *checkRig) contactGoes(digest string, state func() string) {
	t := r.t
	there := func() bool { _, err := r.keptFile(digest); return err == nil }
	forget := func() {
		t.Helper()
		if err := r.forgetDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if forget(); !there() {
		t.Error("the contact went at once")
	}
	content, err := r.keptFile(digest)
	if err != nil {
		t.Fatal(err)
	}
	r.ahead += incident.ContactLife + time.Hour
	if forget(); there() || !strings.Contains(state(), "deleted</dd>") {
		t.Error("the contact is still there, or the page does not say that it went")
	}
	if _, err := r.keepFile(content); err != nil { // as if the host had died before the file went
		t.Fatal(err)
	}
	entries := r.ledger.Durable()
	if forget(); there() || r.ledger.Durable() != entries {
		t.Error("a file that outlived its act is not removed, or another entry was made")
	}
}

// time prints how long a wrong code takes for a number that is known and for one that is not, interleaved. The bound is
// wide, for a machine that does other things: what is meant is that neither path does work that the other leaves out.
func (r *checkRig) time(t *testing.T) {
	d := &publicDesk{r.engine, r.module, r.decoy}
	const rounds = 4000
	var took [2][]time.Duration
	for i := range 2 * rounds {
		serial := []pos.Serial{visitors()[0].serial, "00000304TS0099999999"}[i%2]
		began := time.Now()
		if right, err := d.Prove(t.Context(), serial, check.Code([]byte("00000000"))); right || err != nil {
			t.Fatal(right, err)
		}
		took[i%2] = append(took[i%2], time.Since(began))
	}
	for i := range took {
		slices.Sort(took[i])
	}
	known, unknown := took[0][rounds/2], took[1][rounds/2]
	t.Logf("wrong code, median of %d: known number %v, unknown %v; p90 %v, %v", rounds, known, unknown, took[0][rounds*9/10], took[1][rounds*9/10])
	if known > 2*unknown || unknown > 2*known {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}
