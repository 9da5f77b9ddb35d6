package incident

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// maxVerdicts is how many refusals wait for the cause that is found behind them. Causes come within seconds, or with a
// second message that agrees.
const maxVerdicts = 4096

// Likely is one cause that experiment found behind failures of an incident: of how many terminals, and how many of those
// it is proven for. It is computed; the cause that a person stands for is another matter.
type Likely struct {
	Cause     string `json:"cause"`     // of reason's table
	Terminals int    `json:"terminals"` // for which it was found
	Proven    int    `json:"proven"`    // of them
	Of        int    `json:"of"`        // terminals of the incident that failed when it was computed
}

// found is the cause behind a terminal's newest refusal that has one.
type found struct {
	cause  string
	proven bool
	key    string // whose key fits, where that is what was found
}

// verdict is a refusal that may get a cause.
type verdict struct {
	terminal pos.TerminalID
	reason   string
}

// remember keeps a refusal for its cause.
func (c *Correlator) remember(seq uint64, x *journal.Exchange) {
	if !x.Reason.Sought() {
		return
	}
	if len(c.order) >= maxVerdicts {
		delete(c.verdicts, c.order[0])
		c.order = c.order[1:]
	}
	c.verdicts[seq] = verdict{x.Terminal, x.Reason.String()}
	c.order = append(c.order, seq)
}

// cause adds what was found to the failures of the terminal for that reason, in every rule's group.
func (c *Correlator) cause(e journal.Entry) {
	var found journal.Cause
	if json.Unmarshal(e.Body, &found) != nil {
		return
	}
	v, known := c.verdicts[found.Verdict]
	if !known || found.Certainty != journal.Proven && found.Certainty != journal.Indicated {
		return
	}
	for g, f := range c.groups {
		if t := f.terminals[v.terminal]; g.reason == v.reason && t != nil {
			t.found = foundOf(&found)
			f.dirty = true
		}
	}
}

func foundOf(c *journal.Cause) found {
	f := found{cause: c.Cause, proven: c.Certainty == journal.Proven}
	switch {
	case c.Facts["serial"] != "":
		f.key = "key of device " + c.Facts["serial"]
	case c.Facts["terminal"] != "" && c.Facts["terminal"] != c.Terminal:
		f.key = "key of terminal " + c.Facts["terminal"]
	}
	return f
}

// likely counts the causes found behind the failures that share a value, the most frequent first.
func likely(all []heard, shared *Factor) (list []Likely) {
	of := 0
	for i := range all {
		h := &all[i]
		if !h.failed || shared != nil && h.value(shared.Name) != shared.Value {
			continue
		}
		of++
		if h.found.cause == "" {
			continue
		}
		at := slices.IndexFunc(list, func(l Likely) bool { return l.Cause == h.found.cause })
		if at < 0 {
			list, at = append(list, Likely{Cause: h.found.cause}), len(list)
		}
		list[at].Terminals++
		if h.found.proven {
			list[at].Proven++
		}
	}
	for n := range list {
		list[n].Of = of
	}
	slices.SortFunc(list, func(a, b Likely) int {
		return cmp.Or(cmp.Compare(b.Terminals, a.Terminals), cmp.Compare(b.Proven, a.Proven), cmp.Compare(a.Cause, b.Cause))
	})
	return list
}

// CommonCause is the cause that most of the failures have, nil: none was found for the half of them.
func CommonCause(list []Likely) *Likely {
	if len(list) == 0 || 2*list[0].Terminals < list[0].Of {
		return nil
	}
	return &list[0]
}

// clearer tells whether a detection knows the likely common cause of an open incident, and the incident another or none.
func (d *Detection) clearer(old *Incident) bool {
	if old == nil || old.State == Closed {
		return false
	}
	was, now := CommonCause(old.Likely), CommonCause(d.Likely)
	return now != nil && (was == nil || was.Cause != now.Cause)
}

// ownerChinese are who acts, as a Chinese sentence names them.
var ownerChinese = map[reason.Owner]string{reason.Nobody: "无", reason.Terminal: "终端或收银员", reason.Merchant: "商户", reason.Acquirer: "收单运营", reason.Security: "收单安全", reason.Issuer: "发卡行或持卡人"}

// likelyText says what the likely common cause is.
func likelyText(l *Likely) Text {
	owner := reason.Nobody
	if c, err := reason.ParseCause(l.Cause); err == nil {
		owner = c.Owner()
	}
	return Text{EN: fmt.Sprintf("likely common cause: %s at %d of %d terminals, proven at %d; owner %s", l.Cause, l.Terminals, l.Of, l.Proven, owner),
		ZH: fmt.Sprintf("可能的共同成因: %s, %d 台中 %d 台, 其中已证实 %d 台; 责任方 %s", l.Cause, l.Of, l.Terminals, l.Proven, ownerChinese[owner])}
}
