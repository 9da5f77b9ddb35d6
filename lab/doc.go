// Package lab is the certification laboratory: a catalogue of requirements as data, assessments of a subject
// against a profile of them, findings that live until they are closed, and the security certificate.
//
// A verdict of this room is no approval by PCI, EMVCo or UnionPay, and says so wherever it is shown.
package lab
