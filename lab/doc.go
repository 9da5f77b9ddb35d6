// Package lab is the certification laboratory: a catalogue of requirements as data, assessments of a subject
// against a profile of them, findings that live until they are closed, and the security certificate.
//
// A verdict of this room is no approval by PCI, EMVCo or UnionPay, and says so wherever it is shown. An assessor
// whose organisation makes the subject, or acquires with it, gives a self-declaration, which says so too.
//
// The room decides and remembers. What touches the world is done by others: package lab/probe sends messages,
// lab/inspect opens packages, lab/attest signs and verifies certificates. In use:
//
//	c, err := lab.LoadCatalogue()
//	p, err := lab.LoadProfile(c)
//	run, drafts, err := lab.Start(state, lab.Beginning{...}, now)
//	drafts, err = lab.Observe(state, observation, by, now)
//	decision := lab.Decide(c, p, state.Observations(run.ID), state.Findings(run.ID), now)
//
// Sources: docs/design/019-laboratory.md; the sources of each requirement stand in catalogue.json with how far
// each was verified.
package lab
