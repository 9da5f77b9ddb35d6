package fleet_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"touchstone/fleet"
)

func document(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/advisories/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseAdvisory(t *testing.T) {
	csaf, err := fleet.ParseCSAF(document(t, "maker.csaf.json"))
	if err != nil {
		t.Fatal(err)
	}
	osv, err := fleet.ParseOSV(document(t, "maker.osv.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*fleet.Advisory{csaf, osv} {
		t.Run(a.Format, func(t *testing.T) {
			if a.Severity != fleet.High || a.CVE != "CVE-2026-99999" || a.TextZH == "" || !strings.Contains(a.Text, "single DES") || a.Issued == 0 {
				t.Errorf("read %+v", a)
			}
			for _, c := range []struct {
				model, hardware, version string
				want                     fleet.Touch
			}{
				{"Sample S20", "2.0", "1.0.2", fleet.SurelyTouch}, {"Sample S20", "2.9", "1.0.0", fleet.SurelyTouch}, {"Sample S20", "2.0", "1.0.3", fleet.Untouched},
				{"Sample S20", "3.0", "1.0.2", fleet.Untouched}, {"Sample S20", "2.0", "0.9", fleet.Untouched}, {"Sample S10", "2.0", "1.0.2", fleet.Untouched},
				{"Sample S20", "", "1.0.2", fleet.MaybeTouch}, {"Sample S20", "2.0", "", fleet.MaybeTouch}, {"Sample S20", "2.0", "beta", fleet.MaybeTouch},
				{"Sample S20", "", "1.0.3", fleet.Untouched}, {"Sample S20", "3.0", "", fleet.Untouched},
			} {
				if got := a.Touches(c.model, c.hardware, c.version); got != c.want {
					t.Errorf("%s hardware %q application %q: %d, want %d", c.model, c.hardware, c.version, got, c.want)
				}
			}
		})
	}
}

// TestAdvisoryRoundTrip writes each in both formats and reads it back to the same devices and words.
func TestAdvisoryRoundTrip(t *testing.T) {
	for _, versions := range []string{"*", ">=1.0.0|<1.0.3", "1.0.1", "<2|>=3.0|<=3.5", ">=2.0"} {
		a := advisory("Sample S20", "1.0,2.0-2.5", versions)
		a.ID, a.Text, a.TextZH, a.Certificate, a.Link, a.Publisher, a.CVE, a.CVSS, a.Issued = "ADV-7", "text", "文字", "suspended", "CRT-1", "Sample Maker", "CVE-2026-1", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:H/A:N", begin
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		csaf, err := a.CSAF("Touchstone", "https://touchstone.invalid/")
		if err != nil {
			t.Fatal(err)
		}
		osv, err := a.OSV()
		if err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func() (*fleet.Advisory, error){
			"csaf": func() (*fleet.Advisory, error) { return fleet.ParseCSAF(csaf) }, "osv": func() (*fleet.Advisory, error) { return fleet.ParseOSV(osv) },
		} {
			back, err := read()
			if err != nil {
				t.Errorf("%s of %s: %v", name, versions, err)
				continue
			}
			back.Format, back.Digest, back.ID = a.Format, a.Digest, a.ID
			want := *a
			want.Affected = []fleet.Affected{{Vendor: back.Affected[0].Vendor, Model: "Sample S20", Hardware: back.Affected[0].Hardware, Versions: back.Affected[0].Versions}}
			if back.Affected[0].Hardware != "1.0|>=2.0|<=2.5" || back.Affected[0].Versions != mustRange(t, versions) {
				t.Errorf("%s of %s: touches %+v", name, versions, back.Affected[0])
			}
			back.Affected = want.Affected
			if !reflect.DeepEqual(*back, want) {
				t.Errorf("%s of %s:\n%+v, want\n%+v", name, versions, *back, want)
			}
		}
	}
}

func mustRange(t *testing.T, text string) string {
	t.Helper()
	r, err := fleet.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r.String()
}

// TestAdvisoryRefused changes one thing of a good document.
func TestAdvisoryRefused(t *testing.T) {
	csaf, osv := document(t, "maker.csaf.json"), document(t, "maker.osv.json")
	for name, c := range map[string]struct {
		read      func([]byte) (*fleet.Advisory, error)
		raw       []byte
		old, with string
		words     string
	}{
		"csaf: impossible range":      {fleet.ParseCSAF, csaf, "vers:semver/>=1.0.0|<1.0.3", "vers:semver/>=2.0.0|<1.0.3", "no version is in it"},
		"csaf: range in prose":        {fleet.ParseCSAF, csaf, "vers:semver/>=1.0.0|<1.0.3", "before 1.0.3", "version range"},
		"csaf: impossible hardware":   {fleet.ParseCSAF, csaf, "vers:generic/<3.0", "vers:generic/>3.0|<3.0", "hardware of Sample S20"},
		"csaf: no such product":       {fleet.ParseCSAF, csaf, `"known_affected": ["APP-ON-HW"]`, `"known_affected": ["NOWHERE"]`, "NOWHERE"},
		"csaf: hardware not in tree":  {fleet.ParseCSAF, csaf, `"relates_to_product_reference": "HW"}`, `"relates_to_product_reference": "HW9"}`, "HW9"},
		"csaf: nothing affected":      {fleet.ParseCSAF, csaf, `"known_affected": ["APP-ON-HW"], `, "", "names 0 products"},
		"csaf: version 1.2":           {fleet.ParseCSAF, csaf, `"csaf_version": "2.0"`, `"csaf_version": "1.2"`, "version 2.0"},
		"csaf: no tracking id":        {fleet.ParseCSAF, csaf, "SM-SA-2026-001", "", "tracking id"},
		"csaf: a date that is none":   {fleet.ParseCSAF, csaf, `"2026-11-20T08:00:00Z", "current`, `"yesterday", "current`, "no CSAF document"},
		"csaf: a model too long":      {fleet.ParseCSAF, csaf, "Sample S20 application\"", strings.Repeat("S", 41) + "\"", "a model of 41 bytes"},
		"csaf: cut":                   {fleet.ParseCSAF, csaf, `"vulnerabilities"`, "", "no CSAF document"},
		"osv: fixed before it begins": {fleet.ParseOSV, osv, `{"fixed": "1.0.3"}`, `{"fixed": "0.9"}`, "no version is in it"},
		"osv: fixed, never begun":     {fleet.ParseOSV, osv, `{"introduced": "1.0.0"}, `, "", "before it begins"},
		"osv: begun twice":            {fleet.ParseOSV, osv, `{"fixed": "1.0.3"}`, `{"introduced": "1.0.3"}`, "two introduced events"},
		"osv: limit":                  {fleet.ParseOSV, osv, `{"fixed": "1.0.3"}`, `{"limit": "1.0.3"}`, "another kind"},
		"osv: commits":                {fleet.ParseOSV, osv, `"ECOSYSTEM"`, `"GIT"`, "a range of commits"},
		"osv: no versions":            {fleet.ParseOSV, osv, `[{"type": "ECOSYSTEM", "events": [{"introduced": "1.0.0"}, {"fixed": "1.0.3"}]}]`, "[]", "no versions"},
		"osv: no model":               {fleet.ParseOSV, osv, `"terminal_model": "Sample S20", `, "", "a model of 0 bytes"},
		"osv: withdrawn":              {fleet.ParseOSV, osv, `"aliases"`, `"withdrawn": "2026-11-21T08:00:00Z", "aliases"`, "withdrawn by its publisher"},
		"osv: a severity of its own":  {fleet.ParseOSV, osv, `"HIGH"`, `"terrible"`, "severity"},
		"osv: no id":                  {fleet.ParseOSV, osv, `"x_maker-2026-001"`, `""`, "without an id"},
	} {
		raw := bytes.Replace(c.raw, []byte(c.old), []byte(c.with), 1)
		if bytes.Equal(raw, c.raw) {
			t.Fatalf("%s: the document does not have %q", name, c.old)
		}
		a, err := c.read(raw)
		if !errors.Is(err, fleet.ErrAdvisory) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %+v, %v: want it refused with %q", name, a, err, c.words)
			continue
		}
	}
	s := fleet.NewState()
	bad := advisory("S20", "*", ">=3|<2")
	drafts, _, err := fleet.Add(s, bad, pair[:1], begin)
	refused(t, "an impossible range reaches the rule", drafts, err, fleet.ErrRange, "no version is in it")
}

func TestAddAgain(t *testing.T) {
	s := fleet.NewState()
	a := advisory("S20", "*", "<1.0.3")
	id := add(t, s, a)
	a.Affected[0].Model = "S30"
	if again := add(t, s, a); again != id || len(s.Advisories()) != 1 {
		t.Errorf("a renewed document is %s beside %s", again, id)
	}
	if f := s.AdvisoryFacts(nil, device(1, "S20", "1.0", "1.0.0"), "1.0.0", begin)[0]; f.State != "good" {
		t.Errorf("what it said before still counts: %+v", f)
	}
	if f := s.AdvisoryFacts(nil, device(1, "S30", "1.0", "1.0.0"), "1.0.0", begin)[0]; f.State != fleet.AdvisoryTouches {
		t.Errorf("what it says now does not count: %+v", f)
	}
}

// FuzzAdvisory: no panic; what is read is written in both formats to what reads back and touches the same.
func FuzzAdvisory(f *testing.F) {
	f.Add(document(f, "maker.csaf.json"), "2.0", "1.0.2")
	f.Add(document(f, "maker.osv.json"), "2.0", "1.0.2")
	f.Add([]byte(`{"document":{"csaf_version":"2.0","tracking":{"id":"x"}}}`), "1", "1")
	f.Add([]byte(`{"id":"x","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"m"},"versions":["1.0"]}]}`), "1", "1")
	f.Fuzz(func(t *testing.T, raw []byte, hardware, version string) {
		if len(raw) > 64<<10 {
			return
		}
		for _, read := range []func([]byte) (*fleet.Advisory, error){fleet.ParseCSAF, fleet.ParseOSV} {
			a, err := read(raw)
			if err != nil {
				continue
			}
			osv, err := a.OSV()
			if err != nil {
				t.Fatal(err)
			}
			csaf, err := a.CSAF("Touchstone", "https://touchstone.invalid/")
			if err != nil {
				t.Fatal(err)
			}
			for _, back := range []func() (*fleet.Advisory, error){func() (*fleet.Advisory, error) { return fleet.ParseOSV(osv) }, func() (*fleet.Advisory, error) { return fleet.ParseCSAF(csaf) }} {
				b, err := back()
				if err != nil {
					t.Fatalf("what was read is not read again: %v", err)
				}
				for _, m := range a.Affected {
					if a.Touches(m.Model, hardware, version) != b.Touches(m.Model, hardware, version) {
						t.Fatalf("%s %q %q is touched differently", m.Model, hardware, version)
					}
				}
			}
		}
	})
}
