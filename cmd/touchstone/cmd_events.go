package main

import (
	"encoding/json"
	"fmt"
	"time"

	"touchstone/journal"
	"touchstone/sqlite"
)

// eventsCmd lists the events of the journal, also while a host runs on it.
type eventsCmd struct {
	journalDirectory
	Lines  int    `name:"lines" short:"n" default:"50" help:"How many, the newest."`
	Follow bool   `name:"follow" short:"f" help:"Go on with new events until Ctrl-C."`
	JSON   bool   `name:"json" help:"One JSON object a line."`
	Lang   string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone events --help.
func (eventsCmd) Help() string {
	return `What no message says by itself: authentication found ineffective by the canary and proving again, sales stopped and
resumed, and terminals that prove themselves otherwise than their own history has it.`
}

// shownEvent is one line of --json.
type shownEvent struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
	journal.Event
}

// Run prints the newest events and, with --follow, those to come.
func (c *eventsCmd) Run(a *app) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	show, err := newLines(a.stdout, c.Lang, isTerminal(a.stdout))
	if err != nil {
		return err
	}
	next := uint64(0)
	for {
		list, err := r.Events(a.ctx, next, max(c.Lines, 1))
		if err != nil {
			return notCancelled(a.ctx, err)
		}
		for _, e := range list {
			if err := c.print(a, show, e); err != nil {
				return err
			}
			next = e.Seq + 1
		}
		if !c.Follow {
			return nil
		}
		select {
		case <-a.ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

func (c *eventsCmd) print(a *app, show *lines, e sqlite.StoredEvent) error {
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(shownEvent{e.Seq, e.At.Time(), e.Event})
	}
	_, err := fmt.Fprintf(a.stdout, "%s  %-7s  %s\n", e.At.Time().In(show.zone).Format("2006-01-02 15:04:05"), e.Severity, show.eventLine(&e.Event))
	return err
}
