package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
)

// cashierChange gives an operator number of a shop to a person, or ends it.
type cashierChange struct {
	Merchant string `json:"merchant" minLength:"15" maxLength:"15" example:"898310058120001"`
	Operator string `json:"operator" minLength:"1" maxLength:"3" example:"07"`
	Name     string `json:"name,omitempty" maxLength:"100" example:"陈静 Chen Jing"`
	Leave    bool   `json:"leave,omitempty" doc:"The cashier no longer works there."`
}

// The steps of a trainingChange.
const (
	trainBegin   = "begin"
	trainEnd     = "end"
	trainRecord  = "record"
	trainConfirm = "confirm"
)

// trainingChange is one step of somebody's training: of a cashier, or of an account.
type trainingChange struct {
	Do       string            `json:"do" enum:"begin,end,record,confirm" doc:"Begin or hand in a test; record a course outside; confirm that the rule was read."`
	Merchant string            `json:"merchant,omitempty"`
	Operator string            `json:"operator,omitempty"`
	Account  string            `json:"account,omitempty"`
	ID       string            `json:"id,omitempty"`      // of the test that ends
	Answers  map[string]string `json:"answers,omitempty"` // choice by question
	Topic    staff.Topic       `json:"topic,omitempty"`   // of a course outside
	Course   string            `json:"course,omitempty"`
}

func (c *trainingChange) duty() duty {
	switch {
	case c.Do == trainRecord:
		return duty{act: "training_record", roles: []staff.Role{staff.Administrator}}
	case c.Do == trainConfirm:
		return duty{act: "guidance_confirm", roles: []staff.Role{staff.Support, staff.Field, staff.Merchant}, free: true}
	case c.Account != "":
		return duty{act: "training_sit"} // the person alone: see trainingPeople
	}
	return duty{act: "training_sit", roles: []staff.Role{staff.Support, staff.Merchant}, free: true}
}

// personnelChange is what an administrator does about accounts besides changing one.
type personnelChange struct {
	Leave  string `json:"leave,omitempty"`  // the account whose person left
	Review bool   `json:"review,omitempty"` // every account was looked at
	Notes  string `json:"notes,omitempty"`
	Unlock string `json:"unlock,omitempty"` // the account whose passphrase was guessed at
}

// passphraseChange is a person's new passphrase. The old one, or the person's own key, is the proof of who asks.
type passphraseChange struct {
	File string `json:"file" file:"machine" hidden:"true"` // absolute
}

func (e *engine) changeCashier(ctx context.Context, c *cashierChange, actors []string) (changed, error) {
	merchant, operator, err := parseCashier(c.Merchant, c.Operator)
	if err != nil {
		return changed{}, err
	}
	if _, err := e.ledger.Merchant(merchant); err != nil {
		return changed{}, err
	}
	id := staff.CashierID(merchant, operator)
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if c.Leave {
			return asRefusal("cashier_leave", actors)(staff.LeaveCashier(r.staff, merchant, operator, actors, now))
		}
		return asRefusal("cashier_add", actors)(staff.AddCashier(r.staff, merchant, operator, c.Name, actors, now))
	})
	return changed{What: "cashier " + id, Facts: map[string]string{"cashier": id}}, err
}

// asRefusal makes a rule's error a refusal that the journal keeps.
func asRefusal(verb string, actors []string) func([]journal.Draft, error) ([]journal.Draft, error) {
	return func(drafts []journal.Draft, err error) ([]journal.Draft, error) {
		if err == nil {
			return drafts, nil
		}
		return nil, &journal.Refusal{Kind: journal.KindStaff, Verb: verb, Actors: actors, Why: err.Error(), Err: err}
	}
}

func parseCashier(merchant, operator string) (m pos.MerchantID, o pos.Operator, err error) {
	if m, err = pos.ParseMerchantID(merchant); err != nil {
		return m, o, fmt.Errorf("merchant id: want 15 characters: %w", err)
	}
	if o, err = pos.ParseOperator(operator); err != nil {
		return m, o, fmt.Errorf("operator number: want 1 to 3 digits or letters, as the sign-in carries them: %w", err)
	}
	return m, o, nil
}

// trainingPeople is whose training it is, and who acts: a cashier first, then the account beside; of an account its
// own person alone.
func (c *trainingChange) trainingPeople(actors []string) (subject string, by []string, err error) {
	if c.Account != "" {
		if c.Do != trainRecord && actors[0] != c.Account {
			return "", nil, fmt.Errorf("%w: the test of account %.32s is taken by its own person: --as %.32s", staff.ErrRole, c.Account, c.Account)
		}
		return "account:" + c.Account, actors, nil
	}
	merchant, operator, err := parseCashier(c.Merchant, c.Operator)
	if err != nil {
		return "", nil, err
	}
	cashier := staff.CashierActor(merchant, operator)
	return cashier, append([]string{cashier}, actors...), nil
}

// seedBytes of randomness make the seed of a test.
const seedBytes = 16

// read tells whether a step names only what it reads: a name that is passed over would be taken for one that was
// looked at.
func (c *trainingChange) read() bool {
	switch c.Do {
	case trainConfirm:
		return c.Operator == "" && c.Account == "" && c.ID == "" && len(c.Answers) == 0 && c.Topic == "" && c.Course == ""
	case trainBegin:
		return c.ID == "" && len(c.Answers) == 0 && c.Topic == "" && c.Course == "" && (c.Account == "" || c.Merchant == "" && c.Operator == "")
	case trainEnd:
		return c.Topic == "" && c.Course == "" && (c.Account == "" || c.Merchant == "" && c.Operator == "")
	case trainRecord:
		return c.Merchant == "" && c.Operator == "" && c.ID == "" && len(c.Answers) == 0
	}
	return false
}

func (e *engine) changeTraining(ctx context.Context, c *trainingChange, actors []string) (changed, error) {
	if !c.read() {
		return changed{}, errRequest
	}
	if c.Do == trainConfirm {
		return e.confirmGuidance(ctx, c, actors)
	}
	bank, err := staff.LoadBank()
	if err != nil {
		return changed{}, err
	}
	subject, by, err := c.trainingPeople(actors)
	if err != nil {
		return changed{}, err
	}
	switch c.Do {
	case trainBegin:
		return e.beginTraining(ctx, bank, subject, by)
	case trainEnd:
		return e.endTraining(ctx, bank, c, subject, by)
	case trainRecord:
		err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return asRefusal("training_record", actors)(staff.RecordTraining(r.staff, c.Account, c.Topic, c.Course, actors, now))
		})
		return changed{What: fmt.Sprintf("training of %s in %s recorded", c.Account, c.Topic)}, err
	}
	return changed{}, errRequest
}

func (e *engine) beginTraining(ctx context.Context, bank *staff.Bank, subject string, by []string) (changed, error) {
	raw := make([]byte, seedBytes)
	if _, err := rand.Read(raw); err != nil {
		return changed{}, err
	}
	var t *staff.Training
	err := e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		t, drafts, err = staff.BeginTraining(r.staff, bank, subject, hex.EncodeToString(raw), by, now)
		return asRefusal("training_begin", by)(drafts, err)
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: "test " + t.ID, Facts: map[string]string{"training": t.ID, "seed": t.Seed, "bank": t.Bank}}, nil
}

// The facts of a test that ended.
const (
	factState = "state"
	factScore = "score" // such as 11/12
	factUntil = "until" // RFC 3339
	factWrong = "wrong" // topics, by comma
)

func (e *engine) endTraining(ctx context.Context, bank *staff.Bank, c *trainingChange, subject string, by []string) (changed, error) {
	if len(c.Answers) > len(bank.Questions) {
		return changed{}, errRequest
	}
	var t *staff.Training
	var wrong []string
	err := e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		if known := r.staff.Training(c.ID); known == nil || known.Subject != subject {
			return nil, fmt.Errorf("%w: test %.20s is not of %s", staff.ErrUnknown, c.ID, subject)
		}
		t, wrong, drafts, err = staff.EndTraining(r.staff, bank, c.ID, c.Answers, by, now)
		return asRefusal("training_end", by)(drafts, err)
	})
	if err != nil {
		return changed{}, err
	}
	facts := map[string]string{"training": t.ID, factState: string(t.State), factScore: fmt.Sprintf("%d/%d", t.Right, t.Questions), factWrong: joined(wrong)}
	if t.Until != 0 {
		facts[factUntil] = t.Until.Time().Format("2006-01-02")
	}
	return changed{What: fmt.Sprintf("test %s %s: %s", t.ID, t.State, facts[factScore]), Facts: facts}, nil
}

func (e *engine) confirmGuidance(ctx context.Context, c *trainingChange, actors []string) (changed, error) {
	bank, err := staff.LoadBank()
	if err != nil {
		return changed{}, err
	}
	merchant, err := pos.ParseMerchantID(c.Merchant)
	if err != nil {
		return changed{}, fmt.Errorf("merchant id: want 15 characters: %w", err)
	}
	if _, err := e.ledger.Merchant(merchant); err != nil {
		return changed{}, err
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return asRefusal("guidance_confirm", actors)(staff.ConfirmGuidance(r.staff, merchant, bank.Rule.Version, actors, now))
	})
	return changed{What: fmt.Sprintf("shop %s has read rule %s", merchant, bank.Rule.Version)}, err
}

func (e *engine) changePersonnel(ctx context.Context, c *personnelChange, actors []string) (told changed, err error) {
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if c.Review {
			told.What = "accounts reviewed"
			return staff.ReviewAccounts(r.staff, c.Notes, actors, now)
		}
		if c.Unlock != "" {
			told.What = "account " + c.Unlock + " unlocked"
			return asRefusal("account_unlock", actors)(staff.Unlock(r.staff, c.Unlock, actors, now))
		}
		told.What = "the person of account " + c.Leave + " has left: every account of the person ends"
		return asRefusal("person_leave", actors)(staff.Leave(r.staff, c.Leave, actors, now))
	})
	return told, err
}

// changePassphrase gives the proven person a new passphrase. The account is looked at again when the act is
// decided, so a change made meanwhile is not undone.
func (e *engine) changePassphrase(ctx context.Context, c *passphraseChange, actors []string) (changed, error) {
	var account staff.Account
	e.office.view(func(r *rooms) {
		if a := r.staff.Account(actors[0]); a != nil {
			account = *a
		}
	})
	hash, err := hashPassphraseFile(c.File, &account)
	if err != nil {
		return changed{}, e.refused(ctx, "passphrase_change", []credential{{Name: account.Name}}, err)
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.ChangePassphrase(r.staff, account.Name, hash, now)
	})
	return changed{What: "passphrase of " + account.Name + " changed"}, err
}

// hashPassphraseFile checks and hashes the passphrase that a file holds, for an account as it is now.
func hashPassphraseFile(path string, of *staff.Account) (*staff.Hash, error) {
	text, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	passphrase := secret.Take(text)
	defer passphrase.Wipe()
	return hashFresh(passphrase, of)
}

// hashFresh is hashPassphraseFile of what was typed.
func hashFresh(passphrase secret.Bytes, of *staff.Account) (*staff.Hash, error) {
	if err := staff.CheckPassphrase(passphrase, of); err != nil {
		return nil, err
	}
	if of.Reuses(passphrase) {
		return nil, fmt.Errorf("%w: it is the one in use, or one of the %d before it", staff.ErrPassphrase, staff.KeptHashes)
	}
	return newHash(passphrase)
}

func newHash(passphrase secret.Bytes) (*staff.Hash, error) {
	return saltedHash(passphrase, staff.NewHash)
}

// saltedHash draws the salt of a hash.
func saltedHash(passphrase secret.Bytes, hash func(secret.Bytes, []byte) (*staff.Hash, error)) (*staff.Hash, error) {
	salt := make([]byte, staff.SaltBytes)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	return hash(passphrase, salt)
}

// noteUse keeps that proven accounts acted. A signature is refused here when the account gave a later one already,
// so none counts twice, also after a restart.
func (e *engine) noteUse(ctx context.Context, by []credential) error {
	for _, who := range by {
		at := who.At
		if len(who.Signature) == 0 {
			at = 0
		}
		if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return staff.Use(r.staff, who.Name, at, now)
		}); err != nil {
			return err
		}
	}
	return nil
}

// begin marks a proposal as being carried out, so that the same word given twice at once carries out once.
func (o *office) begin(proposal string) (end func(), err error) {
	o.acting.Lock()
	defer o.acting.Unlock()
	if o.carrying[proposal] {
		return nil, errors.New("proposal " + proposal + " is being carried out just now")
	}
	o.carrying[proposal] = true
	return func() {
		o.acting.Lock()
		defer o.acting.Unlock()
		delete(o.carrying, proposal)
	}, nil
}
