package main

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

// loadTOML makes a kong resolver of a TOML file whose keys are the flags of the command, without the
// dashes before them. An unknown key is refused by its name.
func loadTOML(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, fmt.Errorf("configuration is over %d bytes", maxConfig)
	}
	values := map[string]any{}
	if err := toml.Unmarshal(text, &values); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, column := at.Position()
			return nil, fmt.Errorf("configuration line %d, column %d: %s", line, column, strings.TrimPrefix(at.Error(), "toml: "))
		}
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return configuration(values), nil
}

type configuration map[string]any

// Validate refuses a key that is no flag of any command.
func (c configuration) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var collect func(n *kong.Node)
	collect = func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = true
		}
		for _, child := range n.Children {
			collect(child)
		}
	}
	for _, n := range app.Children {
		if n.Name == "serve" || n.Name == "demo" {
			collect(n)
		}
	}
	var bad []string
	for key := range c {
		if !known[key] {
			bad = append(bad, key)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	sort.Strings(bad)
	return fmt.Errorf("configuration: unknown key %q; touchstone serve --help lists them", bad[0])
}

// Resolve gives a flag its configured value.
func (c configuration) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	switch v.(type) {
	case string, bool, int64, float64:
		return v, nil
	case []any:
		if flag.IsSlice() { // a flag that may be given again
			return v, nil
		}
	}
	return nil, fmt.Errorf("configuration: key %q: want a text, a number or true or false", flag.Name)
}
