package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
)

// duty is who may ask for a change.
type duty struct {
	act   string       // the act's name in proposals and refusals
	roles []staff.Role // one of them; none: any account
	two   bool         // two people have to agree
	// free: no account is asked for in a test data directory, nor where there are no accounts yet: whoever may
	// open the control socket may do it.
	free bool
	// own: of the program itself, through the control socket, which only the account that it runs under may open.
	own bool
}

// setupActor is who acts where no account is asked for.
const setupActor = "setup"

// duty is the duty of the change that is set. A change that is not listed here is refused.
func (c *change) duty() (duty, bool) {
	security, field := []staff.Role{staff.Security}, []staff.Role{staff.Field, staff.Security, staff.Support}
	custodians := []staff.Role{staff.KeyCustodian, staff.Security}
	switch {
	case c.Merchant != nil:
		return duty{act: "merchant_register", roles: field, free: true}, true
	case c.Device != nil:
		return c.loading(duty{act: "device_register", roles: field, free: true}, c.Device.Components), true
	case c.Terminal != nil:
		return c.loading(duty{act: "terminal_register", roles: field, free: true}, c.Terminal.Components), true
	case c.Card != nil:
		return duty{act: "card_register", roles: field, free: true}, true
	case c.Release != nil:
		return duty{act: "device_release", roles: custodians, two: true, free: true}, true
	case c.Certificate != nil:
		return duty{act: "device_certificate", roles: append(custodians, staff.Field), free: true}, true
	case c.CRL != nil, c.Finding != nil:
		return duty{act: "canary_finding", own: true}, true
	case c.Resume != nil:
		return duty{act: "sales_resume", roles: security, free: true}, true
	case c.CloneClear != nil:
		return duty{act: "clone_clear", roles: []staff.Role{staff.Security, staff.Field}, two: true}, true
	case c.PermitPolicy != nil:
		return duty{act: "permit_policy_set", roles: security, two: true}, true
	case c.Repository != nil:
		return duty{act: "release_repository", roles: security, two: c.Repository.Do != "refresh"}, true
	case c.Publish != nil:
		return duty{act: "release_publish", roles: security, two: true}, true
	case c.ReleaseState != nil:
		return duty{act: "release_change", roles: security, two: true}, true
	case c.Package != nil:
		return duty{act: "release_package", roles: security, two: true}, true
	case c.Advisory != nil:
		return duty{act: "advisory", roles: security}, true
	case c.Picture != nil:
		return duty{act: "model_picture", roles: field}, true
	case c.Campaign != nil:
		return duty{act: "campaign", roles: security, two: c.Campaign.Close == ""}, true
	case c.Care != nil:
		lost := c.Care.Leave != nil && c.Care.Leave.Step == "lose" // nobody waits for a second person while a thief sells
		return duty{act: c.Care.act(), roles: field, two: !lost}, true
	case c.Inspect != nil:
		return duty{act: "device_inspect", roles: field}, true
	case c.Glance != nil:
		return duty{act: "device_glance", roles: append(field, staff.Merchant), free: true}, true
	case c.Cashier != nil:
		return duty{act: "cashier_change", roles: []staff.Role{staff.Support, staff.Merchant}, free: true}, true
	case c.Training != nil:
		return c.Training.duty(), true
	case c.Passwords != nil:
		return duty{act: "terminal_passwords", roles: security, free: true}, true
	case c.TransportKey != nil:
		return duty{act: "transport_key", roles: custodians, two: true}, true
	case c.Personnel != nil:
		return duty{act: "personnel_change", roles: []staff.Role{staff.Administrator}}, true
	case c.Second != nil:
		return duty{act: "second_factor_reset", roles: []staff.Role{staff.Administrator}, two: true}, true
	case c.Passphrase != nil:
		return duty{act: "passphrase_change"}, true
	case c.Incident != nil:
		return c.Incident.duty(), true
	case c.Report != nil:
		return duty{act: "report_file", free: true}, true
	case c.Exposure != nil:
		return duty{act: "exposure_freeze", roles: []staff.Role{staff.Support, staff.Security}}, true
	case c.Claim != nil:
		return duty{act: "claim_make", free: true}, true
	case c.Decision != nil:
		return duty{act: "claim_decide", roles: []staff.Role{staff.Support}, two: true}, true
	case c.NoticeDraft != nil:
		return duty{act: "notices_draft", roles: []staff.Role{staff.Support, staff.Security}}, true
	case c.NoticeSend != nil:
		return duty{act: "notices_send", roles: []staff.Role{staff.Support, staff.Security}, two: true}, true
	case c.NoticeRetry != nil:
		return duty{act: "notice_retry", roles: []staff.Role{staff.Support, staff.Security}}, true
	case c.Account != nil:
		return duty{act: "account_change", roles: []staff.Role{staff.Administrator}}, true
	case c.APIKey != nil:
		return duty{act: "api_key", roles: []staff.Role{staff.Administrator}}, true
	case c.APIKeyRevoke != nil:
		return duty{act: "api_key_revoke", roles: []staff.Role{staff.Administrator}}, true
	case c.Webhook != nil:
		return duty{act: "webhook", roles: []staff.Role{staff.Administrator}}, true
	case c.WebhookSet != nil:
		return duty{act: "webhook_set", roles: []staff.Role{staff.Administrator}}, true
	case c.WebhookRotate != nil:
		return duty{act: "webhook_rotate", roles: []staff.Role{staff.Administrator}}, true
	case c.WebhookReplay != nil:
		return duty{act: "webhook_replay", roles: []staff.Role{staff.Administrator}}, true
	case c.Lab != nil:
		return c.Lab.duty()
	}
	return duty{}, false
}

// credential is one person's proof that an account is theirs: a passphrase in a file, read where the change is
// applied, or a signature with the account's own key over what is asked for.
type credential struct {
	Name           string      `json:"name"`
	PassphraseFile string      `json:"passphrase_file,omitempty"` // absolute
	Signature      []byte      `json:"signature,omitempty"`       // Ed25519 over signedText, 64 bytes
	At             pos.Instant `json:"at,omitempty"`              // of the signature
}

// signatureLife is how old, or how far ahead, a signature may be.
const signatureLife = 5 * time.Minute

// signedText is what a person signs: the account, the instant, and the digest of the whole request without
// anybody's credentials.
func signedText(c change, name string, at pos.Instant) ([]byte, error) {
	c.By = nil
	request, err := json.Marshal(&c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(request)
	return fmt.Appendf(nil, "touchstone-act/1\n%s\n%s\n%x\n", name, strconv.FormatInt(int64(at), 10), sum), nil
}

// identify returns the account of a credential, or staff.ErrUnknown. A locked account's own key is looked at: guesses
// at its passphrase do not keep its person out.
func (e *engine) identify(ctx context.Context, c *change, d duty, who credential) (*staff.Account, error) {
	var account *staff.Account
	e.office.view(func(r *rooms) { account = r.staff.Account(who.Name) })
	switch {
	case account == nil || account.Disabled:
		hashNothing(who)
		return nil, staff.ErrUnknown
	case len(who.Signature) > 0:
		return account, e.checkSignature(c, account, who)
	case who.PassphraseFile != "" && account.Passphrase != nil:
		return account, e.matchPassphrase(ctx, c, d, account, who)
	}
	return nil, staff.ErrUnknown
}

// hashNothing takes as long as a passphrase would, so that time does not tell which accounts there are.
func hashNothing(who credential) {
	if who.PassphraseFile == "" {
		return
	}
	nobody := secret.Take([]byte("nobody's"))
	defer nobody.Wipe()
	_, _ = newHash(nobody)
}

func (e *engine) checkSignature(c *change, a *staff.Account, who credential) error {
	now := e.clock()
	text, err := signedText(*c, who.Name, who.At)
	if err != nil {
		return err
	}
	age := now.Sub(who.At)
	if len(a.Key) != ed25519.PublicKeySize || age > signatureLife || age < -signatureLife || !ed25519.Verify(a.Key, text, who.Signature) {
		return staff.ErrUnknown
	}
	return nil // that it was not given before, noteUse sees to
}

// admit proves the people of a change. proposed tells that one person asked for what needs two: nothing is done
// until another approves.
func (e *engine) admit(ctx context.Context, c *change) (told changed, proposed bool, err error) {
	d, known := c.duty()
	if !known {
		return changed{}, false, errRequest
	}
	var staffed bool
	e.office.view(func(r *rooms) { staffed = len(r.staff.Accounts()) > 0 })
	if c.public && (c.Report != nil || c.Claim != nil) {
		c.actors = []string{setupActor} // nobody's account: both rules name the consumer
		return changed{}, false, nil
	}
	if len(c.By) == 0 && c.caller == nil {
		if d.own || d.free && (e.test || !staffed) || c.Account != nil && !staffed {
			c.actors = []string{setupActor}
			return changed{}, false, nil
		}
		return changed{}, false, fmt.Errorf("%s needs an account: give --as NAME", d.act)
	}
	if len(c.By) > 2 || c.caller != nil && len(c.By) > 0 || c.caller != nil && d.own {
		return changed{}, false, errRequest
	}
	accounts, err := e.proveAll(ctx, c, d)
	if err != nil {
		return changed{}, false, e.refused(ctx, d.act, c.By, err)
	}
	if err := e.noteUse(ctx, c.By); err != nil {
		return changed{}, false, e.refused(ctx, d.act, c.By, err)
	}
	if !d.two {
		return changed{}, false, nil
	}
	if len(accounts) == 2 && staff.SamePerson(accounts[0], accounts[1]) {
		return changed{}, false, e.refused(ctx, d.act, c.By, staff.ErrSame)
	}
	if err := e.beforeProposal(ctx, c); err != nil {
		return changed{}, false, err
	}
	return e.propose(ctx, c, d)
}

func (e *engine) proveAll(ctx context.Context, c *change, d duty) ([]*staff.Account, error) {
	if c.caller != nil {
		return e.proveCaller(ctx, c, d)
	}
	var accounts []*staff.Account
	for _, who := range c.By {
		a, err := e.identify(ctx, c, d, who)
		if err != nil {
			return nil, err
		}
		if !a.May(d.roles...) {
			return nil, fmt.Errorf("%w: %s is for %s", staff.ErrRole, d.act, rolesText(d.roles))
		}
		if caller := callerFor(a); caller.Merchant() && c.Cashier == nil && c.Training == nil { // of these the room's own rule says why
			if err := e.ownShop(c, true, caller.Shop); err != nil {
				return nil, err
			}
		}
		accounts = append(accounts, a)
		c.actors = append(c.actors, a.Name)
	}
	return accounts, nil
}

// proveCaller is proveAll for who was proven at the door: the account is looked at again, because it may have been
// disabled since. A program acts under the account that answers for its key, with the key's roles alone.
func (e *engine) proveCaller(ctx context.Context, c *change, d duty) ([]*staff.Account, error) {
	name, key := c.caller.Account, ""
	c.By = []credential{{Name: name}} // what a refusal in the journal names
	if id, program := strings.CutPrefix(name, "key:"); program {
		key = id
		e.office.view(func(r *rooms) {
			name = ""
			if k := r.staff.APIKey(id); k != nil {
				name = k.Account
			}
		})
	}
	var a *staff.Account
	e.office.view(func(r *rooms) { a = r.staff.Account(name) })
	switch {
	case a == nil || a.Disabled:
		return nil, staff.ErrUnknown
	case !a.May(d.roles...) || !c.caller.May(d.roles...):
		return nil, fmt.Errorf("%w: %s is for %s", staff.ErrRole, d.act, rolesText(d.roles))
	case key != "" && (c.Approve != nil || c.Passphrase != nil || c.Training != nil && c.Training.Account != ""):
		return nil, errPerson
	}
	if err := e.ownShop(c, c.caller.Merchant(), c.caller.Shop); err != nil {
		return nil, err
	}
	if key != "" {
		if err := e.useKey(ctx, key, d.act); err != nil {
			return nil, err
		}
		c.By = []credential{{Name: name}} // whose use is noted
	}
	c.actors = append(c.actors, a.Name)
	return []*staff.Account{a}, nil
}

// errPerson is of an act that only a person does: to agree, to choose one's passphrase, to take one's own test.
var errPerson = errors.New("an API key does not stand for a person: this act is done by its person, signed in")

// errForeign is of an act of a shop's people on what is not their shop's, or is not there: one error for both.
var errForeign = errors.New("there is no such thing here")

// ownShop refuses the people of a shop who name what is not their shop's. Rules of the rooms refuse too; what is
// refused here is not told from what does not exist.
func (e *engine) ownShop(c *change, merchant bool, shop pos.MerchantID) error {
	if !merchant {
		return nil
	}
	named, terminal := "", ""
	switch {
	case c.Glance != nil:
		terminal = c.Glance.Terminal
	case c.Claim != nil:
		terminal, c.Claim.shop = c.Claim.Terminal, shop
	case c.Report != nil:
		named, terminal = c.Report.Merchant, c.Report.Terminal
		if named == "" {
			c.Report.Merchant, named = shop.String(), shop.String()
		}
	case c.Cashier != nil:
		named = c.Cashier.Merchant
	case c.Training != nil:
		named = c.Training.Merchant
	}
	if named != "" && named != shop.String() {
		return errForeign
	}
	if terminal == "" {
		return nil
	}
	id, err := pos.ParseTerminalID(terminal)
	if err != nil {
		return errForeign
	}
	t, err := e.ledger.Terminal(id)
	if err != nil || t.Merchant != shop {
		return errForeign
	}
	return nil
}

// refused keeps in the journal that somebody tried what they may not.
func (e *engine) refused(ctx context.Context, act string, by []credential, why error) error {
	names, right := namesOf(by)
	var wrong *wrongPassphrase
	if !right || errors.As(why, &wrong) && wrong.kept {
		return why
	}
	refusal := &journal.Refusal{Kind: journal.KindStaff, Verb: act, Actors: names, Why: why.Error(), Err: why}
	if wrong != nil {
		refusal.Why = wrong.inJournal
	}
	err := e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) { return nil, refusal })
	if wrong != nil && errors.Is(err, staff.ErrUnknown) {
		return staff.ErrUnknown // the journal says more than who asked is told
	}
	return err
}

// propose records the proposal, and its approval where the second person is here too.
func (e *engine) propose(ctx context.Context, c *change, d duty) (told changed, proposed bool, err error) {
	request := *c
	request.By = nil
	raw, err := json.Marshal(&request)
	if err != nil {
		return changed{}, false, err
	}
	var p *staff.Proposal
	err = e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		p, drafts, err = staff.Propose(r.staff, d.act, d.roles, raw, c.actors[0], now)
		return drafts, err
	})
	if err != nil {
		return changed{}, false, err
	}
	if len(c.actors) < 2 {
		return changed{What: "proposal " + p.ID, Proposal: p.ID}, true, nil
	}
	c.proposal = p.ID
	return changed{}, false, e.agree(ctx, p.ID, c.actors[1], true)
}

func (e *engine) agree(ctx context.Context, id, by string, yes bool) error {
	return e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		_, drafts, err := staff.Agree(r.staff, id, by, yes, now)
		if err != nil {
			err = &journal.Refusal{Kind: journal.KindStaff, Verb: "approve", Actors: []string{by}, Why: err.Error(), Err: err}
		}
		return drafts, err
	})
}

// approve is a second person's word on a proposal. Where the program died between an approval and the act, the
// same person's same word carries the act out.
func (e *engine) approve(ctx context.Context, c change) (changed, error) {
	if len(c.By) != 1 && c.caller == nil {
		return changed{}, errors.New("approve needs one account: give --as NAME")
	}
	accounts, err := e.proveAll(ctx, &c, duty{act: "approve"})
	if err != nil {
		return changed{}, e.refused(ctx, "approve", c.By, err)
	}
	if err := e.noteUse(ctx, c.By); err != nil {
		return changed{}, e.refused(ctx, "approve", c.By, err)
	}
	end, err := e.office.begin(c.Approve.ID)
	if err != nil {
		return changed{}, err
	}
	defer end()
	var p staff.Proposal
	e.office.view(func(r *rooms) {
		if known := r.staff.Proposal(c.Approve.ID); known != nil {
			p = *known
		}
	})
	again := p.State == staff.Approved && p.Decided == accounts[0].Name && !c.Approve.Reject
	if !again {
		if err := e.agree(ctx, c.Approve.ID, accounts[0].Name, !c.Approve.Reject); err != nil {
			return changed{}, err
		}
	}
	var request change
	if err := json.Unmarshal(p.Request, &request); err != nil {
		return changed{}, fmt.Errorf("proposal %s: its request cannot be read", c.Approve.ID)
	}
	if c.Approve.Reject {
		e.forgetHeld(&request)
		return changed{What: "proposal " + c.Approve.ID + " rejected"}, nil
	}
	request.actors, request.proposal = []string{p.By, accounts[0].Name}, p.ID
	told, err := e.carry(ctx, request)
	_ = e.permits.settle(ctx)
	if err == nil {
		e.forgetHeld(&request)
	}
	return told, errors.Join(err, e.finish(ctx, p.ID))
}

// finish notes that an approved proposal was carried out, or refused by its own rule.
func (e *engine) finish(ctx context.Context, proposal string) error {
	if proposal == "" {
		return nil
	}
	return e.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) { return staff.Finish(r.staff, proposal) })
}
