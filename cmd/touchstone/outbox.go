package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/tracing"
)

// noticeFile is where a data directory keeps how others are told, when no other file is named.
const noticeFile = "notify.toml"

// outgoingDirectory is where notices by file are put.
const outgoingDirectory = "outgoing"

// noticeFlags say how others are told.
type noticeFlags struct {
	Notify string `name:"notify" help:"TOML file: address book, mail server, SMS gateway, webhooks; notify.toml of the data directory when there is one." placeholder:"FILE"`
}

// outboxed is what the engine knows of sending.
type outboxed struct {
	notices      *notify.Config // nil: nobody is told, and noticesErr says why
	noticesErr   error
	mailbox      string        // address of the demonstration's mail catcher, "" none
	mailboxTaken bool          // it is another than was asked for
	wake         chan struct{} // something may be due now
	sending      atomic.Bool   // the outbox runs: what is queued leaves
	rest         time.Duration // between two looks where nothing wakes it; 0 is outboxRest

	// noticeSource gives the facts of an incident; nil is the rooms themselves. Tests give others.
	noticeSource func(ctx context.Context, d *noticeDraftChange) (*notify.Facts, error)
}

var errNoNotices = errors.New("no address book: give --notify FILE, or write " + noticeFile + " in the data directory (docs/operating/notices.md)")

// loadNotices reads the configuration. One that cannot be used keeps nobody from opening the directory, but is told
// to whoever would send, and serve refuses to start with it.
func (e *engine) loadNotices(path string) error {
	e.wake = make(chan struct{}, 1)
	named := path != ""
	if !named {
		path = filepath.Join(e.dir, noticeFile)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !named {
		e.noticesErr = errNoNotices
		return nil
	}
	var c *notify.Config
	if err == nil {
		c, err = notify.ParseConfig(text)
	}
	var abs string
	if err == nil {
		abs, err = filepath.Abs(path)
	}
	if err != nil {
		e.noticesErr = fmt.Errorf("%s: %w", path, err)
		return e.noticesErr
	}
	c.Resolve(filepath.Dir(abs), filepath.Join(e.dir, outgoingDirectory))
	e.notices = c
	return nil
}

// Bounds of the outbox.
const (
	outboxLook  = 64          // notices of one round
	outboxRest  = time.Second // between two looks, where nothing wakes it
	outboxGrace = 2 * time.Second
)

// startOutbox sends what is due until the returned func is called, which waits for the attempt that is going on to be recorded.
func (e *engine) startOutbox(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.sending.Store(true)
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.recoverAttempts(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("interrupted notices are not recorded", slog.String("error", err.Error()))
			return
		}
		rest := time.NewTicker(cmp.Or(e.rest, outboxRest))
		defer rest.Stop()
		for {
			for e.sendDue(ctx) {
			}
			select {
			case <-ctx.Done():
				return
			case <-e.wake:
			case <-rest.C:
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// wakeOutbox lets the outbox look at once.
func (e *engine) wakeOutbox() {
	select {
	case e.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// recoverAttempts records attempts during which the program ended. Whether the other side has the notice nobody knows: one that
// tells a second from the first by its key is sent it again, for every other a person decides.
func (e *engine) recoverAttempts(ctx context.Context) error {
	var ids []string
	channels := map[string]redress.Channel{}
	e.office.view(func(r *rooms) {
		for _, n := range r.redress.Interrupted() {
			ids = append(ids, n.ID)
			channels[n.ID] = n.To.Channel
		}
	})
	for _, id := range ids {
		if err := e.endAttempt(ctx, id, channels[id], redress.Cut()); err != nil {
			return err
		}
	}
	return nil
}

// sendDue tries what is due, each channel by itself so that one that hangs does not keep the others waiting. more tells that
// all of a full round was answered, so that the next may follow at once.
func (e *engine) sendDue(ctx context.Context) (more bool) {
	if e.notices == nil || ctx.Err() != nil {
		return false
	}
	var due []*redress.Notice
	e.office.view(func(r *rooms) { due, _ = r.redress.DueNotices(e.clock(), outboxLook) })
	lanes := map[redress.Channel][]*redress.Notice{}
	for _, n := range due {
		lanes[n.To.Channel] = append(lanes[n.To.Channel], n)
	}
	var all sync.WaitGroup
	var answered atomic.Int64
	for _, lane := range lanes {
		all.Go(func() { answered.Add(int64(e.sendLane(ctx, lane))) })
	}
	all.Wait()
	return len(due) == outboxLook && answered.Load() == outboxLook
}

// sendLane sends one after the other. When a mail server cannot be reached at all the rest of the lane is not tried in this
// round: it stays due, and its attempts are not used up.
func (e *engine) sendLane(ctx context.Context, lane []*redress.Notice) (answered int) {
	for _, n := range lane {
		if ctx.Err() != nil {
			return answered
		}
		result, err := e.sendOne(ctx, n)
		if err != nil {
			if ctx.Err() == nil {
				e.log.Warn("notice not recorded", slog.String("notice", n.ID), slog.String("error", err.Error()))
			}
			return answered
		}
		if result == redress.Unreachable && n.To.Channel == redress.ByMail {
			return answered
		}
		answered++
	}
	return answered
}

// sendOne is one attempt: recorded before, made, recorded after, also when the program is being told to end.
func (e *engine) sendOne(ctx context.Context, n *redress.Notice) (redress.AttemptResult, error) {
	message, err := e.keptFile(n.Message)
	if err != nil {
		return "", fmt.Errorf("message of %s: %w", n.ID, err)
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return redress.BeginAttempt(r.redress, n.ID, now)
	})
	if err != nil {
		return "", err
	}
	begun := time.Now()
	out := e.notices.Send(ctx, &notify.Outgoing{ID: n.ID, To: n.To, Key: n.Key, Message: message})
	e.traces.outward("notice "+string(n.To.Channel), tracing.NewContext(), begun, out.Result != redress.Accepted, tracing.Attribute{Name: "touchstone.notice", Value: n.ID}, tracing.Attribute{Name: "touchstone.result", Value: string(out.Result)})
	end := redress.Attempt{Result: out.Result, Code: out.Code, Text: out.Text, Reference: out.Reference}
	if len(out.Talk) > 0 {
		if end.Talk, err = e.keepFile(out.Talk); err != nil {
			e.log.Warn("conversation not kept", slog.String("notice", n.ID), slog.String("error", err.Error()))
			end.Talk = ""
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxGrace)
	defer cancel()
	return out.Result, e.endAttempt(ctx, n.ID, n.To.Channel, end)
}

func (e *engine) endAttempt(ctx context.Context, id string, by redress.Channel, end redress.Attempt) error {
	policy, resends := redress.NoticePolicy{Attempts: redress.MaxAttempts, First: outboxRest, Longest: time.Minute}, false
	if e.notices != nil {
		var err error
		if policy, err = e.notices.Policy(); err != nil {
			return err
		}
		resends = e.notices.Resends(by)
	}
	return e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return redress.EndAttempt(r.redress, id, end, resends, policy, now)
	})
}
