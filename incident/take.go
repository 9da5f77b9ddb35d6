package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// ReopenWithin is how long after its closing an incident whose failures go on is opened again rather than another.
const ReopenWithin = 24 * 60 * 60 * pos.Instant(1e9)

// Take is the decision on a detection: it opens an incident, adds terminals to one that is open, opens one again, or
// does nothing because all of it is known. The incident is nil when nothing is done. Taking the same detection again
// does nothing, also after a restart: what an incident took is in its record.
func Take(s *State, d *Detection, now pos.Instant) (*Incident, []journal.Draft, error) {
	old := s.sameAs(d)
	hits := d.Hits
	if old != nil {
		seen := old.Through
		if old.State == Closed {
			seen = max(seen, s.newest[old.ID])
		}
		hits = slices.DeleteFunc(slices.Clone(hits), func(h Hit) bool { return h.Seq <= seen })
	}
	switch {
	case len(hits) == 0 && !d.sharper(old) && !d.clearer(old):
		return nil, nil, nil
	case old != nil && old.State != Closed:
		return s.merge(old, d, hits, now)
	case old != nil && (len(terminalsOf(hits)) < d.Rule.Terminals || d.Rule.Type == typeAlternate && len(hits) <= d.Rule.Returns):
		return nil, nil, nil // the rest of what was closed
	case old != nil && now-old.ClosedAt <= ReopenWithin && old.Steps < MaxSteps-10:
		return s.reopen(old, d, hits, now)
	}
	if old == nil && s.weighed(d) {
		return nil, nil, nil
	}
	fresh := *d
	fresh.Hits = hits
	return OpenNow(s, fresh.opening(), fresh.by(), now)
}

// sameAs is the newest incident of a detection's key; where there is none, the newest of the same rule and reason that
// shares a terminal with it: what they have in common may be seen more sharply with time. The key goes first, or an
// incident of another cause that has a terminal in common would become a second one of this.
func (s *State) sameAs(d *Detection) (found *Incident) {
	byKey := false
	for _, i := range s.incidents {
		if i.Drill || i.Origin.Way != ByRule && i.Key == "" {
			continue
		}
		key := i.Key == d.Key
		same := key
		if !same && d.Rule.Type == typeSpread && i.Origin.Ref == d.Rule.ID && i.Reason == d.Reason {
			same = slices.ContainsFunc(d.Hits, func(h Hit) bool { return slices.Contains(i.Scope.Terminals, h.Terminal) })
		}
		if same && (found == nil || key && !byKey || key == byKey && numberOf(i.ID) > numberOf(found.ID)) {
			found, byKey = i, key
		}
	}
	return found
}

// weighed tells whether all evidence of a spread is older than what an open incident of its rule and reason took last: it
// was weighed then. A journal that is read again after a restart is weighed in other portions, and would else open a
// second incident of what the first one left.
func (s *State) weighed(d *Detection) bool {
	if d.Rule.Type != typeSpread {
		return false
	}
	for _, i := range s.incidents {
		if i.State != Closed && !i.Drill && i.Origin.Way == ByRule && i.Origin.Ref == d.Rule.ID && i.Reason == d.Reason &&
			!slices.ContainsFunc(d.Hits, func(h Hit) bool { return h.Seq > i.Through }) {
			return true
		}
	}
	return false
}

func (d *Detection) by() By { return By{Actors: []string{"rule:" + d.Rule.ID}} }

func terminalsOf(hits []Hit) []string {
	names := make([]string, 0, len(hits))
	for _, h := range hits {
		names = append(names, h.Terminal)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// merge adds what is new to an open incident. Of one whose list of terminals is full only a doubling is told.
func (s *State) merge(old *Incident, d *Detection, hits []Hit, now pos.Instant) (*Incident, []journal.Draft, error) {
	i := old.copyOf()
	spread := d.Rule.Type == typeSpread
	fresh := slices.DeleteFunc(terminalsOf(hits), func(t string) bool { return slices.Contains(i.Scope.Terminals, t) })
	switch {
	case i.Steps >= MaxSteps-50, spread && len(fresh) == 0 && !d.sharper(old) && !d.clearer(old):
		return nil, nil, nil
	case i.Scope.More > 0 && len(d.Hits) < 2*(len(i.Scope.Terminals)+i.Scope.More):
		return nil, nil, nil
	case !spread && i.Steps >= 50:
		return nil, nil, nil // one incident, told often enough
	}
	i.sharpen(d, hits)
	if i.Scope.To != 0 && !i.Scoped { // it ended only if what is new has ended too
		i.Scope.To = max(i.Scope.To, d.Until)
		if d.Until == 0 {
			i.Scope.To = 0
		}
	}
	drafts, err := one("incident_widened", d.by(), i, now, d.news(old, i, fresh), seqsOf(hits, 8)...)
	return i, drafts, err
}

// news says what a detection adds to an open incident: terminals, the likely common cause, or what they share. Terminals
// and a cause may come at the same look, and the step tells both.
func (d *Detection) news(old, i *Incident, fresh []string) Text {
	if d.Rule.Type != typeSpread {
		text := Text{EN: "seen again", ZH: "再次发现"}
		if len(i.Scope.Terminals) > 0 && len(fresh) > 0 {
			text.EN, text.ZH = text.EN+": "+joined(fresh), text.ZH+": "+joined(fresh)
		}
		return text
	}
	var en, zh []string
	if len(fresh) > 0 {
		text := Text{EN: fmt.Sprintf("%d more terminals", len(fresh)), ZH: fmt.Sprintf("新增 %d 台终端", len(fresh))}
		if len(fresh) == 1 {
			text.EN = "1 more terminal"
		}
		if len(i.Scope.Terminals) > 0 {
			text.EN, text.ZH = text.EN+": "+joined(fresh), text.ZH+": "+joined(fresh)
		}
		en, zh = append(en, text.EN), append(zh, text.ZH)
	}
	if d.clearer(old) {
		text := likelyText(CommonCause(d.Likely))
		en, zh = append(en, text.EN), append(zh, text.ZH)
	}
	if d.sharper(old) || len(en) == 0 {
		en, zh = append(en, "what they share is seen: "+i.Title.EN), append(zh, "共同特征已识别: "+i.Title.ZH)
	}
	return Text{EN: strings.Join(en, "; "), ZH: strings.Join(zh, "; ")}
}

func (s *State) reopen(old *Incident, d *Detection, hits []Hit, now pos.Instant) (*Incident, []journal.Draft, error) {
	i := old.copyOf()
	i.State, i.ClosedAt, i.ClosedBy, i.Scope.To = Open, 0, nil, 0
	if i.Owner != "" {
		i.State = Working
	}
	i.Reopened++
	i.sharpen(d, hits)
	text := Text{EN: "opened again: it goes on after it was closed", ZH: "重新打开: 关闭后仍在发生"}
	drafts, err := one("incident_opened_again", d.by(), i, now, text, seqsOf(hits, 8)...)
	return i, drafts, err
}

// widen takes hits into the scope and the proof.
func (i *Incident) widen(hits []Hit) {
	terminals, more := add(i.Scope.Terminals, terminalsOf(hits), MaxTerminals)
	i.Scope.Terminals, i.Scope.More = terminals, i.Scope.More+more
	for _, h := range hits {
		i.Scope.Shops, _ = add(i.Scope.Shops, []string{h.Shop}, MaxNames)
		i.Scope.Devices, _ = add(i.Scope.Devices, []string{h.Serial}, MaxNames)
		i.Scope.Models, _ = add(i.Scope.Models, []string{h.Model}, MaxNames)
		i.Scope.Versions, _ = add(i.Scope.Versions, []string{h.Version}, MaxNames)
		if i.Scope.From == 0 || h.First < i.Scope.From {
			i.Scope.From = h.First
		}
		i.Through = max(i.Through, h.Seq)
		i.Proofs++
		if len(i.Proof) < MaxProof {
			i.Proof = append(i.Proof, h.Seq)
		}
	}
	slices.Sort(i.Proof)
	i.Proof = slices.Compact(i.Proof)
}

// chosen is the factor that was chosen, nil when none was.
func (i *Incident) chosen() *Factor {
	for n := range i.Common {
		if i.Common[n].Chosen {
			return &i.Common[n]
		}
	}
	return nil
}

// sharper tells whether a detection sees what an open incident's failures share, which had not been seen.
func (d *Detection) sharper(old *Incident) bool {
	return old != nil && old.State != Closed && !old.Scoped && d.Shared != nil && old.chosen() == nil
}

// sharpen takes hits in and takes over what is now known to be in common: the table, and with it title, models and
// versions. Where something else was thought to be in common, terminals that do not share it leave the scope.
func (i *Incident) sharpen(d *Detection, hits []Hit) {
	was := i.chosen()
	if d.Shared != nil && !i.Scoped && (was == nil || was.Name != d.Shared.Name || was.Value != d.Shared.Value) {
		i.Scope, i.Proof, i.Proofs, i.Key = Scope{From: i.Scope.From}, nil, 0, d.Key
		hits = d.Hits
	}
	i.widen(hits)
	if len(d.Common) > 0 {
		i.Common = d.Common
	}
	if len(d.Likely) > 0 {
		i.Likely = d.Likely
	}
	if d.Shared != nil && !i.Scoped {
		i.Scope.Models, i.Scope.Versions, i.Scope.Whole = d.scopeOf()
	}
	if d.Rule.Type == typeSpread {
		i.Title = d.title(&i.Scope)
	}
}

func seqsOf(hits []Hit, most int) (list []uint64) {
	for _, h := range hits[:min(len(hits), most)] {
		list = append(list, h.Seq)
	}
	return list
}

func joined(names []string) string {
	text := ""
	for n, name := range names {
		if n == 10 {
			return fmt.Sprintf("%s, ... (%d)", text, len(names))
		}
		if n > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// opening is the incident that a detection opens.
func (d *Detection) opening() Opening {
	var shape Incident
	shape.widen(d.Hits)
	o := Opening{Kind: d.Rule.Kind, Severity: d.Rule.Severity, Origin: Origin{Way: ByRule, Ref: d.Rule.ID}, Scope: shape.Scope,
		key: d.Key, reason: d.Reason, common: d.Common, likely: d.Likely, proof: shape.Proof, proofs: shape.Proofs, through: shape.Through}
	o.Title = d.title(&shape.Scope)
	o.Text = d.Rule.What
	if d.Shared != nil {
		f := d.Shared
		o.Text = Text{
			EN: fmt.Sprintf("%s: %d of %d terminals with %s failed, %d of %d others", d.Reason, f.Affected, f.Affected+f.Unaffected, f.Value, f.OthersFailed, f.OthersFailed+f.OthersWell),
			ZH: fmt.Sprintf("%s: 具有 %s 的 %d 台终端中 %d 台失败, 其余 %d 台中 %d 台", d.Reason, f.Value, f.Affected+f.Unaffected, f.Affected, f.OthersFailed+f.OthersWell, f.OthersFailed)}
		o.Scope.Models, o.Scope.Versions, o.Scope.Whole = d.scopeOf()
	}
	if l := CommonCause(d.Likely); l != nil {
		more := likelyText(l)
		o.Text = Text{EN: o.Text.EN + "; " + more.EN, ZH: o.Text.ZH + "; " + more.ZH}
	}
	if d.From != (Text{}) {
		o.Text = Text{EN: o.Text.EN + "; " + d.From.EN, ZH: o.Text.ZH + "; " + d.From.ZH}
	}
	o.Scope.To = d.Until
	if d.Link != "" {
		o.Origin = Origin{Way: ByInspection, Ref: d.Link}
	}
	return o
}

// scopeOf says which models and versions a chosen factor stands for.
func (d *Detection) scopeOf() (models, versions []string, whole bool) {
	for _, h := range d.Hits {
		models, _ = add(models, []string{h.Model}, MaxNames)
		versions, _ = add(versions, []string{h.Version}, MaxNames)
	}
	switch d.Shared.Name {
	case byModelVersion:
		return models, versions, true
	case byModel:
		return models, nil, true
	}
	return models, versions, false
}

func (d *Detection) title(scope *Scope) Text {
	en, zh := d.Rule.Title.EN, d.Rule.Title.ZH
	if d.Reason != "" && d.Rule.Effects == nil {
		en, zh = en+" ("+d.Reason+")", zh+" ("+d.Reason+")"
	}
	value := ""
	switch {
	case d.Shared != nil:
		value = d.Shared.Value
	case d.Rule.Type == typeSpread && len(scope.Models) == 1:
		value = scope.Models[0]
		if len(scope.Versions) == 1 {
			value += " " + scope.Versions[0]
		}
	case len(scope.Terminals) == 1:
		value = scope.Terminals[0]
	case len(d.Hits) > 0 && d.Rule.Type != typeSpread:
		value = cmp.Or(d.Hits[0].Serial, d.Text.EN)
	}
	if value != "" {
		en, zh = en+": "+value, zh+": "+value
	}
	if len(scope.Terminals) > 1 {
		n := len(scope.Terminals) + scope.More
		en, zh = fmt.Sprintf("%s, %d terminals", en, n), fmt.Sprintf("%s, %d 台终端", zh, n)
	}
	return Text{EN: en, ZH: zh}
}
