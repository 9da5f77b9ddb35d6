package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
)

// Bounds of a scope.
const (
	MaxTargets   = 16
	MaxScopeLife = 7 * 24 * time.Hour
	MaxRate      = 1000 // messages a second
)

// AddKey is the decision to keep a signing key of an account.
func AddKey(s *State, k *Key, now pos.Instant) ([]journal.Draft, error) {
	if s.keys[k.Account] != nil {
		return nil, fmt.Errorf("%w: account %.32s has a signing key", ErrLab, k.Account)
	}
	k.At = now
	c, err := record(NounKey, k.Account, k)
	return draft("lab_key_made", []string{k.Account}, "", c), err
}

// NextScope is the id of the next scope: it is signed before it is recorded.
func (s *State) NextScope() string { return s.next("SCP-") }

// SignScope is the decision to let an assessor attack what a scope names.
func SignScope(s *State, scope *Scope, by string, now pos.Instant) ([]journal.Draft, error) {
	const verb = "scope_signed"
	switch {
	case scope.ID != s.NextScope():
		return nil, refuse(verb, []string{by}, "another scope was signed meanwhile: try again")
	case len(scope.Targets) == 0 || len(scope.Targets) > MaxTargets:
		return nil, refuse(verb, []string{by}, "a scope names 1 to %d targets", MaxTargets)
	case scope.Until <= scope.From || scope.Until <= now || scope.Until.Sub(scope.From) > MaxScopeLife:
		return nil, refuse(verb, []string{by}, "a scope's window begins before it ends, ends in the future and lasts %d days at most", int(MaxScopeLife.Hours()/24))
	case scope.Rate < 1 || scope.Rate > MaxRate:
		return nil, refuse(verb, []string{by}, "a scope's rate is 1 to %d messages a second", MaxRate)
	case len(scope.Signature) == 0:
		return nil, refuse(verb, []string{by}, "a scope has to be signed")
	}
	c, err := record(NounScope, scope.ID, scope)
	return draft(verb, []string{by}, "", c), err
}

// StopScope is the decision to end a scope now: probes under it stop before their next message.
func StopScope(s *State, id, by string, now pos.Instant) ([]journal.Draft, error) {
	old := s.Scope(id)
	if old == nil {
		return nil, refuse("scope_stopped", []string{by}, "there is no scope %.20s", id)
	}
	if old.Stopped != "" {
		return nil, refuse("scope_stopped", []string{by}, "scope %s was stopped by %s already", id, old.Stopped)
	}
	x := *old
	x.Stopped, x.StoppedAt = by, now
	c, err := record(NounScope, id, &x)
	return draft("scope_stopped", []string{by}, "", c), err
}

// Allows tells why a scope does not allow a target at an instant, "" when it does.
func (s *Scope) Allows(target string, now pos.Instant) string {
	switch {
	case s.Stopped != "":
		return "scope " + s.ID + " was stopped by " + s.Stopped
	case now < s.From:
		return "the window of scope " + s.ID + " has not begun"
	case now >= s.Until:
		return "the window of scope " + s.ID + " is over"
	case !slices.Contains(s.Targets, target):
		return "scope " + s.ID + " does not name " + target
	}
	return ""
}

// Acquirers are the organisations that run a data directory: those of everybody who has a role in it other than
// an assessor's or a merchant's.
func Acquirers(people *staff.State) (list []string) {
	for _, a := range people.Accounts() {
		if a.May(staff.Administrator, staff.KeyCustodian, staff.Security, staff.Support, staff.Field, staff.Auditor) && !slices.Contains(list, a.Organisation) {
			list = append(list, a.Organisation)
		}
	}
	slices.Sort(list)
	return list
}

// Independence tells why an assessor's organisation cannot certify a subject, "" when it can. The words are stable:
// maker or acquirer.
func Independence(organisation, maker string, acquirers []string) string {
	switch {
	case sameOrganisation(organisation, maker):
		return "maker"
	case slices.ContainsFunc(acquirers, func(a string) bool { return sameOrganisation(a, organisation) }):
		return "acquirer"
	}
	return ""
}

// sameOrganisation compares two names without regard to case, spaces and punctuation.
func sameOrganisation(a, b string) bool {
	fold := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t.,;:-_()（），。·'\"", r) {
				return -1
			}
			return r
		}, strings.ToLower(s))
	}
	return fold(a) == fold(b)
}

// Start is the decision to begin an assessment.
func Start(s *State, people *staff.State, c *Catalogue, p *Profile, run *Run, now pos.Instant) ([]journal.Draft, error) {
	const verb = "run_started"
	by := []string{run.Operator}
	account := people.Account(run.Operator)
	if account == nil {
		return nil, refuse(verb, by, "the operator has no account")
	}
	if err := run.Subject.Check(); err != nil {
		return nil, refuse(verb, by, "%v", err)
	}
	if len(run.InputsDigest) != 64 || run.SubjectFile == "" {
		return nil, refuse(verb, by, "a run names its subject's file and the digest of all it was given")
	}
	scope := s.Scope(run.Scope)
	if scope == nil {
		return nil, refuse(verb, by, "there is no scope %.20s: a security officer signs one with touchstone lab scope", run.Scope)
	}
	for _, target := range []string{run.TCP, run.TLS} {
		if why := scope.Allows(target, now); why != "" {
			return nil, refuse(verb, by, "%s", why)
		}
	}
	run.ID, run.State, run.Started, run.Ended = s.next("RUN-"), Running, now, 0
	run.Profile, run.ProfileDigest = p.ID+" "+p.Version, p.Digest
	run.Catalogue, run.CatalogueDigest = c.Version, c.Digest
	run.Organisation, run.AcquirerOfRecord = account.Organisation, Acquirers(people)
	run.SelfDeclaration = Independence(run.Organisation, run.Subject.Maker, run.AcquirerOfRecord)
	change, err := record(NounRun, run.ID, run)
	return draft(verb, by, "", change), err
}

// Rescope is the decision to go on with a run under another scope, or against the same host at other addresses: the
// first window was over, or the host came back elsewhere.
func Rescope(s *State, run, scope, tcp, tls, by string, now pos.Instant) ([]journal.Draft, error) {
	const verb = "run_rescoped"
	old, to := s.Run(run), s.Scope(scope)
	switch {
	case old == nil || old.State != Running || old.Operator != by:
		return nil, refuse(verb, []string{by}, "run %.20s is not a running one of %s", run, by)
	case to == nil:
		return nil, refuse(verb, []string{by}, "there is no scope %.20s", scope)
	}
	for _, target := range []string{tcp, tls} {
		if why := to.Allows(target, now); why != "" {
			return nil, refuse(verb, []string{by}, "%s", why)
		}
	}
	x := *old
	x.Scope, x.TCP, x.TLS = scope, tcp, tls
	c, err := record(NounRun, run, &x)
	return draft(verb, []string{by}, "", c), err
}

// answerDays is how long the maker has to answer a finding of each severity, in days.
var answerDays = map[Severity]int{Critical: 7, High: 30, Medium: 90, Low: 180, Info: 365}

// Observe is the decision to keep the result of a check, and to open a finding where it failed. The same check's
// later result takes the place of an inconclusive one, of no other.
func Observe(s *State, c *Catalogue, p *Profile, o *Observation, now pos.Instant) ([]journal.Draft, error) {
	const verb = "observed"
	by := []string{o.Operator}
	run, check := s.Run(o.Run), p.Find(o.Requirement)
	switch {
	case run == nil:
		return nil, refuse(verb, by, "there is no run %.20s", o.Run)
	case run.State != Running:
		return nil, refuse(verb, by, "run %s is complete", o.Run)
	case run.Operator != o.Operator:
		return nil, refuse(verb, by, "run %s is %s's", o.Run, run.Operator)
	case check == nil || check.Check != o.Check || check.Version != o.Version || run.ProfileDigest != p.Digest:
		return nil, refuse(verb, by, "%.20s by check %.40s version %d is not in the profile of run %s", o.Requirement, o.Check, o.Version, o.Run)
	case o.Verdict != Pass && o.Verdict != Fail && o.Verdict != Inconclusive && o.Verdict != NotTested:
		return nil, refuse(verb, by, "a check finds pass, fail, inconclusive or not_tested")
	case len(o.Inputs) != 64 || len(o.Transcript) != 64 || o.End < o.Start:
		return nil, refuse(verb, by, "a result keeps the digests of its inputs and its transcript, and its times")
	}
	if old := s.Observation(o.Run, o.Requirement); old != nil && old.Verdict != Inconclusive && old.Verdict != NotTested {
		return nil, refuse(verb, by, "%s has a result in run %s already: %s", o.Requirement, o.Run, old.Verdict)
	}
	o.Evidence, o.Tool = o.Run+"/"+o.Requirement, run.Tool
	change, err := record(NounObservation, o.Evidence, o)
	if err != nil || o.Verdict != Fail {
		return draft(verb, by, "", change), err
	}
	severity := c.Find(o.Requirement).Severity
	f := &Finding{ID: s.next("FND-"), Run: o.Run, Requirement: o.Requirement, Severity: severity, State: Open,
		Due: now + pos.Instant(time.Duration(answerDays[severity])*24*time.Hour), Life: []Step{{Open, by, now, clip(o.Detail.EN)}}}
	opened, err := record(NounFinding, f.ID, f)
	return draft(verb, by, "", change, opened), err
}

func clip(s string) string {
	if len(s) > MaxText {
		return strings.ToValidUTF8(s[:MaxText], "")
	}
	return s
}

// MarkNotApplicable is the decision that a requirement does not apply to a subject: with a reason, by the
// operator, agreed to by another person.
func MarkNotApplicable(s *State, people *staff.State, p *Profile, run, requirement, reason, approver string, now pos.Instant) ([]journal.Draft, error) {
	const verb = "marked_not_applicable"
	by := []string{approver}
	r, check := s.Run(run), p.Find(requirement)
	if r == nil || check == nil {
		return nil, refuse(verb, by, "there is no run %.20s, or %.20s is not in its profile", run, requirement)
	}
	operator, other := people.Account(r.Operator), people.Account(approver)
	old := s.Observation(run, requirement)
	switch {
	case operator == nil || other == nil || staff.SamePerson(operator, other):
		return nil, refuse(verb, by, "the approver is another person than the operator %s", r.Operator)
	case r.State != Running:
		return nil, refuse(verb, by, "run %s is complete", run)
	case strings.TrimSpace(reason) == "" || len(reason) > MaxText:
		return nil, refuse(verb, by, "want a reason, %d bytes at most", MaxText)
	case old != nil && old.Verdict == Fail:
		return nil, refuse(verb, by, "%s failed in run %s: it applies", requirement, run)
	}
	o := &Observation{Run: run, Requirement: requirement, Check: check.Check, Version: check.Version, Verdict: NotApplicable, Reason: reason, Approver: approver,
		Detail: Text{EN: "not applicable: " + reason, ZH: "不适用: " + reason}, Inputs: r.InputsDigest, Evidence: run + "/" + requirement,
		Start: now, End: now, Tool: r.Tool, Operator: r.Operator}
	c, err := record(NounObservation, o.Evidence, o)
	return draft(verb, []string{r.Operator, approver}, "", c), err
}

// Finish is the decision that a run is complete: every requirement of its profile has a result.
func Finish(s *State, p *Profile, run, by string, now pos.Instant) ([]journal.Draft, error) {
	r := s.Run(run)
	if r == nil || r.State != Running || r.Operator != by {
		return nil, refuse("run_completed", []string{by}, "run %.20s is not a running one of %s", run, by)
	}
	for _, k := range p.Checks {
		if s.Observation(run, k.Requirement) == nil {
			return nil, refuse("run_completed", []string{by}, "%s has no result yet: touchstone lab resume %s", k.Requirement, run)
		}
	}
	x := *r
	x.State, x.Ended = Complete, now
	c, err := record(NounRun, run, &x)
	return draft("run_completed", []string{by}, "", c), err
}
