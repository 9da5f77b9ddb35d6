package soft_test

import (
	"slices"
	"testing"
	"time"

	"touchstone/diagnosis"
	"touchstone/reason"
)

// BenchmarkDiagnose50Keys is one MAC failure that nothing explains, with 50 keys and every alteration: the dearest there
// is. It reports the 99th percentile; docs/design/024-diagnosis.md.
func BenchmarkDiagnose50Keys(b *testing.B) {
	for n, p := range profiles {
		b.Run(p.name, func(b *testing.B) {
			f := newFleet(b, p, uint64(n), 23)
			for range 4 {
				f.own.former = append(f.own.former, f.issue(b, f.own))
			}
			frame := f.frame(b, f.sale())
			setMAC(frame, f.bytes(4))
			c := f.caseOf(b, frame, reason.MACFailed)
			c.Keys = c.Keys[:min(len(c.Keys), diagnosis.MaxCandidates)]
			var took []time.Duration
			tried := uint32(0)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				c.Attempt = uint32(i)
				start := time.Now()
				tried = f.Diagnose(c).Tried
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(tried), "tried")
			b.ReportMetric(float64(len(c.Keys)), "keys")
		})
	}
}
