package main

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/explain"
	"touchstone/failure"
	"touchstone/incident"
	"touchstone/reason"
)

// TestFailureNamesAreWhole: the table of failures says each reason's whole line, in columns.
func TestFailureNamesAreWhole(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		l, err := newLines(nil, lang, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reason.All() {
			key := l.failureKey("reason", r.String())
			if short := l.catalogue.Reason(r).Short.In(l.lang); !strings.HasSuffix(key, " "+short) || explain.Columns(key) >= failureColumns {
				t.Errorf("%s, %s: %q is %d columns", r, lang, key, explain.Columns(key))
			}
		}
	}
}

// TestOnePurchase: one is not many.
func TestOnePurchase(t *testing.T) {
	var out bytes.Buffer
	l, err := newLines(&out, "en", false)
	if err != nil {
		t.Fatal(err)
	}
	var a failuresAnswer
	a.Approved, a.Recovered, a.Lost = 1, failure.Purchases{Number: 1}, failure.Purchases{Number: 2}
	if err := l.failures(&a, nil, 0); err != nil || !strings.Contains(out.String(), "1 purchase for") || !strings.Contains(out.String(), "2 purchases for") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestIncidentTitle: pages say an incident's reason in words, and leave a title without one alone.
func TestIncidentTitle(t *testing.T) {
	catalogue, err := explain.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ reason, en, zh, wantEN, wantZH string }{
		{"mac_failed", "authentication refused (mac_failed): Sample S25 1.0.0, 4 terminals", "认证失败 (mac_failed): Sample S25 1.0.0, 4 台终端",
			"authentication refused (message code does not match): Sample S25 1.0.0, 4 terminals", "认证失败（报文校验码不符）: Sample S25 1.0.0, 4 台终端"},
		{"", "one identity, two devices: 00000050", "一个身份, 两台设备: 00000050", "one identity, two devices: 00000050", "一个身份, 两台设备: 00000050"},
		{"no_such", "what (no_such)", "什么 (no_such)", "what (no_such)", "什么 (no_such)"},
	} {
		i := &incident.Incident{Reason: c.reason, Title: incident.Text{EN: c.en, ZH: c.zh}}
		if got := incidentTitle(i, catalogue); got.EN != c.wantEN || got.ZH != c.wantZH {
			t.Errorf("%s: %+v", c.reason, got)
		}
	}
}

// TestRoughly: of three days but a minute a person is not told two.
func TestRoughly(t *testing.T) {
	en, err1 := newLines(nil, "en", false)
	zh, err2 := newLines(nil, "zh", false)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for d, want := range map[time.Duration][2]string{72*time.Hour - time.Minute: {"2d23h", "2 天 23 小时"}, 55 * time.Minute: {"55m", "55 分钟"}, 47 * time.Hour: {"47h00m", "47 小时 0 分"},
		29 * 24 * time.Hour: {"29d", "29 天"}, time.Second: {"1s", "1 秒"}} {
		if got := [2]string{en.roughly(d), zh.roughly(d)}; got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestHostZone: a host's new day begins at four in the afternoon UTC. The zones are within the program: a small container
// has none.
func TestHostZone(t *testing.T) {
	if day := time.Date(2026, 11, 28, 16, 0, 0, 0, time.UTC).In(hostZone()).Day(); day != 29 {
		t.Errorf("it is the %d.", day)
	}
	deps, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil || !slices.Contains(strings.Fields(string(deps)), "time/tzdata") {
		t.Errorf("the time zones are not built in: %v", err)
	}
}

// TestMomentInZone: a page tells a moment of the evidence in its own zone, and names it.
func TestMomentInZone(t *testing.T) {
	for text, want := range map[string]string{"2026-11-28T15:54:35Z": "2026-11-28 23:54:35 UTC+08:00", "trace 000003": "trace 000003", "": ""} {
		if got := evidenceIn(text, hostZone()).EN; got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestNouns: what an act changed is told in words.
func TestNouns(t *testing.T) {
	l, err := newLines(nil, "en", false)
	if err != nil {
		t.Fatal(err)
	}
	for noun := range nounChinese {
		if strings.Contains(l.noun(noun), "_") {
			t.Errorf("%q", l.noun(noun))
		}
	}
}

// TestPanelInterrupted: a panel that Ctrl-C ended says so, and blames no case.
func TestPanelInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := filepath.Join(t.TempDir(), "panel")
	err := (&panelNewCmd{Seed: 1, Cases: 1, Out: out}).Run(&app{ctx: ctx, stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "interrupted: "+out) {
		t.Errorf("%v", err)
	}
}
