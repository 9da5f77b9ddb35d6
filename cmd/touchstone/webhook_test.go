package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/staff"
	"touchstone/web/api"
)

// tolerance is how old a message may be for hookReceiver, as docs/operating/webhooks.md advises.
const tolerance = 5 * time.Minute

// hookReceiver is a receiver as anybody would write it with the standard library: it knows its secret, and of us only
// the header's form.
type hookReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	secret string
	status []int // of the next answers; then 204
	got    []hookMessage
	bodies []string // as they came, with the header
	heads  []string
	bad    []string
	came   chan struct{}
}

func newHookReceiver(t *testing.T) *hookReceiver {
	r := &hookReceiver{came: make(chan struct{}, 1000)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func verifyHook(secret, header string, body []byte, now time.Time) error {
	at, sums := "", []string{}
	for _, part := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			at = value
		case "v1":
			sums = append(sums, value)
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return errors.New("too old, or from the future")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	for _, s := range sums {
		if got, err := hex.DecodeString(s); err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature is ours")
}

// ServeHTTP implements http.Handler.
func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.came <- struct{}{} }()
	if err := verifyHook(r.secret, q.Header.Get("Touchstone-Signature"), body, time.Now()); err != nil {
		r.bad = append(r.bad, err.Error())
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if len(r.status) > 0 {
		status := r.status[0]
		r.status = r.status[1:]
		w.WriteHeader(status)
		return
	}
	var m hookMessage
	if err := json.Unmarshal(body, &m); err != nil {
		r.bad = append(r.bad, err.Error())
	}
	r.got, r.bodies, r.heads = append(r.got, m), append(r.bodies, string(body)), append(r.heads, q.Header.Get("Touchstone-Signature"))
	w.WriteHeader(http.StatusNoContent)
}

func (r *hookReceiver) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// await waits until n messages came that verify.
func (r *hookReceiver) await(t *testing.T, n int) []hookMessage {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		got, bad := slices.Clone(r.got), slices.Clone(r.bad)
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.came:
		case <-late:
			t.Fatalf("%d of %d messages came; refused: %v", len(got), n, bad)
		}
	}
}

// hookBed is an engine that tells a receiver.
type hookBed struct {
	t   *testing.T
	dir string
	e   *engine
	end func()
}

func newHookBed(t *testing.T, dir string) *hookBed {
	e := careEngine(t, dir)
	e.hooks.wait = func(int) time.Duration { return 10 * time.Millisecond }
	e.hooks.guard.Patience = patience
	return &hookBed{t, dir, e, e.startHooks(t.Context())}
}

func (b *hookBed) close() {
	b.end()
	closeEngine(b.t, b.e)
}

func (b *hookBed) add(r *hookReceiver, types ...string) string {
	b.t.Helper()
	told, err := b.e.makeWebhook(b.t.Context(), &webhookChange{Name: "test", URL: r.URL + "/in", Types: types}, []string{"zhao"})
	if err != nil {
		b.t.Fatal(err)
	}
	r.set(func() { r.secret = told.Secret })
	return told.Facts["webhook"]
}

// happen writes n events to the journal and returns the number of the last entry.
func (b *hookBed) happen(n int) uint64 {
	b.t.Helper()
	for i := range n {
		if err := b.e.ledger.Register(b.t.Context(), b.e.clock(), &journal.Event{Name: eventOldPINs, Severity: journal.Warning, Parameters: map[string]string{"count": strconv.Itoa(i + 1), "title": "of 张三"}}); err != nil {
			b.t.Fatal(err)
		}
	}
	return b.e.ledger.Durable()
}

// delivered waits until n messages of an endpoint are written down as taken, which is a moment after the receiver had them.
func (b *hookBed) delivered(id string, n int) []api.WebhookDelivery {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		page, err := webhookDesk{b.e}.Deliveries(b.t.Context(), &api.WebhookInput{ID: id, Paging: api.Paging{Limit: 100}})
		if err != nil {
			b.t.Fatal(err)
		}
		taken := 0
		for i := range page.Data {
			if page.Data[i].State == hookDelivered {
				taken++
			}
		}
		if taken >= n {
			return page.Data
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d of %d deliveries: %+v", taken, n, page.Data)
		}
	}
}

func (b *hookBed) state(id string) api.Webhook {
	b.t.Helper()
	list, err := webhookDesk{b.e}.hooksAt(b.t.Context(), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, w := range list {
		if w.ID == id {
			return w
		}
	}
	b.t.Fatalf("no %s", id)
	return api.Webhook{}
}

func TestWebhookIsSignedInOrderAndSmall(t *testing.T) {
	b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
	defer b.close()
	b.happen(1) // before the endpoint was made
	id := b.add(r, "event."+eventOldPINs)
	last := b.happen(3)
	got := r.await(t, 3)
	b.delivered(id, 3)
	for i, m := range got {
		if m.Type != "event."+eventOldPINs || m.ID != fmt.Sprintf("evt_%d", last-2+uint64(i)) || m.APIVersion != "v1" || m.Data.Facts["count"] != strconv.Itoa(i+1) {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	r.set(func() {
		if len(r.bodies[0]) > 600 || strings.Contains(r.bodies[0], "张三") {
			t.Errorf("what people wrote left, or much: %s", r.bodies[0])
		}
		if err := verifyHook(r.secret, r.heads[0], []byte(r.bodies[0]+" "), time.Now()); err == nil {
			t.Error("a changed body verifies")
		}
		if err := verifyHook(r.secret, r.heads[0], []byte(r.bodies[0]), time.Now().Add(tolerance+time.Minute)); err == nil {
			t.Error("an old message verifies")
		}
		pythonVerifies(t, r.secret, r.heads[0], r.bodies[0])
	})
	page, err := webhookDesk{b.e}.Deliveries(t.Context(), &api.WebhookInput{ID: id, Paging: api.Paging{Limit: 2}})
	if err != nil || len(page.Data) != 2 || page.Next == "" || page.Data[0].State != hookDelivered || page.Data[0].Code != http.StatusNoContent || page.Data[0].Attempts != 1 {
		t.Errorf("deliveries: %+v, %v", page, err)
	}
	page, err = webhookDesk{b.e}.Deliveries(t.Context(), &api.WebhookInput{ID: id, Paging: api.Paging{Limit: 2, Cursor: page.Next}})
	if err != nil || len(page.Data) != 1 || page.Next != "" {
		t.Errorf("deliveries, second piece: %+v, %v", page, err)
	}
}

// pythonVerifies is the witness: hmac of Python, by its documentation alone.
func pythonVerifies(t *testing.T, secret, header, body string) {
	t.Helper()
	const program = `import hmac,hashlib,sys
s,h=sys.argv[1],dict(p.split("=") for p in sys.argv[2].split(","))
want=hmac.new(s.encode(),h["t"].encode()+b"."+sys.stdin.buffer.read(),hashlib.sha256).hexdigest()
sys.exit(0 if hmac.compare_digest(want,h["v1"]) else 3)`
	cmd := exec.Command("python3", "-c", program, secret, header)
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("python3: %v %s", err, out)
	}
}

func TestWebhookSecretIsNowhereInTheJournal(t *testing.T) {
	b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
	defer b.close()
	b.add(r, "event."+eventOldPINs)
	n := 0
	err := b.e.store.Blocks(t.Context(), 1, func(p journal.Block) error {
		n++
		if bytes.Contains(p.Body, []byte(r.secret)) || bytes.Contains(p.Body, []byte("whsec_")) {
			t.Error("the secret is in the journal")
		}
		return nil
	})
	if err != nil || n == 0 || len(r.secret) != 32 {
		t.Errorf("%d blocks, secret of %d, %v", n, len(r.secret), err)
	}
	var w staff.Webhook
	b.e.office.view(func(r *rooms) { w = *r.staff.Webhook("WHK-1") })
	if _, err := b.e.module.SignWebhook("https://elsewhere.example/", w.Secret, []byte("x")); err == nil {
		t.Error("the secret signs for another URL")
	}
}

func TestWebhookIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []int
		kind   string
	}{
		{"500", []int{500}, notify.HookStatus}, {"410", []int{410, 410}, notify.HookStatus}, {"a redirect", []int{302}, notify.HookRedirect},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
			defer b.close()
			r.status = c.answer
			id := b.add(r, "event."+eventOldPINs)
			b.happen(2)
			got := r.await(t, 2)
			if got[0].Data.Facts["count"] != "1" || got[1].Data.Facts["count"] != "2" {
				t.Errorf("out of order: %v", got)
			}
			if list := b.delivered(id, 2); list[len(list)-1].Attempts != len(c.answer)+1 {
				t.Errorf("deliveries: %+v", list)
			}
			b.e.hooks.mu.Lock()
			defer b.e.hooks.mu.Unlock()
			if b.e.hooks.sent[c.kind] != uint64(len(c.answer)) {
				t.Errorf("counted %v", b.e.hooks.sent)
			}
		})
	}
}

// TestWebhookOutlivesTheHost: the receiver is away, the host ends, the receiver comes back, the host starts again: nothing
// is lost. A host that dies after the receiver's answer and before it wrote that down repeats that one message.
func TestWebhookOutlivesTheHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	b, r := newHookBed(t, dir), newHookReceiver(t)
	id := b.add(r, "event."+eventOldPINs)
	var sends int
	gone := make(chan struct{})
	b.end()
	b.e.hooks.send = func(ctx context.Context, h *notify.Hook) notify.Sent {
		if sends++; sends == 3 {
			b.e.hooks.guard.Send(ctx, h) // it arrives, and that is all: the host dies here
			close(gone)
			<-ctx.Done()
			return notify.Sent{Kind: notify.HookBroken}
		}
		return b.e.hooks.guard.Send(ctx, h)
	}
	last := b.happen(5)
	b.end = b.e.startHooks(t.Context())
	<-gone
	b.close()
	r.await(t, 3)

	b = newHookBed(t, dir)
	defer b.close()
	got := r.await(t, 6)
	var ids []string
	for _, m := range got {
		ids = append(ids, m.ID)
	}
	var want []string
	for i := range uint64(5) {
		want = append(want, fmt.Sprintf("evt_%d", last-4+i))
	}
	want = slices.Insert(want, 3, want[2])
	if !slices.Equal(ids, want) {
		t.Errorf("told %v, want %v: the third twice", ids, want)
	}
	if _, err := b.e.replayWebhook(t.Context(), &webhookReplay{ID: id, First: want[1], Last: want[4]}, []string{"zhao"}); err != nil {
		t.Fatal(err)
	}
	got = r.await(t, 6+3)[6:]
	if len(got) != 3 || got[0].ID != want[1] || got[2].ID != want[4] {
		t.Errorf("replayed %v", got)
	}
}

func TestWebhookRotation(t *testing.T) {
	b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
	defer b.close()
	id := b.add(r, "event."+eventOldPINs)
	told, err := b.e.rotateWebhook(t.Context(), &webhookRotation{ID: id, Hours: 1}, []string{"zhao"})
	if err != nil || told.Secret == r.secret {
		t.Fatalf("rotation: %v", err)
	}
	b.happen(1)
	r.await(t, 1) // under the former secret
	r.set(func() {
		if strings.Count(r.heads[0], "v1=") != 2 || verifyHook(told.Secret, r.heads[0], []byte(r.bodies[0]), time.Now()) != nil {
			t.Errorf("want both signatures: %s", r.heads[0])
		}
	})
	if told, err = b.e.rotateWebhook(t.Context(), &webhookRotation{ID: id}, []string{"zhao"}); err != nil {
		t.Fatal(err)
	}
	r.set(func() { r.secret = told.Secret })
	b.happen(1)
	r.await(t, 2)
	r.set(func() {
		if strings.Count(r.heads[1], "v1=") != 1 {
			t.Errorf("the former secret still signs: %s", r.heads[1])
		}
	})
}

func TestWebhookIsGivenUpAndGoesOn(t *testing.T) {
	b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
	defer func() { b.close() }()
	b.end()
	id := b.add(r, "event."+eventOldPINs)
	b.happen(1)
	file, err := b.e.hooks.file.open(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	w := b.state(id)
	if err := file.Save(t.Context(), id, &sqlite.WebhookPosition{Done: w.Told, Tries: 80, Since: time.Now().Add(-staff.WebhookPatience)}, nil); err != nil {
		t.Fatal(err)
	}
	r.status = []int{503}
	b.end = b.e.startHooks(t.Context())
	for w = b.state(id); w.State != "disabled"; w = b.state(id) {
		if t.Context().Err() != nil {
			t.Fatal("not given up")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if w.Ended != staff.WebhookGivenUp {
		t.Errorf("disabled by %q", w.Ended)
	}
	if _, err := b.e.replayWebhook(t.Context(), &webhookReplay{ID: id, First: "evt_1"}, []string{"zhao"}); !errors.Is(err, staff.ErrWebhook) {
		t.Errorf("replay to a disabled endpoint: %v", err)
	}
	told := false
	for end := time.Now().Add(patience); !told && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		list, err := b.e.store.Events(t.Context(), 0, 50)
		if err != nil {
			t.Fatal(err)
		}
		told = slices.ContainsFunc(list, func(e sqlite.StoredEvent) bool {
			return e.Name == staff.EventWebhookDisabled && e.Parameters["webhook"] == id
		})
	}
	if !told {
		t.Error("nobody is told that an endpoint was given up")
	}
	if _, err := b.e.setWebhook(t.Context(), &webhookState{ID: id, Enable: true}, []string{"zhao"}); err != nil {
		t.Fatal(err)
	}
	r.await(t, 1)
}

func TestWebhookGoesNowhereInside(t *testing.T) {
	r := newHookReceiver(t)
	port := r.URL[strings.LastIndex(r.URL, ":"):]
	open := notify.Guard{}
	for _, c := range []struct {
		name, url string
		guard     notify.Guard
		refused   bool // at once, by its text
	}{
		{"loopback", "https://127.0.0.1" + port, open, true}, {"IPv6 loopback", "https://[::1]" + port, open, true}, {"mapped loopback", "https://[::ffff:127.0.0.1]" + port, open, true},
		{"private", "https://10.1.2.3/", open, true}, {"carriers' space", "https://100.64.1.1/", open, true}, {"metadata of a cloud", "https://169.254.169.254/latest/", open, true},
		{"NAT64 of a private one", "https://[64:ff9b::a01:203]/", open, true}, {"unique local", "https://[fd00::1]/", open, true}, {"this network", "https://0.0.0.0/", open, true},
		{"a name of loopback", "https://localhost" + port, open, false}, {"no TLS", "http://example.com/", open, true}, {"no TLS, in a test directory", "http://example.com/", notify.Guard{Loopback: true}, true},
		{"a password", "https://a:b@example.com/", open, true}, {"a fragment", "https://example.com/#x", open, true}, {"a file", "file:///etc/passwd", open, true},
		{"private, in a test directory", "https://192.168.1.1/", notify.Guard{Loopback: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.guard.URL(c.url); (err != nil) != c.refused {
				t.Errorf("the text: %v", err)
			}
			if got := c.guard.Send(t.Context(), &notify.Hook{URL: c.url, ID: "evt_1", Body: []byte("{}")}); got.Kind != notify.HookRefusedAddress {
				t.Errorf("dialled: %+v", got)
			}
		})
	}
	if len(r.bad)+len(r.got) != 0 {
		t.Error("a request came through")
	}
}

func TestWebhookKinds(t *testing.T) {
	now := pos.Instant(1764300000e9)
	act := func(k journal.Kind, verb, noun, id string) journal.Entry {
		body, err := json.Marshal(&journal.Act{Verb: verb, Actors: []string{"zhao"}, Changes: []journal.Change{{Noun: noun, ID: id, Record: json.RawMessage(`{"secret":"张三"}`)}}})
		if err != nil {
			t.Fatal(err)
		}
		return journal.Entry{Seq: 7, At: now, Kind: k, Body: body}
	}
	for _, c := range []struct {
		entry journal.Entry
		want  string
		url   string
	}{
		{act(journal.KindIncident, "incident_opened", "incident", "INC-1"), "incident.opened", "/api/v1/incidents/INC-1"},
		{act(journal.KindIncident, "incident_noted", "incident", "INC-1"), "incident.changed", "/api/v1/incidents/INC-1"},
		{act(journal.KindIncident, "incident_closed", "incident", "INC-1"), "incident.closed", "/api/v1/incidents/INC-1"},
		{act(journal.KindRedress, "claim_approved", "claim", "CLM-1"), "claim.decided", "/api/v1/claims/CLM-1"},
		{act(journal.KindRedress, "payment_noted", "claim", "CLM-1"), "claim.paid", "/api/v1/claims/CLM-1"},
		{act(journal.KindRedress, "claim_made", "claim", "CLM-1"), "", ""},
		{act(journal.KindStaff, "proposed", "proposal", "PRP-1"), "proposal.made", "/api/v1/proposals/PRP-1"},
		{act(journal.KindStaff, "proposal_rejected", "proposal", "PRP-1"), "proposal.decided", "/api/v1/proposals/PRP-1"},
		{act(journal.KindStaff, "account_changed", "account", "zhao"), "", ""},
		{act(journal.KindFleet, "advisory_added", "advisory", "ADV-1"), "advisory.changed", "/api/v1/advisories/ADV-1"},
		{act(journal.KindFleet, "campaign_started", "campaign", "CMP-1"), "campaign.changed", "/api/v1/campaigns/CMP-1"},
		{act(journal.KindLab, "run_started", "run", "RUN-1"), "", ""},
	} {
		m, ok := hookOf(c.entry)
		body, _ := json.Marshal(m)
		if ok != (c.want != "") || ok && (m.Type != c.want || m.Data.URL != c.url || m.ID != "evt_7") || strings.Contains(string(body), "张三") || strings.Contains(string(body), "zhao") {
			t.Errorf("%s: %s", c.want, body)
		}
	}
}
