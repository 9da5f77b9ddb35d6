package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
)

// staffFlags say who acts. Two people who are both here give --with as well; else the second approves later.
type staffFlags struct {
	As       string `name:"as" help:"Your account." placeholder:"NAME"`
	AsPass   string `name:"as-passphrase-file" help:"File that holds your passphrase; of a test data directory its published one is found." placeholder:"FILE"`
	AsKey    string `name:"as-key-file" help:"Your own Ed25519 key, PKCS #8 PEM, instead of a passphrase." placeholder:"FILE"`
	With     string `name:"with" help:"The account of a second person who agrees now." placeholder:"NAME"`
	WithPass string `name:"with-passphrase-file" help:"File that holds that passphrase." placeholder:"FILE"`
	WithKey  string `name:"with-key-file" help:"That person's key." placeholder:"FILE"`
}

// sampleStaffDirectory is where a test data directory keeps the published passphrases of its accounts.
const sampleStaffDirectory = "staff"

// sign adds the proofs of who asks to a change.
func (f *staffFlags) sign(dir string, c *change) error {
	for _, who := range []struct{ name, pass, key string }{{f.As, f.AsPass, f.AsKey}, {f.With, f.WithPass, f.WithKey}} {
		if who.name == "" {
			continue
		}
		proof := credential{Name: who.name}
		switch {
		case who.key != "":
			key, err := readSigningKey(who.key)
			if err != nil {
				return err
			}
			proof.At = pos.Instant(time.Now().UnixNano())
			text, err := signedText(*c, who.name, proof.At)
			if err != nil {
				return err
			}
			proof.Signature = ed25519.Sign(key, text)
		default:
			if who.pass == "" {
				who.pass = filepath.Join(dir, sampleStaffDirectory, who.name+".pass")
				if !isTestDirectory(dir) {
					return fmt.Errorf("account %s: give --as-passphrase-file or --as-key-file", who.name)
				}
			}
			abs, err := filepath.Abs(who.pass)
			if err != nil {
				return err
			}
			proof.PassphraseFile = abs
		}
		c.By = append(c.By, proof)
	}
	return nil
}

// readSigningKey reads an Ed25519 private key in PKCS #8 PEM, as openssl genpkey -algorithm ed25519 writes it.
func readSigningKey(path string) (ed25519.PrivateKey, error) {
	text, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: want an Ed25519 key in PKCS #8 PEM", path)
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signing, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: want an Ed25519 key in PKCS #8 PEM", path)
	}
	return signing, nil
}

// actFlags are the flags of a command that acts: where, and who.
type actFlags struct {
	directoryFlags
	staffFlags
}

// perform signs a change, has it carried out and says what was done, or what to do for it to be done.
func (f *actFlags) perform(a *app, c change) (changed, error) { return f.performWith(a, c, a.words()) }

// performIn is perform that tells in a language, en or zh.
func (f *actFlags) performIn(a *app, c change, lang string) (changed, error) {
	l, err := newLines(a.stdout, lang, false)
	if err != nil {
		return changed{}, err
	}
	return f.performWith(a, c, l)
}

func (f *actFlags) performWith(a *app, c change, l *lines) (changed, error) {
	told, err := f.signed(a, c)
	if err != nil {
		return changed{}, err
	}
	if told.Proposal != "" {
		fmt.Fprintf(a.stdout, l.two("proposed %s: nothing is done until a second person agrees\n", "已提议 %s: 须第二人同意后才生效\n")+"  %s approve %s --data %s --as NAME\n",
			told.Proposal, program(), told.Proposal, f.Data)
		return told, nil
	}
	if told.ZH != "" {
		fmt.Fprintln(a.stdout, l.two(told.What, told.ZH))
		return told, nil
	}
	fmt.Fprintln(a.stdout, l.careTold(&told))
	return told, nil
}

// signed adds the proofs of who asks and has a change carried out.
func (f *actFlags) signed(a *app, c change) (changed, error) {
	if err := f.sign(f.Data, &c); err != nil {
		return changed{}, err
	}
	return f.carryOut(a, c)
}

// staffCmd keeps the accounts of people.
type staffCmd struct {
	Add  staffAdd  `cmd:"" help:"Make an account, or change one. The first is an administrator's, and made by whoever holds the data directory."`
	List staffList `cmd:"" help:"Every account: its person, organisation, roles."`

	Passphrase staffPassphrase `cmd:"" help:"Change your own passphrase."`
	Leave      staffLeave      `cmd:"" help:"A person left: every account of the person ends."`
	Unlock     staffUnlock     `cmd:"" help:"End the lock of an account after ten wrong passphrases, once you know who the person is."`
	Second     staffSecond     `cmd:"" name:"second-factor" help:"Reset the second factor of an account whose person lost it; two administrators."`
	Review     staffReview     `cmd:"" help:"Record that you looked at every account and its roles; shows what is wrong with them."`
}

// Help is shown by touchstone staff --help.
func (staffCmd) Help() string {
	return `An account is one person's. Acts that need two people need two persons: two accounts of one person are one.

  touchstone staff add qian --data shop --full-name "钱进 Qian Jin" --person E-1002 --organisation "Sample Acquirer" \
      --role security --new-passphrase-file qian.pass --as zhao --as-passphrase-file zhao.pass
  touchstone staff passphrase --data shop --as qian --as-passphrase-file old.pass --new-passphrase-file new.pass
  touchstone staff leave qian --data shop --as zhao --as-passphrase-file zhao.pass
  touchstone staff review --data shop --as zhao --as-passphrase-file zhao.pass --lang zh
  touchstone staff list --data shop

A passphrase has 15 characters at least, of any script, and is more than well-known words, runs and the account's own name;
one or two of the passwords that guessers try first, and the four before it, are refused. No age ends it unless the host is served
with --passphrase-days. In the console (--http) a person signs in with a second factor as well; touchstone staff second-factor NAME
proposes its reset.

Ten wrong passphrases in a row lock the account for 30 minutes: nobody is told so but the journal, touchstone events and this list.
A key of one's own (--as-key-file) still proves its person; an administrator ends the lock with touchstone staff unlock NAME.`
}

type accountChange struct {
	Account        staff.Account `json:"account"`
	PassphraseFile string        `json:"passphrase_file,omitempty" file:"machine" hidden:"true"` // absolute

	invite bool // by the console: the account's person is invited to choose the passphrase
}

type staffAdd struct {
	actFlags
	Name         string   `arg:"" help:"2 to 32 of a-z, 0-9, - and ."`
	FullName     string   `name:"full-name" required:"" help:"As others call the person."`
	Person       string   `name:"person" required:"" help:"The number by which the organisation knows this human being." placeholder:"NUMBER"`
	Organisation string   `name:"organisation" required:"" help:"Employer: acquirer, laboratory, maker."`
	Roles        []string `name:"role" required:"" help:"administrator, key_custodian, security, support, field, assessor, merchant, auditor, developer; may be given again."`
	NewPass      string   `name:"new-passphrase-file" help:"File that holds the account's new passphrase, 15 characters at least." placeholder:"FILE"`
	PublicKey    string   `name:"public-key" help:"The person's Ed25519 public key, PEM (openssl pkey -pubout)." placeholder:"FILE"`
	Shop         string   `name:"shop" help:"Of the role merchant: the shop whose cashiers the account keeps." placeholder:"MERCHANT"`
	Disabled     bool     `name:"disabled" help:"The account may no longer act."`
}

// Run makes or changes the account.
func (c *staffAdd) Run(a *app) error {
	account := staff.Account{Name: c.Name, FullName: c.FullName, Person: c.Person, Organisation: c.Organisation, Shop: c.Shop, Disabled: c.Disabled}
	for _, r := range c.Roles {
		account.Roles = append(account.Roles, staff.Role(r))
	}
	request := &accountChange{Account: account}
	if c.NewPass != "" {
		abs, err := filepath.Abs(c.NewPass)
		if err != nil {
			return err
		}
		request.PassphraseFile = abs
	}
	if c.PublicKey != "" {
		key, err := readPublicKey(c.PublicKey)
		if err != nil {
			return err
		}
		request.Account.Key = key
	}
	_, err := c.perform(a, change{Account: request})
	return err
}

// readPublicKey reads an Ed25519 public key in PEM.
func readPublicKey(path string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: want an Ed25519 public key in PEM", path)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: want an Ed25519 public key in PEM", path)
	}
	return key, nil
}

// changeAccount makes or changes an account. What is not given stays as it was.
func (e *engine) changeAccount(ctx context.Context, c *accountChange, actors []string) (changed, error) {
	account := c.Account
	account.Passphrase, account.Former = nil, nil
	if !c.invite {
		account.Invited = nil
	}
	if c.PassphraseFile != "" {
		judged := account
		e.office.view(func(r *rooms) {
			if old := r.staff.Account(account.Name); old != nil {
				judged.Passphrase, judged.Former = old.Passphrase, old.Former
			}
		})
		hash, err := hashPassphraseFile(c.PassphraseFile, &judged)
		if err != nil {
			return changed{}, err
		}
		account.Passphrase = hash
	}
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if old := r.staff.Account(account.Name); old != nil {
			if account.Passphrase == nil && !c.invite {
				account.Passphrase, account.Invited = old.Passphrase, old.Invited
			}
			if account.Key == nil {
				account.Key = old.Key
			}
		}
		return staff.Register(r.staff, &account, actors[0], now)
	})
	return changed{What: "account " + account.Name}, err
}

// peopleQuery asks for accounts and proposals.
type peopleQuery struct{}

type peopleAnswer struct {
	Accounts  []staff.Account  `json:"accounts"` // without hashes
	Locked    []staff.Guesses  `json:"locked,omitempty"`
	Proposals []staff.Proposal `json:"proposals"`
}

func (e *engine) people() (p peopleAnswer) {
	e.office.view(func(r *rooms) {
		for _, a := range r.staff.Accounts() {
			shown := *a
			shown.Passphrase, shown.Former, shown.Invited = nil, nil, nil
			p.Accounts = append(p.Accounts, shown)
			if r.staff.Locked(a.Name, e.clock()) != 0 {
				p.Locked = append(p.Locked, *r.staff.Guesses(a.Name))
			}
		}
		for _, x := range r.staff.Proposals() {
			p.Proposals = append(p.Proposals, *x)
		}
	})
	return p
}

type staffList struct {
	directoryFlags
	JSON bool `name:"json" help:"One JSON object."`
}

// Run lists the accounts.
func (c *staffList) Run(a *app) error {
	var p peopleAnswer
	if err := c.question(a, change{People: &peopleQuery{}}, &p); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(p.Accounts)
	}
	if len(p.Accounts) == 0 {
		_, err := fmt.Fprintln(a.stdout, a.words().two("no accounts yet; the first is an administrator's: touchstone staff add --help", "尚无账户; 第一个须为管理员: touchstone staff add --help"))
		return err
	}
	for _, x := range p.Accounts {
		state := ""
		if x.Disabled {
			state = a.words().two("  disabled", "  已停用")
		}
		for _, g := range p.Locked {
			if g.Account == x.Name {
				state += fmt.Sprintf(a.words().two("  locked until %s: wrong passphrases", "  锁定至 %s: 口令错误"), g.Until.Time().Format(time.DateTime))
			}
		}
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s%s\n", pad(x.Name, 10), pad(x.FullName, 24), pad(x.Organisation, 28), a.words().roles(x.Roles), state)
	}
	return nil
}

func rolesText(roles []staff.Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// proposalsCmd lists what waits for a second person.
type proposalsCmd struct {
	directoryFlags
	All  bool `name:"all" help:"Those decided too."`
	JSON bool `name:"json" help:"One JSON object."`
}

// Run lists the proposals.
func (c *proposalsCmd) Run(a *app) error {
	var p peopleAnswer
	if err := c.question(a, change{People: &peopleQuery{}}, &p); err != nil {
		return err
	}
	var shown []staff.Proposal
	for _, x := range p.Proposals {
		if c.All || x.State == staff.Open || x.State == staff.Approved {
			shown = append(shown, x)
		}
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(shown)
	}
	if len(shown) == 0 {
		_, err := fmt.Fprintln(a.stdout, a.words().two("nothing waits for a second person", "没有待另一人同意的提案"))
		return err
	}
	for _, x := range shown {
		if err := showProposal(a.stdout, a.words(), &x); err != nil {
			return err
		}
	}
	return nil
}

func showProposal(w io.Writer, l *lines, x *staff.Proposal) error {
	by := x.By
	if x.Decided != "" {
		by += l.two(" and ", "、") + x.Decided
	}
	_, err := fmt.Fprintf(w, l.two("%s  %s  %s  by %s  until %s\n  %s\n", "%s  %s  %s  由 %s  有效至 %s\n  %s\n"), pad(x.ID, 8), pad(l.proposalState(x.State), 8), pad(l.two(x.Act, wordOr(verbChinese[x.Act], x.Act)), 24), by,
		x.Expires.Time().In(l.zone).Format(time.DateTime), x.Request)
	return err
}

// approveChange is a second person's word on a proposal.
type approveChange struct {
	ID     string `json:"id" maxLength:"20" doc:"The proposal." example:"PRP-1"`
	Reject bool   `json:"reject,omitempty" doc:"Reject it; one person may."`
}

// approveCmd gives it.
type approveCmd struct {
	actFlags
	ID     string `arg:"" help:"The proposal, such as PRP-3: see touchstone proposals."`
	Reject bool   `name:"reject" help:"Reject it; one person may."`
}

// Run approves or rejects.
func (c *approveCmd) Run(a *app) error {
	if c.With != "" {
		return errors.New("approve takes one account: the second person's")
	}
	_, err := c.perform(a, change{Approve: &approveChange{c.ID, c.Reject}})
	return err
}
