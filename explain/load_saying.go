package explain

import (
	"bytes"
	"encoding/json"
)

// MaxSteps is the most steps of one person.
const MaxSteps = 8

// sayings are texts that several rows share, by group and name, as sayings.json has them. A row names one, or brings a
// text of its own.
type sayings struct {
	money                                 map[string]moneyRow
	reboot, courier, never, counter, folk map[string]Text
	then                                  map[string]Text // by the name of a courier saying: who acts second
}

// moneyRow is what happened to the money.
type moneyRow struct {
	Name  string `json:"name"`
	State Money  `json:"state"`
	Text  Text   `json:"text"`
}

type sayingsFile struct {
	Money   []moneyRow `json:"money"`
	Reboot  []wordRow  `json:"reboot"`
	Courier []wordRow  `json:"courier"`
	Never   []wordRow  `json:"never"`
	Counter []wordRow  `json:"counter"`
	Folk    []wordRow  `json:"folk"`
}

func (s *sayings) load(data string) error {
	var f sayingsFile
	if err := read("sayings", data, &f); err != nil {
		return err
	}
	s.money = map[string]moneyRow{}
	for _, row := range f.Money {
		_, twice := s.money[row.Name]
		if twice || !row.Text.whole() || !row.State.known() {
			return bad("money %q: named twice, without words or of no known state", row.Name)
		}
		s.money[row.Name] = row
	}
	for _, group := range []struct {
		name string
		rows []wordRow
		into *map[string]Text
	}{{"reboot", f.Reboot, &s.reboot}, {"courier", f.Courier, &s.courier}, {"never", f.Never, &s.never}, {"counter", f.Counter, &s.counter}, {"folk", f.Folk, &s.folk}} {
		words := map[string]Text{}
		for _, row := range group.rows {
			if _, twice := words[row.Name]; twice || row.Name == "" || !row.Text.whole() || row.Then != nil && group.name != "courier" {
				return bad("%s %q: named twice, without words, or with a second owner", group.name, row.Name)
			}
			words[row.Name] = row.Text
		}
		*group.into = words
	}
	return s.loadThen(f.Courier)
}

// loadThen keeps who acts second, where a visit or a courier is due.
func (s *sayings) loadThen(rows []wordRow) error {
	s.then = map[string]Text{}
	for _, row := range rows {
		if row.Then == nil {
			continue
		}
		if !row.Then.whole() {
			return bad("courier %q: who acts then", row.Name)
		}
		s.then[row.Name] = *row.Then
	}
	return nil
}

func (m Money) known() bool {
	switch m {
	case MoneyUnknown, MoneyNotCharged, MoneyOnce, MoneyReversed:
		return true
	}
	return false
}

// saying is the name of a shared text, or a text of the row's own.
type saying struct {
	name string
	text Text
}

// UnmarshalJSON reads "name" or {"en": ..., "zh": ...}.
func (s *saying) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &s.name)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(&s.text)
}

// in is the text, of a group where the row only names it.
func (s *saying) in(group map[string]Text) (Text, bool) {
	if s.name != "" {
		t, ok := group[s.name]
		return t, ok
	}
	return s.text, s.text.whole()
}

// all are the texts of several sayings; none at all is in order.
func all(list []saying, group map[string]Text) ([]Text, bool) {
	texts := make([]Text, 0, len(list))
	for i := range list {
		t, ok := list[i].in(group)
		if !ok {
			return nil, false
		}
		texts = append(texts, t)
	}
	return texts, true
}

// steps tells whether a person has one to MaxSteps steps, all of them whole.
func steps(list []Text) bool {
	for _, t := range list {
		if !t.whole() {
			return false
		}
	}
	return len(list) >= 1 && len(list) <= MaxSteps
}

// join is the steps as one text.
func join(list []Text) (t Text) {
	for i, s := range list {
		if i > 0 {
			t.EN += " "
		}
		t.EN, t.ZH = t.EN+s.EN, t.ZH+s.ZH
	}
	return t
}

// counterRow is what the cashier does and sees.
type counterRow struct {
	Name   string   `json:"name,omitempty"`
	Short  Text     `json:"short"`
	Steps  []Text   `json:"steps"`
	Screen screen   `json:"screen"`
	Money  string   `json:"money,omitempty"`
	Never  []saying `json:"never"`
	Folk   []saying `json:"folk,omitempty"`
}

type screen struct {
	EN []string `json:"en"`
	ZH []string `json:"zh"`
}

func (c *Catalogue) loadCounters(data string, s *sayings) error {
	var f struct {
		Counters []counterRow `json:"counters"`
	}
	if err := read("counters", data, &f); err != nil {
		return err
	}
	c.counters = map[string]Counter{}
	for i := range f.Counters {
		row := &f.Counters[i]
		if _, twice := c.counters[row.Name]; twice || row.Name == "" {
			return bad("counter %q: named twice", row.Name)
		}
		counter, err := row.make(s)
		if err != nil {
			return err
		}
		if counter.Money == (Text{}) {
			return bad("counter %q: money", row.Name)
		}
		c.counters[row.Name] = counter
	}
	return nil
}

func (row *counterRow) make(s *sayings) (Counter, error) {
	counter := Counter{Steps: row.Steps, Action: join(row.Steps), Short: row.Short, Screen: [2][]string{English: row.Screen.EN, Chinese: row.Screen.ZH}}
	if !steps(row.Steps) || !fits(row.Short, MaxCashierShort) {
		return Counter{}, bad("counter %q: a step or the short text is missing or too wide", row.Name)
	}
	for _, lines := range counter.Screen {
		if !onScreen(lines) {
			return Counter{}, bad("counter %q: want 1 to %d lines of at most %d columns", row.Name, ScreenLines, ScreenColumns)
		}
	}
	if row.Money != "" {
		m, ok := s.money[row.Money]
		if !ok {
			return Counter{}, bad("counter %q: money %q", row.Name, row.Money)
		}
		counter.Money, counter.MoneyState = m.Text, m.State
	}
	never, ok := all(row.Never, s.counter)
	folk, known := all(row.Folk, s.folk)
	if !ok || !known || len(never) == 0 {
		return Counter{}, bad("counter %q: never or folk", row.Name)
	}
	counter.Never, counter.Folk = never, folk
	return counter, nil
}

// onScreen tells whether the smallest display shows the lines.
func onScreen(lines []string) bool {
	for _, line := range lines {
		if !sound(line) || Columns(line) > ScreenColumns {
			return false
		}
	}
	return len(lines) >= 1 && len(lines) <= ScreenLines
}
