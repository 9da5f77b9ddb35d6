package observe

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"touchstone/host"
	"touchstone/pos"
	"touchstone/reason"
)

// scrape reads /metrics as a Prometheus server does.
func scrape(t *testing.T, h http.Handler) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatalf("a Prometheus parser refuses /metrics: %v", err)
	}
	return families
}

func labelsOf(m *dto.Metric) string {
	var parts []string
	for _, l := range m.Label {
		parts = append(parts, l.GetName()+"="+l.GetValue())
	}
	return strings.Join(parts, " ")
}

func TestMetricsCountWhatHappened(t *testing.T) {
	r := newRig(t, time.Now())
	for range 3 {
		r.Live.Finished(sale(reason.None, "00"))
	}
	r.Live.Finished(sale(reason.MACFailed, "A0"))
	r.Live.Finished(sale(reason.None, "94"))                                        // repeated answers may have another code
	r.Live.Finished(&host.Seen{Reason: reason.FrameMalformed})                      // no answer
	r.Live.Finished(&host.Seen{MTI: 0x0800, Network: 3, Code: pos.Code("zz")})      // a code of no table
	r.Live.Finished(&host.Seen{MTI: 0x0999, Reason: reason.Reason(250), Type: 255}) // nor this reason or function
	r.Live.Answered(300 * time.Microsecond)
	r.listeners = []Listener{{Kind: "tcp", Open: 5, Accepted: 7, TurnedAway: 2, Frames: 10, BadFrames: 1, Answers: 6}}
	f := scrape(t, Handler(r.Sources))
	got := map[string]float64{}
	for _, m := range f["touchstone_messages_total"].Metric {
		got[labelsOf(m)] = m.Counter.GetValue()
	}
	want := map[string]float64{
		"de39=00 function=sale reason=none": 3, "de39=A0 function=sale reason=mac_failed": 1, "de39=94 function=sale reason=none": 1,
		"de39=none function=unreadable reason=frame_malformed": 1, "de39=other function=sign_in reason=none": 1, "de39=none function=other reason=unknown": 1,
	}
	if len(got) != len(want) {
		t.Errorf("%d series, want %d: %v", len(got), len(want), got)
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s is %v, want %v", k, got[k], n)
		}
	}
	for name, value := range map[string]float64{"touchstone_messages_in_flight": 3, "touchstone_journal_head": 42, "touchstone_journal_durable": 42,
		"touchstone_connections_open": 5, "touchstone_module_sealed": 0, "touchstone_build_info": 1, "touchstone_test_data_directory": 0} {
		if f[name] == nil || f[name].Metric[0].Gauge.GetValue() != value {
			t.Errorf("%s is %v, want %v", name, f[name], value)
		}
	}
	if h := f["touchstone_answer_seconds"].Metric[0].Histogram; h.GetSampleCount() != 1 || h.GetSampleSum() != 0.0003 {
		t.Errorf("answer time: %v", h)
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "process_open_fds"} {
		if f[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestNoMessageMakesALabel gives every message type, code and reason there could be: the series stay
// those of the tables.
func TestNoMessageMakesALabel(t *testing.T) {
	r := newRig(t, time.Now())
	for mti := range 0x1000 {
		for _, code := range []string{"", "00", "A0", "'\n", "{}"} {
			for _, n := range []uint8{0, 1, 22, 23, 25, 99, 255} {
				s := &host.Seen{MTI: pos.MTI(mti), Type: pos.TransactionCode(n), Network: pos.NetworkCode(mti), Reason: reason.Reason(mti % 256)}
				copy(s.Code[:], code)
				r.Live.Finished(s)
			}
		}
	}
	allowed := map[string]bool{"none": true, "other": true, "unknown": true}
	for fn := range functions {
		allowed[fn.String()] = true
	}
	for _, x := range append(reason.All(), reason.None) {
		allowed[x.String()], allowed[x.DE39().String()] = true, true
	}
	for _, m := range scrape(t, Handler(r.Sources))["touchstone_messages_total"].Metric {
		for _, l := range m.Label {
			if !allowed[l.GetValue()] {
				t.Errorf("label %s has the value %q, of no table", l.GetName(), l.GetValue())
			}
		}
	}
}

// TestMetricsAreWellNamed asks Prometheus's own linter.
func TestMetricsAreWellNamed(t *testing.T) {
	problems, err := testutil.GatherAndLint(NewRegistry(newRig(t, time.Now()).Sources))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "touchstone_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestEveryMetricIsExplained: the page for operators has a row for each, and no other.
func TestEveryMetricIsExplained(t *testing.T) {
	page := readPage(t)
	rig := newRig(t, time.Now())
	var names []string
	for _, d := range slices.Concat(newExporter(rig.Sources).all, newAdmissionExporter(rig.Sources).all, newFailureExporter(rig.Sources).all, newDiagnosisExporter(rig.Sources).all, newIntegrationExporter(rig.Sources).all) {
		_, rest, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)
		names = append(names, name)
		if !strings.Contains(page, "| `"+name+"`") {
			t.Errorf("docs/operating/observing.md has no row for %s", name)
		}
	}
	for line := range strings.Lines(page) {
		if name, ok := strings.CutPrefix(line, "| `touchstone_"); ok {
			name, _, _ = strings.Cut(name, "`")
			if !slices.Contains(names, "touchstone_"+name) {
				t.Errorf("docs/operating/observing.md explains touchstone_%s, which is not shown", name)
			}
		}
	}
}

func TestPortShowsNothingElse(t *testing.T) {
	server := httptest.NewServer(Handler(newRig(t, time.Now()).Sources))
	defer server.Close()
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/metrics", 200}, {"GET", "/healthz", 200}, {"GET", "/readyz", 200}, {"HEAD", "/readyz", 200},
		{"GET", "/", 404}, {"GET", "/debug/pprof/", 404}, {"GET", "/debug/pprof/heap", 404}, {"GET", "/debug/vars", 404},
		{"POST", "/metrics", 405}, {"DELETE", "/healthz", 405}, {"GET", "/metrics/x", 404},
	} {
		req, err := http.NewRequest(c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, resp.StatusCode, c.want)
		}
	}
}
