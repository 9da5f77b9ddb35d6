package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/proof"
	"touchstone/reason"
)

// panelCmd makes examinations of the diagnosis and marks them.
type panelCmd struct {
	New   panelNewCmd   `cmd:"" help:"Make up a day of traffic with faults by a seed of yours: a capture, a register, and answers apart."`
	Score panelScoreCmd `cmd:"" help:"Analyse such a capture and mark what was found by the answers."`
}

// The files of a panel.
const (
	panelCapture  = "day.pcap"
	panelRegister = "register"
	panelSealed   = "answers.json"
)

// panelNewCmd makes a panel.
type panelNewCmd struct {
	Seed  uint64 `name:"seed" required:"" help:"Any number; the same number makes the same traffic." placeholder:"N"`
	Cases int    `name:"cases" default:"100" help:"Shops, each with a case: honest, a fault of the table, one of no table, or two at once; 1 to 1000."`
	Out   string `name:"out" required:"" help:"Directory to make." placeholder:"DIR"`
}

// Help is shown by touchstone panel new --help.
func (panelNewCmd) Help() string {
	return `Makes DIR/day.pcap, DIR/register (a test data directory that knows the terminals and none of the traffic) and DIR/answers.json, and
prints the SHA-256 of the answers: note it before anything is analysed, and nobody can change them afterwards.

  touchstone panel new --seed 20260704 --out panel
  touchstone analyze panel/day.pcap --data panel/register
  touchstone panel score --capture panel/day.pcap --data panel/register --answers panel/answers.json --digest HEX

What the diagnosis is given are capture and register. Take the answers elsewhere meanwhile.`
}

// Run makes the files.
func (c *panelNewCmd) Run(a *app) error {
	if c.Cases < 1 || c.Cases > 1000 {
		return fmt.Errorf("--cases: %d is not from 1 to 1000", c.Cases)
	}
	if _, err := os.Stat(c.Out); err == nil {
		return fmt.Errorf("--out: %s is there already; name a directory to make", c.Out)
	}
	digest, answers, err := makePanel(a.ctx, c.Out, c.Seed, c.Cases)
	if a.ctx.Err() != nil { // whatever case it reached did not fail
		return fmt.Errorf("interrupted: %s holds no whole panel and may be deleted", c.Out)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "answers  sha256 %s\ncapture  %s\nregister %s\n%d cases, %d messages, %d of them wrong. Mark with: touchstone panel score --capture %s --data %s --answers %s --digest %s\n",
		digest, filepath.Join(c.Out, panelCapture), filepath.Join(c.Out, panelRegister), answers.Cases, answers.Messages, len(answers.Wrong),
		filepath.Join(c.Out, panelCapture), filepath.Join(c.Out, panelRegister), filepath.Join(c.Out, panelSealed), digest)
	return err
}

// makePanel makes a panel's files and gives the digest of its answers.
func makePanel(ctx context.Context, dir string, seed uint64, cases int) (digest string, answers *panelAnswers, err error) {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	register := filepath.Join(dir, panelRegister)
	d := &panelDay{answers: panelAnswers{Seed: seed, Cases: cases}}
	d.stage = &panelStage{chance: newPanelChance(key)}
	shops, rows := d.plan(cases)
	if err := registerPanel(ctx, register, shops); err != nil {
		return "", nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, panelCapture), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	if d.stage, err = openPanelStage(ctx, register, key, file); err != nil {
		return "", nil, err
	}
	state, err := os.MkdirTemp("", "touchstone-panel-")
	if err != nil {
		return "", nil, errors.Join(err, d.stage.close())
	}
	defer os.RemoveAll(state)
	d.place = &panelPlace{tcp: panelServer.String(), state: state, timeout: 10 * time.Second, now: func() time.Time { return d.stage.now.Time() },
		random: newPanelRandom(key), dial: func(ctx context.Context, local, remote string) (net.Conn, error) {
			return d.stage.dial(ctx, local, remote)
		}}
	for i, s := range shops {
		if err := d.play(ctx, s, rows[i]); err != nil {
			return "", nil, errors.Join(fmt.Errorf("case %d: %w", i, err), d.stage.close())
		}
	}
	d.answers.Messages = d.stage.sent
	if err := errors.Join(d.stage.close(), file.Sync()); err != nil {
		return "", nil, err
	}
	sealed, err := json.MarshalIndent(&d.answers, "", " ")
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("%x", sha256.Sum256(sealed)), &d.answers, os.WriteFile(filepath.Join(dir, panelSealed), sealed, 0o600)
}

// registerPanel makes a test data directory that knows the shops.
func registerPanel(ctx context.Context, dir string, shops []*panelShop) error {
	quiet := slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, quiet); err != nil {
		return err
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC,
		acquirerID: "48021000", issuerID: "01020000", log: quiet})
	if err != nil {
		return err
	}
	return errors.Join(e.seedPanel(ctx, shops), e.close())
}

// panelScoreCmd marks a panel.
type panelScoreCmd struct {
	Capture string `name:"capture" required:"" help:"The capture." placeholder:"FILE"`
	Data    string `name:"data" required:"" help:"The register: a test data directory." placeholder:"DIR"`
	Answers string `name:"answers" required:"" help:"The answers." placeholder:"FILE"`
	Digest  string `name:"digest" help:"SHA-256 of the answers as it was printed when they were made." placeholder:"HEX"`
	JSON    bool   `name:"json" help:"One JSON object."`
	Lang    string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone panel score --help.
func (panelScoreCmd) Help() string {
	return `Analyses the capture with the keys of the register and compares what was found with the answers. A false cause is the one mistake
that is not allowed: the exit code is 1 where there is one, or where the answers are not those of --digest.

  touchstone panel score --capture panel/day.pcap --data panel/register --answers panel/answers.json --digest HEX`
}

// panelScore is the marks.
type panelScore struct {
	Right    int      `json:"right_cause"`
	Unproven int      `json:"right_unproven"` // nothing was named where nothing can be proven
	Missed   int      `json:"missed"`         // unproven, though the rules of proof reach it
	Alike    int      `json:"alike"`          // indicated, not proven: a cause that no experiment on one message can tell from the true one
	Wrong    int      `json:"wrong"`          // a false cause
	Unseen   int      `json:"unseen"`         // the message was not found in the capture
	Honest   int      `json:"honest"`         // messages of which nothing was wrong
	Mistakes []string `json:"mistakes,omitempty"`

	byKind map[string]*panelScore
}

// Run analyses and marks.
func (c *panelScoreCmd) Run(a *app) error {
	lang, err := explain.ParseLanguage(c.Lang)
	if err != nil {
		return err
	}
	sealed, err := os.ReadFile(c.Answers)
	if err != nil {
		return err
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(sealed))
	if c.Digest != "" && !strings.EqualFold(c.Digest, sum) {
		return fmt.Errorf("--answers: their SHA-256 is %s, not %s: they are not the answers that were sealed", sum, c.Digest)
	}
	var answers panelAnswers
	if err := json.Unmarshal(sealed, &answers); err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	score, err := scorePanel(a.ctx, c.Capture, c.Data, &answers)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(score)
	} else {
		err = score.write(a.stdout, lang, sum)
	}
	if err == nil && score.Wrong > 0 {
		return exitError{1}
	}
	return err
}

// scorePanel analyses a capture and marks every message of it.
func scorePanel(ctx context.Context, captured, data string, answers *panelAnswers) (*panelScore, error) {
	if !isTestDirectory(data) {
		return nil, fmt.Errorf("--data: %s is no test data directory", data)
	}
	raw, err := os.ReadFile(captured)
	if err != nil {
		return nil, err
	}
	world, err := openMirror(ctx, mirrorOptions{dir: data, lock: testLock(data), policy: analyzePolicy()})
	if err != nil {
		return nil, err
	}
	defer world.close()
	open, kept := map[string]*panelAnswer{}, map[string]*panelAnswer{}
	for _, w := range answers.Wrong {
		if w.Kept {
			kept[w.Client+" "+w.Code] = w
		}
		open[w.Client+" "+w.MTI+" "+w.Trace+" "+w.Code] = w
	}
	s := &panelScore{byKind: map[string]*panelScore{}}
	_, err = analyzeCapture(ctx, bytes.NewReader(raw), analyzeOptions{world: world, each: func(f *captureFinding) error {
		client, _, _ := strings.Cut(f.Client, ":")
		key := client + " " + f.MTI + " " + f.Trace + " " + f.Code
		w, named := open[key]
		if delete(open, key); !named {
			w = kept[client+" "+f.Code]
		}
		s.mark(f, w)
		return nil
	}})
	for _, w := range open {
		s.Unseen++
		s.Mistakes = append(s.Mistakes, fmt.Sprintf("terminal %s trace %s: %s: not in the capture", w.Terminal, w.Trace, w.What))
	}
	slices.Sort(s.Mistakes)
	return s, err
}

// mark compares a finding with the truth; w is nil for an honest message.
func (s *panelScore) mark(f *captureFinding, w *panelAnswer) {
	named := f.Cause
	if f.Certainty != journal.Proven && f.Certainty != journal.Indicated || named == reason.NoCause.String() {
		named = ""
	}
	of := s
	if w != nil {
		if of = s.byKind[w.Kind]; of == nil {
			of = new(panelScore)
			s.byKind[w.Kind] = of
		}
	}
	count := func(n func(*panelScore) *int) {
		*n(s)++
		if of != s {
			*n(of)++
		}
	}
	switch {
	case w == nil && named == "":
		count(func(s *panelScore) *int { return &s.Honest })
	case w == nil:
		count(func(s *panelScore) *int { return &s.Wrong })
		s.Mistakes = append(s.Mistakes, fmt.Sprintf("terminal %s trace %s: honest, and %s %s", f.Terminal, f.Trace, f.Certainty, named))
	case named == "" && !w.Provable:
		count(func(s *panelScore) *int { return &s.Unproven })
	case named == "":
		count(func(s *panelScore) *int { return &s.Missed })
		s.Mistakes = append(s.Mistakes, fmt.Sprintf("terminal %s trace %s: %s: missed", f.Terminal, f.Trace, w.What))
	case slices.Contains(w.Causes, named):
		count(func(s *panelScore) *int { return &s.Right })
	case slices.Contains(w.Alike, named) && f.Certainty == journal.Indicated:
		count(func(s *panelScore) *int { return &s.Alike })
		s.Mistakes = append(s.Mistakes, fmt.Sprintf("terminal %s trace %s: %s: indicated %s, which looks alike", f.Terminal, f.Trace, w.What, named))
	default:
		count(func(s *panelScore) *int { return &s.Wrong })
		s.Mistakes = append(s.Mistakes, fmt.Sprintf("terminal %s trace %s: %s: %s %s is FALSE, %v is true", f.Terminal, f.Trace, w.What, f.Certainty, named, w.Causes))
	}
}

// write is the table of marks.
func (s *panelScore) write(w io.Writer, lang explain.Language, digest string) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s sha256 %s\n", two(lang, "answers", "答案"), digest)
	row := func(name string, m *panelScore) {
		fmt.Fprintf(&out, "%s %10d %10d %10d %10d %10d\n", pad(name, 12), m.Right, m.Unproven, m.Missed, m.Alike, m.Wrong)
	}
	fmt.Fprintf(&out, "%s %s %s %s %s %s\n", pad("", 12), padLeft(two(lang, "right", "正确"), 10), padLeft(two(lang, "unproven", "应无结论"), 10), padLeft(two(lang, "missed", "漏判"), 10), padLeft(two(lang, "alike", "近似"), 10), padLeft(two(lang, "WRONG", "误判"), 10))
	for _, kind := range []string{"listed", "unlisted", "composed"} {
		if m := s.byKind[kind]; m != nil {
			row(two(lang, kind, map[string]string{"listed": "在册故障", "unlisted": "未列故障", "composed": "复合故障"}[kind]), m)
		}
	}
	row(two(lang, "in all", "合计"), s)
	fmt.Fprintf(&out, "%s %d\n", pad(two(lang, "honest", "正常报文"), 12), s.Honest)
	for _, m := range s.Mistakes {
		fmt.Fprintln(&out, m)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// padLeft fills up with blanks on the left to columns, a Chinese character taking two.
func padLeft(text string, columns int) string {
	padded := pad(text, columns)
	return padded[len(text):] + text
}
