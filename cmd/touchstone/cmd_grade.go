package main

import (
	"encoding/json"
	"fmt"
	"time"

	"touchstone/grade"
)

// gradeCmd says what the proofs of terminals are worth.
type gradeCmd struct {
	Show gradeShow  `cmd:"" default:"withargs" help:"The fleet by axis, the worst first; or one terminal, axis by axis."`
	Plan gradeSteps `cmd:"" help:"The steps that raise grades most for the least work, in order."`
}

// Help is shown by touchstone grade --help.
func (gradeCmd) Help() string {
	return `Seven axes: MAC algorithm, age of working keys, age of the master key, PIN block, serial number's proof, track data, line.
A terminal is worth its weakest. What is registered counts, and what the journal saw in the last one to two days: the worse of
the two. Nothing is refused for a grade unless policy says so: refuse-mac, refuse-weak-mac, require-tls, require-network. See
docs/operating/grades.md.

  touchstone grade --data shop
  touchstone grade 00000023 --data shop
  touchstone grade plan --data shop
  touchstone explain fold`
}

// gradeQuestion are the flags of a question about grades.
type gradeQuestion struct {
	Data     string `name:"data" default:"touchstone-data/demo" help:"Data directory; a host may run on it." placeholder:"DIR"`
	Merchant string `name:"merchant" help:"Only the terminals of this shop, 15 characters." placeholder:"ID"`
	Model    string `name:"model" help:"Only devices of this model." placeholder:"MODEL"`
	JSON     bool   `name:"json" help:"One JSON object."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`

	WorkingStrong   time.Duration `name:"working-strong" default:"24h" help:"Working keys older than this are no longer strong (unverified)."`
	WorkingAccepted time.Duration `name:"working-accepted" default:"48h" help:"Working keys older than this are weak (unverified)."`
	SignIns         float64       `name:"sign-ins-a-day" default:"24" help:"More sign-ins a day are too many (unverified)."`
	MasterStrong    int           `name:"master-strong-days" default:"365" help:"Master keys older than this are no longer strong (unverified)."`
	MasterAccepted  int           `name:"master-accepted-days" default:"1095" help:"Master keys older than this are weak (unverified)."`
}

func (f *gradeQuestion) thresholds() grade.Thresholds {
	const day = 24 * time.Hour
	return grade.Thresholds{WorkingStrong: f.WorkingStrong, WorkingAccepted: f.WorkingAccepted, SignInsADay: f.SignIns,
		MasterStrong: time.Duration(f.MasterStrong) * day, MasterAccepted: time.Duration(f.MasterAccepted) * day}
}

// ask asks the host that runs on the directory, or reads its journal. No key is needed for either.
func (f *gradeQuestion) ask(a *app, q gradeQuery) (answer *gradeAnswer, show *lines, written bool, err error) {
	if show, err = newLines(a.stdout, f.Lang, false); err != nil {
		return nil, nil, false, err
	}
	q.Merchant, q.Model, q.Thresholds = f.Merchant, f.Model, f.thresholds()
	raw, running, err := ask(f.Data, change{Grade: &q})
	switch {
	case err != nil:
		return nil, nil, false, err
	case running:
		answer = new(gradeAnswer)
		if err := json.Unmarshal(raw, answer); err != nil {
			return nil, nil, false, fmt.Errorf("read the running host's answer: %w", err)
		}
	default:
		r, err := journalDirectory{f.Data}.open()
		if err != nil {
			return nil, nil, false, err
		}
		defer r.Close()
		if answer, err = gradeJournal(a.ctx, r, &q, gradeNow()); err != nil {
			return nil, nil, false, err
		}
	}
	if answer.Rebuilding {
		fmt.Fprintln(a.stderr, show.two("the host is still reading what it saw in the last two days", "主机仍在读取最近两天的记录"))
	}
	if f.JSON {
		return nil, nil, true, json.NewEncoder(a.stdout).Encode(answer)
	}
	return answer, show, false, nil
}

type gradeShow struct {
	gradeQuestion
	Terminal string `arg:"" optional:"" help:"Terminal, 8 characters; without it the fleet."`
}

// Run shows the fleet or one terminal.
func (c *gradeShow) Run(a *app) error {
	answer, show, written, err := c.ask(a, gradeQuery{Terminal: c.Terminal})
	if err != nil || written {
		return err
	}
	s := &screen{l: show}
	if answer.Terminal != nil {
		s.terminalGrade(answer)
	} else {
		s.fleetGrade(answer)
	}
	return s.flush(a.stdout)
}

type gradeSteps struct{ gradeQuestion }

// Run shows the plan.
func (c *gradeSteps) Run(a *app) error {
	answer, show, written, err := c.ask(a, gradeQuery{Plan: true})
	if err != nil || written {
		return err
	}
	s := &screen{l: show}
	s.gradePlan(answer)
	return s.flush(a.stdout)
}
