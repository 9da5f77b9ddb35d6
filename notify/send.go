package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"touchstone/redress"
)

// Outgoing is one attempt to hand a notice over.
type Outgoing struct {
	ID      string // NTC-3
	To      redress.NoticeTo
	Key     string // Message-ID without brackets, Idempotency-Key
	Message []byte
}

// Outcome is what became of it. Talk is the conversation as it was held, without the message and without a password.
type Outcome struct {
	Result    redress.AttemptResult
	Code      int
	Text      string
	Reference string
	Talk      []byte
}

// Send hands a notice over by its channel. It returns when the other side answered, or cannot be asked any more; how long that
// may take is bounded by the configuration and by ctx.
func (c *Config) Send(ctx context.Context, o *Outgoing) Outcome {
	switch o.To.Channel {
	case redress.ByMail:
		return c.SMTP.send(ctx, o, c.smtpDialer())
	case redress.BySMS:
		return c.sendSMS(ctx, o)
	case redress.ByWebhook:
		return c.sendWebhook(ctx, o)
	case redress.ByFile:
		return c.sendFile(o)
	}
	return Outcome{Result: redress.Refused, Text: "no such channel"}
}

// Resends tells whether an attempt whose fate is unknown may be repeated by a channel: mail carries its Message-ID,
// by which the receiver knows a second; a file is written over itself; the two others must have been said to know
// a key from another.
func (c *Config) Resends(by redress.Channel) bool {
	switch by {
	case redress.ByMail:
		return !c.SMTP.HoldInDoubt
	case redress.BySMS:
		return c.SMS.Deduplicates
	case redress.ByWebhook:
		return c.Webhook.Deduplicates
	}
	return by == redress.ByFile
}

// sendFile writes the text and the files of a notice into a directory of its own. Doing it again changes nothing.
func (c *Config) sendFile(o *Outgoing) Outcome {
	if err := c.writeFiles(o); err != nil {
		return Outcome{Result: redress.RefusedNow, Text: "write: " + plainCause(err)}
	}
	return Outcome{Result: redress.Accepted, Text: "written to " + filepath.Join(o.To.Address, o.ID)}
}

func (c *Config) writeFiles(o *Outgoing) error {
	var p Payload
	if err := json.Unmarshal(o.Message, &p); err != nil {
		return fmt.Errorf("%w: not a notice of files", ErrConfig)
	}
	dir := filepath.Join(c.Outgoing, o.To.Address, o.ID)
	if c.Outgoing == "" || !pathName(o.To.Address) {
		return fmt.Errorf("%w: no directory for outgoing files", ErrConfig)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files := []Attachment{{Name: "text.txt", Content: []byte(p.Subject + "\n\n" + p.Text)}}
	for _, a := range p.Attachments {
		content, err := base64.StdEncoding.DecodeString(a.Content)
		if err != nil || a.Name != filepath.Base(a.Name) || a.Name[0] == '.' {
			return fmt.Errorf("%w: not a notice of files", ErrConfig)
		}
		files = append(files, Attachment{Name: a.Name, Content: content})
	}
	for _, f := range files {
		if err := writeWhole(filepath.Join(dir, f.Name), f.Content); err != nil {
			return err
		}
	}
	return nil
}

// writeWhole writes a file so that it is there whole and durable, or not at all.
func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
