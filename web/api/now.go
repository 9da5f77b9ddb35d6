package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"touchstone/web"
)

// Now is what happens now. A merchant's caller is given Shop alone, and the rest is zero.
type Now struct {
	At         time.Time `json:"at"`
	Rebuilding bool      `json:"rebuilding,omitempty" doc:"the last hours are still being counted since the start"`
	Lag        uint64    `json:"lag" doc:"durable entries of the journal that these figures do not count yet"`

	Rate   float64 `json:"messages_per_second" doc:"over the last ten seconds"`
	Money  float64 `json:"financial_per_second"`
	P50MS  float64 `json:"p50_ms" doc:"from frame to answer, last minute; at most an eighth too high"`
	P99MS  float64 `json:"p99_ms"`
	Within int     `json:"within" doc:"how many minutes approved, refused and reasons are of"`

	Approved   uint64      `json:"approved"`
	Refused    uint64      `json:"refused"`
	Suppressed uint64      `json:"suppressed" doc:"refusals of a flood, only counted"`
	Reasons    []ReasonNow `json:"reasons" nullable:"false" doc:"the most frequent first; issuer stands for what the card's bank refused"`

	Proven  *Proven   `json:"proven,omitempty"`
	Needs   []Need    `json:"needs" nullable:"false" doc:"what waits for a person, the most urgent first"`
	Latest  []Refusal `json:"latest" nullable:"false" doc:"newest refusals by security, the newest first"`
	Points  []Point   `json:"points" nullable:"false" doc:"two seconds each; the last of them may still grow"`
	Shop    *ShopNow  `json:"shop,omitempty"`
	Journal uint64    `json:"journal" doc:"the newest durable entry"`
}

// PointSeconds is how long a Point is.
const PointSeconds = 2

// Point is two seconds.
type Point struct {
	T        int64             `json:"t" doc:"its start, seconds since 1970"`
	Approved uint32            `json:"a,omitempty"`
	Refused  map[string]uint32 `json:"r,omitempty" doc:"by reason"`
}

// ReasonNow is how often a reason was given.
type ReasonNow struct {
	Reason string `json:"reason"`
	Words  string `json:"words"`
	Count  uint64 `json:"count"`
}

// Proven is how effective authentication is, as touchstone effectiveness and touchstone failures say it.
type Proven struct {
	Sentence  string  `json:"sentence"`
	Approvals uint64  `json:"approvals" doc:"of the last 48 hours"`
	Full      uint64  `json:"fully_proven"`
	Canary    string  `json:"canary" doc:"ok, ineffective, none or waiting"`
	Says      string  `json:"canary_says"`
	Least     float64 `json:"false_failure_least" doc:"share of honest sales that security refused, last 24 hours: what is proven"`
	Most      float64 `json:"false_failure_most" doc:"and with what is unknown"`
}

// Need is something that waits for a person.
type Need struct {
	Code  string `json:"code" doc:"stable"`
	Count uint64 `json:"count"`
	Grave bool   `json:"grave,omitempty"`
	Words string `json:"words"`
	More  string `json:"more,omitempty" doc:"such as the next deadline"`
	Href  string `json:"href" doc:"the page of the console that lists them"`
}

// Refusal is one refused message in a line.
type Refusal struct {
	ID       string `json:"id" example:"txn_1042"`
	At       string `json:"at" doc:"time of day in the host's zone"`
	Terminal string `json:"terminal"`
	Reason   string `json:"reason"`
	Words    string `json:"words"`
	Cause    string `json:"cause,omitempty" doc:"how certain first: PROVEN, INDICATED, UNPROVEN; absent while it is sought"`
	Amount   string `json:"amount,omitempty"`
	DE39     string `json:"de39,omitempty"`
	Do       string `json:"do,omitempty" doc:"what the cashier does; in a merchant's figures"`
}

// ShopNow is what a merchant sees of its own terminals, today.
type ShopNow struct {
	Merchant string     `json:"merchant"`
	Name     string     `json:"name"`
	Since    time.Time  `json:"since" doc:"midnight in the host's zone, or later where counting began later"`
	Approved uint64     `json:"approved"`
	Taken    string     `json:"approved_amount"`
	Refused  uint64     `json:"refused"`
	Reasons  []ReasonDo `json:"reasons" nullable:"false"`
	Blocked  []string   `json:"blocked" nullable:"false" doc:"its terminals that may not sell"`
	Devices  int        `json:"terminals"`
	Latest   []Refusal  `json:"latest" nullable:"false"`
}

// ReasonDo is a reason with what to do about it at the counter.
type ReasonDo struct {
	ReasonNow
	Do string `json:"do"`
}

// Live tells what happens now. One picture a second is made for all who watch.
type Live interface {
	// Now is the moment with its last ten minutes.
	Now(ctx context.Context, who *web.Caller, lang string) (Now, error)
	// Watch gives JSON of a Now each second, with the last few points alone, until ctx ends; then the channel is
	// closed. What is not read in time is replaced by what comes next. ErrWatched when too many watch.
	Watch(ctx context.Context, who *web.Caller, lang string) (<-chan []byte, error)
}

// ErrWatched is returned when nobody else may watch.
var ErrWatched = errors.New("too many watch already")

func (a *API) live(d *Desk) {
	const path = Root + "/live"
	rule := web.Rule{Any: true, Shop: true}
	a.huma.OpenAPI().AddOperation(&huma.Operation{OperationID: "watch-live", Method: http.MethodGet, Path: path, Tags: []string{"live"}, Summary: "What happens now, as server-sent events",
		Description: "The first event, named begin, has the last ten minutes; then one named beat comes each second with the newest points. Data of both is the schema Now, in the language of ?lang=en or zh. A client that reconnects begins anew.",
		Parameters:  []*huma.Param{{Name: "lang", In: "query", Schema: &huma.Schema{Type: "string", Enum: []any{"en", "zh"}}}},
		Responses: map[string]*huma.Response{"200": {Description: "events", Content: map[string]*huma.MediaType{
			"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}}}})
	a.shelf.router.Handle(web.Route{Method: http.MethodGet, Pattern: path, Rule: rule, API: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveLive(w, r, d.Live)
	}))
}

// liveWrite bounds one write to a watcher.
const liveWrite = 10 * time.Second

func serveLive(w http.ResponseWriter, r *http.Request, live Live) {
	who := web.CallerOf(r.Context())
	lang := who.Lang
	if q := r.URL.Query().Get("lang"); q == "en" || q == "zh" {
		lang = q
	}
	if lang != "zh" {
		lang = "en"
	}
	beats, err := live.Watch(r.Context(), who, lang)
	var first Now
	if err == nil {
		first, err = live.Now(r.Context(), who, lang)
	}
	if err != nil {
		code := "internal"
		status := http.StatusInternalServerError
		if errors.Is(err, ErrWatched) {
			code, status = "too_many_watch", http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "10")
		}
		Write(w, r, status, code)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the server's own would end the stream; where there is none, nothing has to be undone
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	_, _ = fmt.Fprint(w, "retry: 2000\n\n") // whoever is cut off comes back after two seconds
	send := func(event string, data []byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(liveWrite)) // a connection without deadlines fails by itself
		_, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data)
		return err == nil && control.Flush() == nil
	}
	begin, err := json.Marshal(first)
	if err != nil || !send("begin", begin) {
		return
	}
	for beat := range beats {
		if !send("beat", beat) {
			return
		}
	}
}
