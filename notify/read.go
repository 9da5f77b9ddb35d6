package notify

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"
)

// Subject is a message's subject, decoded, or "" when it has none.
func Subject(raw []byte) string {
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return ""
	}
	h := gomail.Header{Header: e.Header}
	subject, err := h.Subject()
	if err != nil {
		return ""
	}
	return subject
}

// maxShownPart bounds what is printed of a part, and how many parts are looked at.
const (
	maxShownPart = 256 << 10
	maxParts     = 32
)

// WriteMessage prints a message for a person: its header lines that matter, its text, and the names and sizes of what it carries.
func WriteMessage(w io.Writer, raw []byte) error {
	r, err := gomail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	defer r.Close()
	for _, key := range []string{"From", "To", "Date", "Message-Id"} {
		text, err := r.Header.Text(key) // decodes RFC 2047
		if err != nil {
			text = r.Header.Get(key)
		}
		fmt.Fprintf(w, "%s: %s\n", key, text)
	}
	fmt.Fprintf(w, "Subject: %s\n\n", Subject(raw))
	for range maxParts {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		if h, ok := part.Header.(*gomail.AttachmentHeader); ok {
			name, err := h.Filename()
			if err != nil {
				name = "?"
			}
			n, err := io.Copy(io.Discard, part.Body)
			if err != nil {
				return fmt.Errorf("read message: %w", err)
			}
			fmt.Fprintf(w, "[%s, %d bytes]\n", name, n)
			continue
		}
		if _, err := io.Copy(w, io.LimitReader(part.Body, maxShownPart)); err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		fmt.Fprintln(w)
	}
	return nil
}
