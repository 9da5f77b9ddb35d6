package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/authority"
	"touchstone/pos"
	"touchstone/web/api"
)

// subjectSent uploads a sample subject as its maker would send it, and returns the body of the act that examines it.
func (r *caseRig) subjectSent(t *testing.T, scope string) map[string]any {
	t.Helper()
	dir := t.TempDir()
	sample := labSample{Out: dir, Model: "Sample S10", Application: sampleApp}
	if err := sample.Run(&app{ctx: t.Context(), stdout: io.Discard}); err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"scope": scope}
	for member, name := range map[string]string{"subject_file": subjectName, "package_file": "package.zip", "maker_keys_file": "maker-keys.pem", "pts_list_file": "pts-list.json", "licence_list_file": "licence-list.json"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := fileDesk{r.e}.Keep(t.Context(), r.caller, f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		body[member] = sent.ID
	}
	return map[string]any{"examine": body}
}

// halts waits until a run is worked on no more and has not ended, and returns it.
func (r *caseRig) halts(t *testing.T, id string) (run api.LabRunWhole) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if r.json(t, "/api/v1/runs/"+id, &run); run.Halted != "" {
			return run
		}
	}
	t.Fatalf("%s goes on: %s, %d of %d", id, run.State, run.Done, run.Of)
	return run
}

// reservedFile writes what a person keeps of a terminal: its TOML with its keys, and a card.
func reservedFile(t *testing.T, s sampleTerminal) string {
	t.Helper()
	dir := t.TempDir()
	w, c := wordsOf(t, s), labCard()
	card, err := json.Marshal(map[string]string{"pan": c.pan(), "expiry": c.expiry, "track2": c.track2(), "pin": c.pin})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("host = \"127.0.0.1:1\"\nterminal_id = %q\nmerchant_id = %q\nsign_in_code = %q\ntmk_file = \"master\"\nserial = %q\nserial_key_file = \"serial\"\nnetwork_licence = %q\ndevice_type = %q\napp_version = %q\nseal_track = true\ncard_file = \"card\"\nplace = \"31.230400,121.473700\"\n",
		w.ID, w.Merchant, w.SignInCode, w.Serial, w.Licence, w.DeviceType, w.AppVersion)
	for name, content := range map[string]string{"reserved.toml": text, "master": hex.EncodeToString(s.masterKey()), "serial": hex.EncodeToString(s.serialKey()), "card": string(card), "ca.pem": string(authority.PEM(publishedRoot().Raw))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "reserved.toml")
}

// wordsOf are a sample terminal's entries as its file writes them.
func wordsOf(t *testing.T, s sampleTerminal) terminalEntry {
	t.Helper()
	cfg := s.config()
	defer func() { cfg.TMK.Wipe(); cfg.SerialKey.Wipe() }()
	return terminalEntry{ID: s.id.String(), Merchant: s.merchant.String(), SignInCode: fmt.Sprintf("%03d", int(s.code)), Serial: string(s.serial), Licence: string(cfg.Licence), DeviceType: string(cfg.DeviceType), AppVersion: string(cfg.AppVersion)}
}

// TestLaboratoryAnywhere: outside a test data directory a run starts from console and interface too. Without a reserved
// terminal it does what needs files alone, says what it left, and goes on when there is one, or is completed as it stands.
func TestLaboratoryAnywhere(t *testing.T) {
	r := newCaseRig(t)
	r.e.test = false // the duties, and what the bench may use, are those of a directory with keys of its own
	r.as("qian").post(t, "/laboratory/scopes", url.Values{"targets": {r.addr + " " + r.tls}, "hours": {"1"}, "rate": {"1000"}})
	if page := r.as("wu").get("/laboratory").Body.String(); !strings.Contains(page, "Start a run") || !strings.Contains(page, "lab-terminal") || strings.Contains(page, "Examine a sample") {
		t.Error("the page does not say how a run starts here")
	}
	if page := r.post(t, "/laboratory/runs", url.Values{"sample": {"1"}, "scope": {"SCP-1"}}); !strings.Contains(page, "samples are of a test data directory") {
		t.Error("a sample is examined")
	}
	done := r.as("wu").act(t, "wu", "lab", r.subjectSent(t, "SCP-1"))
	if done.Facts["run"] != "RUN-1" {
		t.Fatalf("%+v", done)
	}
	run := r.halts(t, "RUN-1")
	passed, left := 0, 0
	for _, x := range run.Results {
		switch x.Verdict {
		case "pass":
			passed++
		case "not_tested":
			left++
		default:
			t.Errorf("%s: %s", x.Requirement, x.Verdict)
		}
	}
	if run.State != "running" || !strings.Contains(run.Halted, "lab-terminal") || !strings.Contains(run.HaltedZH, "预留终端") || passed == 0 || left == 0 {
		t.Errorf("%s, %d passed, %d left: %s", run.State, passed, left, run.Halted)
	}
	if page := r.get("/laboratory/runs/RUN-1").Body.String(); !strings.Contains(page, "Complete it as it stands") || !strings.Contains(page, "Resume") {
		t.Error("the page does not let its operator go on")
	}
	t.Run("with a reserved terminal", func(t *testing.T) { labWithTerminal(t, r) })
	t.Run("nowhere else", func(t *testing.T) { labNowhereElse(t, r) })
	t.Run("completed as it stands", func(t *testing.T) {
		r.e.bench.host.terminal, r.e.bench.host.ca = "", ""
		r.as("wu").act(t, "wu", "lab", r.subjectSent(t, "SCP-1"))
		r.halts(t, "RUN-2")
		r.as("wu").post(t, "/laboratory/runs/RUN-2/continue", url.Values{"finish": {"1"}})
		r.json(t, "/api/v1/runs/RUN-2", &run)
		if run.State != "complete" || run.Outcome == "issuable" || run.Outcome == "conditional" {
			t.Errorf("%s, %s", run.State, run.Outcome)
		}
	})
}

func labWithTerminal(t *testing.T, r *caseRig) {
	known, err := r.e.ledger.Terminal(sampleLab().id)
	if err != nil {
		t.Fatal(err)
	}
	open := *known
	open.Networks = []pos.Network{must(pos.ParseNetwork("127.0.0.0/8"))}
	if err := r.e.ledger.Register(t.Context(), r.e.clock(), &open); err != nil {
		t.Fatal(err)
	}
	shop := reservedFile(t, staffTerminals()[0])
	r.e.bench.host.terminal, r.e.bench.host.ca = shop, filepath.Join(filepath.Dir(shop), "ca.pem")
	r.as("wu").post(t, "/laboratory/runs/RUN-1/continue", url.Values{"scope": {"SCP-1"}})
	if run := r.halts(t, "RUN-1"); !strings.Contains(run.Halted, "no reserved terminal of this register") {
		t.Errorf("a shop's terminal is used: %s", run.Halted)
	}
	own := reservedFile(t, sampleLab())
	r.e.bench.host.terminal, r.e.bench.host.ca = own, filepath.Join(filepath.Dir(own), "ca.pem")
	r.post(t, "/laboratory/runs/RUN-1/continue", url.Values{"scope": {"SCP-1"}})
	r.awaitRun(t, "RUN-1")
	var run api.LabRunWhole
	r.json(t, "/api/v1/runs/RUN-1", &run)
	if run.Outcome != "issuable" {
		t.Errorf("%s", run.Outcome)
		for _, x := range run.Results {
			t.Logf("%s %s: %s", x.Requirement, x.Verdict, x.Detail.EN)
		}
	}
}

// labNowhereElse: whatever a scope names, this host dials its own addresses alone.
func labNowhereElse(t *testing.T, r *caseRig) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var dialled atomic.Int32
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			c.Close()
		}
	}()
	at := other.Addr().String()
	r.as("qian").post(t, "/laboratory/scopes", url.Values{"targets": {at + " " + at}, "hours": {"1"}, "rate": {"1000"}})
	_, err = (&desk{r.e}).Act(t.Context(), person("wu"), "lab", must(json.Marshal(r.as("wu").subjectSent(t, "SCP-2"))))
	if err == nil || !strings.Contains(err.Error(), "this host examines itself alone") {
		t.Errorf("a run against another address: %v", err)
	}
	if page := r.as("wu").post(t, "/laboratory/runs", url.Values{"scope": {"SCP-2"}}); !strings.Contains(page, "this host examines itself alone") {
		t.Error("the page begins one")
	}
	_, err = (&desk{r.e}).Act(t.Context(), person("qian"), "lab", must(json.Marshal(r.as("qian").subjectSent(t, "SCP-1"))))
	if err == nil || !strings.Contains(err.Error(), "lab_run is for") {
		t.Errorf("a security officer examines: %v", err)
	}
	if n := dialled.Load(); n != 0 {
		t.Errorf("it was dialled %d times", n)
	}
}

func TestLabFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		flags labFlags
		good  bool
	}{
		"nothing": {labFlags{}, true}, "both": {labFlags{LabTerminal: file, LabCA: file, LabTarget: []string{"10.0.0.5:8583", "[fd00::1]:8584"}}, true},
		"no authority": {labFlags{LabTerminal: file}, false}, "no terminal": {labFlags{LabCA: file}, false}, "no such file": {labFlags{LabTerminal: file + "x", LabCA: file}, false},
		"a name": {labFlags{LabTarget: []string{"localhost:8583"}}, false}, "no port": {labFlags{LabTarget: []string{"10.0.0.5"}}, false}, "port 0": {labFlags{LabTarget: []string{"10.0.0.5:0"}}, false}, "every address": {labFlags{LabTarget: []string{"0.0.0.0:8583"}}, false},
	} {
		if _, err := c.flags.host(false); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
