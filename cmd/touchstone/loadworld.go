package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/terminal/load"
)

// The load world: terminals and cards by number, with published keys, which a load generator knows from
// the numbers alone. They are registered in a test data directory only.

// loadProfile is how a kind of load terminal authenticates its messages. The first digit of a terminal
// number tells its kind.
type loadProfile struct {
	name  string
	first int // terminal number 0 of the kind
	code  pos.NetworkCode
	mac   registry.MACProfile
}

// loadKinds is the most terminals of one kind.
const loadKinds = 10_000_000

func loadProfiles() []loadProfile {
	return []loadProfile{
		{name: "ecb", first: 10_000_000, code: 3},
		{name: "sm4", first: 20_000_000, code: 5},
		{name: "x9.19", first: 30_000_000, code: 3, mac: registry.MACX919},
	}
}

// loadModel is the model of every load terminal, so that one advisory touches all of them.
const loadModel = "Sample L1"

// loadTerminal is load terminal i of a kind.
func (p loadProfile) loadTerminal(i int) sampleTerminal {
	n := p.first + i
	return sampleTerminal{id: sampleID(n), merchant: sampleMerchant(1 + i%sampleShops), code: p.code, profile: p.mac, serial: sampleSerial(n), model: loadModel}
}

// loadCard is the card that a load terminal sells to: its own, so that no two terminals wait for one.
func loadCard(t sampleTerminal) sampleCard {
	c := sampleCard{label: "load " + t.id.String(), service: "101", expiry: "4912", balance: 999_999_999_999, state: "active", number: loadNumber(t.id)}
	c.pin = publishedDigits("pin/"+c.label, 6)
	for again := 1; guessed(c.pin, c.pan()); again++ {
		c.pin = publishedDigits(fmt.Sprintf("pin/%d/%s", again, c.label), 6)
	}
	return c
}

// loadNumber is nine digits of a terminal's card that no other has: of a million drawn at random hundreds would be
// drawn twice. The factor has no divisor in common with the modulus.
func loadNumber(id pos.TerminalID) string {
	n, err := strconv.ParseUint(id.String(), 10, 64)
	if err != nil {
		panic("touchstone: a load terminal's number is none")
	}
	return fmt.Sprintf("%09d", n*123_456_789%1_000_000_000)
}

// guessed tells whether the issuer's module would refuse a PIN: of a million cards some ten draw one that stands in
// the card's number, or whose digits follow each other by the same step.
func guessed(pin, pan string) bool {
	step := int(pin[1]) - int(pin[0])
	even := step >= -1 && step <= 1
	for i := 2; i < len(pin); i++ {
		even = even && int(pin[i])-int(pin[i-1]) == step
	}
	return even || strings.Contains(pan, pin)
}

// loadShare is how many terminals of one kind.
type loadShare struct {
	loadProfile
	n int
}

// errShares says what is wanted of a list of shares.
var errShares = errors.New("want kind=number with commas between, kinds ecb, sm4 and x9.19")

// parseShares reads "ecb=80,sm4=20".
func parseShares(text string) (shares []loadShare, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, number, ok := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 || n > loadKinds {
			return nil, fmt.Errorf("%q: %w", part, errShares)
		}
		known := false
		for _, p := range loadProfiles() {
			if p.name == name {
				shares, known = append(shares, loadShare{p, n}), true
			}
		}
		for _, s := range shares[:max(len(shares)-1, 0)] {
			known = known && s.name != name
		}
		if !known {
			return nil, fmt.Errorf("%q: %w, each once", part, errShares)
		}
	}
	return shares, nil
}

// divide gives n terminals to the kinds in proportion to their weights, the last kind the rest.
func divide(n int, weights []loadShare) ([]loadShare, error) {
	sum := 0
	for _, w := range weights {
		sum += w.n
	}
	if sum == 0 {
		return nil, fmt.Errorf("no kind has a share: %w", errShares)
	}
	out, left := make([]loadShare, len(weights)), n
	for i, w := range weights {
		out[i] = w
		out[i].n = n * w.n / sum
		left -= out[i].n
	}
	for i := range out { // what rounding left over goes to kinds that take part
		if left > 0 && weights[i].n > 0 {
			out[i].n += left
			left = 0
		}
	}
	return out, nil
}

// loadTerminals lists terminals with the kinds spread evenly, as in a street of shops: every stretch of
// the list has the proportions of the whole.
func loadTerminals(shares []loadShare) (all []sampleTerminal) {
	total := 0
	for _, s := range shares {
		total += s.n
	}
	taken := make([]int, len(shares))
	for at := 1; at <= total; at++ {
		behind, most := 0, -1
		for i, s := range shares {
			if lag := s.n*at - taken[i]*total; taken[i] < s.n && lag > most {
				behind, most = i, lag
			}
		}
		for i, s := range shares { // rounding may leave only kinds that are ahead
			if most < 0 && taken[i] < s.n {
				behind, most = i, 0
			}
		}
		all = append(all, shares[behind].loadTerminal(taken[behind]))
		taken[behind]++
	}
	return all
}

// loadCrew is the same list with its published keys and cards, for the generator.
func loadCrew(shares []loadShare) (crew []load.Member, err error) {
	for _, t := range loadTerminals(shares) {
		card, err := cardOf(loadCard(t))
		if err != nil {
			return nil, err
		}
		crew = append(crew, load.Member{Card: card, Config: t.config()})
	}
	return crew, nil
}

// seedLoad registers load terminals and their cards, those that are not there yet, and returns how many
// terminals it registered.
func (e *engine) seedLoad(ctx context.Context, shares []loadShare) (n int, err error) {
	if !e.test {
		return 0, errors.New("load terminals have published keys: a test data directory only")
	}
	records := e.seedShops()
	for _, t := range loadTerminals(shares) {
		if _, err := e.ledger.Terminal(t.id); !errors.Is(err, ledger.ErrUnknown) {
			if err != nil {
				return 0, err
			}
			continue
		}
		more, err := e.seedTerminal(ctx, t)
		if err != nil {
			return 0, fmt.Errorf("load terminal %s: %w", t.id, err)
		}
		opening, err := e.seedCard(ctx, loadCard(t))
		if err != nil {
			return 0, fmt.Errorf("card of load terminal %s: %w", t.id, err)
		}
		if records = append(records, more...); opening != nil {
			records = append(records, opening)
		}
		n++
	}
	return n, e.ledger.Register(ctx, e.clock(), records...)
}

// makeLoad makes a test data directory, or takes one that is there, and registers load terminals in it.
func (c *initCmd) makeLoad(a *app, log *slog.Logger) error {
	if !c.Test {
		return errors.New("--load-terminals: load terminals have published keys, which wants --test")
	}
	shares, err := parseShares(c.LoadTerminals)
	if err != nil {
		return fmt.Errorf("--load-terminals: %w", err)
	}
	if err := makeTestDirectory(c.Data, log); err != nil {
		return err
	}
	flags := hostDefaults()
	flags.Data = c.Data
	e, err := flags.open(log)
	if err != nil {
		return err
	}
	n, err := e.seedLoad(a.ctx, shares)
	if err = errors.Join(err, e.close()); err == nil {
		fmt.Fprintf(a.stdout, "made data directory %s, registered %d load terminals\n", c.Data, n)
	}
	return err
}
