// Package observe tells what the host is doing: it counts every finished message
// in memory, and shows the figures as Prometheus metrics, as health and readiness
// for a supervisor, and as one Status for a person.
//
// It decides nothing and keeps nothing: every figure begins with the process, and
// the journal stays the truth. Labels come from tables of this program (functions,
// reasons, answer codes, kinds of listener), never from the wire, so their number
// is bounded and no identifier, card number or text of a message can become one.
//
// Counting a message is a few atomic additions and no clock reading: the two times
// it is given were read by the line and the listener anyway. Rates and percentiles
// over the last seconds and minutes come from samples that Run takes once a second.
//
// Sources: the Prometheus exposition format 0.0.4 and OpenMetrics 1.0 by
// github.com/prometheus/client_golang; docs/operating/observing.md lists every metric.
package observe
