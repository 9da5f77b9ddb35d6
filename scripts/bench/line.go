package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone/terminal/load"
)

// The targets of the whole line.
const (
	targetRate    = 30_000
	targetP99     = 25 * time.Millisecond
	targetOneMore = 400 * time.Microsecond // above one fdatasync of the same run
)

func us(n float64) time.Duration { return time.Duration(n * float64(time.Microsecond)) }

// figure is the figures of one run or of the median one.
func (m measured) figure() string {
	return fmt.Sprintf("%s/s, p50 %s ms, p99 %s ms, p99.9 %s ms; CPU a sale: host %.1f us, generator %.1f us", load.Thousands(uint64(m.PerSecond)),
		load.Milliseconds(us(m.Latency.P50)), load.Milliseconds(us(m.Latency.P99)), load.Milliseconds(us(m.Latency.P999)), m.Host, m.Own)
}

// warmup is the --warmup flag.
func (b *bench) warmup() string { return b.length(5*time.Second, time.Second).String() }

// wholeLine is three runs, each with a fresh directory and a fresh host, and the median of them by rate.
func (b *bench) wholeLine(ctx context.Context) error {
	length := b.length(time.Minute, 5*time.Second)
	var runs []measured
	for range 3 {
		err := b.with(ctx, "ecb=8000,sm4=2000", func(h *host) error {
			m, err := h.load(ctx, h.tcp, "--connections", "256", "--duration", length.String(), "--warmup", b.warmup())
			runs = append(runs, m)
			return err
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(runs, func(a, b measured) int { return int(a.PerSecond) - int(b.PerSecond) })
	m := runs[1]
	b.table.add(row{what: fmt.Sprintf("whole line, every answer durable: 256 connections, 10,000 terminals, 80 %% ECB and 20 %% SM4, PIN and serial proof in every sale, %s, median of three", length),
		figure: m.figure(), target: "30,000/s, p99 25 ms", met: judge(m.PerSecond >= targetRate && us(m.Latency.P99) <= targetP99)})
	b.table.add(row{what: "- the three runs", figure: fmt.Sprintf("%s, %s and %s/s; p99 %s, %s and %s ms", load.Thousands(uint64(runs[0].PerSecond)), load.Thousands(uint64(runs[1].PerSecond)),
		load.Thousands(uint64(runs[2].PerSecond)), load.Milliseconds(us(runs[0].Latency.P99)), load.Milliseconds(us(runs[1].Latency.P99)), load.Milliseconds(us(runs[2].Latency.P99)))})
	return nil
}

// fixedRate is the open loop, at which nothing can hide: two thirds of the target.
func (b *bench) fixedRate(ctx context.Context) error {
	const rate = targetRate * 2 / 3
	length := b.length(30*time.Second, 5*time.Second)
	return b.with(ctx, "ecb=8000,sm4=2000", func(h *host) error {
		m, err := h.load(ctx, h.tcp, "--rate", fmt.Sprint(rate), "--duration", length.String(), "--warmup", b.warmup())
		if err != nil && !m.onlyUnsent() {
			return err
		}
		figure := m.figure()
		if m.Unsent > 0 {
			figure += fmt.Sprintf("; %s sales not sent in time", load.Thousands(m.Unsent))
		}
		b.table.add(row{what: fmt.Sprintf("the same at a fixed %s/s, latency from the scheduled time, %s", load.Thousands(rate), length), figure: figure})
		return nil
	})
}

// retailMAC is X9.19, whose MAC costs more.
func (b *bench) retailMAC(ctx context.Context) error {
	length := b.length(30*time.Second, 5*time.Second)
	return b.with(ctx, "x9.19=10000", func(h *host) error {
		m, err := h.load(ctx, h.tcp, "--mix", "x9.19=1", "--duration", length.String(), "--warmup", b.warmup())
		b.table.add(row{what: fmt.Sprintf("X9.19 alone, otherwise the same, %s", length), figure: m.figure(), target: "reported"})
		return err
	})
}

// tlsLine is the same over TLS.
func (b *bench) tlsLine(ctx context.Context) error {
	length := b.length(30*time.Second, 5*time.Second)
	what := fmt.Sprintf("over TLS 1.3, otherwise the same as the whole line, %s", length)
	err := b.withTLS(ctx, "ecb=8000,sm4=2000", func(h *host, ca string) error {
		m, err := h.load(ctx, h.tls, "--tls-ca", ca, "--duration", length.String(), "--warmup", b.warmup())
		b.table.add(row{what: what, figure: m.figure(), target: "reported"})
		return err
	})
	return b.unlessNoTLS(err, what)
}

// unlessNoTLS writes down that a part did not run because this build has no TLS.
func (b *bench) unlessNoTLS(err error, what string) error {
	if errors.Is(err, errNoTLS) {
		b.table.add(row{what: what, figure: errNoTLS.Error(), met: notRun})
		return nil
	}
	return err
}

// oneConnection is the time of one sale alone.
func (b *bench) oneConnection(ctx context.Context) error {
	length := b.length(10*time.Second, 3*time.Second)
	return b.with(ctx, "ecb=1,sm4=1", func(h *host) error {
		m, err := h.load(ctx, h.tcp, "--connections", "1", "--terminals", "1", "--mix", "ecb=1", "--duration", length.String(), "--warmup", b.warmup())
		if err != nil {
			return err
		}
		limit := b.sync + targetOneMore
		b.table.add(row{what: "one connection, one sale after the other", figure: fmt.Sprintf("median %.0f us, p99 %.0f us, %s/s", m.Latency.P50, m.Latency.P99, load.Thousands(uint64(m.PerSecond))),
			target: fmt.Sprintf("median at most one fdatasync of this run + 400 us: %.0f us", load.Microseconds(limit)), met: judge(us(m.Latency.P50) <= limit)})
		return nil
	})
}
