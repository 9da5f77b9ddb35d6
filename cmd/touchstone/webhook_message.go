package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/redress"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web/api"
)

// hookMessage is what an endpoint is sent. It is small, and says where the rest is read, under the reader's own rights: no
// name of a person, no card number, also not shortened.
type hookMessage struct {
	ID         string    `json:"id"` // evt_ and the entry's number: the same at every attempt and replay
	Type       string    `json:"type"`
	Created    time.Time `json:"created"`
	APIVersion string    `json:"api_version"`
	Data       hookData  `json:"data"`
}

// hookData names a resource of the interface.
type hookData struct {
	Object string            `json:"object"`
	ID     string            `json:"id"`
	URL    string            `json:"url,omitempty"` // path of the interface
	Facts  map[string]string `json:"facts,omitempty"`
}

const hookAPIVersion = "v1"

// hookTypeOf is what an entry is told as, "" for nothing. It decides by as little of the entry as it must: every entry of
// the journal passes here.
func hookOf(entry journal.Entry) (m hookMessage, ok bool) {
	m = hookMessage{ID: fmt.Sprintf("evt_%d", entry.Seq), Created: entry.At.Time().UTC(), APIVersion: hookAPIVersion}
	switch entry.Kind {
	case journal.KindExchange:
		m.Type, m.Data, ok = hookRefused(entry)
	case journal.KindCause:
		m.Type, m.Data, ok = hookCause(entry)
	case journal.KindEvent:
		m.Type, m.Data, ok = hookEvent(entry)
	case journal.KindPermit:
		m.Type, m.Data, ok = hookPermit(entry)
	case journal.KindStaff, journal.KindFleet, journal.KindIncident, journal.KindRedress:
		m.Type, m.Data, ok = hookAct(entry)
	}
	return m, ok
}

func hookRefused(entry journal.Entry) (string, hookData, bool) {
	var x journal.Exchange
	if x.Parse(entry) != nil || x.Reason == reason.None || x.Reason.OfIssuer() || x.DE39 == pos.Approved || x.Flags&(journal.FlagCanary|journal.FlagRepeat) != 0 {
		return "", hookData{}, false
	}
	id := fmt.Sprintf("txn_%d", entry.Seq)
	return "transaction.refused", hookData{"transaction", id, api.Root + "/transactions/" + id, map[string]string{
		"terminal": printed(x.Terminal.String()), "merchant": printed(x.Merchant.String()), "reason": x.Reason.String(), "response_code": printed(x.DE39.String())}}, true
}

func hookCause(entry journal.Entry) (string, hookData, bool) {
	c, err := parseCause(entry)
	if err != nil {
		return "", hookData{}, false
	}
	id := fmt.Sprintf("txn_%d", c.Verdict)
	return "transaction.cause", hookData{"transaction", id, api.Root + "/transactions/" + id, map[string]string{
		"terminal": printed(c.Terminal), "reason": c.Reason, "cause": c.Cause, "certainty": fmt.Sprint(c.Certainty), "owner": c.Owner}}, true
}

// hookFacts are the parameters of events that are words of this program or numbers; a title, a note or an account's name
// is not among them.
var hookFacts = []string{"proof", "algorithm", "probe", "trait", "was", "is", "count", "days", "incident", "severity", "clock", "due", "error_ms", "drill", "webhook"}

func hookEvent(entry journal.Entry) (string, hookData, bool) {
	e, known := parseEvent(entry)
	if !known {
		return "", hookData{}, false
	}
	d := hookData{Object: "event", ID: fmt.Sprintf("evt_%d", entry.Seq), URL: fmt.Sprintf("%s/events?after=%d", api.Root, entry.Seq-1), Facts: map[string]string{"severity": fmt.Sprint(e.Severity)}}
	for _, name := range hookFacts {
		if v, given := e.Parameters[name]; given {
			d.Facts[name] = v
		}
	}
	if e.Terminal != "" {
		d.Facts["terminal"] = printed(e.Terminal)
	}
	if e.Name == proof.EventCloneSuspected && e.Terminal != "" {
		return "clone.suspected", hookData{"clone", printed(e.Terminal), api.Root + "/clones/" + printed(e.Terminal), d.Facts}, true
	}
	return staff.WebhookEvent + e.Name, d, true
}

func hookPermit(entry journal.Entry) (string, hookData, bool) {
	var set registry.PermitSet
	if json.Unmarshal(entry.Body, &set) != nil || len(set.Terminals) == 0 {
		return "", hookData{}, false
	}
	facts := map[string]string{"terminals": fmt.Sprint(len(set.Terminals)), "sell": fmt.Sprint(set.Permit.Sell), "refund": fmt.Sprint(set.Permit.Refund)}
	d := hookData{Object: "permit", ID: fmt.Sprintf("evt_%d", entry.Seq), URL: fmt.Sprintf("%s/journal/%d", api.Root, entry.Seq), Facts: facts}
	if len(set.Terminals) == 1 {
		id := printed(set.Terminals[0].String())
		d.ID, d.URL = "ter_"+id, api.Root+"/terminals/ter_"+id
	}
	return "permit.changed", d, true
}

// hookActs say which change of an act is told, and as what; of a verb that is not here as anyOther.
var hookActs = map[journal.Kind][]struct {
	noun, object, path, anyOther string
	verbs                        map[string]string
}{
	journal.KindStaff:    {{staff.NounProposal, "proposal", "/proposals/", "", map[string]string{"proposed": "proposal.made", "proposal_approved": "proposal.decided", "proposal_rejected": "proposal.decided"}}},
	journal.KindFleet:    {{fleet.NounAdvisory, "advisory", "/advisories/", "advisory.changed", nil}, {fleet.NounCampaign, "campaign", "/campaigns/", "campaign.changed", nil}},
	journal.KindIncident: {{incident.NounIncident, "incident", "/incidents/", "incident.changed", map[string]string{"incident_opened": "incident.opened", "incident_closed": "incident.closed"}}},
	journal.KindRedress:  {{redress.NounClaim, "claim", "/claims/", "", map[string]string{"claim_approved": "claim.decided", "claim_refused": "claim.decided", "payment_noted": "claim.paid"}}},
}

func hookAct(entry journal.Entry) (string, hookData, bool) {
	var a journal.Act
	if json.Unmarshal(entry.Body, &a) != nil || a.Refused != "" {
		return "", hookData{}, false
	}
	for _, told := range hookActs[entry.Kind] {
		i := slices.IndexFunc(a.Changes, func(c journal.Change) bool { return c.Noun == told.noun })
		kind, listed := told.verbs[a.Verb]
		if !listed {
			kind = told.anyOther
		}
		if i < 0 || kind == "" {
			continue
		}
		return kind, hookData{told.object, a.Changes[i].ID, api.Root + told.path + a.Changes[i].ID, map[string]string{"verb": a.Verb}}, true
	}
	return "", hookData{}, false
}
