package main

import "testing"

const someMetrics = `# TYPE touchstone_diagnosis_seconds histogram
touchstone_diagnosis_seconds_bucket{le="0.001"} 50
touchstone_diagnosis_seconds_bucket{le="0.004"} 98
touchstone_diagnosis_seconds_bucket{le="0.016"} 100
touchstone_diagnosis_seconds_bucket{le="+Inf"} 100
touchstone_diagnosis_seconds_count 100
touchstone_diagnosis_queue_high 17
touchstone_diagnosis_causes_total{certainty="proven"} 3
touchstone_diagnosis_not_tried_total{why="late"} 5
`

// TestFiguresOfDiagnosis: what the table says is read from the metrics as they are written.
func TestFiguresOfDiagnosis(t *testing.T) {
	if got := quantile(someMetrics, diagnosisTook, 0.99); got != "0.016" {
		t.Errorf("p99 %s", got)
	}
	if got := quantile(someMetrics, diagnosisTook, 0.5); got != "0.001" {
		t.Errorf("median %s", got)
	}
	if got := metric(someMetrics, diagnosisQueue); got != "17" || metric(someMetrics, "touchstone_diagnosis_queue") != "?" {
		t.Errorf("queue %s", got)
	}
	if got := causesIn(someMetrics); got != "3 proven, 5 late" {
		t.Errorf("causes %q", got)
	}
	if !atMost("17", "256") || atMost("257", "256") || atMost("?", "256") {
		t.Error("bounds")
	}
}
