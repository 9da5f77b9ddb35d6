package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"

	"touchstone/fleet"
	"touchstone/proof"
)

// triedPolicy is what is tried: a permit policy, a host's configuration, or both.
type triedPolicy struct {
	permit   *fleet.Policy
	host     *hostFlags
	counted  []string // keys of the configuration that count, as the file has them
	passed   []string // keys of the file that say nothing of an entry of the journal
	standing []string // keys that count and are not in the file: they are tried as serve would have them
}

// countedKeys are the keys of serve that decide of a message what the journal lets be judged again. Every other key
// is of how the host runs, or of what no entry shows.
var countedKeys = []string{"allow-single-des", "on-clone", "place-metres", "refuse-mac", "refuse-place", "refuse-sequence", "refuse-weak-mac", "repeat-window",
	"require-network", "require-tls", "reversal-lifetime", "sign-in-lifetime", "tls-client-certificates"}

// errTried is returned for files that are no policies.
var errTried = errors.New("policy try: want one file of a permit policy (touchstone permit policy), one of serve's configuration, or one of each")

// readTried reads the files.
func readTried(files []string) (t triedPolicy, err error) {
	for _, path := range files {
		text, err := readConfiguration(path)
		if err != nil {
			return triedPolicy{}, err
		}
		if err := t.read(path, text); err != nil {
			return triedPolicy{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	if t.permit == nil && t.host == nil {
		return triedPolicy{}, errTried
	}
	return t, nil
}

func readConfiguration(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%s: over %d bytes", path, maxConfig)
	}
	return text, err
}

// read takes one file: what has tables is a permit policy, what has none is a configuration.
func (t *triedPolicy) read(path string, text []byte) error {
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		return err
	}
	if isPermitPolicy(values) {
		p, err := fleet.ParsePolicy(text)
		switch {
		case err != nil:
			return err
		case t.permit != nil:
			return errTried
		}
		t.permit = p
		return nil
	}
	if t.host != nil {
		return errTried
	}
	flags, err := hostFlagsOf(path)
	if err != nil {
		return err
	}
	t.host = flags
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(countedKeys, key) {
			t.counted = append(t.counted, key)
		} else {
			t.passed = append(t.passed, key)
		}
	}
	for _, key := range countedKeys {
		if !slices.Contains(t.counted, key) {
			t.standing = append(t.standing, key)
		}
	}
	return nil
}

func isPermitPolicy(values map[string]any) bool {
	for key, v := range values {
		if _, table := v.(map[string]any); table || key == "test" || key == "otherwise" || key == "name" {
			return true
		}
	}
	return false
}

// hostFlagsOf reads a configuration exactly as serve does.
func hostFlagsOf(path string) (*hostFlags, error) {
	var c commands
	parser, err := kong.New(&c, kong.Name("touchstone"), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}), kong.Configuration(loadTOML))
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse([]string{"serve", "--config", path}); err != nil {
		return nil, err
	}
	return &c.Serve.hostFlags, c.Serve.hostFlags.check()
}

// trial is how entries of a directory are judged again. In a test data directory single DES is always accepted.
func (t *triedPolicy) trial(test bool) (trial proof.Trial) {
	if t.host != nil {
		policy := t.host.policy(test)
		trial.Policy, trial.Clients = &policy, t.host.TLSClients == "required"
	}
	return trial
}
