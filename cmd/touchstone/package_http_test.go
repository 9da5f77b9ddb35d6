package main

import (
	"bytes"
	"encoding/json"
	"go/token"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"touchstone/fleet"
	"touchstone/releases"
	"touchstone/web"
	"touchstone/web/api"
)

// packageHouse is a host whose people keep their keys for targets elsewhere.
type packageHouse struct {
	*apiHouse
	repo, root string
	keys       map[string]string // of a person: where the key is
}

func newPackageHouse(t *testing.T) *packageHouse {
	t.Helper()
	h := &packageHouse{apiHouse: newAPIHouse(t), keys: map[string]string{}}
	r := h.repository(releases.DefaultLives())
	h.repo, h.root = r.Directory(), r.RootFile()
	away := t.TempDir()
	for _, name := range sampleSigners {
		h.keys[name] = filepath.Join(away, name+".pem")
		if err := os.Rename(h.releaseKey("targets."+name), h.keys[name]); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// signs runs touchstone release sign and countersign as two people would, each with one key.
func (h *packageHouse) signs(sign releaseSign, countersigned bool) []byte {
	h.t.Helper()
	dir := h.t.TempDir()
	a := &app{ctx: h.t.Context(), stdout: new(bytes.Buffer)}
	first, second := sampleSigners[0], sampleSigners[1]
	sign.Repository, sign.Root = h.repo, h.root
	sign.SigningKeys, sign.Out = map[string]string{first: h.keys[first]}, filepath.Join(dir, "one.zip")
	if err := sign.Run(a); err != nil {
		h.t.Fatal(err)
	}
	out := sign.Out
	if countersigned {
		counter := releaseCountersign{signerFlags{map[string]string{second: h.keys[second]}, filepath.Join(dir, "both.zip")}, sign.Out}
		if err := counter.Run(a); err != nil {
			h.t.Fatal(err)
		}
		out = counter.Out
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

// application is a file of a release and what is signed of it.
func (h *packageHouse) application(version, text string) releaseSign {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "app.bin")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return releaseSign{File: path, Model: "Signed Elsewhere", Hardware: "*", Version: version, State: "current", Notes: "n", NotesZH: "说明"}
}

func (h *packageHouse) send(who string, raw []byte) (id string) {
	h.t.Helper()
	var f api.File
	w := h.ask(who, "POST", "/api/v1/files", string(raw), "Content-Type", "application/zip")
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil || w.Code != http.StatusCreated {
		h.t.Fatalf("upload: %d %s", w.Code, w.Body)
	}
	return f.ID
}

func (h *packageHouse) proposals() (n int) {
	h.office.view(func(r *rooms) { n = len(r.staff.Proposals()) })
	return n
}

func (h *packageHouse) lastProposal() (id string) {
	h.office.view(func(r *rooms) {
		all := r.staff.Proposals()
		id = all[len(all)-1].ID
	})
	return id
}

// callerNamed is an account as its session is a caller.
func callerNamed(name string) *web.Caller { return &web.Caller{Account: name, Via: web.BySession} }

// held counts the files that wait for a second person.
func (h *packageHouse) held() int {
	entries, err := os.ReadDir(filepath.Join(h.dir, uploadsDirectory, heldDirectory))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return len(entries)
}

// TestPackageByHTTP: a package that two people signed on machines of their own is sent, verified, proposed, agreed to after the
// upload's hour, published, and fetched by a terminal; the keys were never here.
func TestPackageByHTTP(t *testing.T) {
	h := newPackageHouse(t)
	raw := h.signs(h.application("1.0.0", "application one\n"), true)
	id := h.send("qian", raw)
	var told api.Done
	w := h.ask("qian", "POST", "/api/v1/release-packages", `{"file":"`+id+`"}`)
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != http.StatusAccepted || told.Proposal == "" {
		t.Fatalf("proposed: %d %s", w.Code, w.Body)
	}
	page := h.ask("sun", "GET", "/api/v1/proposals/"+told.Proposal, "").Body.String()
	if !strings.Contains(page, "Signed Elsewhere 1.0.0, hardware *: current; 16 bytes, SHA-256 "+digestOf([]byte("application one\n"))) || !strings.Contains(page, digestOf(raw)) {
		t.Errorf("the second person does not read what is in it: %s", page)
	}
	if err := os.RemoveAll(h.uploadsOf(callerNamed("qian"))); err != nil { // its hour is over
		t.Fatal(err)
	}
	if w := h.ask("qian", "POST", "/api/v1/approvals", `{"id":"`+told.Proposal+`"}`); w.Code != http.StatusForbidden {
		t.Errorf("its own proposer: %d", w.Code)
	}
	if w := h.ask("sun", "POST", "/api/v1/approvals", `{"id":"`+told.Proposal+`"}`); w.Code != http.StatusOK {
		t.Fatalf("agreed: %d %s", w.Code, w.Body)
	}
	root, err := os.ReadFile(h.root)
	if err != nil {
		t.Fatal(err)
	}
	session, err := (&releases.Client{Source: h.repo, Dir: t.TempDir(), Root: root, Now: h.clock().Time()}).Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fetched := ""
	for _, o := range session.Offers() {
		if o.About.Model == "Signed Elsewhere" {
			got, err := session.Fetch(t.Context(), &o)
			if err != nil {
				t.Fatal(err)
			}
			fetched = string(got)
		}
	}
	if fetched != "application one\n" || h.held() != 0 {
		t.Errorf("a terminal fetches %q, %d files wait", fetched, h.held())
	}
	if w := h.ask("qian", "GET", "/api/v1/releases", ""); !strings.Contains(w.Body.String(), `"model":"Signed Elsewhere"`) {
		t.Errorf("the list: %s", w.Body)
	}
	if w := h.ask("qian", "POST", "/api/v1/release-packages", `{"file":"`+h.send("qian", raw)+`"}`); w.Code != 422 || !strings.Contains(w.Body.String(), "in force already") {
		t.Errorf("once more: %d %s", w.Code, w.Body)
	}

	// Withdrawn by a package without a file; rejected, nothing of it is kept; agreed to, the list says so.
	withdraw := h.signs(releaseSign{Model: "Signed Elsewhere", Version: "1.0.0", State: "withdrawn"}, true)
	for _, reject := range []string{"true", "false"} {
		w = h.ask("qian", "POST", "/api/v1/release-packages", `{"file":"`+h.send("qian", withdraw)+`","why":"a weak key"}`)
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != http.StatusAccepted || h.held() != 1 {
			t.Fatalf("withdrawal proposed: %d %s, %d files wait", w.Code, w.Body, h.held())
		}
		if w := h.ask("sun", "POST", "/api/v1/approvals", `{"id":"`+told.Proposal+`","reject":`+reject+`}`); w.Code != http.StatusOK || h.held() != 0 {
			t.Fatalf("reject %s: %d %s, %d files wait", reject, w.Code, w.Body, h.held())
		}
	}
	h.office.view(func(r *rooms) {
		if x := r.fleet.Release("Signed Elsewhere", "1.0.0"); x.State != fleet.Withdrawn || x.Why != "a weak key" {
			t.Errorf("withdrawn as %+v", x)
		}
	})
}

// TestS27PackagesByHTTP: what is no package, is not signed by enough, is another's or is another than was said is refused before
// anybody is asked to agree, with the reason in the reader's language; nothing is published, proposed or kept.
func TestS27PackagesByHTTP(t *testing.T) {
	h := newPackageHouse(t)
	app := h.application("1.0.0", strings.Repeat("application\n", 1000))
	one, good := h.signs(app, false), h.signs(app, true)
	stamp, err := os.ReadFile(filepath.Join(h.repo, "metadata", "timestamp.json"))
	if err != nil {
		t.Fatal(err)
	}
	proposed := h.proposals()
	english := regexp.MustCompile(`[a-z]{3,} [a-z]{3,} [a-z]{3,}`)
	refused := func(name, body string, status int, code string) {
		t.Helper()
		w := h.ask("qian", "POST", "/api/v1/release-packages", body)
		if w.Code != status || problemCode(w) != code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if p := h.ask("qian", "POST", "/api/v1/release-packages", body, "Accept-Language", "zh"); status == 422 {
			var told struct{ Error struct{ Message string } }
			if err := json.Unmarshal(p.Body.Bytes(), &told); err != nil || english.MatchString(strings.SplitN(told.Error.Message, "error: ", 2)[0]) || strings.Contains(told.Error.Message, h.dir) {
				t.Errorf("%s, in Chinese: %s", name, p.Body)
			}
		}
	}
	for name, raw := range map[string][]byte{
		"a text": []byte("no package"), "an application": bytes.Repeat([]byte("application\n"), 1000), "cut off": good[:len(good)-100], "cut in the middle": good[:len(good)/2], "one signature": one,
		"a name that leads out": bytes.ReplaceAll(good, []byte("targets/"), []byte("../../x/")), "a changed byte": bytes.Replace(good, []byte("application\napp"), []byte("Application\napp"), 1), "more behind": append(bytes.Clone(good), 0),
		"a state that was not signed": bytes.ReplaceAll(good, []byte(`current`), []byte(`CURRENT`)),
	} {
		refused(name, `{"file":"`+h.send("qian", raw)+`"}`, 422, "act_refused")
	}
	id := h.send("qian", good)
	refused("another digest", `{"file":"`+id+`","digest":"`+strings.Repeat("0", 64)+`"}`, 422, "act_refused")
	refused("another's upload", `{"file":"`+h.send("sun", good)+`"}`, 400, "file_not_found")
	refused("a path", `{"file":"/etc/passwd"}`, 400, "file_not_found")
	refused("a file that waits", `{"file":"held/`+digestOf(good)+`"}`, 400, "file_not_found")
	refused("what the host says itself", `{"file":"`+id+`","contents":["nothing"]}`, 400, "unknown_member")
	for who, status := range map[string]int{"": 401, "wu": 403, "lin": 403} {
		if w := h.ask(who, "POST", "/api/v1/release-packages", `{"file":"`+id+`"}`); w.Code != status {
			t.Errorf("by %q: %d", who, w.Code)
		}
	}
	if w := h.ask("wu", "POST", "/api/v1/files", strings.Repeat("x", 64<<20+1), "Content-Type", "application/octet-stream"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("more than who publishes nothing may send: %d", w.Code)
	}
	now, err := os.ReadFile(filepath.Join(h.repo, "metadata", "timestamp.json"))
	if err != nil || !bytes.Equal(now, stamp) || h.proposals() != proposed || h.held() != 0 {
		t.Errorf("refusals left %d proposals and %d files, %v", h.proposals()-proposed, h.held(), err)
	}

	// The form of the console takes the same file, and what was signed against a list that is no more is refused at the end too.
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	f, err := m.CreateFormFile("file", "../../package.zip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(good); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if w := h.ask("qian", "POST", "/acts/release_package", form.String(), "Content-Type", m.FormDataContentType()); w.Code != http.StatusSeeOther || h.proposals() != proposed+1 || h.held() != 1 {
		t.Fatalf("by the form: %d, %d files wait", w.Code, h.held())
	}
	form.Reset()
	m = multipart.NewWriter(&form)
	if f, err = m.CreateFormFile("file", "x.zip"); err == nil {
		_, err = f.Write(one)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if w := h.ask("qian", "POST", "/acts/release_package", form.String(), "Content-Type", m.FormDataContentType(), "Accept-Language", "zh"); w.Code != 422 || !strings.Contains(w.Body.String(), "签名不足") {
		t.Errorf("a refused form: %d", w.Code)
	}
	first := h.lastProposal()
	other := h.signs(h.application("2.0.0", "another application\n"), true)
	if w := h.ask("qian", "POST", "/api/v1/release-packages", `{"file":"`+h.send("qian", other)+`"}`); w.Code != http.StatusAccepted {
		t.Fatalf("another: %d %s", w.Code, w.Body)
	}
	if w := h.ask("sun", "POST", "/api/v1/approvals", `{"id":"`+h.lastProposal()+`"}`); w.Code != http.StatusOK {
		t.Fatalf("another agreed to: %d %s", w.Code, w.Body)
	}
	if w := h.ask("sun", "POST", "/api/v1/approvals", `{"id":"`+first+`"}`); w.Code != 422 || !strings.Contains(w.Body.String(), "older") {
		t.Errorf("a package that was signed before the list changed: %d %s", w.Code, w.Body)
	}
}

// TestPackageErrorsInChinese: whatever a package is refused for has Chinese words.
func TestPackageErrorsInChinese(t *testing.T) {
	seen := 0
	english := regexp.MustCompile(`[a-z]{2,} [a-z]{2,}`)
	literals(t, "../../releases", "Errorf", func(at token.Position, format string) {
		if filepath.Base(at.Filename) != "package.go" {
			return
		}
		seen++
		if got := errorInChinese(fmtVerb.ReplaceAllString(strings.ReplaceAll(format, "%w", ""), "X-1")); english.MatchString(got) {
			t.Errorf("%d: in Chinese it is %q", at.Line, got)
		}
	})
	if seen < 20 {
		t.Errorf("only %d texts were found", seen)
	}
	for english, chinese := range releaseErrorChinese {
		if n, m := len(fmtVerb.FindAllString(english, -1)), strings.Count(chinese, "%s"); n != m {
			t.Errorf("%q has %d verbs, its Chinese %d", english, n, m)
		}
	}
}
