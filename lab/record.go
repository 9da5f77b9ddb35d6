package lab

import (
	"errors"
	"fmt"
	"strings"

	"touchstone/pos"
)

// The room's nouns.
const (
	NounKey         = "lab_key"
	NounScope       = "scope"
	NounRun         = "run"
	NounObservation = "observation"
	NounFinding     = "finding"
	NounCertificate = "security_certificate"
)

// Key is the signing key of one account: ECDSA P-256, its private half wrapped by the security module and used
// only for acts of its account.
type Key struct {
	Account string      `json:"account"`
	Public  []byte      `json:"public"` // SubjectPublicKeyInfo, DER
	ID      string      `json:"id"`     // SHA-256 of Public, hexadecimal
	Wrapped []byte      `json:"wrapped"`
	At      pos.Instant `json:"at"`
}

// Scope is what an assessor may attack: signed by a security officer of the acquirer whose endpoints these are.
type Scope struct {
	ID        string      `json:"id" hidden:"true" required:"false"` // SCP-1
	Targets   []string    `json:"targets"`                           // host:port
	From      pos.Instant `json:"from"`
	Until     pos.Instant `json:"until"`
	Rate      int         `json:"rate"` // messages a second, at most
	By        string      `json:"by" hidden:"true" required:"false"`
	Key       string      `json:"key,omitempty" hidden:"true" required:"false"`       // id of the key that signed
	Signature []byte      `json:"signature,omitempty" hidden:"true" required:"false"` // ASN.1 ECDSA over SHA-256 of Text
	Stopped   string      `json:"stopped,omitempty" hidden:"true" required:"false"`   // the account that ended it before its time
	StoppedAt pos.Instant `json:"stopped_at,omitempty" hidden:"true" required:"false"`
}

// Text is what the signature of a scope is over.
func (s *Scope) Text() []byte {
	b := fmt.Appendf(nil, "touchstone-lab-scope/1\n%s\n%d\n%d\n%d\n%s\n", s.ID, s.From, s.Until, s.Rate, s.By)
	for _, t := range s.Targets {
		b = fmt.Appendf(b, "%s\n", t)
	}
	return b
}

// Subject is what is assessed: one model of terminal with the versions declared for it.
type Subject struct {
	Maker       string `json:"maker"`       // organisation
	Model       string `json:"model"`       // as devices of it are registered
	Hardware    string `json:"hardware"`    // declared number
	Firmware    string `json:"firmware"`    // declared number
	Application string `json:"application"` // declared version
	// The patterns that a certificate covers: a lower-case x is any one character, * alone is everything.
	HardwarePattern    string `json:"hardware_pattern"`
	FirmwarePattern    string `json:"firmware_pattern"`
	ApplicationPattern string `json:"application_pattern"`
	Class              string `json:"class"`   // approval class, such as PED
	Licence            string `json:"licence"` // UnionPay network licence
	PackageDigest      string `json:"package_digest,omitempty"`
	// Delta is how the declared version differs from the one that was certified before: 0 administrative, 1 no
	// security, by desk review, 2 security-relevant, the touched requirements again, 3 a new evaluation; "" is the first.
	Delta string `json:"delta_class,omitempty"`
}

// Check tells what is missing in a subject.
func (s *Subject) Check() error {
	for _, f := range []struct{ name, value string }{{"maker", s.Maker}, {"model", s.Model}, {"hardware", s.Hardware}, {"firmware", s.Firmware},
		{"application", s.Application}, {"hardware_pattern", s.HardwarePattern}, {"firmware_pattern", s.FirmwarePattern}, {"application_pattern", s.ApplicationPattern}} {
		if f.value == "" || len(f.value) > 100 {
			return fmt.Errorf("%w: subject: %s: want 1 to 100 bytes", ErrLab, f.name)
		}
	}
	if len(s.Delta) > 1 || !strings.Contains("0123", s.Delta) {
		return fmt.Errorf("%w: subject: delta_class: want 0, 1, 2 or 3", ErrLab)
	}
	for _, f := range []struct{ name, pattern, value string }{{"hardware", s.HardwarePattern, s.Hardware}, {"firmware", s.FirmwarePattern, s.Firmware}, {"application", s.ApplicationPattern, s.Application}} {
		if !Covers(f.pattern, f.value) {
			return fmt.Errorf("%w: subject: the %s pattern does not cover the %s that is assessed", ErrLab, f.name, f.name)
		}
	}
	return nil
}

// Covers tells whether a pattern covers a value. A lower-case x in the pattern stands for any one character, as in
// the approval lists of PCI; * alone covers everything. An unknown value is covered by * alone.
func Covers(pattern, value string) bool {
	if pattern == "*" {
		return true
	}
	if value == "" || len(pattern) != len(value) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] != 'x' && pattern[i] != value[i] {
			return false
		}
	}
	return true
}

// Tool is the program that examined.
type Tool struct {
	Version string `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of the program's file, hexadecimal
}

// RunState is where a run stands.
type RunState string

// The states of a run.
const (
	Running  RunState = "running"
	Complete RunState = "complete"
)

// Run is one assessment.
type Run struct {
	ID               string      `json:"id" hidden:"true" required:"false"` // RUN-1
	Subject          Subject     `json:"subject"`
	SubjectFile      string      `json:"subject_file" file:"machine" hidden:"true" required:"false"` // absolute; a run is resumed from it
	InputsDigest     string      `json:"inputs_digest"`
	Profile          string      `json:"profile"` // id and version
	ProfileDigest    string      `json:"profile_digest"`
	Catalogue        string      `json:"catalogue"`
	CatalogueDigest  string      `json:"catalogue_digest"`
	Scope            string      `json:"scope"`
	TCP              string      `json:"tcp"`
	TLS              string      `json:"tls"`
	Operator         string      `json:"operator" hidden:"true" required:"false"`
	Organisation     string      `json:"organisation"`
	SelfDeclaration  string      `json:"self_declaration,omitempty"` // why it is one; "" is an assessment by a third party
	AcquirerOfRecord []string    `json:"acquirers"`
	Tool             Tool        `json:"tool"`
	State            RunState    `json:"state" hidden:"true" required:"false"`
	Started          pos.Instant `json:"started" hidden:"true" required:"false"`
	Ended            pos.Instant `json:"ended,omitempty" hidden:"true" required:"false"`
	Seq              uint64      `json:"-"`
}

// Observation is the result of one check. It is saved as soon as it is known.
type Observation struct {
	Run         string        `json:"run"`
	Requirement string        `json:"requirement"`
	Check       string        `json:"check"`
	Version     int           `json:"version"` // of the check
	Verdict     Verdict       `json:"verdict"`
	Detail      Text          `json:"detail"`                                           // what was seen, for people
	Reason      string        `json:"reason,omitempty"`                                 // of not_applicable and not_tested
	Approver    string        `json:"approver,omitempty"`                               // of not_applicable: another person than the operator
	Inputs      string        `json:"inputs_digest"`                                    // SHA-256 of what the check was given, hexadecimal
	Transcript  string        `json:"transcript_digest" hidden:"true" required:"false"` // of the kept raw transcript
	Evidence    string        `json:"evidence"`                                         // RUN-1/POSC-HW-01
	Start       pos.Instant   `json:"start"`                                            //
	End         pos.Instant   `json:"end"`                                              //
	Tool        Tool          `json:"tool"`                                             //
	Operator    string        `json:"operator" hidden:"true" required:"false"`          //
	Externals   []ExternalEnd `json:"externals,omitempty"`                              // approvals by others that this check read
	Seq         uint64        `json:"-"`
}

// ExternalEnd is an approval by another body, and when it ends.
type ExternalEnd struct {
	Name   string      `json:"name"` // PCI PTS, firmware reassessment, UnionPay licence
	Number string      `json:"number"`
	Until  pos.Instant `json:"until"`
}

// Text is one text in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// In is the text in a language, zh or another.
func (t Text) In(lang string) string {
	if lang == "zh" {
		return t.ZH
	}
	return t.EN
}

// FindingState is where a finding stands.
type FindingState string

// The states of a finding.
const (
	Open     FindingState = "open"
	Answered FindingState = "answered" // the maker said what it is
	Fixed    FindingState = "fixed"    // the maker says in which version
	Retested FindingState = "retested" // the laboratory saw that version pass
	Closed   FindingState = "closed"
	Accepted FindingState = "accepted" // lived with, by a compensating control, until a day
)

// Finding is a requirement that was not met, and what becomes of it.
type Finding struct {
	ID          string       `json:"id"` // FND-1
	Run         string       `json:"run"`
	Requirement string       `json:"requirement"`
	Severity    Severity     `json:"severity"`
	State       FindingState `json:"state"`
	Version     string       `json:"version,omitempty"` // in which it is said to be fixed
	Control     string       `json:"control,omitempty"` // compensating, of an accepted one
	Until       pos.Instant  `json:"until,omitempty"`   // the last day of an accepted one
	Due         pos.Instant  `json:"due"`               // when an answer is due
	Life        []Step       `json:"life"`
	Proposal    string       `json:"proposal,omitempty"` // the one that its last step carried out
	Seq         uint64       `json:"-"`
}

// Step is one step of a finding's life.
type Step struct {
	State FindingState `json:"state"`
	By    []string     `json:"by"`
	At    pos.Instant  `json:"at"`
	Text  string       `json:"text,omitempty"`
}

// ErrLab is returned for a record that may not be.
var ErrLab = errors.New("laboratory")

// ErrUnknown is returned for an id that nothing has.
var ErrUnknown = errors.New("laboratory: no such record")

// MaxText bounds what a person writes, in bytes.
const MaxText = 1000
