package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/sqlite"
)

// cloneCmd is about terminals whose identity two devices bear.
type cloneCmd struct {
	List  cloneListCmd  `cmd:"" default:"withargs" help:"Terminals of which two devices are suspected, and with --all those that were cleared."`
	Show  cloneShowCmd  `cmd:"" help:"One terminal's messages in two lanes, what each says, and the likelihood that one device sent them."`
	Clear cloneClearCmd `cmd:"" help:"After a visit: one device is left. Two people agree."`
}

// Help is shown by touchstone clone --help.
func (cloneCmd) Help() string {
	return `One identity, two devices: the host compares each message with what its terminal said before, and tells when they contradict
being one device's. It opens an incident; served with --on-clone refuse it also refuses both until they are cleared.
What is seen, with which weight and why: docs/design/026-clone-proof.md. What to do: docs/operating/clone.md.

  touchstone clone
  touchstone clone show 00000023 --lang zh
  touchstone clone clear 00000023 --note "visit: one device, its board was exchanged on Monday" --as qian --with sun`
}

type cloneListCmd struct {
	journalDirectory
	All  bool   `name:"all" help:"Also those that were cleared."`
	JSON bool   `name:"json" help:"One JSON object a line."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// cloneCase is a suspicion as the journal's events tell it.
type cloneCase struct {
	Seq     uint64         `json:"entry"`
	At      time.Time      `json:"at"`
	Event   journal.Event  `json:"event"`
	Cleared *cloneClearing `json:"cleared,omitempty"`
}

type cloneClearing struct {
	Seq  uint64    `json:"entry"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Note string    `json:"note"`
}

// clonePage is how many events are read at once.
const clonePage = 1000

// cloneBook is every suspicion of a journal, oldest first, read so far.
type cloneBook struct {
	next  uint64 // the entry to go on with; 0 is the first
	cases []*cloneCase
}

// read takes in what is new.
func (b *cloneBook) read(ctx context.Context, r *sqlite.Reader) error {
	for {
		list, err := r.Events(ctx, max(b.next, 1), clonePage)
		if err != nil {
			return err
		}
		for i := range list {
			b.next = list[i].Seq + 1
			b.fold(&list[i])
		}
		if len(list) < clonePage {
			return nil
		}
	}
}

func (b *cloneBook) fold(e *sqlite.StoredEvent) {
	switch e.Event.Name {
	case proof.EventCloneSuspected:
		b.cases = append(b.cases, &cloneCase{Seq: e.Seq, At: e.At.Time(), Event: e.Event})
	case proof.EventCloneCleared:
		clearing := &cloneClearing{e.Seq, e.At.Time(), e.Event.Parameters[cloneBy], e.Event.Parameters[cloneNote]}
		for _, c := range b.cases {
			if c.Event.Terminal == e.Event.Terminal && c.Cleared == nil {
				c.Cleared = clearing
			}
		}
	}
}

// of are the suspicions of a terminal, oldest first; of every terminal for "". They are copies.
func (b *cloneBook) of(terminal string) (cases []*cloneCase) {
	for _, c := range b.cases {
		if terminal == "" || c.Event.Terminal == terminal {
			x := *c
			cases = append(cases, &x)
		}
	}
	return cases
}

// clonesOf reads every suspicion of the journal, oldest first; of one terminal unless it is "".
func clonesOf(ctx context.Context, r *sqlite.Reader, terminal string) (cases []*cloneCase, err error) {
	var b cloneBook
	if err := b.read(ctx, r); err != nil {
		return nil, err
	}
	return b.of(terminal), nil
}

// Run lists.
func (c *cloneListCmd) Run(a *app) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	cases, err := clonesOf(a.ctx, r, "")
	if err != nil {
		return notCancelled(a.ctx, err)
	}
	shown := 0
	for _, x := range cases {
		if x.Cleared != nil && !c.All {
			continue
		}
		if c.JSON {
			if err := json.NewEncoder(a.stdout).Encode(x); err != nil {
				return err
			}
		} else if err := l.cloneRow(x, shown == 0); err != nil {
			return err
		}
		shown++
	}
	if shown == 0 && !c.JSON {
		_, err = fmt.Fprintln(a.stdout, l.two("no clone is suspected", "无克隆嫌疑"))
	}
	return err
}

// cloneRow is one line of the list.
func (l *lines) cloneRow(x *cloneCase, first bool) error {
	p := x.Event.Parameters
	if first {
		fmt.Fprintf(l.w, " %s %s %s %s %s %s\n", pad(l.two("terminal", "终端"), 9), pad(l.two("suspected", "发现时间"), 19), pad(l.two("one device does this", "单台设备的可能"), 22),
			pad(l.two("A", "甲"), 17), pad(l.two("B", "乙"), 17), l.two("state", "状态"))
	}
	state := l.two("open", "待处理")
	if p[proof.SuspectKeys] != "yes" {
		state += l.two(", not under its keys", ", 未以其密钥证明")
	}
	if x.Cleared != nil {
		state = l.two("cleared by ", "已解除: ") + x.Cleared.By + ": " + x.Cleared.Note
	}
	_, err := fmt.Fprintf(l.w, " %s %s %s %s %s %s\n", pad(x.Event.Terminal, 9), x.At.In(l.zone).Format(time.DateTime), pad(l.oneIn(p[cloneLikelihood]), 22),
		pad(p[cloneAddressA], 17), pad(p[cloneAddressB], 17), state)
	return err
}

// oneIn words "1 in N".
func (l *lines) oneIn(text string) string {
	var n uint64
	if _, err := fmt.Sscanf(text, "1 in %d", &n); err != nil {
		return "?"
	}
	return l.two("about 1 in ", "约 1 / ") + thousands(n)
}

// thousands is a number with commas between thousands.
func thousands(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// cloneClearCmd ends a suspicion.
type cloneClearCmd struct {
	actFlags
	Terminal string `arg:"" help:"Terminal." placeholder:"ID"`
	Note     string `name:"note" required:"" help:"What the visit found, in a sentence; it stands in the journal for ever." placeholder:"TEXT"`
}

// Run clears.
func (c *cloneClearCmd) Run(a *app) error {
	if _, err := pos.ParseTerminalID(c.Terminal); err != nil {
		return fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	_, err := c.perform(a, change{CloneClear: &cloneClearChange{Terminal: c.Terminal, Note: c.Note}})
	return err
}

// cloneShowCmd shows the two lanes.
type cloneShowCmd struct {
	journalDirectory
	Terminal string `arg:"" help:"Terminal." placeholder:"ID"`
	Lines    int    `name:"lines" short:"n" default:"60" help:"Messages at most."`
	AsOf     string `name:"as-of" help:"As they were on a day (its end), or at an instant (RFC 3339)." placeholder:"DATE"`
	JSON     bool   `name:"json" help:"One JSON object."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// cloneLead is how much of the time before the first evidence is read, so that the lanes are as the host had them.
const cloneLead = 30 * time.Minute

// cloneRecent is what is read where nothing is suspected.
const cloneRecent = 6 * time.Hour

// Run reads the journal and draws.
func (c *cloneShowCmd) Run(a *app) error {
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	if c.Lines < 1 || c.Lines > maxCloneSteps {
		return fmt.Errorf("--lines: want 1 to %d", maxCloneSteps)
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	l, err := newLines(a.stdout, c.Lang, isTerminal(a.stdout) && a.getenv("NO_COLOR") == "")
	if err != nil {
		return err
	}
	cases, err := clonesOf(a.ctx, r, id.String())
	if err != nil {
		return notCancelled(a.ctx, err)
	}
	span, err := c.span(a.ctx, r, cases)
	if err != nil {
		return notCancelled(a.ctx, err)
	}
	t, err := readTimeline(a.ctx, r, id, span, allEntries(a.ctx, r))
	if err != nil {
		return notCancelled(a.ctx, err)
	}
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(t)
	}
	return l.timeline(t)
}

// span is what of the journal is told: up to now, or up to a past moment.
func (c *cloneShowCmd) span(ctx context.Context, r *sqlite.Reader, cases []*cloneCase) (*timelineSpan, error) {
	at, err := asOf(c.AsOf)
	if err != nil {
		return nil, err
	}
	if at == 0 {
		return &timelineSpan{cases, pos.Instant(time.Now().UnixNano()), 1<<63 - 1, c.Lines}, nil
	}
	next, err := firstSince(ctx, r, at+1)
	if err != nil {
		return nil, err
	}
	return &timelineSpan{casesKnown(cases, next-1), at, next - 1, c.Lines}, nil
}

// cloneTimeline is one terminal's messages in two lanes.
type cloneTimeline struct {
	Terminal string         `json:"terminal"`
	Case     *cloneCase     `json:"suspicion,omitempty"` // nil: none is open, and none was
	Weight   float64        `json:"weight"`              // decimal logarithm of how much likelier two devices are
	OneIn    uint64         `json:"one_in"`              // that one device did this: at most once in so many
	Decided  []cloneDecider `json:"decided"`             // the heaviest first
	Lanes    [2]cloneLane   `json:"lanes"`
	Messages []cloneMessage `json:"messages"`
}

type cloneDecider struct {
	Kind   string     `json:"kind"`
	Times  int        `json:"times"`
	Weight float64    `json:"weight"` // of one
	Says   clone.Text `json:"says"`
	Why    string     `json:"why"`
	WhyZH  string     `json:"why_zh"`
	Mark   string     `json:"confidence"`
}

type cloneLane struct {
	Addresses []string `json:"addresses"`
	KeySets   []uint32 `json:"key_sets,omitempty"`
	Messages  int      `json:"messages"`
}

type cloneMessage struct {
	Entry       uint64        `json:"entry"`
	At          time.Time     `json:"at"`
	Lane        string        `json:"lane"` // A, B, or "" where it cannot be told
	Keys        bool          `json:"under_its_keys"`
	MTI         string        `json:"mti"`
	Trace       string        `json:"trace"`
	Answer      string        `json:"de39"`
	Reason      string        `json:"reason"`
	Address     string        `json:"address"`
	Certificate string        `json:"certificate,omitempty"`
	KeySet      uint32        `json:"key_set,omitempty"`
	SignIn      bool          `json:"sign_in,omitempty"`
	Cause       uint64        `json:"cause,omitempty"` // the entry that found an earlier key behind it
	Says        []cloneSaying `json:"says,omitempty"`
	Total       float64       `json:"total"`
}

type cloneSaying struct {
	Kind   string     `json:"kind"`
	Weight float64    `json:"weight"`
	Text   clone.Text `json:"text"`
}

var errNoMessages = errors.New("no message of this terminal in the time that was read")
