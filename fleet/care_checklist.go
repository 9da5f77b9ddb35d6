package fleet

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Checklist is what an inspector answers, and what of it is known of each model.
type Checklist struct {
	Version    string               `json:"version"`
	Source     string               `json:"source"`
	Unverified bool                 `json:"unverified"`
	Items      []CheckItem          `json:"items"`
	Models     map[string]ModelBody `json:"models"`
}

// CheckItem is one question.
type CheckItem struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`            // serial, seal, yes_no, count or grams
	Good  string `json:"good,omitempty"`  // of yes_no: the answer that finds nothing
	Alarm bool   `json:"alarm,omitempty"` // a finding quarantines the device at once and opens a case
	EN    string `json:"en"`
	ZH    string `json:"zh"`
}

// ModelBody is what a sound device of a model weighs and how many cables it has.
type ModelBody struct {
	Grams     int `json:"grams"`
	Tolerance int `json:"tolerance"` // grams, either way
	Cables    int `json:"cables"`
}

//go:embed care_checklist.json
var checklistFile []byte

// ParseChecklist reads a checklist.
func ParseChecklist(raw []byte) (*Checklist, error) {
	c := new(Checklist)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("%w: checklist: %w", ErrCarePolicy, err)
	}
	seen := map[string]bool{}
	for _, i := range c.Items {
		switch {
		case i.ID == "" || len(i.ID) > maxAnswerWord || seen[i.ID] || i.EN == "" || i.ZH == "":
			return nil, fmt.Errorf("%w: checklist item %.40q: no id, one that is there already, or no words", ErrCarePolicy, i.ID)
		case !known([]string{"serial", "seal", "yes_no", "count", "grams"}, i.Kind), i.Kind == "yes_no" && i.Good != "yes" && i.Good != "no":
			return nil, fmt.Errorf("%w: checklist item %.40s: kind or good answer", ErrCarePolicy, i.ID)
		}
		seen[i.ID] = true
	}
	if len(c.Items) == 0 || len(c.Items) > maxItems {
		return nil, fmt.Errorf("%w: checklist of %d items, want 1 to %d", ErrCarePolicy, len(c.Items), maxItems)
	}
	return c, nil
}

// Bounds of a checklist and its answers.
const (
	maxItems      = 30
	maxAnswerWord = 40 // bytes of an id
	maxAnswer     = 64 // bytes of an answer; a serial number has 50 at most
)

// DefaultChecklist is the one that comes with the program. It is shared and not changed.
var DefaultChecklist = sync.OnceValue(func() *Checklist {
	c, err := ParseChecklist(checklistFile)
	if err != nil {
		panic("fleet: the embedded checklist: " + err.Error())
	}
	return c
})

// Expected is what is known of the device that is inspected.
type Expected struct {
	Serial string
	Seal   string // "" is not known
	Model  string
}

// judge compares answers with what is expected. Every item must be answered: an inspection that skips one is none.
// Where the model's weight or cables are not known, or no seal is, the answer is kept and finds nothing.
func (c *Checklist) judge(answers map[string]string, e Expected) (found []Finding, why string) {
	body, bodied := c.Models[e.Model]
	for _, i := range c.Items {
		got, ok := answers[i.ID]
		if got = strings.TrimSpace(got); !ok || got == "" || len(got) > maxAnswer || !careText(got) {
			return nil, fmt.Sprintf("item %s is not answered: %s", i.ID, i.EN)
		}
		want, bad := "", false
		switch i.Kind {
		case "serial":
			want, bad = e.Serial, got != e.Serial
		case "seal":
			want, bad = e.Seal, e.Seal != "" && got != e.Seal
		case "yes_no":
			if got != "yes" && got != "no" {
				return nil, fmt.Sprintf("item %s: want yes or no", i.ID)
			}
			want, bad = i.Good, got != i.Good
		default:
			n, err := strconv.Atoi(got)
			if err != nil || n < 0 || n > 100_000 {
				return nil, fmt.Sprintf("item %s: want a number", i.ID)
			}
			if !bodied {
				continue
			}
			if i.Kind == "count" {
				want, bad = strconv.Itoa(body.Cables), n != body.Cables
			} else {
				want, bad = fmt.Sprintf("%d±%d", body.Grams, body.Tolerance), n < body.Grams-body.Tolerance || n > body.Grams+body.Tolerance
			}
		}
		if bad {
			found = append(found, Finding{Item: i.ID, Presented: got, Expected: want, Alarm: i.Alarm})
		}
	}
	return found, ""
}

func (c *Checklist) has(id string) bool {
	for _, i := range c.Items {
		if i.ID == id {
			return true
		}
	}
	return false
}
