package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/terminal"
	"touchstone/terminal/load"
	"touchstone/transaction"
)

// journalCount counts a crew's approved sales in a journal from a point on.
type journalCount struct {
	reader *sqlite.Reader
	from   uint64 // the first entry that may be of the run
	crew   map[pos.TerminalID]*batchTraces
}

// batchTraces are the traces of a terminal's approved sales in one batch.
type batchTraces struct {
	batch  pos.BatchNo
	traces transaction.Spans
}

func openJournalCount(ctx context.Context, dir string, crew []load.Member) (*journalCount, error) {
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		return nil, err
	}
	last, _, err := r.Head(ctx)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	c := &journalCount{reader: r, from: last + 1, crew: map[pos.TerminalID]*batchTraces{}}
	for _, m := range crew {
		c.crew[m.Config.Terminal] = &batchTraces{}
	}
	return c, nil
}

func (c *journalCount) close() { c.reader.Close() } // it was only read

// journalFound is what a journal holds of a run.
type journalFound struct {
	First    uint64 `json:"first_entry"`
	Last     uint64 `json:"last_entry"`
	Sold     uint64 `json:"approved_sales"`
	Repeated uint64 `json:"repeated_traces"` // approved sales whose trace an earlier one had
}

// checkEnds bounds the counting, which goes on when the run was told to end.
const checkEnds = 5 * time.Minute

func (c *journalCount) count(ctx context.Context) (*journalFound, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkEnds)
	defer cancel()
	f := &journalFound{First: c.from}
	next := c.from
	err := eachEntry(ctx, c.reader, &next, func(e journal.Entry) error {
		if e.Kind != journal.KindExchange {
			return nil
		}
		var x journal.Exchange
		if err := x.Parse(e); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		t := c.crew[x.Terminal]
		if t == nil || x.Effect != journal.Sold {
			return nil
		}
		f.Sold++
		if t.batch != x.Batch { // batches of a terminal follow one another
			*t = batchTraces{batch: x.Batch}
		}
		if t.traces.Has(x.STAN) {
			f.Repeated++
		}
		t.traces.Add(x.STAN)
		return nil
	})
	f.Last = next - 1
	return f, err
}

// agrees tells whether the journal holds what was answered: every approved sale, and of the sales without
// an answer at most all.
func (f *journalFound) agrees(r *load.Result) bool {
	return f.Sold >= r.ApprovedInAll() && f.Sold <= r.ApprovedInAll()+r.Unknown && f.Repeated == 0
}

func (f *journalFound) words(r *load.Result) terminal.Words {
	sold, counted := load.Thousands(f.Sold), load.Thousands(r.ApprovedInAll())
	switch {
	case f.Repeated > 0:
		return terminal.Words{EN: fmt.Sprintf("THE JOURNAL DISAGREES: %s approved sales have the trace of an earlier one", load.Thousands(f.Repeated)),
			ZH: fmt.Sprintf("日志不符: %s 笔通过的消费与先前的流水号重复", load.Thousands(f.Repeated))}
	case !f.agrees(r):
		return terminal.Words{EN: fmt.Sprintf("THE JOURNAL DISAGREES: %s approved sales in it (entries %d to %d), %s approvals received", sold, f.First, f.Last, counted),
			ZH: fmt.Sprintf("日志不符: 其中通过的消费 %s 笔 (第 %d 至 %d 条), 收到的通过应答 %s 笔", sold, f.First, f.Last, counted)}
	}
	return terminal.Words{EN: fmt.Sprintf("journal: %s approved sales (entries %d to %d), %s approvals received, every trace of a batch once", sold, f.First, f.Last, counted),
		ZH: fmt.Sprintf("日志: 通过的消费 %s 笔 (第 %d 至 %d 条), 收到的通过应答 %s 笔, 同批次流水号无重复", sold, f.First, f.Last, counted)}
}

// loadJSON is a result for a program. Latencies are microseconds.
type loadJSON struct {
	Rate         float64           `json:"rate"` // 0: closed loop
	Connections  int               `json:"connections"`
	Pipeline     int               `json:"pipeline"`
	Terminals    int               `json:"terminals"`
	Seconds      float64           `json:"seconds"`
	Stopped      bool              `json:"stopped"`
	Measured     uint64            `json:"measured"`
	Granted      uint64            `json:"granted"`
	PerSecond    float64           `json:"per_second"`
	LatencyUS    loadSummaryJSON   `json:"latency_us"`
	WaitUS       loadSummaryJSON   `json:"wait_us"` // of it, before the sending
	Prepared     uint64            `json:"prepared"`
	Approved     uint64            `json:"approved"`
	Refused      map[string]uint64 `json:"refused"`   // by DE39
	WrongMAC     uint64            `json:"wrong_mac"` // made wrong, answered A0
	Forged       uint64            `json:"forged"`    // made wrong, and approved
	MACsVerified uint64            `json:"macs_verified"`
	Unknown      uint64            `json:"unknown"`
	Unsent       uint64            `json:"unsent"`
	Lost         uint64            `json:"connections_lost"`
	Cause        string            `json:"cause,omitempty"`
	CPUUS        float64           `json:"generator_cpu_us"` // for one sale; 0: not known
	HostCPUUS    float64           `json:"host_cpu_us"`
	Turns        []loadTurnJSON    `json:"turns,omitempty"`
	Journal      *journalFound     `json:"journal,omitempty"`
}

// loadTurnJSON is one turn without wrong MACs or with them.
type loadTurnJSON struct {
	Wrong     bool    `json:"wrong"`
	PerSecond float64 `json:"per_second"`
	HostCPUUS float64 `json:"host_cpu_us"` // for one answer; 0: not known
}

func loadTurns(list []load.Turn) (turns []loadTurnJSON) {
	for _, t := range list {
		turns = append(turns, loadTurnJSON{t.Wrong, float64(t.Answers) / t.Length.Seconds(), load.Microseconds(t.Host) / float64(max(t.Answers, 1))})
	}
	return turns
}

type loadSummaryJSON struct {
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99.9"`
	P9999 float64 `json:"p99.99"`
	Max   float64 `json:"max"`
}

func microseconds(s load.Summary) loadSummaryJSON {
	us := load.Microseconds
	return loadSummaryJSON{us(s.Mean), us(s.P50), us(s.P90), us(s.P99), us(s.P999), us(s.P9999), us(s.Max)}
}

func writeLoadJSON(w io.Writer, r *load.Result, found *journalFound) error {
	refused := map[string]uint64{}
	for _, c := range r.Refused {
		refused[c.Code.String()] = c.Count
	}
	return json.NewEncoder(w).Encode(loadJSON{Rate: r.Rate, Connections: r.Connections, Pipeline: r.Pipeline, Terminals: r.Terminals,
		Seconds: r.Length.Seconds(), Stopped: r.Stopped, Measured: r.Measured, Granted: r.Granted, PerSecond: r.PerSecond,
		LatencyUS: microseconds(r.Latency), WaitUS: microseconds(r.Wait), Prepared: r.First, Approved: r.Approved, Refused: refused,
		MACsVerified: r.Verified, WrongMAC: r.WrongMAC, Forged: r.Forged, Unknown: r.Unknown, Unsent: r.Unsent, Lost: r.Lost, Cause: r.Cause, CPUUS: load.Microseconds(r.CPU), HostCPUUS: load.Microseconds(r.HostCPU), Turns: loadTurns(r.Turns), Journal: found})
}
