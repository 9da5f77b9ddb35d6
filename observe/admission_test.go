package observe

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/expfmt"
)

// TestAdmissionFigures: every figure of admission is shown under its own name, with words as labels.
func TestAdmissionFigures(t *testing.T) {
	got, err := testutil.CollectAndFormat(newAdmissionExporter(newRig(t, time.Now()).Sources), expfmt.TypeTextPlain)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"line_messages 1", "line_messages_high 2", "line_messages_limit 9", "shared_messages 3", "shared_messages_limit 8192",
		"refusals_journaled_total 5", "refusals_suppressed_total 6", "flood_summaries_total 7", "flood_keys 8", `admitted_total{work="financial"} 10`,
		`shed_total{cause="late",work="sign_in"} 11`} {
		if !strings.Contains(string(got), "\ntouchstone_"+want+"\n") {
			t.Errorf("not shown: touchstone_%s", want)
		}
	}
}
