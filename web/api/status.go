package api

import "time"

// Status is what touchstone status --json says, member for member. Of a past moment it has what the journal says of it; what it has not is
// absent and named in NotKept.
type Status struct {
	At         time.Time         `json:"at"`
	Host       *StatusHost       `json:"host,omitempty"`
	Registered StatusRegistered  `json:"registered"`
	Traffic    *StatusTraffic    `json:"traffic,omitempty"`
	LastHour   StatusHour        `json:"last_hour"`
	Journal    StatusJournal     `json:"journal"`
	Listeners  *[]StatusListener `json:"listeners,omitempty"`
	InFlight   *uint64           `json:"in_flight,omitempty"`
	Module     *StatusModule     `json:"module,omitempty"`
	Memory     *StatusMemory     `json:"memory,omitempty"`
	Disk       *StatusDisk       `json:"disk,omitempty"`
	Needs      []StatusNeed      `json:"needs_a_person"`
	Failures   *StatusFailures   `json:"failures,omitempty" doc:"of the last 24 hours"`
	Observe    string            `json:"observe,omitempty" doc:"address of metrics, health and readiness"`

	AsOf    *time.Time `json:"as_of,omitempty" doc:"the moment that is told of; at is the same"`
	NotKept []string   `json:"not_kept,omitempty" doc:"as of a past moment: the members that are absent, for no journal has them or, of cards, only a reading of all of it"`
}

// StatusHost is who runs.
type StatusHost struct {
	Version   string    `json:"version"`
	Process   int       `json:"process"`
	Since     time.Time `json:"since"`
	Directory string    `json:"directory"`
	Test      bool      `json:"test_data_directory"`
}

// StatusRegistered are the sizes of the register.
type StatusRegistered struct {
	Merchants int  `json:"merchants"`
	Terminals int  `json:"terminals"`
	Devices   int  `json:"devices"`
	Cards     *int `json:"cards,omitempty"`
}

// StatusRate is per second over a stretch.
type StatusRate struct {
	Seconds  float64 `json:"seconds"`
	Messages float64 `json:"messages"`
	Money    float64 `json:"money"`
	Approved float64 `json:"approved"`
}

// StatusLatency is of the last minute.
type StatusLatency struct {
	Count  uint64  `json:"count"`
	P50MS  float64 `json:"p50_ms"`
	P99MS  float64 `json:"p99_ms"`
	P999MS float64 `json:"p999_ms"`
}

// StatusTraffic is rates and times.
type StatusTraffic struct {
	TenSeconds  StatusRate    `json:"ten_seconds"`
	OneMinute   StatusRate    `json:"one_minute"`
	FiveMinutes StatusRate    `json:"five_minutes"`
	Decided     StatusLatency `json:"decision"`
	Answered    StatusLatency `json:"answer"`
}

// StatusHour counts the last hour, canary messages included.
type StatusHour struct {
	Seconds  float64        `json:"seconds"`
	Messages uint64         `json:"messages"`
	Money    uint64         `json:"money"`
	Approved uint64         `json:"approved"`
	NoAnswer uint64         `json:"no_answer"`
	Refused  []StatusReason `json:"refused"`
}

// StatusReason is how often a reason was given.
type StatusReason struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// StatusJournal is the journal's section.
type StatusJournal struct {
	Head            uint64       `json:"head"`
	Durable         uint64       `json:"durable"`
	Bytes           *int64       `json:"bytes,omitempty"`
	LastBlock       *time.Time   `json:"last_block,omitempty"`
	Queue           *int         `json:"queue,omitempty"`
	QueueLimit      *int         `json:"queue_limit,omitempty"`
	CheckpointAge   *float64     `json:"checkpoint_age_seconds,omitempty"`
	CheckpointTook  *float64     `json:"checkpoint_took_seconds,omitempty"`
	ViewLag         *uint64      `json:"view_lag,omitempty"`
	AppendP99MS     *float64     `json:"append_p99_ms,omitempty"`
	EntriesPerBlock *float64     `json:"entries_per_block,omitempty"`
	Proof           *StatusProof `json:"proof,omitempty"`
}

// StatusProof is how far the proof of the whole journal is.
type StatusProof struct {
	Entry  uint64     `json:"entry"`
	Rounds uint64     `json:"rounds"`
	Ended  *time.Time `json:"ended,omitempty"`
}

// StatusListener is one place terminals connect to.
type StatusListener struct {
	Kind       string `json:"kind"`
	Address    string `json:"address"`
	Open       int64  `json:"open"`
	Accepted   uint64 `json:"accepted"`
	TurnedAway uint64 `json:"turned_away"`
	Frames     uint64 `json:"frames"`
	Answers    uint64 `json:"answers"`
	BadFrames  uint64 `json:"bad_frames"`
	Serving    bool   `json:"serving"`
}

// StatusModule is the security module's section.
type StatusModule struct {
	Unsealed bool    `json:"unsealed"`
	Keys     int     `json:"keys_open"`
	HitRatio float64 `json:"hit_ratio"`
}

// StatusMemory is what the process holds.
type StatusMemory struct {
	Bytes      uint64 `json:"bytes"`
	Heap       uint64 `json:"heap"`
	Goroutines int    `json:"goroutines"`
}

// StatusDisk is the file system of the data directory.
type StatusDisk struct {
	Free int64 `json:"free"`
	Size int64 `json:"size"`
}

// StatusNeed is something that waits for a person.
type StatusNeed struct {
	Code  string  `json:"code"`
	Value float64 `json:"value,omitempty"`
}

// StatusFailures are the sales of the last 24 hours that security refused.
type StatusFailures struct {
	Approved       uint64          `json:"approved_sales"`
	Refused        uint64          `json:"refused_sales"`
	RefusedAmount  int64           `json:"refused_amount"`
	Wrong          uint64          `json:"wrong"`
	Unknown        uint64          `json:"unknown"`
	Least          float64         `json:"false_failure_rate_least"`
	Most           float64         `json:"false_failure_rate_most"`
	WrongTerminals int             `json:"wrong_terminals"`
	Terminals      int             `json:"terminals"`
	Recovered      StatusPurchases `json:"recovered"`
	Lost           StatusPurchases `json:"lost"`
	Waiting        StatusPurchases `json:"waiting"`
}

// StatusPurchases are in number and money, minor units.
type StatusPurchases struct {
	Number uint64 `json:"number"`
	Amount int64  `json:"amount"`
}
