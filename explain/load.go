package explain

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"touchstone/pos"
	"touchstone/reason"
)

//go:embed reasons.json
var reasonsFile string

//go:embed codes.json
var codesFile string

//go:embed words.json
var wordsFile string

// ErrCatalogue is returned when a data file is not whole: a text missing, too wide, named twice or
// not known.
var ErrCatalogue = errors.New("catalogue: not whole")

// The data files, as they are written.
type (
	reasonRow struct {
		Reason   string  `json:"reason"`
		Short    Text    `json:"short"`
		Meaning  Text    `json:"meaning"`
		Causes   []Text  `json:"causes"`
		Counter  *action `json:"counter,omitempty"` // only where DE39 does not say it: see ownCounter
		Support  Text    `json:"support"`
		Engineer Text    `json:"engineer"`
	}
	action struct {
		Action Text `json:"action"`
		Short  Text `json:"short"`
	}
	codeRow struct {
		Code       string `json:"code"`
		Class      string `json:"class"`
		Name       Text   `json:"name"`
		Action     Text   `json:"action"`
		Short      Text   `json:"short"`
		Unverified bool   `json:"unverified,omitempty"`
		Note       *Text  `json:"note,omitempty"`
	}
	wordRow struct {
		Name string `json:"name"`
		Text Text   `json:"text"`
	}
	reasonFile struct {
		Reasons []reasonRow `json:"reasons"`
		Outside reasonRow   `json:"outside"` // for a number outside the table
	}
	codeFile struct {
		Classes  []wordRow `json:"classes"`
		Learn    Text      `json:"learn"`
		Codes    []codeRow `json:"codes"`
		Fallback codeRow   `json:"fallback"` // for a code outside the table
	}
	wordFile struct {
		Checks   []wordRow `json:"checks"`
		Outcomes []wordRow `json:"outcomes"`
		Owners   []wordRow `json:"owners"`
	}
)

// Load reads and checks the embedded catalogue. An error wraps ErrCatalogue and is a fault of the
// build, never of the caller.
func Load() (*Catalogue, error) { return load(reasonsFile, codesFile, wordsFile) }

func load(reasons, codes, words string) (*Catalogue, error) {
	c := &Catalogue{byCode: map[pos.ResponseCode]int{}}
	if err := c.loadCodes(codes); err != nil {
		return nil, err
	}
	if err := c.loadReasons(reasons); err != nil {
		return nil, err
	}
	if err := c.loadWords(words); err != nil {
		return nil, err
	}
	return c, nil
}

// read decodes one JSON value and nothing after it; a field the type does not have is refused.
func read(what, data string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCatalogue, what, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: %s: more follows the value", ErrCatalogue, what)
	}
	return nil
}

func (c *Catalogue) loadCodes(data string) error {
	var f codeFile
	if err := read("codes", data, &f); err != nil {
		return err
	}
	classes, err := wordMap("class", f.Classes)
	if err != nil {
		return err
	}
	if !f.Learn.whole() {
		return fmt.Errorf("%w: codes: learn", ErrCatalogue)
	}
	behind := map[pos.ResponseCode][]reason.Reason{}
	for _, r := range reason.All() {
		behind[r.DE39()] = append(behind[r.DE39()], r)
	}
	for _, row := range f.Codes {
		code, err := makeCode(row, classes, f.Learn)
		if err != nil {
			return err
		}
		code.Code = pos.Code(row.Code)
		if code.Code.String() != row.Code {
			return fmt.Errorf("%w: code %q: not two characters", ErrCatalogue, row.Code)
		}
		if _, twice := c.byCode[code.Code]; twice {
			return fmt.Errorf("%w: code %q: named twice", ErrCatalogue, row.Code)
		}
		code.Reasons = behind[code.Code]
		c.byCode[code.Code] = len(c.codes)
		c.codes = append(c.codes, code)
	}
	if c.fallback, err = makeCode(f.Fallback, classes, f.Learn); err != nil {
		return err
	}
	if c.fallback.Class == Success {
		return fmt.Errorf("%w: codes: an unknown code would be a success", ErrCatalogue)
	}
	return nil
}

func makeCode(row codeRow, classes map[string]Text, learn Text) (Code, error) {
	text, ok := classes[plain(row.Class)]
	if !ok {
		return Code{}, fmt.Errorf("%w: code %q: class", ErrCatalogue, row.Code)
	}
	code := Code{ClassText: text, Name: row.Name, Action: row.Action, ActionShort: row.Short,
		Unverified: row.Unverified, Learn: learn}
	if row.Class != "-" {
		code.Class = Class(row.Class[0])
		if code.Class.String() != row.Class {
			return Code{}, fmt.Errorf("%w: code %q: class", ErrCatalogue, row.Code)
		}
	}
	if row.Note != nil {
		if code.Note = *row.Note; !code.Note.whole() {
			return Code{}, fmt.Errorf("%w: code %q: note", ErrCatalogue, row.Code)
		}
	}
	if !row.Name.whole() || !row.Action.whole() || !fits(row.Short, MaxCashierShort) {
		return Code{}, fmt.Errorf("%w: code %q: a text is missing or too wide", ErrCatalogue, row.Code)
	}
	return code, nil
}

func (c *Catalogue) loadReasons(data string) error {
	var f reasonFile
	if err := read("reasons", data, &f); err != nil {
		return err
	}
	c.entries = make([]Entry, len(reason.All())+1)
	seen := make([]bool, len(c.entries))
	for _, row := range f.Reasons {
		r, err := reason.Parse(row.Reason)
		if err != nil {
			return fmt.Errorf("%w: reason %q: %w", ErrCatalogue, row.Reason, err)
		}
		if seen[r] {
			return fmt.Errorf("%w: reason %q: named twice", ErrCatalogue, row.Reason)
		}
		seen[r] = true
		if c.entries[r], err = c.makeEntry(r, row); err != nil {
			return err
		}
	}
	for i, ok := range seen {
		if !ok {
			return fmt.Errorf("%w: reason %q: absent", ErrCatalogue, reason.Reason(i))
		}
	}
	var err error
	c.outside, err = c.makeEntry(reason.Reason(len(c.entries)), f.Outside)
	return err
}

// ownCounter tells whether a reason may have its own words for the cashier: only where what the
// terminal sees beside DE39 differs anyway (a settlement's result digit in DE48), or where nothing is
// answered. Everywhere else its own words would tell the counter the inner cause.
func ownCounter(r reason.Reason) bool {
	code := r.DE39()
	return r != reason.None && (code == pos.Approved || code == pos.ResponseCode{})
}

func (c *Catalogue) makeEntry(r reason.Reason, row reasonRow) (Entry, error) {
	refuse := func(what string) (Entry, error) {
		return Entry{}, fmt.Errorf("%w: reason %q: %s", ErrCatalogue, r, what)
	}
	e := Entry{Reason: r, Short: row.Short, Meaning: row.Meaning, Causes: row.Causes, Support: row.Support, Engineer: row.Engineer}
	code, ok := c.Code(r.DE39())
	if !ok {
		return refuse("its DE39 is not in the code table")
	}
	e.Cashier, e.CashierShort = code.Action, code.ActionShort
	if row.Counter != nil {
		if !ownCounter(r) {
			return refuse("the cashier's words belong to its DE39")
		}
		e.Cashier, e.CashierShort = row.Counter.Action, row.Counter.Short
	}
	if !fits(e.Short, MaxShort) || !fits(e.CashierShort, MaxCashierShort) {
		return refuse("a short text is missing or too wide")
	}
	if !e.Meaning.whole() || !e.Cashier.whole() || !e.Support.whole() || !e.Engineer.whole() {
		return refuse("a text is missing")
	}
	if (len(e.Causes) == 0) != (r == reason.None) {
		return refuse("causes are for what failed")
	}
	for _, cause := range e.Causes {
		if !cause.whole() {
			return refuse("a cause is missing")
		}
	}
	return e, nil
}

func (c *Catalogue) loadWords(data string) error {
	var f wordFile
	err := read("words", data, &f)
	if err != nil {
		return err
	}
	if c.checks, err = wordMap("check", f.Checks); err != nil {
		return err
	}
	if c.outcomes, err = wordMap("outcome", f.Outcomes); err != nil {
		return err
	}
	if c.owners, err = wordMap("owner", f.Owners); err != nil {
		return err
	}
	for o := reason.Nobody; o <= reason.Issuer; o++ {
		if _, ok := c.owners[o.String()]; !ok {
			return fmt.Errorf("%w: owner %q: absent", ErrCatalogue, o)
		}
	}
	return nil
}

func wordMap(what string, rows []wordRow) (map[string]Text, error) {
	words := make(map[string]Text, len(rows))
	for _, row := range rows {
		name := plain(row.Name)
		if _, twice := words[name]; twice || row.Name == "" || !row.Text.whole() {
			return nil, fmt.Errorf("%w: %s %q: named twice or without words", ErrCatalogue, what, row.Name)
		}
		words[name] = row.Text
	}
	return words, nil
}

// plain is a name as the maps hold it. The class "-" stays itself.
func plain(name string) string {
	if len(name) < 2 {
		return strings.ToLower(name)
	}
	return strings.ToLower(strings.NewReplacer("_", " ", "-", " ").Replace(name))
}

func fits(t Text, columns int) bool {
	return t.whole() && Columns(t.EN) <= columns && Columns(t.ZH) <= columns
}
