package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Proving is what the host's watches say of authentication itself; docs/design/010-effectiveness.md.
type Proving struct {
	Rounds, Messages, Alarms uint64    // of the host's own canary
	Ineffective              int       // known-bad or good messages that are not judged as they must be now
	LastRound                time.Time // zero before the first, and without a canary
	Stopped                  int       // proofs on account of which sales are stopped
	Approvals, Full          uint64    // of the last 48 hours: all, and those whose every required proof held
}

// proving is the source, or nothing where none is set.
func (s *Sources) proving() Proving {
	if s.Proving == nil {
		return Proving{}
	}
	return s.Proving()
}

// provingDescs are the metrics of Proving.
type provingDescs struct {
	rounds, messages, alarms, ineffective, lastRound, stopped, approvals, full *prometheus.Desc
}

func newProvingDescs(d func(name, help string, labels ...string) *prometheus.Desc) provingDescs {
	return provingDescs{
		rounds:      d("canary_rounds_total", "Rounds of the host's own canary."),
		messages:    d("canary_messages_total", "Known-bad and good messages it sent."),
		alarms:      d("canary_alarms_total", "Times a message began to be judged otherwise than it must be."),
		ineffective: d("canary_ineffective", "Messages that are not judged as they must be now."),
		lastRound:   d("canary_last_round_timestamp_seconds", "When its last round ended, 0 before the first."),
		stopped:     d("proofs_stopped", "Proofs on account of which sales are stopped."),
		approvals:   d("approvals_kept", "Approvals of the last 48 hours that the figures hold."),
		full:        d("approvals_fully_proven", "Those of them whose every required proof held."),
	}
}

func (e *exporter) collectProving(s sender) {
	p, d := e.s.proving(), &e.proving
	s.counter(d.rounds, p.Rounds)
	s.counter(d.messages, p.Messages)
	s.counter(d.alarms, p.Alarms)
	s.gauge(d.ineffective, float64(p.Ineffective))
	at := 0.0
	if !p.LastRound.IsZero() {
		at = float64(p.LastRound.UnixNano()) / float64(time.Second)
	}
	s.gauge(d.lastRound, at)
	s.gauge(d.stopped, float64(p.Stopped))
	s.gauge(d.approvals, float64(p.Approvals))
	s.gauge(d.full, float64(p.Full))
}
