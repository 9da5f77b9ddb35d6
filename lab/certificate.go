package lab

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// CertificateState is what a certificate is worth.
type CertificateState string

// The states. A valid one may still be past its end: see Standing.
const (
	Valid      CertificateState = "valid"
	Suspended  CertificateState = "suspended"
	Withdrawn  CertificateState = "withdrawn" // final
	Superseded CertificateState = "superseded"
	Expired    CertificateState = "expired" // by time alone
)

// Scheme names what was examined by. It is this laboratory's own.
const Scheme = "Touchstone POS security scheme 1"

// PolicyLife is the longest a certificate lasts: three years of 365 days.
const PolicyLife = 3 * 365 * 24 * time.Hour

// Certificate is a security certificate as the register of the laboratory knows it; the signed statement is a kept
// file.
type Certificate struct {
	ID              string           `json:"id"` // CRT-1
	Run             string           `json:"run"`
	Scheme          string           `json:"scheme"`
	Catalogue       string           `json:"catalogue"`
	CatalogueDigest string           `json:"catalogue_digest"`
	Profile         string           `json:"profile"`
	Subject         Subject          `json:"subject"`
	Issuer          string           `json:"issuer"` // organisation
	SelfDeclaration string           `json:"self_declaration,omitempty"`
	Conditions      []string         `json:"conditions,omitempty"`
	Externals       []ExternalEnd    `json:"externals,omitempty"`
	Issued          pos.Instant      `json:"issued"`
	NotBefore       pos.Instant      `json:"not_before"`
	Expires         pos.Instant      `json:"expires"`
	Report          string           `json:"report_digest"`   // of the kept report, JSON
	Envelope        string           `json:"envelope_digest"` // of the kept DSSE envelope
	Signers         []Signer         `json:"signers"`
	State           CertificateState `json:"state"`
	Reason          string           `json:"reason,omitempty"` // of the state
	By              []string         `json:"by"`               // of the state
	Since           pos.Instant      `json:"since"`            // of the state
	Successor       string           `json:"successor,omitempty"`
	Proposal        string           `json:"proposal,omitempty"` // the one that its last step carried out
	Seq             uint64           `json:"-"`
}

// Signer is one of the two people who signed.
type Signer struct {
	Account      string `json:"account"`
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Key          string `json:"key"` // SHA-256 of the public key, hexadecimal
}

// Expiry is when a certificate ends: after the policy's three years, or with the earliest approval by others that
// it rests on, or with a condition.
func Expiry(issued pos.Instant, externals []ExternalEnd, condition pos.Instant) pos.Instant {
	end := issued + pos.Instant(PolicyLife)
	for _, x := range externals {
		end = min(end, x.Until)
	}
	if condition != 0 {
		end = min(end, condition)
	}
	return end
}

// Issued is the certificate that a proposal made already, nil when it made none.
func (s *State) Issued(run, proposal string) *Certificate {
	for _, x := range s.certificates {
		if x.Run == run && proposal != "" && x.Proposal == proposal {
			return x
		}
	}
	return nil
}

// Draft is a certificate as it would be issued from a run: everything but signatures. The refusal says why it may
// not be.
func Draft(s *State, c *Catalogue, p *Profile, run string, actors []string, now pos.Instant) (*Certificate, error) {
	const verb = "certificate_issued"
	r := s.Run(run)
	if r == nil || r.State != Complete {
		return nil, refuse(verb, actors, "run %.20s is not a complete one", run)
	}
	if r.ProfileDigest != p.Digest || r.CatalogueDigest != c.Digest {
		return nil, refuse(verb, actors, "run %s was made by another catalogue or profile: examine again", run)
	}
	for _, x := range s.Certificates() {
		if x.Run == run {
			return nil, refuse(verb, actors, "run %s has certificate %s already", run, x.ID)
		}
	}
	d := Decide(c, p, s, run, now)
	switch d.Outcome {
	case Issuable, Conditional:
	default:
		return nil, refuse(verb, actors, "the results of %s are %s: %s", run, d.Outcome, strings.Join(d.Because, ", "))
	}
	x := &Certificate{ID: s.next("CRT-"), Run: run, Scheme: Scheme, Catalogue: c.Version, CatalogueDigest: c.Digest, Profile: r.Profile, Subject: r.Subject,
		Issuer: r.Organisation, SelfDeclaration: r.SelfDeclaration, Conditions: d.Conditions, Issued: now, NotBefore: now, State: Valid, By: actors, Since: now}
	for _, o := range s.Observations(run) {
		x.Externals = append(x.Externals, o.Externals...)
	}
	if x.Expires = Expiry(now, x.Externals, d.Until); x.Expires <= now {
		return nil, refuse(verb, actors, "an approval that the certificate rests on has ended")
	}
	return x, nil
}

// Issue is the decision to register a signed certificate. Two people signed it.
func Issue(s *State, x *Certificate, proposal string) ([]journal.Draft, error) {
	const verb = "certificate_issued"
	switch {
	case x.ID != s.next("CRT-"):
		return nil, refuse(verb, x.By, "another certificate was issued meanwhile: try again")
	case len(x.Signers) < 2 || x.Signers[0].Key == x.Signers[1].Key:
		return nil, refuse(verb, x.By, "a certificate has two signatures by two keys")
	case len(x.Report) != 64 || len(x.Envelope) != 64:
		return nil, refuse(verb, x.By, "a certificate names its report and its envelope")
	}
	x.Proposal = proposal
	c, err := record(NounCertificate, x.ID, x)
	return draft(verb, x.By, proposal, c), err
}

// CertificateStep is what somebody wants to become of a certificate.
type CertificateStep struct {
	ID        string           `json:"id"`
	To        CertificateState `json:"to"`
	Reason    string           `json:"reason"`
	Successor string           `json:"successor,omitempty"` // of Superseded
}

// Change is the decision to suspend, withdraw, reinstate (to Valid) or supersede a certificate.
func Change(s *State, step CertificateStep, actors []string, proposal string, now pos.Instant) ([]journal.Draft, error) {
	verbs := map[CertificateState]string{Suspended: "certificate_suspended", Withdrawn: "certificate_withdrawn", Valid: "certificate_reinstated", Superseded: "certificate_superseded"}
	verb, known := verbs[step.To]
	old := s.Certificate(step.ID)
	if old == nil || !known {
		return nil, refuse("certificate_changed", actors, "there is no certificate %.20s", step.ID)
	}
	if old.State == step.To && proposal != "" && old.Proposal == proposal {
		return nil, nil // carried out already, and the program died before it could note so
	}
	may := old.State == Valid && step.To != Valid || old.State == Suspended && step.To != Suspended
	switch {
	case !may:
		return nil, refuse(verb, actors, "certificate %s is %s: it cannot become %s", old.ID, old.State, step.To)
	case strings.TrimSpace(step.Reason) == "" || len(step.Reason) > MaxText:
		return nil, refuse(verb, actors, "want a reason, %d bytes at most", MaxText)
	case step.To == Superseded && (s.Certificate(step.Successor) == nil || s.Certificate(step.Successor).Subject.Model != old.Subject.Model || step.Successor == old.ID):
		return nil, refuse(verb, actors, "name the certificate of the same model that takes its place: --by CRT-2")
	}
	x := *old
	x.State, x.Reason, x.By, x.Since, x.Successor, x.Proposal = step.To, step.Reason, actors, now, step.Successor, proposal
	c, err := record(NounCertificate, x.ID, &x)
	return draft(verb, actors, proposal, c), err
}

// Standing is a certificate's state at an instant, which time alone may have ended.
func (x *Certificate) Standing(now pos.Instant) CertificateState {
	if (x.State == Valid || x.State == Suspended) && now >= x.Expires {
		return Expired
	}
	return x.State
}

// Covers tells whether a certificate is of a model's hardware and application. The register of devices keeps no
// hardware number of its own: an unknown one is covered by the pattern * alone.
func (x *Certificate) Covers(model, hardware, application string) bool {
	return x.Subject.Model == model && Covers(x.Subject.HardwarePattern, hardware) && Covers(x.Subject.ApplicationPattern, application)
}

// mayCover tells whether a certificate covers a device as far as its numbers are known.
func (x *Certificate) mayCover(hardware, application string) bool {
	return (hardware == "" || Covers(x.Subject.HardwarePattern, hardware)) && (application == "" || Covers(x.Subject.ApplicationPattern, application))
}

// The words of CertificateFact besides registry.Good and "", which is unknown: no certificate of that model.
const (
	FactSuspended  = "suspended"
	FactWithdrawn  = "withdrawn"
	FactExpired    = "expired"
	FactNotCovered = "not_covered" // certificates of the model cover neither this hardware nor this application
)

// CertificateFact is what certificates say of a device's model, hardware number and application version. Of those
// that cover it the newest decides, one that another took the place of never.
func (s *State) CertificateFact(model, hardware, application string, now pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactCertificate}
	if model == "" {
		return f
	}
	var any, best, perhaps *Certificate // perhaps: covers it for all that is known
	for id := range s.byModel[model] {
		x := s.certificates[id]
		if x == nil || x.Subject.Model != model || x.State == Superseded {
			continue
		}
		newer := func(old *Certificate) bool { return old == nil || later(x, old) }
		if newer(any) {
			any = x
		}
		if x.Covers(model, hardware, application) && newer(best) {
			best = x
		}
		if x.mayCover(hardware, application) && newer(perhaps) {
			perhaps = x
		}
	}
	if best == nil && perhaps != nil && perhaps.Standing(now) != Valid {
		best = perhaps // what is not known is not good, and it is no way around a suspension
	}
	switch {
	case any == nil:
		return f
	case best == nil:
		f.State, f.Detail, f.Since, f.Entry = FactNotCovered, any.ID, any.Issued, any.Seq
		f.Restore = any.Subject.ApplicationPattern
		return f
	}
	f.Since, f.Entry, f.Detail = best.Since, best.Seq, best.detail()
	switch best.Standing(now) {
	case Valid:
		f.State, f.Until = registry.Good, best.Expires
		if now < best.NotBefore {
			f.State, f.Until = "", best.NotBefore
		}
	case Suspended:
		f.State, f.Restore, f.Until = FactSuspended, best.ID, best.Expires
	case Withdrawn:
		f.State = FactWithdrawn
	default:
		f.State, f.Since = FactExpired, best.Expires
	}
	return f
}

// detail names a certificate and says when it is only a self-declaration.
func (x *Certificate) detail() string {
	if x.SelfDeclaration != "" {
		return x.ID + ", a self-declaration by the " + x.SelfDeclaration
	}
	return x.ID
}

// later tells whether a certificate was issued after another.
func later(a, b *Certificate) bool {
	return cmp.Or(cmp.Compare(a.Issued, b.Issued), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID)) > 0
}

// ofModel lists the certificates of a model, the newest first.
func (s *State) ofModel(model string) (list []*Certificate) {
	for id := range s.byModel[model] {
		list = append(list, s.certificates[id])
	}
	slices.SortFunc(list, func(a, b *Certificate) int {
		if later(a, b) {
			return -1
		}
		return 1
	})
	return list
}

// OfModel lists the certificates of a model, the newest first.
func (s *State) OfModel(model string) []*Certificate { return s.ofModel(model) }
