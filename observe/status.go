package observe

import (
	"runtime"
	"sort"
	"time"

	"touchstone/reason"
)

// Status is what a person wants to know of a running host, in sections. Further sections may be added;
// a reader ignores what it does not know.
type Status struct {
	At          time.Time    `json:"at"`
	Host        HostStatus   `json:"host"`
	Registered  Registered   `json:"registered"`
	Traffic     Traffic      `json:"traffic"`
	LastHour    HourStatus   `json:"last_hour"`
	Journal     JournalState `json:"journal"`
	Listeners   []Listener   `json:"listeners"`
	InFlight    uint64       `json:"in_flight"`
	Module      ModuleState  `json:"module"`
	Memory      Memory       `json:"memory"`
	Disk        *Disk        `json:"disk,omitempty"`
	Needs       []Need       `json:"needs_a_person"`
	Failures    *Failures    `json:"failures,omitempty"` // of the last 24 hours
	ObserveAddr string       `json:"observe,omitempty"`
}

// HostStatus is who runs.
type HostStatus struct {
	Version   string    `json:"version"`
	Process   int       `json:"process"`
	Since     time.Time `json:"since"`
	Directory string    `json:"directory"`
	Test      bool      `json:"test_data_directory"`
}

// Traffic is rates and times of the last stretch.
type Traffic struct {
	TenSeconds  Rate    `json:"ten_seconds"`
	OneMinute   Rate    `json:"one_minute"`
	FiveMinutes Rate    `json:"five_minutes"`
	Decided     Latency `json:"decision"` // of the last minute
	Answered    Latency `json:"answer"`
}

// HourStatus counts the last hour, or what there was of it.
type HourStatus struct {
	Seconds  float64       `json:"seconds"`
	Messages uint64        `json:"messages"`
	Money    uint64        `json:"money"`
	Approved uint64        `json:"approved"`
	NoAnswer uint64        `json:"no_answer"`
	Refused  []ReasonCount `json:"refused"` // the most frequent first
}

// ReasonCount is how often a reason was given.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// JournalState is the journal's section.
type JournalState struct {
	Head            uint64     `json:"head"`
	Durable         uint64     `json:"durable"`
	Bytes           int64      `json:"bytes"`
	LastBlock       *time.Time `json:"last_block,omitempty"` // of this run
	Queue           int        `json:"queue"`
	QueueLimit      int        `json:"queue_limit"`
	CheckpointAge   *float64   `json:"checkpoint_age_seconds,omitempty"` // none of this run yet
	CheckpointTook  float64    `json:"checkpoint_took_seconds"`
	ViewLag         uint64     `json:"view_lag"`
	AppendP99MS     float64    `json:"append_p99_ms"` // since the start
	EntriesPerBlock float64    `json:"entries_per_block"`
	Proof           *Proof     `json:"proof,omitempty"` // none: the host does not prove its journal while it serves
}

// Proof is how far the proof of the whole journal behind a running host is.
type Proof struct {
	Entry  uint64     `json:"entry"`           // the last one proven in the round under way, or that just ended
	Rounds uint64     `json:"rounds"`          // whole proofs since the start
	Ended  *time.Time `json:"ended,omitempty"` // of the last whole one
}

// ModuleState is the security module's section.
type ModuleState struct {
	Unsealed bool    `json:"unsealed"`
	Keys     int     `json:"keys_open"`
	HitRatio float64 `json:"hit_ratio"`
}

// Memory is what the process holds.
type Memory struct {
	Bytes      uint64 `json:"bytes"` // obtained from the system
	Heap       uint64 `json:"heap"`
	Goroutines int    `json:"goroutines"`
}

// Disk is the file system of the data directory.
type Disk struct {
	Free int64 `json:"free"`
	Size int64 `json:"size"`
}

// Need is something that waits for a person. Code is a word of the table below; Value its figure.
type Need struct {
	Code  string  `json:"code"`
	Value float64 `json:"value,omitempty"`
}

// The codes of Need.
const (
	NeedJournalFailed = "journal_failed"
	NeedDiskLow       = "disk_low" // share of the disk that is free
	NeedCheckpoint    = "checkpoint_failed"
	NeedCheckpointOld = "checkpoint_old" // seconds
	NeedViewLag       = "view_lagging"   // entries
	NeedSealed        = "module_sealed"
	NeedSingleDES     = "single_des"
	NeedTestData      = "test_data"
	NeedClockStep     = "clock_step"  // seconds
	NeedClockDrift    = "clock_drift" // seconds
	NeedOverloaded    = "overloaded"
	NeedIneffective   = "authentication_ineffective" // canary messages not judged as they must be
	NeedStopped       = "sales_stopped"              // proofs
)

// Bounds beyond which a person is needed.
const (
	diskLow        = 0.10
	viewLagMost    = 100_000
	checkpointMost = 5 * time.Minute
	clockDriftMost = 5 * time.Second
	stepTold       = 24 * time.Hour
)

// Status gathers everything now.
func (s *Sources) Status(now time.Time, process int) Status {
	l := s.Live
	decided, answered := l.Latencies(now)
	st := Status{
		At:         now,
		Host:       HostStatus{s.Version, process, s.Started, s.Directory, s.Test},
		Registered: s.Registered(),
		Traffic: Traffic{l.Rate(now, 10*time.Second), l.Rate(now, time.Minute), l.Rate(now, 5*time.Minute),
			decided, answered},
		LastHour:  s.hour(now),
		Journal:   s.journalState(now),
		Listeners: s.Listeners(),
		InFlight:  s.inFlight(),
		Module:    s.moduleState(),
		Memory:    memory(),
	}
	if d, err := diskOf(s.Directory); err == nil {
		st.Disk = &d
	}
	if s.Failures != nil {
		f := s.Failures()
		st.Failures = &f
	}
	st.Needs = s.needs(now, &st)
	return st
}

func (s *Sources) hour(now time.Time) HourStatus {
	t, took := s.Live.LastHour(now)
	h := HourStatus{Seconds: took.Seconds(), Messages: t.Messages, Money: t.Money, Approved: t.Approved, NoAnswer: t.Unwritten, Refused: []ReasonCount{}}
	for r, n := range t.ByReason {
		if n > 0 && reason.Reason(r) != reason.None {
			h.Refused = append(h.Refused, ReasonCount{reason.Reason(r).String(), n})
		}
	}
	sort.SliceStable(h.Refused, func(i, j int) bool { return h.Refused[i].Count > h.Refused[j].Count })
	return h
}

func (s *Sources) journalState(now time.Time) JournalState {
	l, j := s.Live, s.Journal()
	sample := l.append.Sample()
	st := JournalState{Head: j.Queue.Next - 1, Durable: j.Durable, Bytes: j.Bytes, Queue: j.Queue.Entries, QueueLimit: j.Queue.MostEntries,
		CheckpointTook: time.Duration(l.lastTook.Load()).Seconds(), ViewLag: s.View().Lag, AppendP99MS: float64(sample.Percentile(0.99)) / float64(time.Millisecond)}
	if at := l.lastBlock.Load(); at != 0 {
		t := time.Unix(0, at)
		st.LastBlock = &t
	}
	if at := l.lastCheckpoint.Load(); at != 0 {
		age := now.Sub(time.Unix(0, at)).Seconds()
		st.CheckpointAge = &age
	}
	if n := l.blocks.Load(); n > 0 {
		st.EntriesPerBlock = float64(l.entries.Load()) / float64(n)
	}
	return st
}

func (s *Sources) moduleState() ModuleState {
	m := s.Module()
	st := ModuleState{Unsealed: !m.Sealed, Keys: m.Kept}
	if all := m.Hits + m.Misses; all > 0 {
		st.HitRatio = float64(m.Hits) / float64(all)
	}
	return st
}

func memory() Memory {
	var m runtime.MemStats
	runtime.ReadMemStats(&m) // stops the world for some microseconds; a person asks seldom
	return Memory{m.Sys, m.HeapAlloc, runtime.NumGoroutine()}
}

// needs lists what waits for a person, the most urgent first.
func (s *Sources) needs(now time.Time, st *Status) []Need {
	list := []Need{}
	add := func(when bool, code string, value float64) {
		if when {
			list = append(list, Need{code, value})
		}
	}
	step, at, drift := s.Live.ClockStep()
	add(s.Journal().Failed, NeedJournalFailed, 0)
	add(!st.Module.Unsealed, NeedSealed, 0)
	proving := s.proving()
	add(proving.Ineffective > 0, NeedIneffective, float64(proving.Ineffective))
	add(proving.Stopped > 0, NeedStopped, float64(proving.Stopped))
	if st.Disk != nil && st.Disk.Size > 0 {
		free := float64(st.Disk.Free) / float64(st.Disk.Size)
		add(free < diskLow, NeedDiskLow, free)
	}
	add(s.Overloaded(), NeedOverloaded, 0)
	add(s.Live.checkpointFailures.Load() > 0, NeedCheckpoint, 0)
	age := now.Sub(s.Started)
	if st.Journal.CheckpointAge != nil {
		age = time.Duration(*st.Journal.CheckpointAge * float64(time.Second))
	}
	add(age > checkpointMost, NeedCheckpointOld, age.Seconds())
	add(st.Journal.ViewLag > viewLagMost, NeedViewLag, float64(st.Journal.ViewLag))
	add(step != 0 && now.Sub(at) < stepTold, NeedClockStep, step.Seconds())
	add(drift > clockDriftMost || drift < -clockDriftMost, NeedClockDrift, drift.Seconds())
	add(s.SingleDES, NeedSingleDES, 0)
	add(s.Test, NeedTestData, 0)
	return list
}

// NeedCodes are all codes of Need.
func NeedCodes() []string {
	return []string{NeedJournalFailed, NeedSealed, NeedIneffective, NeedStopped, NeedDiskLow, NeedOverloaded, NeedCheckpoint, NeedCheckpointOld, NeedViewLag, NeedClockStep,
		NeedClockDrift, NeedSingleDES, NeedTestData}
}
