package notify

import (
	"bytes"
	"encoding/csv"
	"fmt"

	"filippo.io/age"
)

// issuerColumns name the columns of the file to an issuer, whose first line they are: docs/operating/notices.md says what each
// means.
var issuerColumns = []string{"incident", "rrn", "at", "terminal", "merchant", "place", "card", "card_hash", "amount", "currency"}

// IssuerFile is the list of exposed cards of one issuer, encrypted to its age recipient: nobody else can read it, we neither.
// Inside is CSV (RFC 4180), UTF-8, columns issuerColumns.
func (f *Facts) IssuerFile(recipient string) ([]byte, error) {
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("%w: age recipient", ErrConfig)
	}
	plain, err := f.issuerRows()
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

func (f *Facts) issuerRows() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(issuerColumns); err != nil {
		return nil, err
	}
	for i := range f.Sales {
		s := &f.Sales[i]
		err := w.Write([]string{f.Incident, s.RRN.String(), s.At.Time().Format("2006-01-02T15:04:05.000Z"), s.Terminal.String(), s.Merchant.String(),
			f.shop(s.Merchant), s.Shown.String(), s.Card.String(), s.Amount.String(), "156"})
		if err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
