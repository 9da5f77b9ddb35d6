// Package registry holds who may speak: merchants, terminals, devices, what
// binds them together, and the permit, which says what a terminal may do now.
//
// A terminal (DE41) belongs to one merchant (DE42) and is bound to one device
// (its hardware serial number); each may be switched off, and a device may be
// lost, quarantined or found tampered with. The records are immutable values: a
// change is a new record in a journal entry. The room decides nothing about a
// message; package proof does.
//
// Sources: 银发〔2021〕259号 (one terminal, one serial number, one merchant);
// docs/protocol/unionpay-pos.md section 6.
package registry
