package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"touchstone/fleet"
)

// advisories are what we write, of all that we read.
func advisories(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range []string{"maker.csaf.json", "maker.osv.json"} {
		raw, err := os.ReadFile("../../fleet/testdata/advisories/" + name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := readAdvisory(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a.ID = "ADV-1"
		csaf, err := a.CSAF("Touchstone", "https://touchstone.invalid/")
		if err != nil {
			t.Fatal(err)
		}
		osv, err := a.OSV()
		if err != nil {
			t.Fatal(err)
		}
		out[name], out[name+" as csaf"], out[name+" as osv"] = raw, csaf, osv
	}
	return out
}

// TestAdvisorySchemas holds what we write against the published schemas, and so what the tests read.
func TestAdvisorySchemas(t *testing.T) {
	for name, raw := range advisories(t) {
		if _, err := readAdvisory(raw); err != nil {
			t.Errorf("%s: %v\n%s", name, err, raw)
		}
	}
	for name, raw := range map[string]string{
		"csaf without a publisher": `{"document":{"category":"csaf_base","csaf_version":"2.0","title":"t","tracking":{}}}`,
		"osv with a foreign id":    `{"id":"MINE-1","modified":"2026-11-20T08:00:00Z"}`,
		"osv with more":            `{"id":"x_1","modified":"2026-11-20T08:00:00Z","more":1}`,
		"no object":                `[]`,
		"cut":                      `{"id":"x_1","modified":`,
		"empty":                    ``,
	} {
		if _, err := readAdvisory([]byte(raw)); !errors.Is(err, fleet.ErrAdvisory) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAdvisoryWitness has another implementation of JSON Schema, Debian's python3-jsonschema, say the same.
func TestAdvisoryWitness(t *testing.T) {
	if exec.Command("/usr/bin/python3", "-c", "import jsonschema").Run() != nil {
		t.Skip("NOT RUN: Debian's python3-jsonschema is not here")
	}
	const script = `
import json, sys, jsonschema
schemas = {}
for f in ("csaf_json_schema", "cvss-v2.0", "cvss-v3.0", "cvss-v3.1", "osv-schema"):
    schemas[f] = json.load(open("schemas/" + f + ".json"))
store = {"https://www.first.org/cvss/" + f + ".json": schemas[f] for f in ("cvss-v2.0", "cvss-v3.0", "cvss-v3.1")}
for path in sys.argv[1:]:
    document = json.load(open(path))
    schema = schemas["csaf_json_schema" if "document" in document else "osv-schema"]
    resolver = jsonschema.RefResolver.from_schema(schema, store=store)
    jsonschema.Draft202012Validator(schema, resolver=resolver).validate(document)
    document.pop("document", None); document.pop("id", None)
    if not list(jsonschema.Draft202012Validator(schema, resolver=resolver).iter_errors(document)):
        sys.exit("the validator accepts anything")
print("valid")
`
	args := []string{"-W", "ignore", "-c", script}
	for name, raw := range advisories(t) {
		if !json.Valid(raw) {
			t.Fatalf("%s is no JSON", name)
		}
		path := filepath.Join(t.TempDir(), "a.json")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.Command("/usr/bin/python3", args...).CombinedOutput()
	if err != nil || string(out) != "valid\n" {
		t.Errorf("%v: %s", err, out)
	}
}
