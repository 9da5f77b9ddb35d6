package incident

import (
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// ReportState is where a report stands.
type ReportState string

// The states of a report.
const (
	Queued    ReportState = "queued"    // nobody has looked at it
	Taken     ReportState = "taken"     // it became an incident, or part of one
	Dismissed ReportState = "dismissed" // a person found that nothing follows from it
)

// ReportKinds are what consumers and merchants report.
var ReportKinds = []string{"skimmer", "refused", "wrong_amount", "fake_technician", "other"}

// kindOfReport is the kind of incident that a report suggests.
var kindOfReport = map[string]string{"skimmer": "attached_device", "refused": "authentication_failing", "wrong_amount": "fraud", "fake_technician": "fraud", "other": "other"}

// KindOfReport is the kind of incident that a report suggests.
func KindOfReport(kind string) string { return kindOfReport[kind] }

// Bounds of reports.
const (
	MaxReportText = 2000
	MaxQueued     = 5000 // reports that nobody has looked at; then no more are taken
	MaxPhotos     = 4
	MaxContact    = 1 << 10 // bytes of a contact before it is encrypted
)

// FromConsumer is who a report is from that came without an account.
const FromConsumer = "consumer"

// Report is what a consumer or a merchant says happened. Who said it is encrypted, to a key that this host does not
// hold; the state can be read by whoever has the number.
type Report struct {
	ID       string      `json:"id"` // RPT-1-7KQ2M9XD
	Kind     string      `json:"kind"`
	Terminal string      `json:"terminal,omitempty"` // DE41
	Serial   string      `json:"serial,omitempty"`
	Text     string      `json:"text"`
	Photos   []string    `json:"photos,omitempty"`  // SHA-256 of kept files
	Contact  string      `json:"contact,omitempty"` // SHA-256 of a kept file, age-encrypted
	From     string      `json:"from"`              // FromConsumer, merchant:ID, or the account that wrote it down
	At       pos.Instant `json:"at"`

	State     ReportState `json:"state"`
	Incident  string      `json:"incident,omitempty"`
	Answer    string      `json:"answer,omitempty"` // why it was dismissed, for the reporter to read
	Decided   string      `json:"decided_by,omitempty"`
	DecidedAt pos.Instant `json:"decided_at,omitempty"`
	Forgotten pos.Instant `json:"contact_deleted,omitempty"` // when contact and photographs were: digests stay, files do not; PhotosLeft
}

// NextReport is the number of the next report, without its random end.
func (s *State) NextReport() int { return s.filed + 1 }

// File is the decision to take a report into the queue.
func File(s *State, r *Report, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "report_filed"
	switch {
	case !slices.Contains(ReportKinds, r.Kind):
		return nil, refuse(verb, by, "the kind of a report is one of skimmer, refused, wrong_amount, fake_technician, other")
	case r.Text == "" || !sound(r.Text, MaxReportText):
		return nil, refuse(verb, by, "say what happened: a text of 1 to %d bytes, UTF-8", MaxReportText)
	case pos.HasPAN(r.Text):
		return nil, refuse(verb, by, "the text holds what looks like a card number: leave it out, the last four digits are enough")
	case r.Terminal == "" && r.Serial == "":
		return nil, refuse(verb, by, "name the terminal (the number on the receipt) or the serial number on its label")
	case len(r.Photos) > MaxPhotos:
		return nil, refuse(verb, by, "%d photographs are the most", MaxPhotos)
	case s.waiting >= MaxQueued:
		return nil, refuse(verb, by, "%d reports wait already: call the acquirer", MaxQueued)
	case s.reports[r.ID] != nil || numberOf(r.ID) != s.filed+1:
		return nil, refuse(verb, by, "the report's number is used")
	}
	if r.Terminal != "" {
		if _, err := pos.ParseTerminalID(r.Terminal); err != nil {
			return nil, refuse(verb, by, "a terminal's number has 8 characters")
		}
	}
	if r.Serial != "" {
		if _, err := pos.ParseSerial(r.Serial); err != nil {
			return nil, refuse(verb, by, "that is no serial number")
		}
	}
	kept := *r
	kept.State, kept.At = Queued, now
	a := &acting{verb: verb, by: by}
	a.put(NounReport, r.ID, &kept)
	return a.drafts()
}

// Dismiss is a person's decision that nothing follows from a report. The answer is for the reporter to read.
func Dismiss(s *State, number, answer string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "report_dismissed"
	old := s.reports[number]
	switch {
	case old == nil || old.State != Queued:
		return nil, refuse(verb, by, "there is no report %.40s in the queue: see touchstone report list", number)
	case answer == "" || !sound(answer, MaxAction):
		return nil, refuse(verb, by, "give the answer that the reporter will read: 1 to %d bytes", MaxAction)
	}
	r := *old
	r.State, r.Answer, r.Decided, r.DecidedAt = Dismissed, answer, by.Actors[0], now
	a := &acting{verb: verb, by: by}
	a.put(NounReport, r.ID, &r)
	return a.drafts()
}

// Join is a person's decision that a report belongs to an incident that is open already.
func Join(s *State, number, id string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "report_joined"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	old := s.reports[number]
	if old == nil || old.State != Queued {
		return nil, refuse(verb, by, "there is no report %.40s in the queue: see touchstone report list", number)
	}
	r := *old
	r.State, r.Incident, r.Decided, r.DecidedAt = Taken, id, by.Actors[0], now
	a := &acting{verb: verb, by: by}
	a.put(NounReport, r.ID, &r)
	if len(i.Links) < MaxLinks {
		i.Links = append(i.Links, Link{ID: number, By: by.Actors[0], At: now})
	}
	a.step(i, now, Text{EN: "report " + number, ZH: "举报 " + number})
	return a.drafts()
}

// SetContactKey is the decision to whom the contacts of reporters are encrypted from now on: an age recipient, which
// the caller has parsed.
func SetContactKey(recipient string, by By) ([]journal.Draft, error) {
	a := &acting{verb: "contact_key_set", by: by}
	a.put(NounContact, "contact", recipient)
	return a.drafts()
}
