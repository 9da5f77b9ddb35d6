package staff

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Text is one text in both languages.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Rule is the page that everybody at a counter knows. A change of its text is a new version.
type Rule struct {
	Version string    `json:"version"`
	Date    string    `json:"date"` // of the version, YYYY-MM-DD
	Title   Text      `json:"title"`
	Points  []Point   `json:"points"` // one a topic
	Sources []Sourced `json:"sources"`
}

// Point is one paragraph of the rule.
type Point struct {
	Topic string `json:"topic"` // such as pin_privacy
	Core  bool   `json:"core"`  // one of the four topics of PCI DSS 9.5.1.3, asked in every test
	Name  Text   `json:"name"`
	Text  Text   `json:"text"`
}

// Sourced is where the content comes from, and how sure that is: V read, S secondary, R recalled.
type Sourced struct {
	Source string `json:"source"`
	Mark   string `json:"confidence"`
}

// Bank is the question bank with the rule that it asks about.
type Bank struct {
	Version   string     `json:"version"`
	Rule      Rule       `json:"rule"`
	Questions []Question `json:"questions"`
}

// Question has one right choice.
type Question struct {
	ID      string   `json:"id"`    // Q01, ...; never used again for another question
	Topic   string   `json:"topic"` // of a Point
	Text    Text     `json:"text"`
	Choices []Choice `json:"choices"` // 3 or 4
	Right   string   `json:"right"`   // the ID of one of them
}

// Choice is one answer to choose.
type Choice struct {
	ID   string `json:"id"` // a to d
	Text Text   `json:"text"`
}

// PaperQuestions is how many questions a test has, at most one a topic.
const PaperQuestions = 12

// ErrBank is returned for a question bank that is not whole.
var ErrBank = errors.New("question bank")

//go:embed bank.json
var bankJSON []byte

// LoadBank reads and checks the embedded question bank. An error is a fault of the build.
func LoadBank() (*Bank, error) { return ParseBank(bankJSON) }

// ParseBank reads a question bank and checks that it is whole: both languages everywhere, every question of a
// topic of the rule, every topic asked, one right answer each.
func ParseBank(raw []byte) (*Bank, error) {
	b := new(Bank)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(b); err != nil {
		return nil, fmt.Errorf("%w: not what it should be: %w", ErrBank, err)
	}
	return b, b.check()
}

func (b *Bank) check() error {
	bad := func(what, which string) error { return fmt.Errorf("%w: %s %.20s", ErrBank, what, which) }
	asked, ids := map[string]bool{}, map[string]bool{}
	core := 0
	for _, p := range b.Rule.Points {
		if p.Topic == "" || !p.Name.whole() || !p.Text.whole() {
			return bad("a point in one language", p.Topic)
		}
		if _, twice := asked[p.Topic]; twice {
			return bad("a topic twice", p.Topic)
		}
		asked[p.Topic] = false
		if p.Core {
			core++
		}
	}
	for _, q := range b.Questions {
		if _, known := asked[q.Topic]; !known {
			return bad("a question of no topic", q.ID)
		}
		asked[q.Topic] = true
		if q.ID == "" || ids[q.ID] || !q.whole() {
			return bad("a question that is not whole", q.ID)
		}
		ids[q.ID] = true
	}
	for topic, is := range asked {
		if !is {
			return bad("no question asks about", topic)
		}
	}
	if b.Version == "" || b.Rule.Version == "" || !b.Rule.Title.whole() || core == 0 || core > PaperQuestions || len(asked) < PaperQuestions {
		return bad("without a version, a title or topics enough", b.Version)
	}
	return nil
}

func (t Text) whole() bool { return t.ZH != "" && t.EN != "" }

func (q *Question) whole() bool {
	if !q.Text.whole() || len(q.Choices) < 3 || len(q.Choices) > 4 {
		return false
	}
	right := 0
	for i, c := range q.Choices {
		if !c.Text.whole() || c.ID != string(rune('a'+i)) {
			return false
		}
		if c.ID == q.Right {
			right++
		}
	}
	return right == 1
}

// Paper is the questions of one test, in the order in which they are asked.
type Paper struct {
	Questions []Question
}

// Paper draws PaperQuestions questions of different topics, the core topics among them, and shuffles questions
// and choices. The same seed draws the same. The order is that of SHA-256 over the seed and the name of each thing.
func (b *Bank) Paper(seed string) Paper {
	chosen := map[string]Question{}
	for _, q := range b.Questions {
		if other, ok := chosen[q.Topic]; !ok || before(seed, q.ID, other.ID) < 0 {
			chosen[q.Topic] = q
		}
	}
	var core, rest []Question
	for _, p := range b.Rule.Points {
		if q := chosen[p.Topic]; p.Core {
			core = append(core, q)
		} else {
			rest = append(rest, q)
		}
	}
	byDraw := func(a, b Question) int { return before(seed, a.ID, b.ID) }
	slices.SortFunc(rest, byDraw)
	paper := Paper{append(core, rest[:min(len(rest), PaperQuestions-len(core))]...)}
	slices.SortFunc(paper.Questions, byDraw)
	for i := range paper.Questions {
		q := &paper.Questions[i]
		q.Choices = slices.Clone(q.Choices)
		slices.SortFunc(q.Choices, func(a, b Choice) int { return before(seed, q.ID+a.ID, q.ID+b.ID) })
	}
	return paper
}

func before(seed, a, b string) int {
	x, y := sha256.Sum256([]byte(seed+"/"+a)), sha256.Sum256([]byte(seed+"/"+b))
	return cmp.Or(bytes.Compare(x[:], y[:]), cmp.Compare(a, b))
}

// Grade counts the questions answered right and lists the topics of the others.
func (p Paper) Grade(answers map[string]string) (right int, wrong []string) {
	for _, q := range p.Questions {
		if answers[q.ID] == q.Right {
			right++
		} else {
			wrong = append(wrong, q.Topic)
		}
	}
	return right, wrong
}
