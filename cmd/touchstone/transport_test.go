package main

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/web/api"
)

// upload sends a file and returns its id.
func (h *apiHouse) upload(who string, content []byte) string {
	h.t.Helper()
	w := h.ask(who, "POST", api.Root+"/files", string(content), "Content-Type", "application/octet-stream")
	var f api.File
	if err := json.Unmarshal(w.Body.Bytes(), &f); w.Code != 201 || err != nil {
		h.t.Fatalf("upload: %d %s", w.Code, w.Body)
	}
	return f.ID
}

// seal is touchstone seal.
func seal(t *testing.T, recipient, purpose, text string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&sealCmd{Purpose: purpose, In: in, To: recipient, Out: out}).Run(&app{ctx: t.Context(), stdout: io.Discard}); err != nil {
		t.Fatal(err)
	}
	return must(os.ReadFile(out))
}

// sealByAge is the witness: age's own program, with the first line written by hand, in its armour.
func sealByAge(t *testing.T, recipient, purpose, text string) []byte {
	t.Helper()
	program, err := exec.LookPath("age")
	if err != nil {
		t.Log("NOT RUN: no age (Debian: age); sealed by this program instead")
		return seal(t, recipient, purpose, text)
	}
	cmd := exec.Command(program, "--armor", "--recipient", recipient)
	cmd.Stdin = strings.NewReader("touchstone-sealed/1 " + purpose + "\n" + text + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// newTransportKey has two custodians make a transport key and returns its recipient, as the interface shows it.
func (h *apiHouse) newTransportKey() string {
	h.t.Helper()
	h.agreed(h.ask("qian", "POST", api.Root+"/transport-keys", `{"note":"a test"}`))
	page := h.ask("qian", "GET", "/keys", "").Body.String()
	_, rest, _ := strings.Cut(page, `class="break">age1`)
	recipient, _, found := strings.Cut(rest, "<")
	if !found {
		h.t.Fatal("the page shows no recipient")
	}
	return "age1" + recipient
}

// agreed has sun agree to what was proposed.
func (h *apiHouse) agreed(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	h.t.Helper()
	var d api.Done
	if err := json.Unmarshal(w.Body.Bytes(), &d); w.Code != 202 || err != nil {
		h.t.Fatalf("not proposed: %d %s", w.Code, w.Body)
	}
	return h.ask("sun", "POST", api.Root+"/approvals", `{"id":"`+d.Proposal+`"}`)
}

// Published components: the two keys of the DES examples of NIST SP 800-67, and their XOR.
const (
	componentLi   = "0123456789ABCDEF23456789ABCDEF01"
	componentWang = "456789ABCDEF0123FEDCBA9876543210"
)

// TestSealedUploads: what was a command of the machine alone is done from elsewhere, and nothing of it is ever in the
// clear but inside the module: a terminal's master key by two custodians, a card by its number and PIN.
func TestSealedUploads(t *testing.T) {
	h := newAPIHouse(t)
	if w := h.ask("chen", "POST", api.Root+"/devices", `{"serial":"00000304TS0000009999","licence":"P3100","device_type":"04","apps":["1.0.0"]}`); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	terminal := func(who string, parts ...string) *httptest.ResponseRecorder {
		return h.ask(who, "POST", api.Root+"/terminals", `{"id":"99999999","merchant":"`+shopOfLin+`","serial":"00000304TS0000009999","sign_in_code":"003","components":["`+strings.Join(parts, `","`)+`"]}`)
	}
	early := h.upload("qian", seal(t, "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", purposeMaster, componentLi))
	if w := h.agreed(terminal("qian", early, early)); w.Code != 422 || !strings.Contains(w.Body.String(), "no transport key yet") {
		t.Errorf("before there is a key: %d %s", w.Code, w.Body)
	}
	to := h.newTransportKey()

	plain := h.upload("qian", []byte(componentLi))
	if w := terminal("qian", plain, plain); w.Code != 400 || problemCode(w) != "not_sealed" || strings.Contains(w.Body.String(), componentLi) {
		t.Errorf("in the clear: %d %s", w.Code, w.Body)
	}
	if w := terminal("qian", plain, plain); problemCode(w) != "file_not_found" {
		t.Errorf("what came in the clear is still there: %s", w.Body)
	}
	li, wang := seal(t, to, purposeMaster, componentLi), sealByAge(t, to, purposeMaster, componentWang)
	if w := terminal("chen", h.upload("chen", li), h.upload("chen", wang)); w.Code != 403 {
		t.Errorf("support loads a key: %d %s", w.Code, w.Body)
	}
	for name, c := range map[string]struct {
		parts [2][]byte
		want  string
	}{
		"one component twice":             {[2][]byte{li, li}, "component"},
		"a component of another key":      {[2][]byte{li, seal(t, to, purposeSerial, componentWang)}, "is no tmk-component"},
		"sealed to somebody else":         {[2][]byte{li, seal(t, "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", purposeMaster, componentWang)}, "not sealed to the transport key"},
		"damaged":                         {[2][]byte{li, append(bytes.Clone(li[:len(li)-1]), li[len(li)-1]^1)}, "not sealed to the transport key"},
		"words where digits are to stand": {[2][]byte{li, seal(t, to, purposeMaster, "not hexadecimal")}, "want hexadecimal digits"},
	} {
		if w := h.agreed(terminal("qian", h.upload("qian", c.parts[0]), h.upload("qian", c.parts[1]))); w.Code != 422 || !strings.Contains(w.Body.String(), c.want) || strings.Contains(w.Body.String(), componentLi) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	w := h.agreed(terminal("qian", h.upload("qian", li), h.upload("qian", wang)))
	var d api.Done
	if err := json.Unmarshal(w.Body.Bytes(), &d); w.Code != 200 || err != nil || d.KCV != checkValueOf(t, componentLi, componentWang) {
		t.Errorf("loaded: %d %s", w.Code, w.Body)
	}
	h.sealedCard(to)
	h.newTransportKey()
	if w := h.agreed(terminal("qian", h.upload("qian", li), h.upload("qian", wang))); w.Code != 422 || !strings.Contains(w.Body.String(), "not sealed to the transport key in force") {
		t.Errorf("sealed to the key before: %d %s", w.Code, w.Body)
	}
	h.nothingInTheClear(componentLi, componentWang, cards()[2].pan(), "AGE-SECRET-KEY")
}

// sealedCard registers a card and gives it a PIN, both sealed.
func (h *apiHouse) sealedCard(to string) {
	h.t.Helper()
	pan := h.upload("chen", seal(h.t, to, purposePAN, cards()[2].pan()))
	if w := h.ask("chen", "POST", api.Root+"/cards", `{"pan_file":"`+pan+`","pin_file":"`+h.upload("chen", seal(h.t, to, purposePIN, "739154"))+`","expiry":"4912","service_code":"101","state":"active","balance":"1000.00"}`); w.Code != 200 || strings.Contains(w.Body.String(), cards()[2].pan()) {
		h.t.Errorf("a card: %d %s", w.Code, w.Body)
	}
	if w := h.ask("chen", "POST", api.Root+"/cards", `{"pan_file":"`+pan+`","pin_file":"`+h.upload("chen", seal(h.t, to, purposePIN, "861427"))+`","pin_alone":true}`); w.Code != 200 {
		h.t.Errorf("its PIN: %d %s", w.Code, w.Body)
	}
	if w := h.ask("chen", "POST", api.Root+"/cards", `{"pan_file":"`+h.upload("chen", seal(h.t, to, purposePIN, cards()[2].pan()))+`","expiry":"4912","balance":"1.00"}`); w.Code != 422 || !strings.Contains(w.Body.String(), "is no pan") {
		h.t.Errorf("a PIN as a card number: %d %s", w.Code, w.Body)
	}
}

// nothingInTheClear looks for texts in the journal and in every file of the uploads.
func (h *apiHouse) nothingInTheClear(secrets ...string) {
	h.t.Helper()
	look := func(where string, content []byte) {
		for _, s := range secrets {
			if bytes.Contains(bytes.ToUpper(content), []byte(strings.ToUpper(s))) {
				h.t.Errorf("%s has a secret in the clear", where)
			}
		}
	}
	n := 0
	if err := h.store.Blocks(h.t.Context(), 1, func(b journal.Block) error {
		n++
		look("the journal", b.Body)
		return nil
	}); err != nil || n == 0 {
		h.t.Errorf("%d blocks, %v", n, err)
	}
	files, err := filepath.Glob(filepath.Join(h.dir, uploadsDirectory, "*", "*"))
	if err != nil || len(files) == 0 {
		h.t.Errorf("%d uploads, %v", len(files), err)
	}
	for _, path := range files {
		look("an upload", must(os.ReadFile(path)))
	}
}

// checkValueOf is the second source: the check value of a key by the standard library, from its components.
func checkValueOf(t *testing.T, a, b string) string {
	t.Helper()
	x, y := must(hex.DecodeString(a)), must(hex.DecodeString(b))
	for i := range x {
		x[i] ^= y[i]
	}
	block, err := des.NewTripleDESCipher(append(x, x[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 8)
	block.Encrypt(out, out)
	return strings.ToUpper(hex.EncodeToString(out[:4]))
}
