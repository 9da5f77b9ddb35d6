package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/web"
	"touchstone/web/api"
)

// verifying is the proof of the chain that somebody asked for from a page, one at a time.
type verifying struct {
	mu   sync.Mutex // guards last
	last api.Verification
}

// Bounds of such a proof: it must not take the disk from the line, nor run for ever.
const (
	verifyRate  = 64 << 20 // bytes of entries a second
	verifyMost  = time.Hour
	verifyEntry = 300 // bytes of an entry, about: the reader tells entries, not bytes
)

// Verification implements api.Journal.
func (d *desk) Verification(context.Context, *web.Caller) (api.Verification, error) {
	v := &d.now.verifying
	v.mu.Lock()
	defer v.mu.Unlock()
	last := v.last
	last.State = cmp.Or(last.State, "none")
	return last, nil
}

// Verify implements api.Journal.
func (d *desk) Verify(ctx context.Context, who *web.Caller, from uint64) (api.Verification, error) {
	head, _, err := d.store.Reader.Head(ctx)
	if err != nil {
		return api.Verification{}, err
	}
	if from == 0 || from > head {
		return api.Verification{}, api.NotFound()
	}
	v := &d.now.verifying
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last.State == "running" {
		return v.last, api.Refuse(http.StatusConflict, "verification_runs", "a proof of the chain is running already; its result is at /api/v1/journal-verification")
	}
	v.last = api.Verification{State: "running", From: from, To: head, At: from - 1, Began: time.Now(), By: who.Account}
	d.wait.Go(func() { d.verify(from, head) })
	return v.last, nil
}

// verify recomputes the chain and keeps what it found.
func (d *desk) verify(from, head uint64) {
	ctx, cancel := context.WithTimeout(d.now.ctx, verifyMost)
	defer cancel()
	v, last := &d.now.verifying, from-1
	pace := pacer{rate: verifyRate, began: time.Now()}
	slow, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err := d.store.Reader.Verify(slow, from, func(seq uint64) {
		if err := pace.wait(slow, int(seq-min(last, seq))*verifyEntry); err != nil {
			stop(err)
		}
		last = seq
		v.mu.Lock()
		v.last.At = seq
		v.last.To = max(v.last.To, seq)
		v.mu.Unlock()
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last.Ended = time.Now()
	took := v.last.Ended.Sub(v.last.Began).Round(time.Millisecond)
	var broken *journal.ChainError
	switch {
	case err == nil:
		v.last.State = "intact"
		v.last.Says = api.Text{EN: fmt.Sprintf("entries %d to %d hold together: every chain value was computed again and agrees (%s)", from, v.last.At, took),
			ZH: fmt.Sprintf("第 %d 至 %d 条记录完整: 全部链值已重新计算并一致 (%s)", from, v.last.At, took)}
	case errors.As(err, &broken):
		v.last.State = "broken"
		v.last.Says = api.Text{EN: fmt.Sprintf("BROKEN at entry %d: %s. Keep the files as they are: docs/operating/recovery.md", broken.Seq, broken.What),
			ZH: fmt.Sprintf("第 %d 条记录损坏: %s。请勿改动文件: docs/operating/recovery.md", broken.Seq, broken.What)}
	case ctx.Err() != nil:
		v.last.State = "cancelled"
		v.last.Says = api.Text{EN: "ended before the head was reached", ZH: "未到末尾即已结束"}
	default:
		v.last.State = "failed"
		v.last.Says = api.Text{EN: "the journal could not be read: see the host's log", ZH: "无法读取日志: 请查看主机运行日志"}
		d.log.Error("the journal could not be read to be proven", slog.String("error", err.Error()))
	}
}
