// Package tracing hands spans of what was done to an OpenTelemetry collector, by OTLP over HTTP with protobuf. Spans are made
// when what they tell of has ended, from instants that were measured anyway: there is no context that is carried through the
// program, and what is not sampled costs a comparison. A collector that is slow or away loses spans, never a message.
//
// The exporter of the OpenTelemetry project does the same but links gRPC, nine megabytes of program, whichever protocol is
// used; so the request is made here from the project's own generated messages.
//
// Sources: opentelemetry-proto 1.x, collector/trace/v1 (ExportTraceServiceRequest has the wire form of TracesData); OTLP 1.x,
// section OTLP/HTTP; W3C Trace Context, Level 1.
package tracing
