package touchstone_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dials are the ways in which a program of Go begins a connection.
var dials = regexp.MustCompile(`http\.(Get|Post|PostForm|Head|DefaultClient)\b|&http\.Client\{|http\.Client\{|net\.Dial(Timeout|er)?\b|tls\.Dial\b|smtp\.(Dial|SendMail)\b`)

// dialling are the files that begin connections. Those of the host itself are notify's, and what they dial is bounded there
// (TestS05ServerSideRequest, TestS05MailServer); tracing dials the collector that the operator names when the host is
// started, which no act and no answer can change (TestS05Collector); the others are commands, probes and terminals, which
// a person starts and gives an address to. The host's own canary and lab/probe dial the host's own ports. Nothing fetches
// the address of a revocation list, of the public pages or of a device: those are only written down.
var dialling = []string{"cmd/touchstone/cmd_health.go", "cmd/touchstone/cmd_terminal_update.go", "cmd/touchstone/control.go", "faultproxy/proxy.go", "lab/probe/message.go", "lab/probe/secure.go", "notify/dial.go",
	"notify/http.go", "notify/smtp.go", "notify/webhook.go", "releases/client.go", "terminal/config.go", "terminal/load/floor.go", "terminal/load/run.go", "tracing/tracing.go"}

// TestS05WhoDials: a new place that begins connections is a decision: where may its address come from?
func TestS05WhoDials(t *testing.T) {
	var found []string
	for _, pattern := range []string{"*/*.go", "*/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(path, "_test.go") && !strings.HasPrefix(path, "scripts/") && dials.Match(text) {
				found = append(found, filepath.ToSlash(path))
			}
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, dialling) {
		t.Errorf("connections begin in\n%q, the list has\n%q", found, dialling)
	}
}
