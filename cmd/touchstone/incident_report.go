package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // photographs
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
)

// reportChange is what a consumer or a merchant says happened. Files are absolute paths.
type reportChange struct {
	Kind     string   `json:"kind" enum:"skimmer,refused,wrong_amount,fake_technician,other" example:"skimmer"`
	Terminal string   `json:"terminal,omitempty"`
	Serial   string   `json:"serial,omitempty"`
	Text     string   `json:"text" minLength:"1" maxLength:"4000" doc:"What happened." format:"text" example:"a loose bezel on the card slot"`
	Photos   []string `json:"photos,omitempty" file:"upload" doc:"Photographs, uploaded before."`
	Contact  string   `json:"contact,omitempty" file:"upload" doc:"How to reach who reports: a text file, uploaded before; it is encrypted at once."` // a file
	Merchant string   `json:"merchant,omitempty"`
}

// Bounds of a photograph.
const (
	maxPhotoBytes = 16 << 20
	maxPhotoSide  = 20000 // pixels
)

// fileReport takes a report into the queue. What it names is kept first.
func (e *engine) fileReport(ctx context.Context, c *reportChange, actors []string) (changed, error) {
	by := incident.By{Actors: []string{"consumer"}}
	if c.Merchant != "" {
		if _, err := pos.ParseMerchantID(c.Merchant); err != nil {
			return changed{}, fmt.Errorf("merchant: want 15 characters: %w", err)
		}
		by.Actors[0] = "merchant:" + c.Merchant
	}
	r := &incident.Report{Kind: c.Kind, Terminal: c.Terminal, Serial: c.Serial, Text: c.Text, From: by.Actors[0]}
	if len(actors) > 0 && actors[0] != "setup" {
		by.Actors = append(by.Actors, actors[0]) // whoever wrote it down for them
	}
	err := e.keepReportFiles(c, r)
	if err != nil {
		return changed{}, e.refuseReport(ctx, by, err)
	}
	end, err := randomEnd()
	if err != nil {
		return changed{}, err
	}
	err = e.act(ctx, func(rooms *rooms, now pos.Instant) ([]journal.Draft, error) {
		r.ID = fmt.Sprintf("RPT-%d-%s", rooms.incident.NextReport(), end)
		return incident.File(rooms.incident, r, by, now)
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: "report " + r.ID, Facts: map[string]string{"report": r.ID}}, nil
}

// refuseReport keeps in the journal that a report was refused for its files.
func (e *engine) refuseReport(ctx context.Context, by incident.By, why error) error {
	return e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindIncident, Verb: "report_filed", Actors: by.Actors, Why: why.Error(), Err: incident.ErrRefused}
	})
}

var errPhoto = errors.New("not a photograph: want JPEG or PNG of at most 16 MiB")

// keepReportFiles proves that photographs are some, encrypts the contact, and keeps both.
func (e *engine) keepReportFiles(c *reportChange, r *incident.Report) error {
	if len(c.Photos) > incident.MaxPhotos {
		return fmt.Errorf("%d photographs are the most", incident.MaxPhotos)
	}
	var contents [][]byte
	for n, path := range c.Photos {
		content, err := readFileUpTo(path, maxPhotoBytes)
		if err != nil {
			return fmt.Errorf("photograph %d: %w", n+1, errPhoto)
		}
		shape, _, err := image.DecodeConfig(bytes.NewReader(content))
		if err != nil || shape.Width < 1 || shape.Height < 1 || shape.Width > maxPhotoSide || shape.Height > maxPhotoSide {
			return fmt.Errorf("photograph %d: %w", n+1, errPhoto)
		}
		contents = append(contents, content)
	}
	var sealed []byte
	if c.Contact != "" {
		var err error
		if sealed, err = e.sealContact(c.Contact); err != nil {
			return err
		}
	}
	for _, content := range contents {
		digest, err := e.keepFile(content)
		if err != nil {
			return err
		}
		r.Photos = append(r.Photos, digest)
	}
	if sealed == nil {
		return nil
	}
	digest, err := e.keepFile(sealed)
	r.Contact = digest
	return err
}

// sealContact encrypts a contact to the key of those who call back, which this host does not hold.
func (e *engine) sealContact(path string) ([]byte, error) {
	var key string
	e.office.view(func(r *rooms) { key = r.incident.ContactKey() })
	if key == "" {
		return nil, errors.New("no contact can be taken: nobody has set the key that contacts are encrypted to; leave --contact-file out, or set one with touchstone report key")
	}
	recipient, err := age.ParseX25519Recipient(key)
	if err != nil {
		return nil, errors.New("the key that contacts are encrypted to cannot be read")
	}
	content, err := readFileUpTo(path, incident.MaxContact)
	if err != nil || len(content) == 0 {
		return nil, fmt.Errorf("contact: want a file of 1 to %d bytes", incident.MaxContact)
	}
	defer clear(content)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(content)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// randomEnd is 8 characters that nobody guesses, 40 bits, without those that are mistaken for others.
func randomEnd() (string, error) {
	const letters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	raw := make([]byte, 8)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	for i := range raw {
		raw[i] = letters[raw[i]%byte(len(letters))]
	}
	return string(raw), nil
}

// reportCmd is for consumers and merchants, and for those who look at what they report.
type reportCmd struct {
	File    reportFileCmd    `cmd:"" default:"withargs" help:"Say what happened; gives a number."`
	Show    reportShowCmd    `cmd:"" help:"What became of a report."`
	List    reportListCmd    `cmd:"" help:"Reports that nobody has looked at."`
	Join    reportJoinCmd    `cmd:"" help:"It belongs to an incident that is open."`
	Dismiss reportDismissCmd `cmd:"" help:"Nothing follows from it: give the answer for the reporter."`
	Key     reportKeyCmd     `cmd:"" help:"Set the age recipient to whom contacts are encrypted; two people."`
	Contact reportContactCmd `cmd:"" help:"Decrypt who reported, with the identity of that recipient."`
}

// Help is shown by touchstone report --help.
func (reportCmd) Help() string {
	return `Never write a card number: the last four digits are enough. Contacts are encrypted to a key that the host does not hold.

  touchstone report --kind skimmer --terminal 00000023 --text "a loose bezel on the card slot" --photo slot.jpg --contact-file me.txt
  touchstone report show RPT-1-7KQ2M9XD --lang zh
  touchstone report list
  touchstone incident open --report RPT-1-7KQ2M9XD --as chen`
}

type reportFileCmd struct {
	actFlags
	Kind     string   `name:"kind" required:"" help:"skimmer, refused, wrong_amount, fake_technician or other."`
	Terminal string   `name:"terminal" help:"The terminal's number, from the receipt." placeholder:"ID"`
	Serial   string   `name:"serial" help:"The serial number on its label."`
	Text     string   `name:"text" help:"What happened."`
	TextFile string   `name:"text-file" help:"File that says what happened." placeholder:"FILE"`
	Photos   []string `name:"photo" help:"JPEG or PNG; four at most." placeholder:"FILE"`
	Contact  string   `name:"contact-file" help:"File that says how to reach you; encrypted at once." placeholder:"FILE"`
	Merchant string   `name:"merchant" help:"A merchant reports, and this is its number." placeholder:"ID"`
}

// Run files it.
func (c *reportFileCmd) Run(a *app) error {
	text, err := textFlag(c.Text, c.TextFile, incident.MaxReportText)
	if err != nil {
		return err
	}
	photos, err := absolute(c.Photos)
	if err != nil {
		return err
	}
	r := &reportChange{Kind: c.Kind, Terminal: c.Terminal, Serial: c.Serial, Text: text, Photos: photos, Merchant: c.Merchant}
	if c.Contact != "" {
		if r.Contact, err = filepath.Abs(c.Contact); err != nil {
			return err
		}
	}
	told, err := c.perform(a, change{Report: r})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "keep this number: %s report show %s\n", program(), told.Facts["report"])
	return err
}

type reportShowCmd struct {
	directoryFlags
	Number string `arg:"" help:"Such as RPT-1-7KQ2M9XD."`
	JSON   bool   `name:"json" help:"One JSON object, with all that is kept."`
	Lang   string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows what the reporter may know.
func (c *reportShowCmd) Run(a *app) error {
	var answer incidentAnswerShown
	if err := c.question(a, change{Incidents: &incidentQuery{Report: c.Number}}, &answer); err != nil {
		return err
	}
	if len(answer.Reports) != 1 {
		return errNoReport
	}
	r := &answer.Reports[0]
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	s := &screen{l: l}
	s.line("%s  %s", r.ID, l.incidentWord(r.Kind))
	s.row(l.two("reported", "提交时间"), "%s", l.when(r.At))
	s.row(l.two("state", "状态"), "%s", l.incidentWord(string(r.State)))
	if r.Incident != "" {
		s.row(l.two("case", "案件"), "%s", r.Incident)
	}
	if r.Answer != "" {
		s.row(l.two("answer", "答复"), "%s", r.Answer)
	}
	return s.flush(l.w)
}

type reportListCmd struct {
	directoryFlags
	All  bool   `name:"all" help:"Those decided too."`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists them.
func (c *reportListCmd) Run(a *app) error {
	var answer incidentAnswerShown
	if err := c.question(a, change{Incidents: &incidentQuery{Reports: true}}, &answer); err != nil {
		return err
	}
	shown := []incident.Report{}
	for _, r := range answer.Reports {
		if c.All || r.State == incident.Queued {
			shown = append(shown, r)
		}
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(shown)
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	s := &screen{l: l}
	for _, r := range shown {
		s.line("%s %s %s %s %s", pad(r.ID, 18), pad(l.incidentWord(string(r.State)), 12), pad(r.Terminal+r.Serial, 10), l.incidentWord(r.Kind), r.Incident)
		s.line("  %s", strings.ReplaceAll(r.Text, "\n", "\n  "))
	}
	if len(shown) == 0 {
		s.line("%s", l.two("no report waits", "没有待处理的举报"))
	}
	return s.flush(l.w)
}

type reportJoinCmd struct {
	actFlags
	Number string `arg:"" help:"The report."`
	ID     string `arg:"" help:"The incident, such as INC-1."`
}

// Run joins them.
func (c *reportJoinCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentJoin, Report: c.Number, ID: c.ID})
}

type reportDismissCmd struct {
	actFlags
	Number string `arg:"" help:"The report."`
	Answer string `name:"answer" required:"" help:"What the reporter reads."`
}

// Run dismisses it.
func (c *reportDismissCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentDismiss, Report: c.Number, Text: c.Answer})
}

type reportKeyCmd struct {
	actFlags
	Recipient string `arg:"" help:"age1..., from age-keygen."`
}

// Run sets it.
func (c *reportKeyCmd) Run(a *app) error {
	if _, err := age.ParseX25519Recipient(c.Recipient); err != nil {
		return errors.New("that is no age recipient: want age1..., as age-keygen prints it")
	}
	return c.incident(a, incidentChange{Op: incidentContacts, Text: c.Recipient})
}

type reportContactCmd struct {
	directoryFlags
	Number   string `arg:"" help:"The report."`
	Identity string `name:"identity" required:"" help:"The age identity of the key that contacts are encrypted to." placeholder:"FILE"`
}

// Run decrypts it in this process.
func (c *reportContactCmd) Run(a *app) error {
	var answer incidentAnswerShown
	if err := c.question(a, change{Incidents: &incidentQuery{Report: c.Number}}, &answer); err != nil {
		return err
	}
	if len(answer.Reports) != 1 || answer.Reports[0].Contact == "" {
		return errors.New("this report names no contact")
	}
	text, err := readSecretFile(c.Identity)
	if err != nil {
		return err
	}
	defer clear(text)
	identities, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: not an age identity", c.Identity)
	}
	sealed, err := os.ReadFile(filepath.Join(c.Data, filesDirectory, answer.Reports[0].Contact))
	if err != nil {
		return err
	}
	plain, err := age.Decrypt(bytes.NewReader(sealed), identities...)
	if err != nil {
		return errors.New("this identity does not open the contact")
	}
	_, err = io.Copy(a.stdout, plain)
	return err
}
