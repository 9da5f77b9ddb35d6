package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/web"
)

// metricWord finds the names of metrics in an expression.
var metricWord = regexp.MustCompile(`\b(?:touchstone|process|go)_[a-z0-9_]+`)

var descName = regexp.MustCompile(`fqName: "([^"]+)"`)

// scraped is every name that a running host exports, with the names of its histograms' series; named are those that it may.
func scraped(t *testing.T) (names, named map[string]bool, text string) {
	t.Helper()
	e := careEngine(t, filepath.Join(t.TempDir(), "data"))
	defer closeEngine(t, e)
	e.live.Finished(&host.Seen{MTI: 0x0200, Type: 22, Reason: reason.MACFailed, Code: pos.Code("A0")})
	router, err := e.consoleRouter([]string{"127.0.0.1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1/no-such-page", nil)
	router.ServeHTTP(httptest.NewRecorder(), r)
	if err := e.ledger.Register(t.Context(), e.clock(), &journal.Event{Name: "clone_suspected", Severity: journal.Alarm}); err != nil {
		t.Fatal(err)
	}
	e.integration.served(&web.Served{Pattern: "/terminals/{id}", Status: 200, Took: time.Millisecond})
	w := httptest.NewRecorder()
	observe.Handler(e.sources).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	text = w.Body.String()
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	names = map[string]bool{}
	for name, f := range families {
		names[name] = true
		if f.GetType().String() == "HISTOGRAM" {
			for _, s := range []string{"_bucket", "_sum", "_count"} {
				names[name+s] = true
			}
		}
	}
	descs := make(chan *prometheus.Desc, 1000)
	observe.NewRegistry(e.sources).Describe(descs)
	close(descs)
	named = map[string]bool{}
	for d := range descs {
		named[descName.FindStringSubmatch(d.String())[1]] = true
	}
	return names, named, text
}

// TestDashboardAndAlertsUseRealMetrics holds docs/operating against a host.
func TestDashboardAndAlertsUseRealMetrics(t *testing.T) {
	names, named, text := scraped(t)
	for _, want := range []string{`touchstone_http_requests_total{class="4xx",route="other"} 1`, `touchstone_http_requests_total{class="2xx",route="/terminals/{id}"} 1`, `touchstone_sign_ins_total{result="refused"} 0`, `touchstone_webhooks{state="failing"} 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("a scrape has no %s", want)
		}
	}
	// What a host exports only once it happened, or where it is turned on.
	for _, later := range []string{"touchstone_shed_total", "touchstone_diagnosis_causes_total", "touchstone_diagnosis_not_tried_total", "touchstone_certificate_end_timestamp_seconds", "touchstone_transport_ends_total",
		"touchstone_connections_open", "touchstone_connections_turned_away_total", "touchstone_diagnosis_queue", "touchstone_diagnosis_queue_limit", "touchstone_diagnosis_failed_total"} {
		names[later] = names[later] || named[later]
	}
	used := 0
	check := func(where, expr string) {
		found := metricWord.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s: no metric in %q", where, expr)
		}
		for _, name := range found {
			if used++; !names[name] {
				t.Errorf("%s: no host exports %s", where, name)
			}
		}
	}
	alerts(t, check)
	dashboard(t, check)
	if used < 80 {
		t.Errorf("only %d uses of metrics were found", used)
	}
}

func alerts(t *testing.T, check func(where, expr string)) {
	t.Helper()
	raw, err := os.ReadFile("../../docs/operating/prometheus-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(raw)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] || !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("alert %q of %s: want a name of its own, a severity, what it means and what to do", r.Alert, g.Name)
			}
			if _, err := model.ParseDuration(r.For); err != nil && r.For != "0s" {
				t.Errorf("%s: for %q", r.Alert, r.For)
			}
			seen[r.Alert] = true
			check(r.Alert, r.Expr)
		}
	}
	for _, want := range []string{"TouchstoneJournalFailed", "TouchstoneIneffective", "TouchstoneSalesStopped", "TouchstoneFalseFailures", "TouchstoneCloneSuspected", "TouchstoneAnswersLate", "TouchstoneViewLags", "TouchstoneCertificateEnds", "TouchstoneWebhookFails"} {
		if !seen[want] {
			t.Errorf("no alert %s", want)
		}
	}
}

func dashboard(t *testing.T, check func(where, expr string)) {
	t.Helper()
	raw, err := os.ReadFile("../../docs/operating/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Templating struct {
			List []struct{ Name, Type, Query any }
		}
		Panels []struct {
			ID          int
			Type, Title string
			Datasource  struct{ Type, UID string }
			Targets     []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Templating.List) == 0 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Type != "datasource" || d.Templating.List[0].Query != "prometheus" {
		t.Error("the dashboard does not let its user choose the data source")
	}
	ids, rows := map[int]bool{}, 0
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q: want an id of its own and a title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows++
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q asks %q for %d series", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	if rows != 7 {
		t.Errorf("%d rows", rows)
	}
}
