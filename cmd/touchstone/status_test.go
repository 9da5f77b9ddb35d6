package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/explain"
	"touchstone/observe"
)

var updateStatus = flag.Bool("update-status", false, "write testdata/status anew")

// statusAt is a host in the middle of a bad morning.
func statusAt() *observe.Status {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	block, age := at.Add(-20*time.Millisecond), 4.2
	return &observe.Status{
		At: at, Host: observe.HostStatus{Version: "0.1.0", Process: 4711, Since: at.Add(-26*time.Hour - 5*time.Minute), Directory: "/var/lib/touchstone/shop"},
		Registered: observe.Registered{Merchants: 812, Terminals: 10240, Devices: 10233, Cards: 1204883},
		Traffic: observe.Traffic{
			TenSeconds: observe.Rate{Seconds: 10, Messages: 812.4, Money: 790, Approved: 700}, OneMinute: observe.Rate{Seconds: 60, Messages: 640.2, Money: 600},
			FiveMinutes: observe.Rate{Seconds: 300, Messages: 655, Money: 610.5},
			Decided:     observe.Latency{Count: 38000, P50MS: 0.07, P99MS: 0.4}, Answered: observe.Latency{Count: 38000, P50MS: 1.92, P99MS: 8.19}},
		LastHour: observe.HourStatus{Seconds: 3612, Messages: 2311004, Money: 2200000, Approved: 2150000, NoAnswer: 7, Refused: []observe.ReasonCount{
			{Reason: "mac_failed", Count: 30110}, {Reason: "insufficient_funds", Count: 9000}, {Reason: "pin_wrong", Count: 7001}, {Reason: "not_signed_in", Count: 800},
			{Reason: "card_expired", Count: 70}, {Reason: "serial_proof_failed", Count: 12}, {Reason: "replayed", Count: 9}, {Reason: "frame_malformed", Count: 7},
			{Reason: "terminal_unknown", Count: 3}, {Reason: "duplicate_trace", Count: 1}}},
		Journal: observe.JournalState{Head: 88123456, Durable: 88123440, Bytes: 20 << 30, LastBlock: &block, Queue: 16, QueueLimit: 16384, CheckpointAge: &age,
			CheckpointTook: 0.184, ViewLag: 151203, AppendP99MS: 6.14, EntriesPerBlock: 21.4},
		Listeners: []observe.Listener{{Kind: "tcp", Address: "127.0.0.1:8583", Open: 256, Accepted: 90012, TurnedAway: 3, BadFrames: 7, Serving: true},
			{Kind: "tls", Address: "10.1.2.3:8584", Open: 9984, Accepted: 10500}},
		InFlight: 31, Module: observe.ModuleState{Unsealed: true, Keys: 20466, HitRatio: 0.9981}, Memory: observe.Memory{Bytes: 412 << 20, Heap: 203 << 20, Goroutines: 20520},
		Disk: &observe.Disk{Free: 8 << 30, Size: 100 << 30}, ObserveAddr: "127.0.0.1:9584",
		Needs: []observe.Need{{Code: observe.NeedJournalFailed}, {Code: observe.NeedSealed}, {Code: observe.NeedIneffective, Value: 2}, {Code: observe.NeedStopped, Value: 1}, {Code: observe.NeedDiskLow, Value: 0.08}, {Code: observe.NeedOverloaded},
			{Code: observe.NeedCheckpoint}, {Code: observe.NeedCheckpointOld, Value: 301}, {Code: observe.NeedViewLag, Value: 151203},
			{Code: observe.NeedClockStep, Value: -3600}, {Code: observe.NeedClockDrift, Value: -3600}, {Code: observe.NeedSingleDES}, {Code: observe.NeedTestData}},
	}
}

// statusQuiet is a host that began a moment ago.
func statusQuiet() *observe.Status {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	return &observe.Status{At: at, Host: observe.HostStatus{Version: "0.1.0", Process: 12, Since: at.Add(-3 * time.Second), Directory: "/tmp/demo", Test: true},
		LastHour: observe.HourStatus{Seconds: 3}, Journal: observe.JournalState{Head: 1, Durable: 1, Bytes: 900, QueueLimit: 16384}}
}

// TestStatusScreen compares the screen with testdata/status in both languages.
func TestStatusScreen(t *testing.T) {
	rest := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for name, write := range map[string]func(*bytes.Buffer, *lines) error{
		"busy":  func(b *bytes.Buffer, l *lines) error { return writeStatus(b, l, statusAt()) },
		"quiet": func(b *bytes.Buffer, l *lines) error { return writeStatus(b, l, statusQuiet()) },
		"rest-killed": func(b *bytes.Buffer, l *lines) error {
			return (&atRest{Directory: "shop", Last: 88123456, At: &rest, Bytes: 5000}).write(b, l)
		},
		"rest-order": func(b *bytes.Buffer, l *lines) error {
			return (&atRest{Directory: "shop", Test: true, InOrder: true, Bytes: 12 << 20}).write(b, l)
		},
	} {
		for _, lang := range []string{"en", "zh"} {
			var out bytes.Buffer
			l, err := newLines(&out, lang, false)
			if err != nil {
				t.Fatal(err)
			}
			l.zone = time.UTC
			if err := write(&out, l); err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(out.String(), program(), "touchstone")
			path := filepath.Join("testdata", "status", name+"."+lang+".txt")
			if *updateStatus {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs:\n%s", path, got)
			}
			for line := range strings.Lines(got) {
				if n := explain.Columns(strings.TrimRight(line, "\n")); n > 132 {
					t.Errorf("%s: a line of %d columns: %s", path, n, line)
				}
				if lang == "zh" && strings.Contains(line, "needs a person") {
					t.Errorf("%s: not in Chinese: %s", path, line)
				}
			}
		}
	}
}

// TestEveryNeedHasWords: no code is shown in place of a sentence.
func TestEveryNeedHasWords(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		l, err := newLines(&bytes.Buffer{}, lang, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range statusAt().Needs {
			if words := l.need(n); words == n.Code || len(words) < 20 {
				t.Errorf("%s in %s is %q", n.Code, lang, words)
			}
		}
		if len(statusAt().Needs) != len(observe.NeedCodes()) {
			t.Errorf("%d needs are shown here, there are %d", len(statusAt().Needs), len(observe.NeedCodes()))
		}
	}
}

// TestStatusOfNothing: no directory is an error, not a status.
func TestStatusOfNothing(t *testing.T) {
	if _, err := readAtRest(context.Background(), t.TempDir()); err == nil {
		t.Error("an empty directory has a status")
	}
}
