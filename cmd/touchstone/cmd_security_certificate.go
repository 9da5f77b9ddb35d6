package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"touchstone/lab"
	"touchstone/lab/attest"
)

// labCertificate issues and keeps security certificates.
type labCertificate struct {
	Issue     scIssue   `cmd:"" help:"Issue the certificate of a run, signed by two assessors."`
	Verify    scVerify  `cmd:"" help:"Verify a certificate's file: no network and no data directory is needed."`
	Show      scShow    `cmd:"" help:"A certificate and its state."`
	List      scList    `cmd:"" help:"Every certificate and its state."`
	Export    scExport  `cmd:"" help:"Write the signed envelope of a certificate."`
	Keys      scKeys    `cmd:"" help:"The assessors' public keys, PEM: what a verifier has to trust."`
	Suspend   scSuspend `cmd:"" help:"Suspend it; the model's permits follow. Two people."`
	Withdraw  scDraw    `cmd:"" help:"Withdraw it, for good. Two people."`
	Reinstate scBack    `cmd:"" help:"End a suspension. Two people."`
	Supersede scNext    `cmd:"" help:"Say which certificate of the same model takes its place. Two people."`
}

// Help is shown by touchstone certificate --help.
func (labCertificate) Help() string {
	return `An in-toto statement in a DSSE envelope with the signatures of two people of the laboratory. It is no approval by PCI, EMVCo or
UnionPay, and says so.

  touchstone certificate issue RUN-1 --data DIR --as wu --with zheng
  touchstone certificate export CRT-1 --data DIR --out crt-1.json
  touchstone certificate keys --data DIR > laboratory.pem
  touchstone certificate verify crt-1.json --keys laboratory.pem
  touchstone certificate suspend CRT-1 --reason "a key is left in the package" --data DIR --as wu --with zheng`
}

type scIssue struct {
	actFlags
	Run_ string `arg:"" name:"run" help:"The complete run, RUN-1."`
}

// Run issues.
func (c *scIssue) Run(a *app) error {
	told, err := c.perform(a, change{Lab: &labChange{Issue: c.Run_}})
	if err != nil || told.Proposal != "" {
		return err
	}
	for _, n := range lab.Notices(told.Facts["self_declaration"]) {
		fmt.Fprintln(a.stdout, n.EN)
	}
	return nil
}

// scStep are the flags of a change of a certificate's state.
type scStep struct {
	actFlags
	ID     string `arg:"" help:"The certificate, CRT-1."`
	Reason string `name:"reason" required:"" help:"Why, for the journal." placeholder:"WORDS"`
}

func (c *scStep) to(a *app, state lab.CertificateState, successor string) error {
	_, err := c.perform(a, change{Lab: &labChange{Certificate: &lab.CertificateStep{ID: c.ID, To: state, Reason: c.Reason, Successor: successor}}})
	return err
}

type scSuspend struct{ scStep }

// Run suspends.
func (c *scSuspend) Run(a *app) error { return c.to(a, lab.Suspended, "") }

type scDraw struct{ scStep }

// Run withdraws.
func (c *scDraw) Run(a *app) error { return c.to(a, lab.Withdrawn, "") }

type scBack struct{ scStep }

// Run reinstates.
func (c *scBack) Run(a *app) error { return c.to(a, lab.Valid, "") }

type scNext struct {
	scStep
	By string `name:"by" required:"" help:"The certificate that takes its place." placeholder:"CRT"`
}

// Run supersedes.
func (c *scNext) Run(a *app) error { return c.to(a, lab.Superseded, c.By) }

var standingZH = map[lab.CertificateState]string{lab.Valid: "有效", lab.Suspended: "已暂停", lab.Withdrawn: "已撤销", lab.Superseded: "已被取代", lab.Expired: "已过期"}

type scShow struct {
	directoryFlags
	ID   string `arg:"" help:"The certificate, CRT-1."`
	JSON bool   `name:"json" help:"JSON."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows one.
func (c *scShow) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	answer, err := askCertificate(a, &c.directoryFlags, c.ID)
	if err != nil {
		return err
	}
	x := &answer.Certificates[0]
	state := x.Standing(answer.Now)
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(struct {
			lab.Certificate
			Standing lab.CertificateState `json:"standing"`
		}{*x, state})
	}
	line := func(en, zh, text string) { fmt.Fprintf(a.stdout, "  %s %s\n", pad(two(en, zh), 14), text) }
	fmt.Fprintf(a.stdout, "%s  %s\n", x.ID, two(string(state), standingZH[state]))
	for _, n := range lab.Notices(x.SelfDeclaration) {
		line("notice", "声明", n.In(c.Lang))
	}
	line("subject", "对象", fmt.Sprintf("%s %s  HW %s  FW %s  APP %s", x.Subject.Maker, x.Subject.Model, x.Subject.HardwarePattern, x.Subject.FirmwarePattern, x.Subject.ApplicationPattern))
	line("issuer", "发证机构", x.Issuer)
	line("signed by", "签署人", x.Signers[0].Name+", "+x.Signers[1].Name)
	line("valid", "有效期", x.NotBefore.Time().UTC().Format(time.DateOnly)+" – "+x.Expires.Time().UTC().Format(time.DateOnly))
	for _, e := range x.Externals {
		line("rests on", "依据", fmt.Sprintf("%s %s, %s", e.Name, e.Number, e.Until.Time().UTC().Format(time.DateOnly)))
	}
	for _, k := range x.Conditions {
		line("condition", "条件", k)
	}
	if x.Reason != "" {
		line("reason", "原因", x.Reason+" ("+strings.Join(x.By, " + ")+", "+stampOf(x.Since)+")")
	}
	if x.Successor != "" {
		line("successor", "取代者", x.Successor)
	}
	line("run, report", "检测, 报告", x.Run+"  "+x.Report)
	return nil
}

func askCertificate(a *app, f *directoryFlags, id string) (answer labAnswer, err error) {
	if err = f.question(a, change{LabQuery: &labQuery{ID: id}}, &answer); err == nil && len(answer.Certificates) != 1 {
		err = fmt.Errorf("%.20s is no certificate", id)
	}
	return answer, err
}

type scList struct {
	directoryFlags
	JSON bool   `name:"json" help:"JSON."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists.
func (c *scList) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	var answer labAnswer
	if err := c.question(a, change{LabQuery: &labQuery{}}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer.Certificates)
	}
	if len(answer.Certificates) == 0 {
		_, err := fmt.Fprintln(a.stdout, two("no certificate was issued yet: touchstone certificate issue --help", "尚未发证: touchstone certificate issue --help"))
		return err
	}
	for i := range answer.Certificates {
		x := &answer.Certificates[i]
		state, self := x.Standing(answer.Now), ""
		if x.SelfDeclaration != "" {
			self = two("  self-declaration", "  自我声明")
		}
		fmt.Fprintf(a.stdout, "%s %s %s %s  %s%s\n", pad(x.ID, 7), pad(two(string(state), standingZH[state]), 11), pad(x.Subject.Model, 18), pad(x.Subject.ApplicationPattern, 8), x.Expires.Time().UTC().Format(time.DateOnly), self)
	}
	return nil
}

type scExport struct {
	directoryFlags
	ID  string `arg:"" help:"The certificate, CRT-1."`
	Out string `name:"out" help:"File to write; standard output without." placeholder:"FILE"`
}

// Run writes the envelope.
func (c *scExport) Run(a *app) error {
	answer, err := askCertificate(a, &c.directoryFlags, c.ID)
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err = a.stdout.Write(append(answer.Envelope, '\n'))
		return err
	}
	return os.WriteFile(c.Out, append(answer.Envelope, '\n'), 0o644)
}

type scKeys struct{ directoryFlags }

// Run prints the assessors' keys.
func (c *scKeys) Run(a *app) error {
	var answer labAnswer
	if err := c.question(a, change{LabQuery: &labQuery{}}, &answer); err != nil {
		return err
	}
	if len(answer.Keys) == 0 {
		return errors.New("no assessor has a key yet: it is drawn with the first certificate")
	}
	return writeLabKeys(a.stdout, answer.Keys)
}

func writeLabKeys(w io.Writer, list []shownLabKey) error {
	for _, k := range list {
		if _, err := fmt.Fprintf(w, "# %s, %s, %s; key id %s\n%s", k.Account, k.Name, k.Organisation, k.ID, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.Public})); err != nil {
			return err
		}
	}
	return nil
}

type scVerify struct {
	File string `arg:"" help:"The certificate's file; - for standard input."`
	Keys string `name:"keys" required:"" help:"PEM file of the keys that you trust: touchstone certificate keys, had from the laboratory by a way that you trust." placeholder:"FILE"`
	At   string `name:"at" help:"Judge its validity at this date and not today." placeholder:"2027-01-31"`
	JSON bool   `name:"json" help:"JSON."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run verifies. The exit code is 1 unless two trusted keys signed and the date is within the validity.
func (c *scVerify) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	envelope, err := readTerminalFile(a, c.File)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.Keys)
	if err != nil {
		return err
	}
	trusted, err := attest.ParseKeys(text)
	if err != nil {
		return err
	}
	now := time.Now()
	if c.At != "" {
		if now, err = time.Parse(time.DateOnly, c.At); err != nil {
			return fmt.Errorf("--at %q: want a date such as 2027-01-31", c.At)
		}
	}
	v, err := attest.Open(context.Background(), envelope, trusted)
	if err != nil {
		return err
	}
	p := &v.Predicate
	if c.JSON {
		if err := json.NewEncoder(a.stdout).Encode(v); err != nil {
			return err
		}
	} else {
		c.print(a.stdout, v, two)
	}
	switch {
	case now.Before(v.NotBefore):
		return fmt.Errorf("certificate %s is not valid before %s", p.ID, p.NotBefore)
	case !now.Before(v.Expires):
		return fmt.Errorf("certificate %s expired at %s", p.ID, p.Expires)
	}
	return nil
}

func (c *scVerify) print(w io.Writer, v *attest.Verified, two func(en, zh string) string) {
	p := &v.Predicate
	fmt.Fprintf(w, two("%s: signatures right, by %d trusted keys\n", "%s: 签名正确, 由 %d 个受信任密钥签署\n"), p.ID, len(v.Keys))
	line := func(en, zh, text string) { fmt.Fprintf(w, "  %s %s\n", pad(two(en, zh), 14), text) }
	for _, n := range p.Notice {
		line("notice", "声明", n.In(c.Lang))
	}
	line("issuer", "发证机构", p.Issuer)
	line("scheme", "认证制度", p.Scheme+", "+p.Profile+", "+p.Catalogue.Version)
	line("subject", "对象", fmt.Sprintf("%s %s  HW %s  FW %s  APP %s", p.Subject.Maker, p.Subject.Model, p.Subject.HardwarePattern, p.Subject.FirmwarePattern, p.Subject.ApplicationPattern))
	for _, s := range v.Subjects {
		line("", "", s)
	}
	line("valid", "有效期", p.NotBefore+" – "+p.Expires)
	for _, k := range p.Conditions {
		line("condition", "条件", k)
	}
	for _, s := range p.Signers {
		line("signed by", "签署人", s.Name+", "+s.Organisation)
	}
	line("status", "状态查询", two("what became of it later is not in the file: ", "签发后的暂停、撤销不在文件中, 须向发证机构查询; 其说明为: ")+p.Status)
}
