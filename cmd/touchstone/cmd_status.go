package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/web/api"
)

// statusCmd shows what a running host does, or what a directory says when none runs.
type statusCmd struct {
	Data  string `name:"data" default:"touchstone-data/demo" help:"Data directory." placeholder:"DIR"`
	JSON  bool   `name:"json" help:"One JSON object."`
	AsOf  string `name:"as-of" help:"As it was on a day (its end), or at an instant (RFC 3339): what the journal says of it." placeholder:"DATE"`
	Watch bool   `name:"watch" short:"w" help:"Again every two seconds until Ctrl-C."`
	Lang  string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone status --help.
func (statusCmd) Help() string {
	return `Asks the host by the control socket of its data directory; it needs neither a port nor a key. The exit code is 3 when no
host runs there. The same figures over time are at /metrics: see docs/operating/observing.md.

  touchstone status
  touchstone status --data shop --watch --lang zh`
}

// noHost is the exit code when no host runs on the directory.
const noHost = 3

// statusTime is how long a host may take to answer: one that is busy still does, one that hangs does not.
const statusTime = 3 * time.Second

// watchEvery is the pace of --watch.
const watchEvery = 2 * time.Second

// statusQuery asks a running host for its status.
type statusQuery struct {
	AsOf pos.Instant `json:"as_of,omitempty"` // 0: now
}

// errRequest is what a sender is told whose request is none.
var errRequest = errors.New("control request: not one that this version knows")

// respond answers one control request: a question, or a change.
func (e *engine) respond(ctx context.Context, c change) (any, error) {
	switch {
	case c.Status != nil && c.Status.AsOf != 0:
		return e.statusAt(ctx, c.Status.AsOf)
	case c.Status != nil:
		return e.status(), nil
	case c.Effectiveness != nil:
		report, ready := e.watch.report(effectiveness.Range{From: c.Effectiveness.From, To: c.Effectiveness.To})
		return effectivenessAnswer{report, !ready}, nil
	case c.Failures != nil:
		return e.failuresOf(c.Failures), nil
	case c.Judge != nil:
		return e.judge(c.Judge)
	case c.CanaryRound != nil:
		return e.canaryRound(ctx), nil
	case c.Incidents != nil:
		return e.incidents(c.Incidents)
	case c.People != nil:
		return e.people(), nil
	case c.PermitQuery != nil:
		return e.answerPermit(ctx, c.PermitQuery)
	case c.Grade != nil:
		return e.grades(ctx, c.Grade)
	case c.Updates != nil:
		return e.updates(ctx, c.Updates)
	case c.Seal != nil:
		return e.sealedNumber(c.Seal)
	case c.Devices != nil:
		return e.devices(ctx, c.Devices)
	case c.Policy != nil:
		return e.passwords(), nil
	case c.OldPINs != nil:
		return e.oldPINs(c.OldPINs), nil
	case c.Register != nil:
		return e.register(c.Register), nil
	case c.Scope != nil:
		a, _, err := e.scope(c.Scope.Scope)
		return a, err
	case c.Claims != nil:
		return e.claims(c.Claims)
	case c.Notices != nil:
		return e.noticesOf(c.Notices)
	case c.LabQuery != nil:
		return e.askLab(ctx, c.LabQuery)
	case c.APIKeys != nil:
		return e.apiKeys(ctx, c.APIKeys.AsOf)
	case c.Webhooks != nil:
		return e.webhooks(ctx, c.Webhooks)
	}
	return e.apply(ctx, c)
}

// Run shows the status once, or again and again.
func (c *statusCmd) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, isTerminal(a.stdout) && a.getenv("NO_COLOR") == "")
	if err != nil {
		return err
	}
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	if at != 0 {
		return c.then(a, show, at)
	}
	for {
		code, err := c.once(a, show)
		if err != nil || !c.Watch {
			if err == nil && code != 0 {
				return exitError{code}
			}
			return err
		}
		select {
		case <-a.ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
		if isTerminal(a.stdout) && !c.JSON {
			fmt.Fprint(a.stdout, "\x1b[H\x1b[2J")
		}
	}
}

// then shows the status of a past moment, once.
func (c *statusCmd) then(a *app, show *lines, at pos.Instant) error {
	raw, running, err := ask(c.Data, change{Status: &statusQuery{AsOf: at}})
	if err == nil && !running {
		err = errNoHostThen(c.Data)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(a.stdout, "%s\n", raw)
		return err
	}
	var st api.Status
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("read the running host's answer: %w", err)
	}
	return writeStatusThen(a.stdout, show, &st)
}

func (c *statusCmd) once(a *app, show *lines) (code int, err error) {
	raw, running, err := askWithin(c.Data, change{Status: &statusQuery{}}, statusTime)
	if err != nil {
		return 0, err
	}
	if !running {
		at, err := readAtRest(a.ctx, c.Data)
		if err != nil {
			return 0, err
		}
		if c.JSON {
			return noHost, json.NewEncoder(a.stdout).Encode(at)
		}
		return noHost, at.write(a.stdout, show)
	}
	var st observe.Status
	if err := json.Unmarshal(raw, &st); err != nil {
		return 0, fmt.Errorf("read the running host's answer: %w", err)
	}
	if c.JSON {
		_, err := fmt.Fprintf(a.stdout, "%s\n", raw)
		return 0, err
	}
	return 0, writeStatus(a.stdout, show, &st)
}

// atRest is what a data directory says when no host runs on it.
type atRest struct {
	Running   bool       `json:"running"` // false
	Directory string     `json:"directory"`
	Test      bool       `json:"test_data_directory"`
	Last      uint64     `json:"last_entry"`
	At        *time.Time `json:"at,omitempty"` // of the last entry
	InOrder   bool       `json:"ended_in_order"`
	Bytes     int64      `json:"bytes"`
}

func readAtRest(ctx context.Context, dir string) (at atRest, err error) {
	at = atRest{Directory: dir, Test: isTestDirectory(dir)}
	info, err := os.Stat(filepath.Join(dir, journalName))
	if err != nil {
		return at, fmt.Errorf("%s: no journal is here, and no host runs: %w", dir, err)
	}
	at.Bytes, at.InOrder = info.Size(), true
	// A host that ends in order moves its write-ahead log into the journal; one that was killed leaves it.
	if wal, err := os.Stat(filepath.Join(dir, journalName+"-wal")); err == nil && wal.Size() > 0 {
		at.Bytes, at.InOrder = at.Bytes+wal.Size(), false
	}
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		return at, fmt.Errorf("open journal of %s: %w", dir, err)
	}
	defer r.Close()
	if at.Last, _, err = r.Head(ctx); err != nil || at.Last == 0 {
		return at, err
	}
	var last journal.Entry
	if last, err = r.Entry(ctx, at.Last); err != nil {
		return at, err
	}
	t := last.At.Time()
	at.At = &t
	return at, nil
}

func (r *atRest) write(w io.Writer, l *lines) error {
	s := &screen{l: l}
	s.line("\n  "+l.two("No host runs on %s.", "没有主机在 %s 上运行。"), r.Directory)
	if r.At != nil {
		s.row(l.two("last entry", "最后记录"), l.two("%s of %s", "第 %s 条, %s"), count(r.Last), r.At.In(l.zone).Format(time.DateTime))
	} else {
		s.row(l.two("last entry", "最后记录"), "%s", l.two("none", "无"))
	}
	end := l.two("in order", "正常结束")
	if !r.InOrder {
		end = l.two("not in order: killed, or the machine stopped; nothing answered is lost, the next start reads it again",
			"非正常结束: 被强制终止或断电; 已应答的交易不会丢失, 下次启动时会重新读入")
	}
	s.row(l.two("ended", "结束"), "%s", end)
	s.row(l.two("journal", "日志"), "%s", size(r.Bytes))
	if r.Test {
		s.row(l.two("keys", "密钥"), "%s", l.two("published: a test data directory", "已公开: 测试数据目录"))
	}
	s.line("  %s", fmt.Sprintf(l.two("Check it: %s journal verify --data %s", "校验: %s journal verify --data %s"), program(), r.Directory))
	return s.flush(w)
}
