// Package incident gathers failures into incidents, which people work on and close: severity, owner, timeline,
// cause with its proof, the clocks within which others must be told, and the scope from which the exposed
// transactions follow.
//
// An incident is opened by a rule over the journal (Correlator finds, Take decides), by a report of a consumer or
// a merchant that a person takes up, by an inspection's alarm, or by a person. Rules, clocks, severities and kinds
// are data (directory data, and what was loaded since), with a confidence mark where a text of law or a scheme
// says so.
//
// The room decides and folds. It sends nothing, reads no clock and no journal: who does is cmd/touchstone.
//
// Sources: docs/design/020-incident.md; PCI DSS v4.0.1 requirement 12.10; GB/T 20986 grades of events.
package incident
