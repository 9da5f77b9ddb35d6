package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// promtool is Prometheus's own tool: installed, or as scripts/promtool.sh keeps it.
func promtool(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("promtool"); err == nil {
		return path
	}
	path, err := filepath.Abs("../../.cache/prometheus/promtool")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("NOT RUN: no promtool (scripts/promtool.sh .cache/prometheus)")
	}
	return path
}

// The files of docs/operating that Prometheus reads.
const (
	alertRules    = "../../docs/operating/prometheus-alerts.yml"
	alertTests    = "../../docs/operating/prometheus-alerts-test.yml"
	alertDayTests = "../../docs/operating/prometheus-alerts-day-test.yml"
)

// TestPromtoolTakesTheRules holds the rules, their unit tests and a host's scrape against Prometheus itself.
func TestPromtoolTakesTheRules(t *testing.T) {
	tool := promtool(t)
	for _, args := range [][]string{{"check", "rules", alertRules}, {"test", "rules", alertTests, alertDayTests}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
	_, _, text := scraped(t)
	cmd := exec.Command(tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestEveryAlertIsTried: each alert has a case in which it fires and one in which it does not, so that a new rule is not
// one that nobody ever saw.
func TestEveryAlertIsTried(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, path := range []string{alertTests, alertDayTests} {
		var file struct {
			Tests []struct {
				Input []struct{ Series, Values string } `yaml:"input_series"`
				Cases []struct {
					Alert  string           `yaml:"alertname"`
					Expect []map[string]any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		for _, x := range file.Tests {
			for _, c := range x.Cases {
				if len(c.Expect) > 0 {
					fires[c.Alert] = true
				} else if len(x.Input) > 0 { // without a series nothing but absent() could fire
					silent[c.Alert] = true
				}
			}
		}
	}
	n := 0
	alerts(t, func(name, _ string) {
		if n++; !fires[name] || !silent[name] {
			t.Errorf("alert %s: fires in a test: %v; is silent in one: %v", name, fires[name], silent[name])
		}
	})
	if n < 30 {
		t.Errorf("only %d alerts", n)
	}
}
