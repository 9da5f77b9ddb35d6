package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"touchstone/terminal/load"
)

// The targets of diagnosis.
const (
	targetDiagnosis  = 20 * time.Millisecond // p99 of one, 50 keys
	targetLoss       = 5.0                   // percent of the throughput, at 1 % failures
	failures         = "1"                   // percent
	forgedRate       = 10_000
	honestRate       = 5_000
	targetForgedP99  = 2.0 // times the honest p99 without forgeries
	diagnosisQueue   = "touchstone_diagnosis_queue_high"
	diagnosisTook    = "touchstone_diagnosis_seconds"
	everyRefusal     = "100000" // refusals that cost an entry each: all of them, or the flood limit spares the host the work
	leastDiagnosable = 20       // diagnoses that make a percentile
)

// diagnosisAlone is one experiment with 50 keys, by Go's benchmark of the module.
func (b *bench) diagnosisAlone(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkDiagnose50Keys", "-benchtime", b.length(3*time.Second, 200*time.Millisecond).String(), "./hsm/soft")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("./hsm/soft: %w: %s", err, out)
	}
	for _, line := range benchLines(string(out)) {
		r := row{what: "what is behind a wrong MAC, 50 keys, in the module (" + line.name + ")", figure: line.String()}
		if p99, ok := line.value("p99-ms"); ok {
			r.target, r.met = "p99 20 ms", judge(p99 <= load.Microseconds(targetDiagnosis)/1000)
		}
		b.table.add(r)
	}
	return nil
}

// everyFlags let each refusal be journaled and so examined: from one address most are only counted otherwise.
var everyFlags = []string{"--refusal-burst", everyRefusal, "--refusal-every", "1ms", "--observe", "127.0.0.1:0"}

// How many pairs of turns say what failures cost. What the machine does for some seconds differs by more from one turn to
// the next than what is asked, and the interval narrows only with the square root of their number.
const (
	lossPairs     = 20 // on the disk
	lossPairsFast = 60 // in memory
)

// sharedMemory is where Linux has a file system in memory.
const sharedMemory = "/dev/shm"

// diagnosisLoss is what 1 % of failures cost: one generator on one host sells without and with them in short turns, so that
// nothing but they differs from one turn to the next, and no run has to sign in anew in between. It is asked on the disk, and
// in memory: there the disk's own wandering hides nothing, and the processors, which are what causes are sought with, are all
// there is to lose.
func (b *bench) diagnosisLoss(ctx context.Context) error {
	if err := b.lossOn(ctx, "on the disk", lossPairs); err != nil {
		return err
	}
	if !errors.Is(refuseMemory(sharedMemory), errMemory) {
		b.table.add(row{what: "throughput with failures, in memory", figure: sharedMemory + " is no file system in memory: NOT RUN"})
		return nil
	}
	b.memory = sharedMemory
	defer func() { b.memory = "" }()
	return b.lossOn(ctx, "in memory", lossPairsFast)
}

func (b *bench) lossOn(ctx context.Context, where string, count int) error {
	turn := b.length(3*time.Second, 2*time.Second)
	if b.quick {
		count = 3
	}
	return b.withFlags(ctx, "ecb=8000,sm4=2000", everyFlags, func(h *host) error {
		m, err := h.load(ctx, h.tcp, "--connections", "256", "--warmup", b.length(10*time.Second, 2*time.Second).String(), "--wrong-mac", failures, "--turn", turn.String(),
			"--duration", (turn * time.Duration(2*count)).String())
		if err != nil {
			return err
		}
		all, err := pairsOf(m.Turns)
		if err != nil {
			return err
		}
		for _, r := range all.rows(fmt.Sprintf("throughput with %s %% of wrong MACs, each journaled, against none, %s: %d pairs of turns of %s under one load", failures, where, count, turn), targetLoss) {
			b.table.add(r)
		}
		text, err := h.metrics(ctx)
		if err != nil {
			return err
		}
		b.table.add(row{what: "- of it, what was examined", figure: fmt.Sprintf("%s; p99 of one, its keys found, under this load: at most %s s; most that waited: %s", causesIn(text),
			quantile(text, diagnosisTook, 0.99), metric(text, diagnosisQueue))})
		return nil
	})
}

// diagnosisForged is 10,000 forged messages a second beside 5,000 honest ones, of other terminals.
func (b *bench) diagnosisForged(ctx context.Context) error {
	forged, honest := forgedRate, honestRate
	if b.quick {
		forged, honest = 2_000, 1_000
	}
	length := b.length(30*time.Second, 4*time.Second)
	return b.withFlags(ctx, "ecb=5000,x9.19=5000", []string{"--observe", "127.0.0.1:0"}, func(h *host) error {
		sell := func() (measured, error) {
			return h.loadAlone(ctx, "--mix", "ecb=1", "--terminals", "5000", "--rate", fmt.Sprint(honest), "--warmup", b.warmup(), "--duration", length.String())
		}
		if first, err := sell(); err != nil && !first.kept() { // the first minute of a host is not its ordinary one
			return err
		}
		before, err := sell()
		if err != nil && !before.kept() {
			return err
		}
		done := make(chan error, 1)
		var bad measured
		go func() {
			var err error
			bad, err = h.loadAlone(ctx, "--mix", "x9.19=1", "--terminals", "5000", "--rate", fmt.Sprint(forged), "--wrong-mac", "100", "--warmup", b.warmup(), "--duration", (length + 5*time.Second).String())
			if bad.kept() {
				err = nil
			}
			done <- err
		}()
		beside, err := sell()
		if more := <-done; more != nil {
			return more
		}
		if err != nil && !beside.kept() {
			return err
		}
		text, err := h.metrics(ctx)
		if err != nil {
			return err
		}
		ratio := beside.Latency.P99 / before.Latency.P99
		b.table.add(row{what: fmt.Sprintf("%s forged messages a second beside %s honest sales: p99 of the honest, before and beside", load.Thousands(uint64(forged)), load.Thousands(uint64(honest))),
			figure: fmt.Sprintf("%s and %s ms, %.2fx; %s forged a second answered A0, p50 %s and %s ms", load.Milliseconds(us(before.Latency.P99)), load.Milliseconds(us(beside.Latency.P99)), ratio,
				load.Thousands(uint64(bad.PerSecond)), load.Milliseconds(us(before.Latency.P50)), load.Milliseconds(us(beside.Latency.P50))),
			target: "2x", met: judge(ratio <= targetForgedP99 && bad.Forged == 0)})
		b.table.add(row{what: "- most copies that waited to be examined, and the bound; what was examined", figure: fmt.Sprintf("%s of %s; %s", metric(text, diagnosisQueue),
			metric(text, "touchstone_diagnosis_queue_limit"), causesIn(text)), target: "bounded", met: judge(atMost(metric(text, diagnosisQueue), metric(text, "touchstone_diagnosis_queue_limit")))})
		return nil
	})
}

// kept tells that nothing but its rate, or sales made wrong, was wrong with a run.
func (m measured) kept() bool {
	return m.Unknown == 0 && m.Lost == 0 && len(m.Refused) == 0 && m.Forged == 0 && m.Seconds > 0
}

func atMost(n, limit string) bool {
	a, err := strconv.ParseFloat(n, 64)
	b, err2 := strconv.ParseFloat(limit, 64)
	return err == nil && err2 == nil && a <= b
}

// metrics is the text of /metrics.
func (h *host) metrics(ctx context.Context) (string, error) {
	found := regexp.MustCompile(`observe=(\S+)`).FindStringSubmatch(h.said.String())
	if found == nil {
		return "", fmt.Errorf("the host does not say where its metrics are: %s", h.said)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+found[1]+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	return string(text), err
}

// metric is the value of a metric without labels, "?" where there is none.
func metric(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// causesIn is how many causes there are, by how certain, and how many messages were not examined.
func causesIn(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		for _, name := range []string{"touchstone_diagnosis_causes_total{certainty=", "touchstone_diagnosis_not_tried_total{why="} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				label, value, _ := strings.Cut(rest, "} ")
				parts = append(parts, strings.TrimSpace(value)+" "+strings.Trim(label, `"`))
			}
		}
	}
	return strings.Join(parts, ", ")
}

// quantile is the upper bound of the bucket of a histogram in which a quantile lies, "?" of few observations.
func quantile(text, name string, q float64) string {
	count, err := strconv.ParseFloat(metric(text, name+"_count"), 64)
	if err != nil || count < leastDiagnosable {
		return "?"
	}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+`_bucket{le="`)
		if !ok {
			continue
		}
		bound, value, _ := strings.Cut(rest, `"} `)
		if n, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && n >= q*count {
			return bound
		}
	}
	return "?"
}
