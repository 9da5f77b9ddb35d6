package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// apiHouse is a seeded host with the interface and the pages, where a header of the test says who asks.
type apiHouse struct {
	*peopleHouse
	router   *web.Router
	programs *api.API
}

// asAccount is the header of the test.
const asAccount = "Test-Account"

const shopOfLin = "898310058120001"

func newAPIHouse(t *testing.T) *apiHouse {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a whole host")
	}
	h := &apiHouse{peopleHouse: newPeopleHouse(t)}
	for name, shop := range map[string]string{"lin": shopOfLin, "lin.2": "898310058120002"} {
		a := staff.Account{Name: name, FullName: "Lin " + name, Person: "M-" + name, Organisation: "Shop " + shop, Roles: []staff.Role{staff.Merchant}, Shop: shop, Key: bytes.Repeat([]byte{1}, 32)}
		if err := h.act(t.Context(), func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return staff.Register(r.staff, &a, "zhao", now)
		}); err != nil {
			t.Fatal(err)
		}
	}
	h.serve()
	return h
}

// serve makes the router on the engine that runs.
func (h *apiHouse) serve() {
	h.t.Helper()
	h.router = web.NewRouter(slog.New(slog.DiscardHandler))
	h.router.Identify = h.withKeys(func(r *http.Request) (*web.Caller, error) {
		var a *staff.Account
		h.office.view(func(rooms *rooms) { a = rooms.staff.Account(r.Header.Get(asAccount)) })
		if a == nil {
			return nil, nil
		}
		c := callerFor(a)
		c.Via, c.Token, c.Lang = web.BySession, "token", r.Header.Get("Accept-Language")
		return c, nil
	})
	h.estate.start()
	d := newDesk(h.engine)
	h.programs = api.New(h.router, "test")
	h.programs.Mount(d)
	if _, err := console.New(h.router, console.Options{Desk: d, Interface: h.programs, Zone: h.line.Zone, Test: true, Version: "test", Log: h.log}); err != nil {
		h.t.Fatal(err)
	}
}

// ask sends one request; headers come in pairs.
func (h *apiHouse) ask(who, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if strings.HasPrefix(who, apiKeyPrefix) {
		r.Header.Set("Authorization", "Bearer "+who)
	} else if who != "" {
		r.Header.Set(asAccount, who)
		r.Header.Set(web.TokenHeader, "token")
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.router.ServeHTTP(w, r)
	return w
}

func problemCode(w *httptest.ResponseRecorder) string {
	var p api.ProblemBody
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return p.Error.Code
}

// mayDo is an account of the samples whose roles allow an act.
func mayDo(a *api.Act) string {
	for _, name := range []string{"qian", "chen", "li", "zhao", "wu"} {
		for _, p := range samplePeople {
			if p.Name == name && (len(a.Roles) == 0 || p.May(a.Roles...)) {
				return name
			}
		}
	}
	return ""
}

// TestActTable: every act has a path of its own, a name in both languages, a group, and a form whose fields have labels
// in both languages; every row is an act's.
func TestActTable(t *testing.T) {
	programs := api.New(web.NewRouter(slog.New(slog.DiscardHandler)), "test")
	programs.Mount(newDesk(&engine{}))
	paths := map[string]string{}
	for _, a := range catalogue() {
		if other, twice := paths[a.Path]; twice || a.Path == "" {
			t.Errorf("%s: its path %q is also that of %q: actRows needs a row", a.Name, a.Path, other)
		}
		paths[a.Path] = a.Name
		if a.Own {
			continue
		}
		if a.EN == "" || a.ZH == "" || a.Help == "" || a.HelpZH == "" || a.Group == "" {
			t.Errorf("%s is not described", a.Name)
		}
		var walk func([]api.FormField)
		walk = func(fields []api.FormField) {
			for _, f := range fields {
				for _, lang := range []string{"en", "zh"} {
					if label, ok := console.FieldLabel(lang, f.Name); !ok || label == "" {
						t.Errorf("%s: %s has no label in %s", a.Name, f.Path, lang)
					}
				}
				if _, ok := console.FieldHelp("zh", f.Help); !ok {
					t.Errorf("%s: the help of %s is not in Chinese: %q", a.Name, f.Path, f.Help)
				}
				for _, word := range f.Choices {
					if !spelled.MatchString(word) && console.ChoiceWord("zh", word) == strings.ReplaceAll(word, "_", " ") {
						t.Errorf("%s: %s may be %q, which has no Chinese", a.Name, f.Path, word)
					}
				}
				walk(f.Fields)
			}
		}
		walk(programs.Forms()[a.Name].Fields())
	}
	for name := range actRows {
		if _, ok := acts[name]; !ok {
			t.Errorf("the row %s is no act's", name)
		}
	}
}

// spelled are choices that stand as they are in every language: numbers, and names of algorithms.
var spelled = regexp.MustCompile(`^[0-9]+$|^ecb|^x9`)

// namesFile tells a member that may name a file from its name.
var namesFile = regexp.MustCompile(`(?i)file|path|photo|component|transcript|contact|passphrase|secret|keys$|pan$|pin$`)

// noFile are members that sound so and are none.
var noFile = map[string]bool{"photo_digest": true, "transcript_digest": true, "passphrase": true, "passphrase_since": true, "profile": true, "profile_digest": true}

// TestActFiles: each member of a body that names a file says which kind it is: an upload, or of the machine alone; the
// latter is in no form and in no document.
func TestActFiles(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(act string, x reflect.Type)
	walk = func(act string, x reflect.Type) {
		for x.Kind() == reflect.Pointer || x.Kind() == reflect.Slice || x.Kind() == reflect.Map {
			x = x.Elem()
		}
		if x.Kind() != reflect.Struct || seen[x] {
			return
		}
		seen[x] = true
		for i := range x.NumField() {
			f := x.Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			text := f.Type
			for text.Kind() == reflect.Slice || text.Kind() == reflect.Map {
				text = text.Elem()
			}
			class := f.Tag.Get("file")
			if text.Kind() == reflect.String && (namesFile.MatchString(name) || namesFile.MatchString(f.Name)) && !noFile[name] && class != fileOfMachine && class != fileUploaded && class != fileSealed {
				t.Errorf("%s: %s.%s may name a file: say file:\"machine\", file:\"upload\" or file:\"sealed\"", act, x.Name(), f.Name)
			}
			if class == fileOfMachine && f.Tag.Get("hidden") != "true" {
				t.Errorf("%s: %s.%s is of the machine alone, and not hidden", act, x.Name(), f.Name)
			}
			walk(act, f.Type)
		}
	}
	for name, i := range acts {
		walk(name, reflect.TypeFor[change]().Field(i).Type)
	}
}

// TestActsByHTTP: an act is done under its roles and refused under others; of two persons it is proposed; what is not
// in the schema, what names the machine and what is another's upload is refused.
func TestActsByHTTP(t *testing.T) {
	h := newAPIHouse(t)
	for _, c := range []struct {
		name, who, path, body string
		status                int
		code                  string
	}{
		{"nobody", "", "/merchants", `{"id":"898310058129999","name":"x"}`, 401, "not_signed_in"},
		{"another role", "wu", "/merchants", `{"id":"898310058129999","name":"x"}`, 403, "role_not_allowed"},
		{"a merchant", "lin", "/merchants", `{"id":"898310058129999","name":"x"}`, 403, "role_not_allowed"},
		{"the role", "chen", "/merchants", `{"id":"898310058129999","name":"x"}`, 200, ""},
		{"a rule refuses", "chen", "/terminals", `{"id":"99999999","merchant":"898310058129999","serial":"none","sign_in_code":"003"}`, 422, "act_refused"},
		{"an unknown member", "chen", "/merchants", `{"id":"898310058129999","name":"x","suspendet":true}`, 400, "unknown_member"},
		{"another case", "chen", "/merchants", `{"ID":"898310058129999","name":"x"}`, 400, "missing_member"},
		{"no choice of the list", "chen", "/devices", `{"serial":"1","licence":"x","device_type":"04","state":"stolen"}`, 400, "invalid_value"},
		{"a path where a sealed upload belongs", "qian", "/devices", `{"serial":"1","licence":"x","device_type":"04","components":["/etc/passwd"]}`, 400, "file_not_found"},
		{"text that stands for a sealed file", "qian", "/devices", `{"serial":"1","licence":"x","device_type":"04","components":["sealed:eA=="]}`, 400, "file_not_found"},
		{"a private key's file", "qian", "/device-certificates", `{"act":"issue","serial":"00000304TS0000000011","key_file":"/etc/passwd"}`, 403, "only_on_the_machine"},
		{"a signing key's file", "qian", "/release-states", `{"model":"x","version":"1","state":"withdrawn","keys":{"qian":"/etc/passwd"}}`, 403, "only_on_the_machine"},
		{"a passphrase file", "zhao", "/passphrases", `{"file":"/etc/passwd"}`, 403, "only_on_the_machine"},
		{"a path where an upload belongs", "qian", "/advisories", `{"file":"/etc/passwd"}`, 400, "file_not_found"},
		{"an upload that is not there", "qian", "/advisories", `{"file":"file_AAAAAAAAAAAAAAAAAAAAAAAAAA"}`, 400, "file_not_found"},
		{"what the account's record keeps itself", "zhao", "/staff", `{"account":{"name":"ma","full_name":"Ma","person":"1","organisation":"x","roles":["support"],"last_used":"2026-11-01T00:00:00Z"}}`, 400, "unknown_member"},
		{"two persons", "chen", "/claim-decisions", `{"claim":"CLM-1-AAAAAAAAAAAA","decision":{"approve":false,"why":"no such sale"}}`, 202, ""},
		{"its own proposer", "chen", "/approvals", `{"id":"PRP-1"}`, 403, "act_not_allowed"},
		{"no such proposal", "wang", "/approvals", `{"id":"PRP-99"}`, 404, "not_found"},
		{"of the program itself", "qian", "/canary-findings", `{}`, 403, "role_not_allowed"},
		{"a question of a command", "qian", "/questions/people", `{}`, 404, "not_found"},
	} {
		w := h.ask(c.who, "POST", api.Root+c.path, c.body)
		if w.Code != c.status || problemCode(w) != c.code {
			t.Errorf("%s: %d %s, want %d %s: %s", c.name, w.Code, problemCode(w), c.status, c.code, w.Body)
		}
	}
	if w := h.ask("qian", "POST", api.Root+"/merchants", `{"id":"898310058129998","name":"x"}`, proofHeader, "W10"); w.Code != 200 {
		t.Errorf("a proof that only the socket takes is not looked at: %d", w.Code)
	}
}

// TestActsOfAShop: a shop's people act on what is their shop's; what is another's, and what there is not, is answered
// alike, to the byte.
func TestActsOfAShop(t *testing.T) {
	h := newAPIHouse(t)
	own, foreign := "", ""
	for _, x := range h.ledger.Terminals() {
		if x.Merchant.String() == shopOfLin && own == "" {
			own = x.ID.String()
		} else if x.Merchant.String() != shopOfLin && foreign == "" {
			foreign = x.ID.String()
		}
	}
	for name, c := range map[string]struct{ path, own, foreign, none string }{
		"a look":     {"/glances", `{"terminal":"` + own + `","operator":"001","wrong":"loose"}`, `{"terminal":"` + foreign + `","operator":"001","wrong":"loose"}`, `{"terminal":"99999990","operator":"001","wrong":"loose"}`},
		"a cashier":  {"/cashiers", `{"merchant":"` + shopOfLin + `","operator":"88","name":"Chen"}`, `{"merchant":"898310058120002","operator":"88","name":"Chen"}`, `{"merchant":"898310058190002","operator":"88","name":"Chen"}`},
		"the rule":   {"/training", `{"do":"confirm","merchant":"` + shopOfLin + `"}`, `{"do":"confirm","merchant":"898310058120002"}`, `{"do":"confirm","merchant":"898310058190002"}`},
		"a report":   {"/reports", `{"kind":"other","text":"x","terminal":"` + own + `"}`, `{"kind":"other","text":"x","terminal":"` + foreign + `"}`, `{"kind":"other","text":"x","terminal":"99999990"}`},
		"for a shop": {"/reports", `{"kind":"other","text":"x","serial":"X1","merchant":"` + shopOfLin + `"}`, `{"kind":"other","text":"x","serial":"X1","merchant":"898310058120002"}`, `{"kind":"other","text":"x","serial":"X1","merchant":"898310058190002"}`},
	} {
		if w := h.ask("lin", "POST", api.Root+c.path, c.own); w.Code != 200 {
			t.Errorf("%s of one's own: %d %s", name, w.Code, w.Body)
		}
		other, none := h.ask("lin", "POST", api.Root+c.path, c.foreign), h.ask("lin", "POST", api.Root+c.path, c.none)
		if other.Code != 404 || other.Body.String() != none.Body.String() {
			t.Errorf("%s of another's: %d %s; of nobody's: %d %s", name, other.Code, other.Body, none.Code, none.Body)
		}
	}
}

// TestUploads: what one caller sends only that caller's acts can name, for an hour; its path shows nowhere.
func TestUploads(t *testing.T) {
	h := newAPIHouse(t)
	w := h.ask("qian", "POST", api.Root+"/files", "no document", "Content-Type", "text/plain")
	var f api.File
	if err := json.Unmarshal(w.Body.Bytes(), &f); w.Code != 201 || err != nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := h.ask("qian", "POST", api.Root+"/advisories", `{"file":"`+f.ID+`"}`); w.Code != 422 || strings.Contains(w.Body.String(), h.dir) {
		t.Errorf("what is no advisory: %d %s", w.Code, w.Body)
	}
	h.ownKey("kong") // another account with the role
	if w := h.ask("kong", "POST", api.Root+"/advisories", `{"file":"`+f.ID+`"}`); w.Code != 400 || problemCode(w) != "file_not_found" {
		t.Errorf("another caller's: %d %s", w.Code, w.Body)
	}
	for name, kind := range map[string]string{"a program": "application/x-sharedlib", "none": "", "a page": "text/html"} {
		if w := h.ask("qian", "POST", api.Root+"/files", "x", "Content-Type", kind); w.Code != 415 || problemCode(w) != "media_type" {
			t.Errorf("%s: %d %s", name, w.Code, problemCode(w))
		}
	}
	for i := range mostUploads {
		w = h.ask("qian", "POST", api.Root+"/files", "x", "Content-Type", "text/plain")
		if w.Code != 201 && i < 2 {
			t.Fatalf("%d: %d %s", i, w.Code, w.Body)
		}
	}
	if w.Code != 429 || problemCode(w) != "too_many_files" {
		t.Errorf("beyond the bound: %d %s", w.Code, problemCode(w))
	}
}

// TestAPIKeys: a key has some of its account's roles, acts in its account's name, never agrees for a person, and opens
// nothing once it is revoked, too old, or its account lost a role. It is kept as a digest, and shown once.
func TestAPIKeys(t *testing.T) {
	h := newAPIHouse(t)
	make := func(body string) (string, *httptest.ResponseRecorder) {
		w := h.ask("zhao", "POST", api.Root+"/api-keys", body, api.KeyHeader, "make"+body)
		var d api.Done
		_ = json.Unmarshal(w.Body.Bytes(), &d)
		return d.Secret, w
	}
	for name, body := range map[string]string{"a role that its account has not": `{"name":"x","account":"qian","roles":["administrator"]}`, "no such account": `{"name":"x","account":"nobody","roles":["security"]}`} {
		if _, w := make(body); w.Code != 422 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	key, w := make(`{"name":"export","account":"qian","roles":["security"],"days":2}`)
	if !strings.HasPrefix(key, apiKeyPrefix) || len(key) != 30 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if again, w := make(`{"name":"export","account":"qian","roles":["security"],"days":2}`); again != "" || w.Header().Get(api.ReplayedHeader) != "true" {
		t.Error("a repeat shows the key again")
	}
	if w := h.ask("qian", "GET", api.Root+"/api-keys", ""); w.Code != 200 || strings.Contains(w.Body.String(), key) || strings.Contains(w.Body.String(), "sum") {
		t.Errorf("the list: %d %s", w.Code, w.Body)
	}
	act := func(path, body, once string) *httptest.ResponseRecorder {
		return h.ask(key, "POST", api.Root+path, body, api.KeyHeader, once)
	}
	if w := act("/merchants", `{"id":"898310058129999","name":"x"}`, "1"); w.Code != 200 {
		t.Errorf("an act of its role: %d %s", w.Code, w.Body)
	}
	if w := h.ask(key, "POST", api.Root+"/merchants", `{"id":"898310058129999","name":"x"}`); w.Code != 400 || problemCode(w) != "idempotency_key_missing" {
		t.Errorf("without a key for repeats: %d %s", w.Code, problemCode(w))
	}
	if w := act("/cashiers", `{"merchant":"898310058120001","operator":"77","name":"x"}`, "2"); w.Code != 403 {
		t.Errorf("an act of another role: %d", w.Code)
	}
	if w := act("/claim-decisions", `{"claim":"CLM-1-AAAAAAAAAAAA","decision":{"approve":false,"why":"x"}}`, "3"); w.Code != 403 {
		t.Errorf("an act of support: %d", w.Code)
	}
	if w := act("/clone-clearances", `{"terminal":"00000011","note":"one device"}`, "4"); w.Code != 202 {
		t.Errorf("it may propose: %d %s", w.Code, w.Body)
	}
	if w := act("/approvals", `{"id":"PRP-1"}`, "5"); w.Code != 403 || problemCode(w) != "person_required" {
		t.Errorf("it agrees for nobody: %d %s", w.Code, problemCode(w))
	}
	r := []string{"Cookie", web.SessionCookie + "=x"}
	if w := h.ask(key, "GET", api.Root+"/merchants", "", r...); w.Code != 400 || problemCode(w) != "two_credentials" {
		t.Errorf("with a cookie: %d %s", w.Code, problemCode(w))
	}
	for name, wrong := range map[string]string{"another": apiKeyPrefix + strings.Repeat("A", 26), "cut": key[:20], "empty": apiKeyPrefix, "long": apiKeyPrefix + strings.Repeat("A", 4000)} {
		if w := h.ask(wrong, "GET", api.Root+"/merchants", ""); w.Code != 401 || problemCode(w) != "key_not_accepted" {
			t.Errorf("%s key: %d %s", name, w.Code, problemCode(w))
		}
	}
	h.checkKeyEntries(key)
	h.now.Add(int64(3 * 24 * 3600e9))
	if w := h.ask(key, "GET", api.Root+"/merchants", ""); w.Code != 401 {
		t.Errorf("after its time: %d", w.Code)
	}
	key, _ = make(`{"name":"second","account":"qian","roles":["security"]}`)
	if w := h.ask(key, "GET", api.Root+"/merchants", ""); w.Code != 200 {
		t.Errorf("the second: %d", w.Code)
	}
	if w := h.ask("zhao", "POST", api.Root+"/api-key-revocations", `{"id":"KEY-2"}`); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := h.ask(key, "GET", api.Root+"/merchants", ""); w.Code != 401 {
		t.Errorf("revoked: %d", w.Code)
	}
}

// checkKeyEntries: the journal has that the key was made and each act that was asked for with it, never the key.
func (h *apiHouse) checkKeyEntries(key string) {
	h.t.Helper()
	used := 0
	err := h.store.Blocks(h.t.Context(), 1, func(b journal.Block) error {
		if bytes.Contains(b.Body, []byte(key)) || bytes.Contains(b.Body, []byte(key[len(apiKeyPrefix):])) {
			h.t.Error("the key is in the journal")
		}
		return b.Each(func(e journal.Entry) error {
			var a journal.Act
			if e.Kind == journal.KindStaff && json.Unmarshal(e.Body, &a) == nil && a.Verb == "api_key_used" {
				used++
				if a.Actors[0] != "key:KEY-1" || a.Actors[1] != "qian" {
					h.t.Errorf("used by %v", a.Actors)
				}
			}
			return nil
		})
	})
	if err != nil || used < 3 { // the day, and the acts
		h.t.Errorf("%d entries of its use, %v", used, err)
	}
}

// TestKeyOfAShop: a key of the role merchant sees its account's shop alone.
func TestKeyOfAShop(t *testing.T) {
	h := newAPIHouse(t)
	w := h.ask("zhao", "POST", api.Root+"/api-keys", `{"name":"till","account":"lin","roles":["merchant"]}`)
	var d api.Done
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.Secret == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	list := h.ask(d.Secret, "GET", api.Root+"/merchants", "")
	if list.Code != 200 || strings.Count(list.Body.String(), `"id":"mer_`) != 1 || !strings.Contains(list.Body.String(), "mer_"+shopOfLin) {
		t.Errorf("%d %s", list.Code, list.Body)
	}
	if w := h.ask(d.Secret, "GET", api.Root+"/merchants/mer_898310058120002", ""); w.Code != 404 {
		t.Errorf("another shop: %d", w.Code)
	}
}

// TestRepeatsAfterRestart: the answer of a request survives a start of the host; of one that had no answer nobody says
// what became of it.
func TestRepeatsAfterRestart(t *testing.T) {
	h := newAPIHouse(t)
	send := func(key string) *httptest.ResponseRecorder {
		return h.ask("chen", "POST", api.Root+"/merchants", `{"id":"898310058129999","name":"x"}`, api.KeyHeader, key)
	}
	first := send("done")
	d := requestDesk{h.engine}
	var digest [32]byte
	body := `{"id":"898310058129999","name":"x"}`
	copy(digest[:], requestDigest("POST", api.Root+"/merchants", body))
	if known, err := d.Begin(t.Context(), "chen", "cut-off", digest); known != nil || err != nil {
		t.Fatal(known, err)
	}
	h.reopen()
	h.serve()
	if again := send("done"); first.Code != 200 || again.Code != 200 || again.Header().Get(api.ReplayedHeader) != "true" || again.Body.String() != first.Body.String() {
		t.Errorf("first %d %s, again %d %s", first.Code, first.Body, again.Code, again.Body)
	}
	if w := send("cut-off"); w.Code != 409 || problemCode(w) != "outcome_unknown" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.now.Add(int64(25 * 3600e9))
	if w := send("done"); w.Code != 200 || w.Header().Get(api.ReplayedHeader) != "" {
		t.Errorf("after a day: %d, replayed %q", w.Code, w.Header().Get(api.ReplayedHeader))
	}
}

// TestActPages: every act has a page with a form in both languages; a form that is filled in does what the interface
// does, one that is wrong shows what was typed with what is wrong beside it, and two persons make a proposal.
func TestActPages(t *testing.T) {
	h := newAPIHouse(t)
	for _, a := range catalogue() {
		if a.Own {
			continue
		}
		for lang, title := range map[string]string{"en": a.EN, "zh": a.ZH} {
			w := h.ask(mayDo(&a), "GET", "/acts/"+a.Name, "", "Accept-Language", lang)
			if w.Code != 200 || !strings.Contains(w.Body.String(), ">"+html.EscapeString(title)+"</h1>") || !strings.Contains(w.Body.String(), `method="post" action="/acts/`+a.Name+`"`) || strings.Contains(w.Body.String(), " style=") {
				t.Errorf("%s in %s: %d", a.Name, lang, w.Code)
			}
		}
	}
	post := func(who, act string, form url.Values) *httptest.ResponseRecorder {
		return h.ask(who, "POST", "/acts/"+act, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Accept-Language", "en")
	}
	for _, c := range []struct {
		who, act string
		form     url.Values
		told     string
	}{
		{"chen", "merchant", url.Values{"id": {"898310058129999"}, "name": {"Book shop"}, "networks": {"127.0.0.0/8\n10.0.0.0/8"}, "suspended": {"1"}}, "merchant 898310058129999"},
		{"qian", "incident", url.Values{"op": {"open"}, "title.en": {"A loose bezel"}, "title.zh": {"读卡器松动"}, "kind": {"attached_device"}, "severity": {"general"}, "text": {"seen"}, "scope.terminals": {"00000011"}, "scope.from": {"2026-11-01T10:00"}}, "INC-1"},
		{"chen", "cashier", url.Values{"merchant": {shopOfLin}, "operator": {"66"}, "name": {"陈静"}}, "cashier " + shopOfLin},
		{"chen", "decision", url.Values{"claim": {"CLM-1-AAAAAAAAAAAA"}, "decision.why": {"no such sale"}}, "Proposal PRP-1"},
		{"zhao", "personnel", url.Values{"review": {"1"}, "notes": {"all"}}, "access"},
		{"zhao", "api_key", url.Values{"name": {"x"}, "account": {"qian"}, "roles": {"security"}, "days": {"5"}}, apiKeyPrefix},
	} {
		w := post(c.who, c.act, c.form)
		at := w.Header().Get("Location")
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(at, "/acts/"+c.act+"?outcome=") {
			t.Errorf("%s: %d %s", c.act, w.Code, failedIn(w))
			continue
		}
		shown := h.ask(c.who, "GET", at, "").Body.String()
		if !strings.Contains(shown, c.told) && c.act != "personnel" {
			t.Errorf("%s: its outcome does not say %q", c.act, c.told)
		}
		if strings.Contains(h.ask("qian", "GET", at, "").Body.String(), apiKeyPrefix+"A") {
			t.Errorf("%s: its outcome is shown to another", c.act)
		}
		if c.act == "api_key" && strings.Contains(strings.ReplaceAll(h.ask(c.who, "GET", at, "").Body.String(), "tsk_…", ""), apiKeyPrefix) {
			t.Error("the key is shown twice")
		}
	}
	w := post("chen", "merchant", url.Values{"id": {"12"}, "name": {`A <b>"shop"`}})
	if page := w.Body.String(); w.Code != 400 || !strings.Contains(page, `value="A &lt;b&gt;&#34;shop&#34;"`) || !strings.Contains(page, `aria-invalid="true"`) {
		t.Errorf("a wrong form: %d", w.Code)
	}
	if w := post("wu", "merchant", url.Values{"id": {"898310058129999"}, "name": {"x"}}); w.Code != 403 {
		t.Errorf("another role: %d", w.Code)
	}
	list := h.ask("lin", "GET", "/acts", "", "Accept-Language", "en").Body.String()
	for _, name := range []string{"glance", "cashier", "report"} {
		if !strings.Contains(list, `href="/acts/`+name+`"`) {
			t.Errorf("a merchant's list lacks %s", name)
		}
	}
	if strings.Contains(list, `href="/acts/merchant"`) {
		t.Error("a merchant is shown the acts of others")
	}
	if found := h.ask("qian", "GET", "/acts?q=%E5%85%8B%E9%9A%86", "").Body.String(); !strings.Contains(found, "/acts/clone_clear") || strings.Contains(found, `href="/acts/incident"`) {
		t.Error("克隆 does not find clone_clear alone")
	}
}

func failedIn(w *httptest.ResponseRecorder) string {
	_, rest, _ := strings.Cut(w.Body.String(), `class="failed" role="alert">`)
	text, _, _ := strings.Cut(rest, "<")
	for _, wrong := range regexp.MustCompile(`fieldwrong" role="alert">([^<]*)`).FindAllStringSubmatch(rest, -1) {
		text += " | " + wrong[1]
	}
	return text
}

// TestQuestions: every field of a change is an act or a question; a command's question is answered on the socket.
func TestQuestions(t *testing.T) {
	names := slices.Concat(questions, slices.Collect(maps.Keys(acts)), []string{"loss", "by"})
	x := reflect.TypeFor[change]()
	for i := range x.NumField() {
		name, _, _ := strings.Cut(x.Field(i).Tag.Get("json"), ",")
		if x.Field(i).IsExported() && !slices.Contains(names, name) {
			t.Errorf("%s is neither an act nor a question", name)
		}
	}
	h := newAPIHouse(t)
	c := change{People: &peopleQuery{}}
	r, err := c.request()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.controlHandler(t.Context()).ServeHTTP(w, httptest.NewRequest(r.Method, r.URL.Path, readAll(r.Body)).WithContext(t.Context()))
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"accounts":[{"name":`) {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
}

func readAll(r io.Reader) io.Reader {
	raw, _ := io.ReadAll(r)
	return bytes.NewReader(raw)
}

// requestDigest is what tells one request from another under the same key; see api.once.
func requestDigest(method, uri, body string) []byte {
	sum := fmt.Sprintf("%s %s\n%s", method, uri, body)
	return digestBytes(sum)
}

func digestBytes(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
