package main

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// realHouse is a data directory with keys of its own as far as people are concerned: nobody has an account yet, and a
// second factor is demanded.
func realHouse(t *testing.T) *peopleHouse {
	t.Helper()
	h := newEmptyHouse(t)
	h.test = false
	return h
}

var shownSecret = regexp.MustCompile(`class="secret">([A-Z2-7 ]+)<`)

// codeAt is what the person's app shows at a moment.
func codeAt(t *testing.T, secret string, at pos.Instant) string {
	t.Helper()
	code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), at.Time())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrol goes through the page that sets up a second factor, and returns its secret and the recovery codes.
func (b *browser) enrol(now pos.Instant) (secret string, recovery []string) {
	b.t.Helper()
	page := b.get("/sign-in/second").Body.String()
	found := shownSecret.FindStringSubmatch(page)
	if found == nil || !strings.Contains(page, "data:image/png;base64,") {
		b.t.Fatalf("no secret and no picture of it: %s", page)
	}
	secret = found[1]
	done := b.post("/sign-in/second", url.Values{"code": {codeAt(b.t, secret, now)}})
	for _, m := range regexp.MustCompile(`<li><code>([A-Z2-7-]+)</code>`).FindAllStringSubmatch(done.Body.String(), -1) {
		recovery = append(recovery, m[1])
	}
	if done.Code != http.StatusOK || len(recovery) != staff.RecoveryCodes {
		b.t.Fatalf("enrolled: %d, %d recovery codes", done.Code, len(recovery))
	}
	return secret, recovery
}

const goodPassphrase = "a pelican mends gaskets at noon"

// firstAdministrator goes through the link of a start.
func firstAdministrator(t *testing.T, h *peopleHouse, router http.Handler, link string) (b *browser, secret string, recovery []string) {
	t.Helper()
	b = newBrowser(t, router)
	got := b.post(link, url.Values{"account": {"zhao"}, "full_name": {"赵敏 Zhao Min"}, "person": {"E-1001"}, "organisation": {"Sample Acquirer"},
		"fresh": {goodPassphrase}, "again": {goodPassphrase}})
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/sign-in/second" {
		t.Fatalf("the first administrator: %d %q %s", got.Code, got.Header().Get("Location"), got.Body)
	}
	secret, recovery = b.enrol(h.clock())
	return b, secret, recovery
}

// TestFirstAdministrator: the link of the first start makes one administrator, once, within an hour, with a passphrase
// that may be taken and a second factor; looking at it uses nothing up.
func TestFirstAdministrator(t *testing.T) {
	h := realHouse(t)
	router := h.console()
	link := h.openLink()
	if !strings.HasPrefix(link, "/setup/") || len(link) < len("/setup/")+26 {
		t.Fatalf("the link: %q", link)
	}
	b := newBrowser(t, router)
	for range 3 {
		if got := b.get(link); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "The first administrator") {
			t.Fatalf("looking at it: %d", got.Code)
		}
	}
	form := func(change ...string) url.Values {
		v := url.Values{"account": {"zhao"}, "full_name": {"Zhao"}, "person": {"E-1"}, "organisation": {"A"}, "fresh": {goodPassphrase}, "again": {goodPassphrase}}
		for i := 0; i < len(change); i += 2 {
			v.Set(change[i], change[i+1])
		}
		return v
	}
	for name, bad := range map[string]url.Values{
		"a short passphrase": form("fresh", "fourteen chars", "again", "fourteen chars"), "a common one": form("fresh", "liverpool chelsea", "again", "liverpool chelsea"),
		"two that differ": form("again", goodPassphrase+"!"), "no name": form("account", "z"), "capitals": form("account", "Zhao"), "no person": form("person", ""),
	} {
		if got := b.post(link, bad); got.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	for _, wrong := range []string{"/setup/", link[:len(link)-1], link + "A", "/setup/" + strings.Repeat("A", 26)} {
		if got := b.post(wrong, form()); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", wrong, got.Code)
		}
	}
	admin, secret, _ := firstAdministrator(t, h, router, link)
	if got := admin.get("/staff"); got.Code != http.StatusOK {
		t.Errorf("signed in: %d", got.Code)
	}
	if got := b.post(link, form("account", "other")); got.Code != http.StatusNotFound {
		t.Errorf("a second time: %d", got.Code)
	}
	if next := h.openLink(); next != "" {
		t.Errorf("with an administrator there is another link: %q", next)
	}
	h.eachAct(func(a journal.Act) {
		for _, c := range a.Changes {
			if strings.Contains(string(c.Record), strings.ReplaceAll(secret, " ", "")) || strings.Contains(string(c.Record), link[len("/setup/"):]) {
				t.Errorf("%s has a secret in clear", a.Verb)
			}
		}
	})
	late := realHouse(t)
	link = late.openLink()
	late.door.first.until = time.Now().Add(-time.Second)
	if got := newBrowser(t, late.console()).post(link, form()); got.Code != http.StatusNotFound {
		t.Errorf("after an hour: %d", got.Code)
	}
}

// TestSecondFactor: an enrolled account needs a code beside its passphrase; each is taken once, also after a start; a
// recovery code once; two administrators, not one, reset it, which ends its sessions.
func TestSecondFactor(t *testing.T) {
	h := realHouse(t)
	router := h.console()
	first, secret, recovery := firstAdministrator(t, h, router, h.openLink())
	used := codeAt(t, secret, h.clock())
	passphrase := func(router http.Handler) *browser {
		b := newBrowser(t, router)
		if got := b.signIn("zhao", goodPassphrase); got.Header().Get("Location") != "/sign-in/code" {
			t.Fatalf("passphrase: %d %q", got.Code, got.Header().Get("Location"))
		}
		if got := b.get("/staff"); got.Code != http.StatusSeeOther {
			t.Fatalf("a passphrase alone opens the console: %d", got.Code)
		}
		return b
	}
	give := func(b *browser, code string) int { return b.post("/sign-in/code", url.Values{"code": {code}}).Code }
	b := passphrase(router)
	if got := give(b, used); got != http.StatusUnauthorized {
		t.Errorf("the code of the enrolment again: %d", got)
	}
	h.now.Add(int64(30 * time.Second))
	code := codeAt(t, secret, h.clock())
	if got := give(b, code); got != http.StatusSeeOther || b.get("/staff").Code != http.StatusOK {
		t.Errorf("the next code: %d", got)
	}
	h.reopen()
	h.test = false
	router = h.console()
	b = passphrase(router)
	if got := give(b, code); got != http.StatusUnauthorized {
		t.Errorf("a code of before the start again: %d", got)
	}
	if got := give(b, strings.ToLower(recovery[3])); got != http.StatusSeeOther {
		t.Errorf("a recovery code: %d", got)
	}
	if got := give(passphrase(router), recovery[3]); got != http.StatusUnauthorized {
		t.Errorf("the same again: %d", got)
	}
	h.now.Add(int64(30 * time.Second))
	in := b.post("/sign-in", url.Values{"account": {"zhao"}, "passphrase": {goodPassphrase}, "code": {codeAt(t, secret, h.clock())}})
	if in.Header().Get("Location") != "/" {
		t.Errorf("passphrase and code at once: %d %q", in.Code, in.Header().Get("Location"))
	}
	first = b
	if got := first.post("/staff/accounts/zhao", url.Values{"do": {"second"}}); !strings.Contains(got.Header().Get("Location"), "proposed=PRP-1") {
		t.Fatalf("a reset is proposed: %d %q", got.Code, got.Header().Get("Location"))
	}
	if got := first.post("/staff/proposals/PRP-1", url.Values{"do": {"approve"}}); got.Code != http.StatusForbidden {
		t.Errorf("the same person approves: %d", got.Code)
	}
	other := invited(t, h, first, router)
	if got := other.post("/staff/proposals/PRP-1", url.Values{"do": {"approve"}}); got.Code != http.StatusSeeOther {
		t.Errorf("another administrator approves: %d %s", got.Code, got.Body)
	}
	if got := first.get("/staff"); got.Code != http.StatusSeeOther {
		t.Errorf("a session of before the reset: %d", got.Code)
	}
	if got := newBrowser(t, router).signIn("zhao", goodPassphrase); got.Header().Get("Location") != "/sign-in/second" {
		t.Errorf("after the reset another is enrolled: %q", got.Header().Get("Location"))
	}
}

// invited makes an administrator's account by invitation, and takes it up.
func invited(t *testing.T, h *peopleHouse, by *browser, router http.Handler) *browser {
	t.Helper()
	made := by.post("/staff/new", url.Values{"account": {"qian"}, "full_name": {"钱进"}, "person": {"E-1002"}, "organisation": {"Sample Acquirer"}, "role": {"administrator"}})
	found := regexp.MustCompile(`id="link">http://127.0.0.1(/setup/[A-Z2-7]+)<`).FindStringSubmatch(html.UnescapeString(made.Body.String()))
	if found == nil {
		t.Fatalf("no invitation: %d %s", made.Code, made.Body)
	}
	b := newBrowser(t, router)
	const passphrase = "eleven otters weigh a comet"
	if got := b.signIn("qian", passphrase); got.Code != http.StatusUnauthorized {
		t.Errorf("before it is taken up: %d", got.Code)
	}
	if got := b.get(found[1]); got.Code != http.StatusOK {
		t.Fatalf("the invitation: %d", got.Code)
	}
	form := url.Values{"fresh": {passphrase}, "again": {passphrase}, "account": {"zhao"}, "role": {"security"}}
	if got := b.post(found[1], form); got.Header().Get("Location") != "/sign-in/second" {
		t.Fatalf("taken up: %d %s", got.Code, got.Body)
	}
	b.enrol(h.clock())
	if got := newBrowser(t, router).post(found[1], form); got.Code != http.StatusNotFound {
		t.Errorf("the invitation again: %d", got.Code)
	}
	return b
}

// TestRotation: where a policy ends passphrases by age, an old one lets its person in to change it and no further; without
// one, none is too old.
func TestRotation(t *testing.T) {
	h := newStaffHouse(t)
	router := h.console()
	h.now.Add(int64(400 * 24 * time.Hour))
	signInAs(t, router, "qian")
	h.passphraseLife = 90 * 24 * time.Hour
	b := newBrowser(t, router)
	if got := b.signIn("qian", "published passphrase of qian"); got.Header().Get("Location") != "/sign-in/passphrase" {
		t.Fatalf("an old one: %d %q", got.Code, got.Header().Get("Location"))
	}
	if got := b.get("/"); got.Code != http.StatusSeeOther {
		t.Errorf("before it is changed: %d", got.Code)
	}
	renew := func(fresh string) int {
		return b.post("/sign-in/passphrase", url.Values{"fresh": {fresh}, "again": {fresh}}).Code
	}
	if got := renew("published passphrase of qian"); got != http.StatusUnprocessableEntity {
		t.Errorf("the same again: %d", got)
	}
	if got := renew(goodPassphrase); got != http.StatusSeeOther || b.get("/").Code != http.StatusOK {
		t.Errorf("a new one: %d", got)
	}
}

// TestVisitor: the demonstration's link signs in once by a press, not by a look; the visitor is one person, and another
// is needed beside.
func TestVisitor(t *testing.T) {
	h := newStaffHouse(t)
	router := h.console()
	link := h.openLink()
	b := newBrowser(t, router)
	for range 2 {
		if got := b.get(link); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "published passphrase of wang") || b.cookies[web.SessionCookie] != "" {
			t.Fatalf("a look: %d", got.Code)
		}
	}
	if got := b.post(link, url.Values{}); got.Code != http.StatusSeeOther || b.get("/staff").Code != http.StatusOK {
		t.Fatalf("the press: %d", got.Code)
	}
	if got := newBrowser(t, router).post(link, url.Values{}); got.Code != http.StatusNotFound {
		t.Errorf("again: %d", got.Code)
	}
	signInAs(t, router, "visitor")
	h.test = false
	if got := newBrowser(t, router).post(h.door.visitLink(), url.Values{}); got.Code != http.StatusNotFound {
		t.Errorf("into a data directory with keys of its own: %d", got.Code)
	}
}

func (d *door) visitLink() string { return visitPath + d.visit.make(time.Now()) }

// TestOwnAccount: one's own page keeps language and appearance, lists sessions and ends them, and changes the passphrase.
func TestOwnAccount(t *testing.T) {
	h := newStaffHouse(t)
	router := h.console()
	a, b := signInAs(t, router, "qian"), signInAs(t, router, "qian")
	if got := a.post("/me/preferences", url.Values{"lang": {"zh"}, "theme": {"dark"}}); got.Code != http.StatusSeeOther {
		t.Fatalf("preferences: %d", got.Code)
	}
	if page := b.get("/me").Body.String(); !strings.Contains(page, `<html lang="zh-CN" data-theme="dark"`) {
		t.Error("language and appearance are not those of the account")
	}
	if got := a.post("/me/preferences", url.Values{"lang": {"fr"}}); got.Code != http.StatusBadRequest {
		t.Errorf("another language: %d", got.Code)
	}
	list := h.door.sessions.List("qian")
	if len(list) != 2 || list[0].Browser != "Firefox on Linux" || list[0].Address != "127.0.0.1" {
		t.Fatalf("sessions: %+v", list)
	}
	other := signInAs(t, router, "sun")
	other.post("/me/sessions", url.Values{"id": {list[0].ID}})
	if got := h.door.sessions.List("qian"); len(got) != 2 {
		t.Error("another person ended a session")
	}
	a.post("/me/sessions", url.Values{})
	if a.get("/me").Code != http.StatusOK || b.get("/me").Code != http.StatusSeeOther {
		t.Error("ending the others ended not the others")
	}
	b = signInAs(t, router, "qian")
	change := url.Values{"passphrase": {"published passphrase of qian"}, "fresh": {goodPassphrase}, "again": {goodPassphrase}}
	if got := a.post("/me/passphrase", url.Values{"passphrase": {"wrong"}, "fresh": {goodPassphrase}, "again": {goodPassphrase}}); got.Code != http.StatusUnauthorized {
		t.Errorf("changed without the present one: %d", got.Code)
	}
	if got := a.post("/me/passphrase", change); got.Code != http.StatusSeeOther || a.get("/me").Code != http.StatusOK {
		t.Errorf("changed: %d", got.Code)
	}
	if b.get("/me").Code != http.StatusSeeOther {
		t.Error("another session outlives the change")
	}
	if got := newBrowser(t, router).signIn("qian", goodPassphrase); got.Code != http.StatusSeeOther {
		t.Errorf("the new one: %d", got.Code)
	}
}

// TestStaffPages: everybody of the staff sees accounts and proposals, an administrator changes them, a shop's people see
// nothing of it, and no hash leaves.
func TestStaffPages(t *testing.T) {
	h := newStaffHouse(t)
	router := h.console()
	h.addMerchantAccount("shop1")
	admin, auditor, shop := signInAs(t, router, "zhao"), signInAs(t, router, "feng"), signInAs(t, router, "shop1")
	for _, path := range []string{"/staff", "/staff?q=qian&role=security&state=active&flag=untrained", "/staff/accounts/qian", "/staff/proposals", "/staff/proposals?state="} {
		if got := auditor.get(path); got.Code != http.StatusOK {
			t.Errorf("auditor, %s: %d", path, got.Code)
		}
		if got := shop.get(path); got.Code != http.StatusForbidden {
			t.Errorf("a shop, %s: %d", path, got.Code)
		}
	}
	if got := auditor.post("/staff/accounts/qian", url.Values{"do": {"leave"}}); got.Code != http.StatusForbidden {
		t.Errorf("an auditor changes: %d", got.Code)
	}
	if got := admin.get("/staff/accounts/nobody"); got.Code != http.StatusNotFound {
		t.Errorf("nobody's: %d", got.Code)
	}
	changed := url.Values{"do": {"changed"}, "full_name": {"钱进"}, "person": {"E-1002"}, "organisation": {"B"}, "role": {"field", "auditor"}}
	if got := admin.post("/staff/accounts/qian", changed); got.Code != http.StatusSeeOther {
		t.Fatalf("changed: %d %.3000s", got.Code, regexp.MustCompile(`class="failed"[^<]*<`).FindString(got.Body.String()))
	}
	var page api.Page[api.Account]
	list := auditor.get("/api/v1/staff?q=E-1002")
	if err := json.Unmarshal(list.Body.Bytes(), &page); err != nil || len(page.Data) != 1 || !slices.Equal(page.Data[0].Roles, []staff.Role{staff.Field, staff.Auditor}) {
		t.Errorf("%v %s", err, list.Body)
	}
	for _, path := range []string{"/api/v1/staff?limit=200", "/api/v1/staff/qian", "/api/v1/access-review", "/api/v1/proposals"} {
		got := auditor.get(path)
		if got.Code != http.StatusOK || regexp.MustCompile(`(?i)"(salt|sum|hash|passphrase|secret|former|invited)"`).Match(got.Body.Bytes()) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	if got := admin.post("/staff/accounts/qian", url.Values{"do": {"leave"}}); got.Code != http.StatusSeeOther {
		t.Errorf("left: %d", got.Code)
	}
	if got := newBrowser(t, router).signIn("qian", "published passphrase of qian"); got.Code != http.StatusUnauthorized {
		t.Errorf("who left signs in: %d", got.Code)
	}
	if got := admin.post("/staff/review", url.Values{"notes": {"looked at all"}}); got.Code != http.StatusSeeOther {
		t.Errorf("review: %d", got.Code)
	}
}

// addMerchantAccount makes an account of a shop's own people, with a published passphrase.
func (h *peopleHouse) addMerchantAccount(name string) {
	h.t.Helper()
	a := staff.Account{Name: name, FullName: "Owner " + name, Person: "M-" + name, Organisation: "Sample Noodles", Roles: []staff.Role{staff.Merchant}, Shop: sampleMerchant(1).String()}
	if err := h.seedPerson(h.t.Context(), h.dir+"/"+sampleStaffDirectory, a); err != nil {
		h.t.Fatal(err)
	}
}

// TestSignInIsJournaledFirst: what cannot be written is not granted, and nothing of a session begins.
func TestSignInIsJournaledFirst(t *testing.T) {
	h := newStaffHouse(t)
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	var gone atomic.Bool
	e, err := openEngine(engineOptions{dir: h.dir, lock: testLock(h.dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC,
		log: slog.New(slog.DiscardHandler), around: func(s journal.Sink) journal.Sink { return goneSink{s, &gone} }})
	if err != nil {
		t.Fatal(err)
	}
	h.engine = e
	router := h.console()
	gone.Store(true)
	b := newBrowser(t, router)
	if got := b.signIn("qian", "published passphrase of qian"); got.Code < 500 || b.cookies[web.SessionCookie] != "" {
		t.Errorf("signed in without an entry: %d %v", got.Code, b.cookies)
	}
	if len(h.door.sessions.List("qian")) != 0 {
		t.Error("a session began")
	}
}

// goneSink is a journal whose disk goes away.
type goneSink struct {
	journal.Sink
	gone *atomic.Bool
}

// Append implements journal.Sink.
func (s goneSink) Append(ctx context.Context, b journal.Block) error {
	if s.gone.Load() {
		return errGone
	}
	return s.Sink.Append(ctx, b)
}

var errGone = errors.New("the journal's disk is gone")
