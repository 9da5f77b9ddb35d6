package explain

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"touchstone/pos"
	"touchstone/reason"
)

//go:embed data/*.json
var dataFiles embed.FS

// files are the data files by name, without folder and ending.
type files map[string]string

// The data files. Rows of one kind may stand in several; sayings and counters are named by the others.
var (
	fileNames    = []string{"sayings", "counters", "codes", "reasons_line", "reasons_proof", "reasons_sale", "causes_mac", "causes_other", "words", "search"}
	reasonsFiles = []string{"reasons_line", "reasons_proof", "reasons_sale"}
	causesFiles  = []string{"causes_mac", "causes_other"}
)

// ErrCatalogue is returned when a data file is not whole: a text missing, too wide, named twice or
// not known.
var ErrCatalogue = errors.New("catalogue: not whole")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCatalogue}, args...)...)
}

// Load reads and checks the embedded catalogue. An error wraps ErrCatalogue and is a fault of the
// build, never of the caller.
func Load() (*Catalogue, error) {
	f := files{}
	for _, name := range fileNames {
		data, err := dataFiles.ReadFile("data/" + name + ".json")
		if err != nil {
			return nil, bad("%s: %w", name, err)
		}
		f[name] = string(data)
	}
	return load(f)
}

func load(f files) (*Catalogue, error) {
	c := &Catalogue{byCode: map[pos.ResponseCode]int{}}
	var s sayings
	for _, step := range []func() error{
		func() error { return s.load(f["sayings"]) },
		func() error { return c.loadCounters(f["counters"], &s) },
		func() error { return c.loadCodes(f["codes"]) },
		func() error { return c.loadReasons(f, &s) },
		func() error { return c.loadCauses(f, &s) },
		func() error { return c.loadWords(f["words"]) },
		func() error { return c.loadSearch(f["search"], &s) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	c.index = sync.OnceValue(c.makeIndex)
	return c, nil
}

// read decodes one JSON value and nothing after it; a field the type does not have is refused.
func read(what, data string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bad("%s: %w", what, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("%s: more follows the value", what)
	}
	return nil
}

// The codes, as they are written.
type (
	codeRow struct {
		Code       string `json:"code"`
		Name       Text   `json:"name"`
		Class      string `json:"class"`
		Counter    string `json:"counter"` // of counters.json
		SignIn     *Text  `json:"sign_in,omitempty"`
		Unverified bool   `json:"unverified,omitempty"`
		Note       *Text  `json:"note,omitempty"`
	}
	codeFile struct {
		Classes  []wordRow `json:"classes"`
		Learn    Text      `json:"learn"`
		Cured    []string  `json:"cured"`       // the codes that a sign-in cures
		NoSignIn Text      `json:"no_sign_in"`  // for every other; {code}, {class} and {text} are put in
		NoClass  Text      `json:"no_class"`    // for one without a class
		Asks     Text      `json:"screen_asks"` // beside a cause that a sign-in does not cure, where the code's words ask for one
		Codes    []codeRow `json:"codes"`
		Fallback codeRow   `json:"fallback"` // for a code outside the table
	}
)

func (c *Catalogue) loadCodes(data string) error {
	var f codeFile
	if err := read("codes", data, &f); err != nil {
		return err
	}
	classes, err := wordMap("class", f.Classes)
	if err != nil {
		return err
	}
	if !f.Learn.whole() || !f.NoSignIn.whole() || !f.NoClass.whole() || !f.Asks.whole() {
		return bad("codes: learn, no_sign_in, no_class or screen_asks")
	}
	c.asks, c.cured = f.Asks, map[pos.ResponseCode]bool{}
	for _, code := range f.Cured {
		c.cured[pos.Code(code)] = true
	}
	behind := map[pos.ResponseCode][]reason.Reason{}
	for _, r := range reason.All() {
		behind[r.DE39()] = append(behind[r.DE39()], r)
	}
	for _, row := range f.Codes {
		code, err := c.makeCode(row, classes, &f)
		if err != nil {
			return err
		}
		if _, twice := c.byCode[code.Code]; twice {
			return bad("code %q: named twice", row.Code)
		}
		code.Reasons = behind[code.Code]
		c.byCode[code.Code] = len(c.codes)
		c.codes = append(c.codes, code)
	}
	for code := range c.cured {
		if _, ok := c.byCode[code]; !ok {
			return bad("cured code %q: not in the table", code)
		}
	}
	if c.fallback, err = c.makeCode(f.Fallback, classes, &f); err != nil {
		return err
	}
	if c.fallback.Class == Success {
		return bad("codes: an unknown code would be a success")
	}
	return nil
}

func (c *Catalogue) makeCode(row codeRow, classes map[string]Text, f *codeFile) (Code, error) {
	text, ok := classes[plain(row.Class)]
	if !ok {
		return Code{}, bad("code %q: class", row.Code)
	}
	counter, ok := c.counters[row.Counter]
	if !ok {
		return Code{}, bad("code %q: counter %q is not in counters", row.Code, row.Counter)
	}
	code := Code{Code: pos.Code(row.Code), ClassText: text, Name: row.Name, Action: counter.Action, ActionShort: counter.Short,
		Counter: counter, Unverified: row.Unverified, Learn: f.Learn}
	if code.Code.String() != row.Code {
		return Code{}, bad("code %q: not two characters", row.Code)
	}
	if row.Class != "-" {
		code.Class = Class(row.Class[0])
		if code.Class.String() != row.Class {
			return Code{}, bad("code %q: class", row.Code)
		}
	}
	if row.Note != nil {
		if code.Note = *row.Note; !code.Note.whole() {
			return Code{}, bad("code %q: note", row.Code)
		}
	}
	code.SignIn = SignIn{Do: c.cured[code.Code], Text: noSignIn(code, f)}
	if row.SignIn != nil {
		code.SignIn.Text = *row.SignIn
	} else if code.SignIn.Do {
		return Code{}, bad("code %q: cured by a sign-in, and no words for it", row.Code)
	}
	if !row.Name.whole() || !code.SignIn.Text.whole() {
		return Code{}, bad("code %q: a text is missing", row.Code)
	}
	return code, nil
}

// noSignIn says, with the code's published class, that a sign-in is not its remedy.
func noSignIn(code Code, f *codeFile) Text {
	t := f.NoSignIn
	if code.Class == 0 {
		t = f.NoClass
	}
	name := Text{code.Code.String(), code.Code.String()}
	if code.Code == (pos.ResponseCode{}) {
		name = Text{"a message without an answer", "无应答"}
	}
	fill := func(s, code, class, text string) string {
		return strings.NewReplacer("{code}", code, "{class}", class, "{text}", text).Replace(s)
	}
	return Text{EN: fill(t.EN, name.EN, code.Class.String(), code.ClassText.EN), ZH: fill(t.ZH, name.ZH, code.Class.String(), code.ClassText.ZH)}
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
