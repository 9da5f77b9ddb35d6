package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"touchstone/admission"
	"touchstone/hsm/soft"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/lab"
	"touchstone/lab/attest"
	"touchstone/pos"
	"touchstone/staff"
)

// labChange is one act of the laboratory. Exactly one field is set.
type labChange struct {
	Scope       *lab.Scope           `json:"scope,omitempty"`   // unsigned
	Stop        string               `json:"stop,omitempty"`    // a scope
	Start       *lab.Run             `json:"start,omitempty"`   //
	Examine     *labExamine          `json:"examine,omitempty"` // a run that this host carries out
	Rescope     *labRescope          `json:"rescope,omitempty"`
	Observe     *labObserve          `json:"observe,omitempty"`
	Mark        *labMark             `json:"mark,omitempty"`
	Finish      string               `json:"finish,omitempty"` // a run
	Finding     *lab.FindingStep     `json:"finding,omitempty"`
	Issue       string               `json:"issue,omitempty"` // a run
	Certificate *lab.CertificateStep `json:"certificate,omitempty"`
}

type labObserve struct {
	Observation lab.Observation `json:"observation"`
	Transcript  string          `json:"transcript_file" file:"upload" doc:"The raw transcript, uploaded before."`
}

type labRescope struct {
	Run   string `json:"run"`
	Scope string `json:"scope"`
	TCP   string `json:"tcp"`
	TLS   string `json:"tls"`
}

type labMark struct {
	Run         string `json:"run"`
	Requirement string `json:"requirement"`
	Reason      string `json:"reason"`
}

// duty is who may do an act of the laboratory.
func (c *labChange) duty() (duty, bool) {
	assessor := []staff.Role{staff.Assessor}
	switch {
	case c.Scope != nil:
		return duty{act: "lab_scope", roles: []staff.Role{staff.Security}}, true
	case c.Stop != "":
		return duty{act: "lab_stop", roles: []staff.Role{staff.Security, staff.Assessor}}, true
	case c.Start != nil, c.Examine != nil, c.Rescope != nil:
		return duty{act: "lab_run", roles: assessor}, true
	case c.Observe != nil:
		return duty{act: "lab_observe", roles: assessor}, true
	case c.Mark != nil:
		return duty{act: "lab_mark", roles: assessor}, true
	case c.Finish != "":
		return duty{act: "lab_finish", roles: assessor}, true
	case c.Finding != nil:
		return duty{act: "lab_finding", roles: assessor, two: c.Finding.To == lab.Accepted}, true
	case c.Issue != "":
		return duty{act: "certificate_issue", roles: assessor, two: true}, true
	case c.Certificate != nil:
		return duty{act: "certificate_change", roles: assessor, two: true}, true
	}
	return duty{}, false
}

// changeLab carries out an act of the laboratory.
func (e *engine) changeLab(ctx context.Context, c *change) (changed, error) {
	l, by := c.Lab, c.actors[0]
	catalogue, profile, err := labTexts()
	if err != nil {
		return changed{}, err
	}
	what, facts := "", map[string]string{}
	if l.Start != nil || l.Rescope != nil || l.Observe != nil {
		e.probes.Store(labSpare)
	} else if l.Finish != "" {
		e.probes.Store(0)
	}
	switch {
	case l.Scope != nil:
		return e.signScope(ctx, l.Scope, by)
	case l.Examine != nil:
		return e.examineSent(ctx, c)
	case l.Issue != "":
		return e.issueCertificate(ctx, l.Issue, c.actors, c.proposal)
	case l.Observe != nil:
		return e.observe(ctx, catalogue, profile, l.Observe, by)
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		switch {
		case l.Stop != "":
			what = "scope " + l.Stop + " stopped"
			drafts, err = lab.StopScope(r.lab, l.Stop, by, now)
		case l.Start != nil:
			run := *l.Start
			run.Operator = by
			drafts, err = lab.Start(r.lab, r.staff, catalogue, profile, &run, now)
			what, facts["run"], facts["self_declaration"] = "run "+run.ID, run.ID, run.SelfDeclaration
		case l.Rescope != nil:
			x := l.Rescope
			what = "run " + x.Run + " goes on under " + x.Scope
			drafts, err = lab.Rescope(r.lab, x.Run, x.Scope, x.TCP, x.TLS, by, now)
		case l.Mark != nil:
			what = l.Mark.Requirement + " not applicable in " + l.Mark.Run
			drafts, err = lab.MarkNotApplicable(r.lab, r.staff, profile, l.Mark.Run, l.Mark.Requirement, l.Mark.Reason, by, now)
		case l.Finish != "":
			what = "run " + l.Finish + " complete"
			drafts, err = lab.Finish(r.lab, profile, l.Finish, by, now)
		case l.Finding != nil:
			drafts, err = lab.Advance(r.lab, *l.Finding, c.actors, c.proposal, now)
			what, facts["state"] = "finding "+l.Finding.ID+" "+string(l.Finding.To), string(l.Finding.To)
			if err == nil && len(drafts) > 0 && drafts[0].Act.Verb == "finding_open" {
				what, facts["state"] = "finding "+l.Finding.ID+" open again: the retest did not pass", string(lab.Open)
			}
		case l.Certificate != nil:
			what = "certificate " + l.Certificate.ID + " " + string(l.Certificate.To)
			drafts, err = lab.Change(r.lab, *l.Certificate, c.actors, c.proposal, now)
		default:
			err = errRequest
		}
		return drafts, err
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: what, Facts: facts}, nil
}

// labSpare is how many refusals of reserved terminals the flood limit lets be after each act of a run: more than one
// check yields.
const labSpare = 100

// ofLaboratory tells whether a refusal is of a reserved terminal while a run goes on: its verdict needs the entry.
// Nobody else gains much by naming that terminal: so many.
func (e *engine) ofLaboratory(r admission.Refusal) bool {
	if e.probes.Load() <= 0 {
		return false
	}
	t, err := e.ledger.Terminal(r.Terminal)
	return err == nil && t != nil && t.Canary && e.probes.Add(-1) >= 0
}

// labTexts are the catalogue and the profile that the program carries.
func labTexts() (*lab.Catalogue, *lab.Profile, error) {
	catalogue, err := lab.LoadCatalogue()
	if err != nil {
		return nil, nil, err
	}
	profile, err := lab.LoadProfile(catalogue)
	return catalogue, profile, err
}

// signScope gives a scope its number, has it signed with the officer's own key, and records it.
func (e *engine) signScope(ctx context.Context, scope *lab.Scope, by string) (changed, error) {
	key, signer, err := e.labKey(ctx, by)
	if err != nil {
		return changed{}, err
	}
	x := *scope
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		x.ID, x.By, x.Key, x.Stopped, x.StoppedAt = r.lab.NextScope(), by, key.ID, "", 0
		sum := sha256.Sum256(x.Text())
		signature, err := ecdsaSign(signer, sum[:])
		if err != nil {
			return nil, err
		}
		x.Signature = signature
		return lab.SignScope(r.lab, &x, by, now)
	})
	return changed{What: "scope " + x.ID + " signed by " + by, Facts: map[string]string{"scope": x.ID}}, err
}

// labKey is an account's signing key, drawn inside the module at its first use.
func (e *engine) labKey(ctx context.Context, account string) (*lab.Key, *soft.Signer, error) {
	owner := keys.Owner("laboratory " + account)
	var known *lab.Key
	e.office.view(func(r *rooms) { known = r.lab.Key(account) })
	if known == nil {
		wrapped, err := e.signingKey(ctx, owner, string(owner))
		if err != nil {
			return nil, nil, err
		}
		signer, err := e.module.Signer(owner, wrapped)
		if err != nil {
			return nil, nil, err
		}
		id, der, err := attest.KeyID(signer.Public())
		if err != nil {
			return nil, nil, err
		}
		known = &lab.Key{Account: account, Public: der, ID: id, Wrapped: wrapped}
		err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) { return lab.AddKey(r.lab, known, now) })
		return known, signer, err
	}
	signer, err := e.module.Signer(owner, keys.Wrapped(known.Wrapped))
	return known, signer, err
}

// observe keeps a transcript and then the result that names it.
func (e *engine) observe(ctx context.Context, catalogue *lab.Catalogue, profile *lab.Profile, c *labObserve, by string) (changed, error) {
	raw, err := os.ReadFile(c.Transcript)
	if err != nil {
		return changed{}, fmt.Errorf("read the transcript: %w", err)
	}
	o := c.Observation
	if o.Transcript, err = e.keepFile(raw); err != nil {
		return changed{}, err
	}
	o.Operator = by
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return lab.Observe(r.lab, catalogue, profile, &o, now)
	})
	return changed{What: o.Requirement + " " + string(o.Verdict)}, err
}

// statusWords is how the state of a certificate after its issue is learned.
const statusWords = "touchstone certificate show %s --data DIR at the issuer: suspended and withdrawn certificates are known there"

// issueCertificate makes, signs and registers the certificate of a run. All is decided in one act, so that no
// other one comes between the draft and its number.
func (e *engine) issueCertificate(ctx context.Context, run string, actors []string, proposal string) (changed, error) {
	catalogue, profile, err := labTexts()
	if err != nil {
		return changed{}, err
	}
	if len(actors) != 2 {
		return changed{}, errors.New("a certificate is signed by two people")
	}
	lent := make([]*soft.Signer, 2)
	key := make([]*lab.Key, 2)
	for i, account := range actors {
		if key[i], lent[i], err = e.labKey(ctx, account); err != nil {
			return changed{}, err
		}
	}
	var x *lab.Certificate
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if x = r.lab.Issued(run, proposal); x != nil {
			return nil, nil // the program died after it was issued and before that was noted
		}
		if x, err = lab.Draft(r.lab, catalogue, profile, run, actors, now); err != nil {
			return nil, err
		}
		for i, account := range actors {
			if err := signAs(x, r, account, key[i].ID); err != nil {
				return nil, err
			}
		}
		report, err := lab.NewReport(catalogue, profile, r.lab, run, now)
		if err != nil {
			return nil, err
		}
		raw, err := json.MarshalIndent(report, "", " ")
		if err != nil {
			return nil, err
		}
		if x.Report, err = e.keepFile(raw); err != nil {
			return nil, err
		}
		predicate := attest.NewPredicate(x, r.lab.Observations(run), fmt.Sprintf(statusWords, x.ID))
		statement, err := attest.Statement(&predicate, report.Run.InputsDigest)
		if err != nil {
			return nil, err
		}
		envelope, err := attest.Seal(ctx, rand.Reader, statement, lent[0], lent[1])
		if err != nil {
			return nil, err
		}
		if x.Envelope, err = e.keepFile(envelope); err != nil {
			return nil, err
		}
		return lab.Issue(r.lab, x, proposal)
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: fmt.Sprintf("certificate %s of %s, until %s, signed by %s and %s", x.ID, x.Subject.Model, x.Expires.Time().UTC().Format("2006-01-02"), actors[0], actors[1]),
		Facts: map[string]string{"certificate": x.ID, "envelope": x.Envelope, "report": x.Report, "self_declaration": x.SelfDeclaration}}, nil
}

// signAs names an account as a signer. Both are of the organisation that examined; one that is not independent
// makes the certificate a self-declaration.
func signAs(x *lab.Certificate, r *rooms, account, key string) error {
	a := r.staff.Account(account)
	if a == nil || a.Organisation != x.Issuer {
		return &journal.Refusal{Kind: journal.KindLab, Verb: "certificate_issued", Actors: x.By, Why: "both people are of the organisation that examined: " + x.Issuer, Err: lab.ErrLab}
	}
	x.Signers = append(x.Signers, lab.Signer{Account: account, Name: a.FullName, Organisation: a.Organisation, Key: key})
	if why := lab.Independence(a.Organisation, x.Subject.Maker, lab.Acquirers(r.staff)); x.SelfDeclaration == "" {
		x.SelfDeclaration = why
	}
	return nil
}

func ecdsaSign(s *soft.Signer, digest []byte) ([]byte, error) {
	return s.Sign(rand.Reader, digest, crypto.SHA256)
}

// labQuery asks the laboratory. ID names one record; what it is of says its prefix.
type labQuery struct {
	ID         string `json:"id,omitempty"`         // SCP-, RUN-, FND- or CRT-; "" lists
	Operations bool   `json:"operations,omitempty"` // the automatic requirements of operations and personnel
	Transcript string `json:"transcript,omitempty"` // digest of a kept transcript
}

type labAnswer struct {
	Now          pos.Instant       `json:"now"`
	Scopes       []lab.Scope       `json:"scopes,omitempty"`
	Runs         []lab.Run         `json:"runs,omitempty"`
	Observations []lab.Observation `json:"observations,omitempty"`
	Findings     []lab.Finding     `json:"findings,omitempty"`
	Certificates []lab.Certificate `json:"certificates,omitempty"`
	Keys         []shownLabKey     `json:"keys,omitempty"`
	Report       *lab.Report       `json:"report,omitempty"`
	Envelope     []byte            `json:"envelope,omitempty"`
	Transcript   []byte            `json:"transcript,omitempty"`
	Operations   []operationResult `json:"operations,omitempty"`
}

// shownLabKey is a signing key without its private half.
type shownLabKey struct {
	Account      string `json:"account"`
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	ID           string `json:"id"`
	Public       []byte `json:"public"`
}

// maxListed is how many records of a kind are listed, the newest.
const maxListed = 100

func newest[T any](all []*T) (list []T) {
	for _, x := range all[max(0, len(all)-maxListed):] {
		list = append(list, *x)
	}
	return list
}

func (e *engine) askLab(ctx context.Context, q *labQuery) (a labAnswer, err error) {
	a.Now = e.clock()
	if q.Operations {
		a.Operations, err = e.examineOperations(ctx)
		return a, err
	}
	if q.Transcript != "" {
		a.Transcript, err = e.keptFile(q.Transcript)
		return a, err
	}
	catalogue, profile, err := labTexts()
	if err != nil {
		return a, err
	}
	envelope := ""
	e.office.view(func(r *rooms) {
		s := r.lab
		for _, k := range s.Keys() {
			shown := shownLabKey{Account: k.Account, ID: k.ID, Public: k.Public}
			if who := r.staff.Account(k.Account); who != nil && who.May(staff.Assessor) {
				shown.Name, shown.Organisation = who.FullName, who.Organisation
				a.Keys = append(a.Keys, shown)
			} else if q.ID != "" {
				a.Keys = append(a.Keys, shown) // a scope is signed by others than assessors
			}
		}
		if q.ID == "" {
			a.Scopes, a.Runs, a.Findings, a.Certificates = newest(s.Scopes()), newest(s.Runs()), newest(s.Findings("")), newest(s.Certificates())
			return
		}
		run := q.ID
		if x := s.Scope(q.ID); x != nil {
			a.Scopes = append(a.Scopes, *x)
		}
		if f := s.Finding(q.ID); f != nil {
			a.Findings, run = append(a.Findings, *f), f.Run
		}
		if x := s.Certificate(q.ID); x != nil {
			a.Certificates, run, envelope = append(a.Certificates, *x), x.Run, x.Envelope
		}
		if x := s.Run(run); x != nil {
			a.Runs = append(a.Runs, *x)
			a.Report, err = lab.NewReport(catalogue, profile, s, run, a.Now)
		}
	})
	if len(a.Scopes)+len(a.Runs)+len(a.Findings)+len(a.Certificates) == 0 && q.ID != "" {
		return a, fmt.Errorf("the laboratory has no %.20s", q.ID)
	}
	if err == nil && envelope != "" {
		a.Envelope, err = e.keptFile(envelope)
	}
	return a, err
}

// checkScope proves that a scope was signed with the key that it names.
func checkScope(x *lab.Scope, known []shownLabKey) error {
	at := slices.IndexFunc(known, func(k shownLabKey) bool { return k.ID == x.Key && k.Account == x.By })
	if at < 0 {
		return fmt.Errorf("scope %s: it names no key of %s", x.ID, x.By)
	}
	parsed, err := x509.ParsePKIXPublicKey(known[at].Public)
	key, ok := parsed.(*ecdsa.PublicKey)
	sum := sha256.Sum256(x.Text())
	if err != nil || !ok || !ecdsa.VerifyASN1(key, sum[:], x.Signature) {
		return fmt.Errorf("scope %s: its signature is wrong", x.ID)
	}
	return nil
}
