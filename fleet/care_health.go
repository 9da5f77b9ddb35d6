package fleet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// Report is what a terminal says of its own health: the JSON body that it signs with its device's key. All members
// are required, none may come twice, and no other may come.
type Report struct {
	Version      int            `json:"version"` // 1
	Serial       pos.Serial     `json:"serial"`
	Terminal     pos.TerminalID `json:"terminal"`
	Time         time.Time      `json:"time"`                // RFC 3339
	Sequence     uint64         `json:"sequence"`            // greater than in every report before
	Hardware     string         `json:"hardware"`            // version, 1 to MaxReportWord bytes of printable ASCII, as all words here
	Firmware     string         `json:"firmware"`            //
	Application  string         `json:"application"`         // version, as in tag A2
	Applications string         `json:"applications_sha256"` // digest of the list of applications: 64 lower-case hexadecimal digits
	Scanner      Scanner        `json:"scanner"`
	Tamper       string         `json:"tamper"` // "none", or two digits: the sensor that tripped
	Networks     []UsedNetwork  `json:"networks"`
}

// Scanner is the malware scanner of a terminal.
type Scanner struct {
	Name        string `json:"name"`
	Definitions string `json:"definitions"` // date of its definitions, YYYY-MM-DD
	Result      string `json:"result"`      // clean, found or not_run
	Found       string `json:"found"`       // what, where the result is found; else ""
}

// UsedNetwork is a network that the terminal used since its last report.
type UsedNetwork struct {
	Kind  string       `json:"kind"` // ethernet, wifi, cellular, loopback or other
	Class NetworkClass `json:"class"`
}

// Bounds of a report.
const (
	MaxReport         = 4096 // bytes
	MaxReportWord     = 64
	MaxReportNetworks = 8
)

// ErrReport is returned for what is no health report. It quotes nothing of it.
var ErrReport = errors.New("health report")

// ParseReport reads a health report strictly: two readers of the same bytes must understand the same.
func ParseReport(raw []byte) (r Report, err error) {
	bad := func(what string) (Report, error) { return Report{}, fmt.Errorf("%w: %s", ErrReport, what) }
	if len(raw) > MaxReport {
		return bad("longer than 4096 bytes")
	}
	if err := strictMembers(raw); err != nil {
		return bad(err.Error())
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&r) != nil {
		return bad("not its JSON")
	}
	words := []string{r.Hardware, r.Firmware, r.Application, r.Scanner.Name}
	serial, err := pos.ParseSerial(r.Serial)
	day, dateErr := time.Parse(time.DateOnly, r.Scanner.Definitions)
	sum, sumErr := hex.DecodeString(r.Applications)
	switch {
	case r.Version != 1:
		return bad("version: want 1")
	case err != nil || serial == "" || r.Terminal == (pos.TerminalID{}):
		return bad("serial number or terminal")
	case r.Time.IsZero() || r.Time.Year() < 2000 || r.Time.Year() > 2200:
		return bad("time")
	case r.Sequence == 0:
		return bad("sequence: want above 0")
	case slices.ContainsFunc(words, func(w string) bool { return !reportWord(w) }):
		return bad("a version or the scanner's name")
	case sumErr != nil || len(sum) != 32 || strings.ToLower(r.Applications) != r.Applications:
		return bad("applications_sha256")
	case dateErr != nil || day.Year() < 2000 || day.Year() > 2200:
		return bad("scanner.definitions")
	case r.Scanner.Result != "clean" && r.Scanner.Result != "found" && r.Scanner.Result != "not_run":
		return bad("scanner.result")
	case (r.Scanner.Result == "found") != (r.Scanner.Found != "") || r.Scanner.Found != "" && !reportWord(r.Scanner.Found):
		return bad("scanner.found")
	case r.Tamper != "none" && (len(r.Tamper) != 2 || strings.Trim(r.Tamper, "0123456789") != ""):
		return bad("tamper: want none or two digits")
	case len(r.Networks) == 0 || len(r.Networks) > MaxReportNetworks:
		return bad("networks: want 1 to 8")
	}
	for _, n := range r.Networks {
		if !known([]string{"ethernet", "wifi", "cellular", "loopback", "other"}, n.Kind) || n.Class != PrivateNetwork && n.Class != PublicNetwork {
			return bad("networks: kind or class")
		}
	}
	return r, nil
}

func reportWord(s string) bool {
	return s != "" && len(s) <= MaxReportWord && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' && r != ' ' || r > '~' }) < 0
}

// The members of a report's objects, by their depth and the member they stand in.
var reportMembers = map[string][]string{
	"":        {"version", "serial", "terminal", "time", "sequence", "hardware", "firmware", "application", "applications_sha256", "scanner", "tamper", "networks"},
	"scanner": {"name", "definitions", "result", "found"}, "networks": {"kind", "class"},
}

// strictMembers refuses what encoding/json would let through: a member twice, a name in another case, one that is
// missing, null, and anything after the object.
func strictMembers(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	t, err := dec.Token()
	if err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	if err := membersOf(dec, ""); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something after the object")
	}
	return nil
}

// membersOf reads the members of an object whose brace was read.
func membersOf(dec *json.Decoder, in string) error {
	want := slices.Clone(reportMembers[in])
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		i := slices.Index(want, name)
		if err != nil || !ok || i < 0 {
			return errors.New("a member that is not known, or is there twice")
		}
		want = slices.Delete(want, i, i+1)
		if err := valueOf(dec, in, name); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil || len(want) > 0 {
		return errors.New("a member is missing")
	}
	return nil
}

func valueOf(dec *json.Decoder, in, name string) error {
	t, err := dec.Token()
	switch {
	case err != nil || t == nil:
		return errors.New("a member without a value")
	case in == "" && name == "scanner" && t == json.Delim('{'):
		return membersOf(dec, name)
	case in == "" && name == "networks" && t == json.Delim('['):
		for dec.More() {
			if t, err := dec.Token(); err != nil || t != json.Delim('{') {
				return errors.New("networks: want objects")
			}
			if err := membersOf(dec, name); err != nil {
				return err
			}
		}
		_, err := dec.Token()
		return err
	}
	if _, nested := t.(json.Delim); nested {
		return errors.New("a member of another type")
	}
	return nil
}

// Health is the newest report of a device that was proven and taken.
type Health struct {
	Report
	At          pos.Instant `json:"at"`                   // when it was taken, by the host's clock
	Certificate string      `json:"certificate"`          // SHA-256 of the device certificate whose key signed it
	Digest      string      `json:"digest"`               // SHA-256 of the signed bytes
	Differs     string      `json:"differs,omitempty"`    // what differs from the register: hardware or application
	Quarantine  bool        `json:"quarantine,omitempty"` // the device was quarantined by it

	Entry uint64 `json:"-"`
}

// Proven is what the host knows of a report before its rule is asked: who signed it, and what the register has.
type Proven struct {
	Certificate  string
	Digest       string
	Bound        bool     // the register binds that terminal to that device
	Applications []string // versions the register lets it run; none: any
}

// HealthRefusal is why a report was refused: for the journal and for figures, never for the wire.
type HealthRefusal string

// The refusals.
const (
	HealthMalformed HealthRefusal = "malformed"
	HealthUnknown   HealthRefusal = "unknown_device"
	HealthNoKey     HealthRefusal = "no_certificate"
	HealthSignature HealthRefusal = "signature"
	HealthTerminal  HealthRefusal = "other_terminal"
	HealthOld       HealthRefusal = "too_old"
	HealthAhead     HealthRefusal = "ahead"
	HealthReplay    HealthRefusal = "replayed"
	HealthRetired   HealthRefusal = "retired_device"
)

// HealthError is a refused report.
type HealthError struct {
	Why    HealthRefusal
	Serial pos.Serial // as claimed; "" where it could not be read
}

func (e *HealthError) Error() string {
	if e.Serial == "" {
		return "health report refused: " + string(e.Why)
	}
	return "health report of device " + string(e.Serial) + " refused: " + string(e.Why)
}

// TakeReport is the decision on a report whose signature was proven. A tamper word quarantines the device in the
// same act: the report is signed by the very device.
func TakeReport(s *State, r Report, p Proven, now pos.Instant) ([]journal.Draft, error) {
	refuse := func(why HealthRefusal) error { return &HealthError{why, r.Serial} }
	made := pos.Instant(r.Time.UnixNano())
	old, life := s.health[r.Serial], s.lives[r.Serial]
	switch {
	case life != nil && life.Final():
		return nil, refuse(HealthRetired)
	case !p.Bound:
		return nil, refuse(HealthTerminal)
	case now.Sub(made) > time.Duration(s.care.Health.Age):
		return nil, refuse(HealthOld)
	case made.Sub(now) > time.Duration(s.care.Health.Ahead):
		return nil, refuse(HealthAhead)
	case old != nil && r.Sequence <= old.Sequence:
		return nil, refuse(HealthReplay)
	}
	h := Health{Report: r, At: now, Certificate: p.Certificate, Digest: p.Digest}
	switch {
	case life != nil && life.Hardware != "" && life.Hardware != r.Hardware:
		h.Differs = "hardware"
	case len(p.Applications) > 0 && !slices.Contains(p.Applications, r.Application):
		h.Differs = "application"
	}
	who := Who{Actors: []string{"device:" + string(r.Serial)}}
	var more []journal.Change
	if r.Tamper != "none" {
		var err error
		if more, err = s.quarantine(r.Serial, r.Terminal, "health report: tamper sensor "+r.Tamper, who, now); err != nil {
			return nil, err
		}
		h.Quarantine = len(more) > 0
	}
	c, err := journal.NewChange(NounHealth, string(r.Serial), &h)
	if err != nil {
		return nil, err
	}
	return who.draft("health_reported", append([]journal.Change{c}, more...)), nil
}

// RefusedReport is the entry of one refused report and of those before it that were only counted. The serial number
// in it is what the sender claimed.
func RefusedReport(e *HealthError, counted int) *journal.Refusal {
	why := e.Error()
	if counted > 0 {
		why += fmt.Sprintf("; %d more since the last entry", counted)
	}
	return &journal.Refusal{Kind: journal.KindFleet, Verb: "health_reported", Actors: []string{"rule:health"}, Why: why, Err: e}
}
