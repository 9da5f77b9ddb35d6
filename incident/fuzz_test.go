package incident

import (
	"encoding/json"
	"strings"
	"testing"

	"touchstone/journal"
)

// FuzzClockFile: a file of clock rules is refused, or can be loaded, folded and applied.
func FuzzClockFile(f *testing.F) {
	f.Add(clocksFile)
	f.Add([]byte(`{"clocks":[{"id":"x","start":"","due":"4h"}]}`))
	f.Add([]byte(`{"clocks":[{"id":"x","start":"awareness","due":"99999999999999999999d","due_mark":"V","duty":{"en":"a","zh":"b"},"recipient":{"en":"a","zh":"b"},"template":"t","source":"s","mark":"V"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		w := newWorld(t)
		drafts, err := LoadClocks(w.state, content, twoPeople)
		if err != nil {
			if strings.Contains(err.Error(), "\x00") || len(err.Error()) > 600 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		w.do(drafts, nil)
		w.open("attached_device", "extreme", w.now)
		for _, c := range w.state.Clocks("INC-1") {
			if c.State == Running && c.Due <= c.Started {
				t.Fatalf("clock %s is due before it starts", c.ID)
			}
		}
	})
}

// FuzzRuleFile: a file of rules is refused, or can be loaded and followed.
func FuzzRuleFile(f *testing.F) {
	f.Add(rulesFile)
	f.Add([]byte(`{"rules":[{"id":"x","type":"spread","kind":"other","severity":"general","title":{"en":"a","zh":"b"},"what":{"en":"a","zh":"b"},"answers":["A7"],"window":"1s","terminals":2,"shops":1,"rate":1,"g":1}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		w := newWorld(t)
		drafts, err := LoadRules(w.state, content, twoPeople)
		if err != nil {
			return
		}
		w.do(drafts, nil)
		c := NewCorrelator(func() []Rule { return w.state.data.Rules }, fleetOf)
		all := append(signIns(1, 2, 1, 2, 1), refused(0, 23, 1000, 1001, 1002, 1003)...)
		all = append(all, said{other: eventEntry("authentication_ineffective", "MAC")}, said{other: actEntry(journal.KindFleet, "inspection", "INS-1", `{"alarm":true}`)})
		for _, e := range entriesOf(t, all) {
			c.Fold(e)
		}
		for _, d := range c.Look() {
			if _, _, err := Take(w.state, &d, w.now); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzReport: a report is refused, or kept and read back as it was; a card number in its text is never kept.
func FuzzReport(f *testing.F) {
	f.Add("skimmer", "00000023", "", "a loose bezel")
	f.Add("other", "", "000003TS01", "4111 1111 1111 1111")
	f.Add("other", "00000023", "", "4111-1111-1111-1111, and 6225")
	f.Fuzz(func(t *testing.T, kind, terminal, serial, text string) {
		w := newWorld(t)
		r := &Report{ID: "RPT-1-ABCDEFGH", Kind: kind, Terminal: terminal, Serial: serial, Text: text, From: "consumer"}
		drafts, err := File(w.state, r, By{Actors: []string{"consumer"}}, w.now)
		if err != nil {
			return
		}
		w.do(drafts, nil)
		kept := w.state.Report(r.ID)
		if kept.Text != text || kept.Terminal != terminal || kept.Serial != serial {
			t.Fatalf("kept otherwise: %+v", kept)
		}
		if strings.Contains(strings.NewReplacer(" ", "", "-", "").Replace(text), "4111111111111111") && len(text) < 20 {
			t.Fatal("a card number was kept")
		}
	})
}

// FuzzFold: a record of the journal that is damaged or of a later version is an error or is left alone.
func FuzzFold(f *testing.F) {
	f.Add("incident", "INC-1", []byte(`{"id":"INC-1","state":"open"}`))
	f.Add("incident_clock", "INC-1/contain", []byte(`{"id":"INC-1/contain","incident":"INC-1","within":"x","state":"running"}`))
	f.Add("incident_step", "INC-1#1", []byte(`{"incident":"INC-1","number":-1}`))
	f.Add("operator", "operator", []byte(`["visa"]`))
	f.Fuzz(func(t *testing.T, noun, id string, record []byte) {
		if !json.Valid(record) {
			return
		}
		s := NewState()
		if s.Fold(7, journal.Change{Noun: noun, ID: id, Record: record}) != nil {
			return
		}
		for _, i := range s.Incidents() {
			Missing(s, i.ID)
		}
		_, _, _ = RanOut(s, 1<<60)
		s.Reports()
		s.Timeline("INC-1")
	})
}
