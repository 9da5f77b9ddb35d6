package observe

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAdmissionFigures: every figure of admission is shown under its own name, with words as labels.
func TestAdmissionFigures(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(newRig(t, time.Now()).Sources).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"line_messages 1", "line_messages_high 2", "line_messages_limit 9", "shared_messages 3", "shared_messages_limit 8192",
		"refusals_journaled_total 5", "refusals_suppressed_total 6", "flood_summaries_total 7", "flood_keys 8", `admitted_total{work="financial"} 10`,
		`shed_total{cause="late",work="sign_in"} 11`} {
		if !strings.Contains(w.Body.String(), "\ntouchstone_"+want+"\n") {
			t.Errorf("not shown: touchstone_%s", want)
		}
	}
}
