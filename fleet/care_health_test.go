package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
)

// reportJSON is a sound report of serial at terminal, made at start.
func reportJSON(sequence uint64) string {
	return fmt.Sprintf(`{"version":1,"serial":"%s","terminal":"00000023","time":"%s","sequence":%d,"hardware":"B","firmware":"1.0","application":"1.0.0",`+
		`"applications_sha256":"%s","scanner":{"name":"Scanner","definitions":"2026-11-26","result":"clean","found":""},"tamper":"none",`+
		`"networks":[{"kind":"ethernet","class":"private"}]}`, serial, start.Time().Format(time.RFC3339), sequence, strings.Repeat("ab", 32))
}

func report(t *testing.T, sequence uint64) fleet.Report {
	t.Helper()
	r, err := fleet.ParseReport([]byte(reportJSON(sequence)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestParseReport: each member alone, missing, twice, of another type and out of bounds.
func TestParseReport(t *testing.T) {
	good := reportJSON(7)
	if _, err := fleet.ParseReport([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, ok := range [][2]string{{`"tamper":"none"`, `"tamper":"07"`}, {`"result":"clean","found":""`, `"result":"found","found":"EICAR"`}, {`"result":"clean"`, `"result":"not_run"`},
		{`"kind":"ethernet","class":"private"`, `"class":"public","kind":"wifi"`}, {`"hardware":"B"`, `"hardware":"` + strings.Repeat("B", 64) + `"`}, {`{"version"`, ` { "version"`}} {
		if _, err := fleet.ParseReport([]byte(strings.Replace(good, ok[0], ok[1], 1))); err != nil {
			t.Errorf("%s: %v", ok[1], err)
		}
	}
	bad := map[string]string{"empty": "", "null": "null", "an array": "[]", "a number": "1", "cut": good[:len(good)-1], "two": good + good, "something after": good + "x",
		"longer than 4096": good + strings.Repeat(" ", 4097-len(good))}
	for name, c := range map[string][2]string{
		"version 2": {`"version":1`, `"version":2`}, "version 1.0": {`"version":1`, `"version":1.5`}, "version text": {`"version":1`, `"version":"1"`},
		"no serial": {string(serial), ""}, "serial with a space": {string(serial), "0 0"}, "serial of 51": {string(serial), strings.Repeat("1", 51)},
		"terminal of 7": {"00000023", "0000023"}, "time without a zone": {"Z\"", "\""}, "year 1999": {"\"2026-", "\"1999-"}, "sequence 0": {`"sequence":7`, `"sequence":0`},
		"sequence -1": {`"sequence":7`, `"sequence":-1`}, "sequence too big": {`"sequence":7`, `"sequence":18446744073709551616`}, "sequence null": {`"sequence":7`, `"sequence":null`},
		"hardware empty": {`"hardware":"B"`, `"hardware":""`}, "hardware of 65": {`"hardware":"B"`, `"hardware":"` + strings.Repeat("B", 65) + `"`},
		"hardware with a control": {`"hardware":"B"`, `"hardware":"B\u0000"`}, "hardware nested": {`"hardware":"B"`, `"hardware":{}`}, "hardware null": {`"hardware":"B"`, `"hardware":null`},
		"digest of 63": {strings.Repeat("ab", 32), strings.Repeat("ab", 31) + "a"}, "digest upper case": {strings.Repeat("ab", 32), strings.Repeat("AB", 32)},
		"definitions in words": {"2026-11-26", "yesterday"}, "definitions 30 February": {"2026-11-26", "2026-02-30"}, "result of its own": {`"clean"`, `"good"`},
		"clean and found": {`"found":""`, `"found":"X"`}, "found nothing": {`"clean"`, `"found"`}, "tamper of one digit": {`"none"`, `"7"`}, "tamper empty": {`"none"`, `""`},
		"no networks": {`[{"kind":"ethernet","class":"private"}]`, `[]`}, "networks null": {`[{"kind":"ethernet","class":"private"}]`, `null`},
		"nine networks":         {`[{"kind":"ethernet","class":"private"}]`, `[` + strings.TrimSuffix(strings.Repeat(`{"kind":"ethernet","class":"private"},`, 9), ",") + `]`},
		"a network without one": {`"kind":"ethernet",`, ``}, "class of its own": {`"private"`, `"secret"`}, "kind of its own": {`"ethernet"`, `"token ring"`},
		"a member too many": {`"version":1`, `"version":1,"more":1`}, "a member twice": {`"version":1`, `"version":1,"version":1`}, "serial in another case": {`"serial"`, `"Serial"`},
		"a scanner's member twice": {`"name":"Scanner"`, `"name":"Scanner","name":"Other"`}, "no scanner": {`"scanner":{"name":"Scanner","definitions":"2026-11-26","result":"clean","found":""},`, ``},
		"scanner as text": {`{"name":"Scanner","definitions":"2026-11-26","result":"clean","found":""}`, `"clean"`},
	} {
		text := strings.Replace(good, c[0], c[1], 1)
		if text == good {
			t.Errorf("%s: the case changes nothing", name)
		}
		bad[name] = text
	}
	for name, text := range bad {
		if r, err := fleet.ParseReport([]byte(text)); !errors.Is(err, fleet.ErrReport) || !reflect.DeepEqual(r, fleet.Report{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReport: no panic, and what is taken means the same when it is written and read again.
func FuzzReport(f *testing.F) {
	good := reportJSON(7)
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, `"none"`, `"07"`, 1)))
	f.Add([]byte(strings.Replace(good, `"version":1`, `"version":1,"version":2`, 1)))
	f.Add([]byte(`{"networks":[{"kind":[[[[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := fleet.ParseReport(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		same, err := fleet.ParseReport(again)
		if err != nil || !same.Time.Equal(r.Time) {
			t.Fatalf("%s: %v", again, err)
		}
		same.Time = r.Time
		if !reflect.DeepEqual(same, r) {
			t.Fatalf("%+v became %+v", r, same)
		}
	})
}

var bound = fleet.Proven{Certificate: "c", Digest: "d", Bound: true, Applications: []string{"1.0.0"}}

// TestTakeReport: what of a signed report is refused, at its bounds.
func TestTakeReport(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    pos.Instant
		alter func(*fleet.Report, *fleet.Proven)
		want  fleet.HealthRefusal
	}{
		{"now", start, nil, ""},
		{"24 hours old", start.Add(day), nil, ""},
		{"older than 24 hours", start.Add(day) + 1, nil, fleet.HealthOld},
		{"from last week", start.Add(7 * day), nil, fleet.HealthOld},
		{"5 minutes ahead", start.Add(-5 * time.Minute), nil, ""},
		{"more than 5 minutes ahead", start.Add(-5*time.Minute) - 1, nil, fleet.HealthAhead},
		{"the sequence of before", start, func(r *fleet.Report, _ *fleet.Proven) { r.Sequence = 5 }, fleet.HealthReplay},
		{"an older sequence", start, func(r *fleet.Report, _ *fleet.Proven) { r.Sequence = 4 }, fleet.HealthReplay},
		{"the next sequence", start, func(r *fleet.Report, _ *fleet.Proven) { r.Sequence = 6 }, ""},
		{"another terminal", start, func(_ *fleet.Report, p *fleet.Proven) { p.Bound = false }, fleet.HealthTerminal},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t)
			r.to(serial, fleet.Deployed)
			r.take(fleet.TakeReport(r.State, report(t, 5), bound, start))
			next, p := report(t, 7), bound
			if c.alter != nil {
				c.alter(&next, &p)
			}
			drafts, err := fleet.TakeReport(r.State, next, p, c.at)
			var refusal *fleet.HealthError
			if c.want != "" {
				if !errors.As(err, &refusal) || refusal.Why != c.want || refusal.Serial != serial {
					t.Fatalf("%v, want %s", err, c.want)
				}
				kept := fleet.RefusedReport(refusal, 3).Draft()
				if err := kept.Act.Check(); err != nil || !strings.Contains(kept.Act.Refused, "3 more") {
					t.Errorf("%v %q", err, kept.Act.Refused)
				}
				return
			}
			r.take(drafts, err)
			if h := r.LastHealth(serial); h.Sequence != next.Sequence || h.At != c.at || drafts[0].Act.Actors[0] != "device:"+string(serial) {
				t.Errorf("%+v", h)
			}
		})
	}
	r := newRoom(t)
	r.to(serial, fleet.Destroyed)
	if _, err := fleet.TakeReport(r.State, report(t, 5), bound, start); err == nil {
		t.Error("a destroyed device reported its health")
	}
}

// TestTamperReport quarantines in the same act.
func TestTamperReport(t *testing.T) {
	r := newRoom(t)
	r.to(serial, fleet.Deployed)
	made := report(t, 5)
	made.Tamper = "07"
	drafts, err := fleet.TakeReport(r.State, made, bound, start)
	if r.take(drafts, err); len(drafts) != 1 || r.Life(serial).State != fleet.Quarantined {
		t.Errorf("%d entries, device %s", len(drafts), r.Life(serial).State)
	}
	if f := r.HealthFact(serial, start); f.State != fleet.ReportsTamper {
		t.Errorf("%+v", f)
	}
}

// TestHealthFact: each state, the worst first, and where time alone changes it.
func TestHealthFact(t *testing.T) {
	definitions, err := time.Parse(time.DateOnly, "2026-11-26")
	if err != nil {
		t.Fatal(err)
	}
	old := pos.Instant(definitions.UnixNano()).Add(7 * day)
	stale := start.Add(7 * day)
	for _, c := range []struct {
		name  string
		alter func(*fleet.Report)
		at    pos.Instant
		state string
		until pos.Instant
	}{
		{"good", nil, start, registry.Good, min(old, stale)},
		{"definitions a moment before", nil, old - 1, registry.Good, min(old, stale)},
		{"definitions old", nil, old, fleet.DefinitionsOld, stale},
		{"stale", nil, stale, fleet.Stale, 0},
		{"malware", func(r *fleet.Report) { r.Scanner.Result, r.Scanner.Found = "found", "EICAR" }, start, fleet.Malware, 0},
		{"malware stays when stale", func(r *fleet.Report) { r.Scanner.Result, r.Scanner.Found = "found", "EICAR" }, stale, fleet.Malware, 0},
		{"no scan", func(r *fleet.Report) { r.Scanner.Result = "not_run" }, start, fleet.ScannerDidNotRun, stale},
		{"another application", func(r *fleet.Report) { r.Application = "9.9" }, start, fleet.VersionDiffers, 0},
		{"another hardware", func(r *fleet.Report) { r.Hardware = "Z" }, start, fleet.VersionDiffers, 0},
		{"tampered", func(r *fleet.Report) { r.Tamper = "00" }, start, fleet.ReportsTamper, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t)
			r.to(serial, fleet.Deployed)
			made := report(t, 5)
			if c.alter != nil {
				c.alter(&made)
			}
			r.take(fleet.TakeReport(r.State, made, bound, start))
			if f := r.HealthFact(serial, c.at); f.State != c.state || f.Until != c.until || f.Name != registry.FactHealth || f.Entry == 0 {
				t.Errorf("%+v, want %q until %d", f, c.state, c.until)
			}
		})
	}
	if f := fleet.NewState().HealthFact(serial, start); f.State != "" || f.Name != registry.FactHealth {
		t.Errorf("never reported: %+v", f)
	}
}

// TestOtherFacts: device, site and network, known and unknown.
func TestOtherFacts(t *testing.T) {
	for _, state := range everyState {
		r := newRoom(t)
		r.to(serial, state)
		want := string(state)
		if state == fleet.Deployed {
			want = registry.Good
		}
		if f := r.DeviceFact(serial, start); f.State != want || f.Name != registry.FactDevice || f.Entry == 0 {
			t.Errorf("%s: %+v", state, f)
		}
	}
	r := newRoom(t)
	if r.DeviceFact(serial, start).State != "" || r.SiteFact(terminal, start).State != "" || r.NetworkFact(terminal, start).State != "" || r.InspectionFact(serial, start).State != "" {
		t.Error("nothing is known, and a fact is")
	}
	r.to(serial, fleet.Deployed)
	if f := r.SiteFact(terminal, start); f.State != "counter" || f.Entry == 0 {
		t.Errorf("%+v", f)
	}
	if f := r.NetworkFact(terminal, start); f.State != "private" {
		t.Errorf("%+v", f)
	}
	made := report(t, 5)
	made.Networks = append(made.Networks, fleet.UsedNetwork{Kind: "wifi", Class: fleet.PublicNetwork})
	r.take(fleet.TakeReport(r.State, made, bound, start))
	if f := r.NetworkFact(terminal, start); f.State != "public" || f.Detail != "wifi" {
		t.Errorf("the report says that a public network was used: %+v", f)
	}
	r.take(fleet.Move(r.State, serial, fleet.Elements{Network: fleet.PrivateNetwork, Address: "new address"}, r.who(), start+1))
	if f := r.NetworkFact(terminal, start+1); f.State != "private" {
		t.Errorf("a report of another place counts: %+v", f)
	}
}
