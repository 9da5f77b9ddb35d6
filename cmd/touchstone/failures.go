package main

import (
	"sync"

	"touchstone/effectiveness"
	"touchstone/failure"
	"touchstone/journal"
	"touchstone/observe"
	"touchstone/pos"
)

// failures are the running host's figures of refusals, of the last two days.
type failures struct {
	mu    sync.Mutex // guards table; no other lock is taken under it but the leaf of the register
	table *failure.Table
}

func newFailures(lookup func(pos.TerminalID) (failure.Facts, bool)) *failures {
	return &failures{table: failure.New(lookup, failure.LiveBounds())}
}

// fold takes one durable entry, on the watch's goroutine.
func (f *failures) fold(e journal.Entry) {
	f.mu.Lock()
	f.table.Fold(e)
	f.mu.Unlock()
}

func (f *failures) report(r effectiveness.Range) failure.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.table.Report(r)
}

// failureFacts is what is registered of a terminal, for the figures.
func (e *engine) failureFacts(id pos.TerminalID) (failure.Facts, bool) {
	f, ok := e.factsOf(id)
	return failure.Facts{Model: f.Model, Version: f.Version}, ok
}

// observedFailures are the figures of the last 24 hours, as metrics and the status screen show them.
func (e *engine) observedFailures() observe.Failures {
	now := effectiveness.HourOf(e.clock())
	r := e.failures.report(effectiveness.Range{From: now - 23})
	rate := r.FalseFailures()
	return observe.Failures{Approved: r.Approved, Refused: r.Total.Sales, RefusedAmount: int64(r.Total.Amount), Wrong: r.WrongSales, Unknown: r.UnknownSales,
		Least: rate.Least, Most: rate.Most, WrongTerminals: r.WrongTerminals, Terminals: r.Terminals,
		Recovered: observe.Purchases{Number: r.Recovered.Number, Amount: int64(r.Recovered.Amount)},
		Lost:      observe.Purchases{Number: r.Lost.Number, Amount: int64(r.Lost.Amount)},
		Waiting:   observe.Purchases{Number: r.Waiting.Number, Amount: int64(r.Waiting.Amount)}}
}
