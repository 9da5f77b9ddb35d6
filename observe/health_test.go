package observe

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func readPage(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "operating", "observing.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadiness breaks one thing after the other: /readyz names it, and /healthz fails only for what a
// restart may cure.
func TestReadiness(t *testing.T) {
	for name, c := range map[string]struct {
		break_  func(*rig)
		failing string
		healthy bool
	}{
		"all is well":          {func(*rig) {}, "", true},
		"no listener":          {func(r *rig) { r.listeners = nil }, "listening", true},
		"listener closed":      {func(r *rig) { r.listeners[0].Serving = false }, "listening", true},
		"module sealed":        {func(r *rig) { r.module.Sealed = true }, "module", true},
		"self-test failed":     {func(r *rig) { r.selfTest = errTest }, "self_test", true},
		"journal failed":       {func(r *rig) { r.journal.Failed = true }, "journal", false},
		"disk full":            {func(r *rig) { r.journal.Writable = false }, "disk", true},
		"queue at its bound":   {func(r *rig) { r.journal.Queue.Entries = 80 }, "queue", true},
		"queue below it":       {func(r *rig) { r.journal.Queue.Entries = 79 }, "", true},
		"queue heavy in bytes": {func(r *rig) { r.journal.Queue.Bytes = 900 }, "queue", true},
		"overloaded":           {func(r *rig) { r.overloaded = true }, "load", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, time.Now())
			c.break_(r)
			h := Handler(r.Sources)
			ready, code := askHealth(t, h, "/readyz")
			var failing []string
			for _, one := range ready.Checks {
				if !one.OK {
					failing = append(failing, one.Name)
					if one.Says == "" {
						t.Errorf("%s fails and says nothing", one.Name)
					}
				}
			}
			if strings.Join(failing, " ") != c.failing || ready.OK != (c.failing == "") || (code == http.StatusOK) != ready.OK {
				t.Errorf("ready %t, code %d, failing %v, want %q", ready.OK, code, failing, c.failing)
			}
			if live, code := askHealth(t, h, "/healthz"); live.OK != c.healthy || (code == http.StatusServiceUnavailable) == c.healthy {
				t.Errorf("healthy %t, code %d, want %t", live.OK, code, c.healthy)
			}
		})
	}
}

func askHealth(t *testing.T, h http.Handler, path string) (out Health, code int) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out, w.Code
}

// TestSelfTestIsNotRunForEveryQuestion: a prober cannot make the module work.
func TestSelfTestIsNotRunForEveryQuestion(t *testing.T) {
	ran := 0
	s := &selfTests{test: func() error { ran++; return nil }}
	now := time.Now()
	for i := range 100 {
		if err := s.result(now.Add(time.Duration(i) * time.Second / 5)); err != nil {
			t.Fatal(err)
		}
	}
	if ran != 2 {
		t.Errorf("20 seconds of questions ran %d self-tests, want 2", ran)
	}
}

// TestServeEnds: it ends with its context, and what is asked too slowly or too lengthily is refused.
func TestServeEnds(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, Handler(newRig(t, time.Now()).Sources)) }()
	req, err := http.NewRequest(http.MethodGet, "http://"+ln.Addr().String()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 2*maxHeader))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of %d bytes: %d", 2*maxHeader, resp.StatusCode)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not end")
	}
}

// TestNeeds: what waits for a person is told, and nothing else.
func TestNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		happen func(*rig)
		want   string
	}{
		"all is well":        {func(*rig) {}, ""},
		"single DES":         {func(r *rig) { r.SingleDES = true }, NeedSingleDES},
		"published keys":     {func(r *rig) { r.Test = true }, NeedTestData},
		"view far behind":    {func(r *rig) { r.view.Lag = viewLagMost + 1 }, NeedViewLag},
		"view a little":      {func(r *rig) { r.view.Lag = viewLagMost }, ""},
		"checkpoint failed":  {func(r *rig) { r.Live.checkpointFailures.Add(1) }, NeedCheckpoint},
		"checkpoint old":     {func(r *rig) { r.Live.lastCheckpoint.Store(time.Now().Add(-time.Hour).UnixNano()) }, NeedCheckpointOld},
		"never a checkpoint": {func(r *rig) { r.Started = time.Now().Add(-time.Hour) }, NeedCheckpointOld},
		"sealed":             {func(r *rig) { r.module.Sealed = true }, NeedSealed},
		"journal failed":     {func(r *rig) { r.journal.Failed = true }, NeedJournalFailed},
		"proof broken": {func(r *rig) {
			r.Proving = func() Proving { return Proving{Ineffective: 1, Stopped: 1} }
		}, NeedIneffective + " " + NeedStopped},
		"proofs hold": {func(r *rig) { r.Proving = func() Proving { return Proving{Rounds: 9} } }, ""},
		"overloaded":  {func(r *rig) { r.overloaded = true }, NeedOverloaded},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, time.Now())
			c.happen(r)
			var got []string
			for _, n := range r.Status(time.Now(), 1).Needs {
				if n.Code != NeedDiskLow { // of the machine this runs on
					got = append(got, n.Code)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("told %v, want %q", got, c.want)
			}
		})
	}
}
