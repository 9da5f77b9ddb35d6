package fleet

import (
	"bytes"
	_ "embed" // the built-in policy
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"touchstone/registry"
)

// Facts are the facts of a terminal's permit, in the order in which they are told; the cashier's is asked of the
// person who signed in and not of the terminal.
var Facts = []registry.FactName{registry.FactRegistration, registry.FactDevice, registry.FactCertificate, registry.FactApplication,
	registry.FactAdvisory, registry.FactInspection, registry.FactHealth, registry.FactCashier, registry.FactNetwork, registry.FactSite}

// Policy says what each state of each fact permits. It is made by ParsePolicy, which has tried its own examples,
// and never changed.
type Policy struct {
	ID        string // PPL-1 …; "" of the built-in one
	Name      string
	Text      []byte // the file
	Entry     uint64 // the journal's entry that set it; 0 of the built-in one
	otherwise registry.Permit
	rules     map[factState]registry.Permit
	examples  []example
}

// factState is one state of one fact. The state of an unknown fact is "unknown", of any unnamed one "otherwise".
type factState struct {
	fact  registry.FactName
	state string
}

const (
	stateUnknown   = "unknown"
	stateOtherwise = "otherwise"
)

// Bounds of a policy.
const (
	MaxPolicy      = 8 << 10 // bytes of the file: it is part of a journal entry
	maxPolicyName  = 40      // bytes
	maxPolicyTests = 100
)

// ErrPolicy is returned for a policy that may not be used.
var ErrPolicy = errors.New("permit policy")

// example is a test that a policy carries: these facts give this permit; all others are Others.
type example struct {
	Name   string                       `toml:"name"`
	Facts  map[registry.FactName]string `toml:"facts"`
	Others string                       `toml:"others"` // good (the default) or unknown
	Expect string                       `toml:"expect"`
}

//go:embed policies/standard.toml
var standardPolicy []byte

// StandardPolicy is the built-in policy. An error is a fault of the program.
func StandardPolicy() (*Policy, error) { return ParsePolicy(standardPolicy) }

// ParsePolicy reads a policy and tries its examples: TOML 1.0 with name, otherwise, a table of states for each fact
// and at least one [[test]]. What it does not know it refuses. The error, an ErrPolicy, says where.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("%w: %d bytes, the most is %d", ErrPolicy, len(text), MaxPolicy)
	}
	var file struct {
		Name      string    `toml:"name"`
		Otherwise string    `toml:"otherwise"`
		Tests     []example `toml:"test"`

		Registration map[string]string `toml:"registration"`
		Device       map[string]string `toml:"device"`
		Certificate  map[string]string `toml:"certificate"`
		Application  map[string]string `toml:"application"`
		Advisory     map[string]string `toml:"advisory"`
		Inspection   map[string]string `toml:"inspection"`
		Health       map[string]string `toml:"health"`
		Cashier      map[string]string `toml:"cashier"`
		Network      map[string]string `toml:"network"`
		Site         map[string]string `toml:"site"`
	}
	decoder := toml.NewDecoder(bytes.NewReader(text))
	if err := decoder.DisallowUnknownFields().Decode(&file); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrPolicy, where(err))
	}
	if file.Name == "" || len(file.Name) > maxPolicyName {
		return nil, fmt.Errorf("%w: want a name of 1 to %d bytes", ErrPolicy, maxPolicyName)
	}
	p := &Policy{Name: file.Name, Text: bytes.Clone(text), otherwise: registry.NoRefund, rules: map[factState]registry.Permit{}, examples: file.Tests}
	if file.Otherwise != "" {
		var err error
		if p.otherwise, err = closed(file.Otherwise); err != nil {
			return nil, fmt.Errorf("%w: otherwise: %w", ErrPolicy, err)
		}
	}
	for i, states := range []map[string]string{file.Registration, file.Device, file.Certificate, file.Application, file.Advisory,
		file.Inspection, file.Health, file.Cashier, file.Network, file.Site} {
		if err := p.read(Facts[i], states); err != nil {
			return nil, err
		}
	}
	return p, p.try()
}

// where is a TOML error in one line.
func where(err error) string {
	var strict *toml.StrictMissingError
	var place *toml.DecodeError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		row, _ := strict.Errors[0].Position()
		return fmt.Sprintf("line %d: %s is nothing that a policy says", row, strings.Join(strict.Errors[0].Key(), "."))
	case errors.As(err, &place):
		row, column := place.Position()
		return fmt.Sprintf("line %d, column %d: %s", row, column, place.Error())
	}
	return err.Error()
}

// closed reads a permit that is no_refund or stricter.
func closed(text string) (registry.Permit, error) {
	may, err := registry.ParsePermit(text)
	if err == nil && !may.Within(registry.NoRefund) {
		err = fmt.Errorf("%q permits refunds: what the policy does not name is no_refund at least", text)
	}
	return may.Plain(), err
}

// read takes the states of one fact. Every fact says what unknown means.
func (p *Policy) read(fact registry.FactName, states map[string]string) error {
	if _, said := states[stateUnknown]; !said {
		return fmt.Errorf("%w: [%s] does not say what unknown means", ErrPolicy, fact)
	}
	for _, state := range slices.Sorted(maps.Keys(states)) {
		if !stateWord(state) {
			return fmt.Errorf("%w: [%s] state %q: want 1 to 40 of a to z and _", ErrPolicy, fact, state)
		}
		read := registry.ParsePermit
		if state == stateOtherwise {
			read = closed
		}
		may, err := read(states[state])
		if err != nil {
			return fmt.Errorf("%w: [%s] %s: %w", ErrPolicy, fact, state, err)
		}
		p.rules[factState{fact, state}] = may.Plain()
	}
	return nil
}

func stateWord(s string) bool {
	for _, c := range []byte(s) {
		if c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 40
}

// of is what one state of one fact permits. What the policy does not name is the fact's otherwise, or the policy's.
func (p *Policy) of(fact registry.FactName, state string) registry.Permit {
	if state == "" {
		state = stateUnknown
	}
	if may, said := p.rules[factState{fact, state}]; said {
		return may
	}
	if may, said := p.rules[factState{fact, stateOtherwise}]; said && state != stateUnknown {
		return may
	}
	return p.otherwise
}

// try holds the policy to its own examples.
func (p *Policy) try() error {
	if len(p.examples) == 0 || len(p.examples) > maxPolicyTests {
		return fmt.Errorf("%w: %d tests, want 1 to %d: a policy shows by [[test]] what it means", ErrPolicy, len(p.examples), maxPolicyTests)
	}
	for i, x := range p.examples {
		name := fmt.Sprintf("test %d %q", i+1, x.Name)
		want, err := registry.ParsePermit(x.Expect)
		if err != nil {
			return fmt.Errorf("%w: %s: expect: %w", ErrPolicy, name, err)
		}
		facts, err := x.facts()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrPolicy, name, err)
		}
		if got := p.Judge(facts).Permit; got != want.Plain() {
			return fmt.Errorf("%w: %s: it gives %q and not %q", ErrPolicy, name, got, want)
		}
	}
	return nil
}

// facts are all facts as an example has them.
func (x *example) facts() (facts []registry.Fact, err error) {
	if x.Others != "" && x.Others != registry.Good && x.Others != stateUnknown {
		return nil, fmt.Errorf("others is %q and not good or unknown", x.Others)
	}
	for name := range x.Facts {
		if !slices.Contains(Facts, name) {
			return nil, fmt.Errorf("there is no fact %q", name)
		}
	}
	for _, name := range Facts {
		state, said := x.Facts[name]
		switch {
		case !said && x.Others == stateUnknown, state == stateUnknown:
			state = ""
		case !said:
			continue // good: it restricts nothing, whatever its words for that are
		}
		facts = append(facts, registry.Fact{Name: name, State: state})
	}
	return facts, nil
}

// Tests are the names of the policy's own examples, which all hold.
func (p *Policy) Tests() (names []string) {
	for _, x := range p.examples {
		names = append(names, x.Name)
	}
	return names
}

// Label names the policy: its number and name, or that it is built in.
func (p *Policy) Label() string {
	if p.ID == "" {
		return p.Name
	}
	return p.ID + " " + p.Name
}
