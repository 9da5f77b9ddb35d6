package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"touchstone/web"
)

// Times of the stream of server-sent events.
const (
	streamBeat  = 15 * time.Second // a comment, so that who is gone is found
	streamWrite = 10 * time.Second // for one piece
	streamLife  = 10 * time.Minute // then the reader comes again, and its rights are looked at anew
	mostResumed = 5000             // entries of the journal that are read for one reader who comes again
)

// ErrTooOld is returned by Since when a reader asks for more than is read again.
var ErrTooOld = errors.New("stream: too far back")

// Streams is what the host offers of what happens.
type Streams interface {
	Stream() *Stream
	// Since calls f with every notice of TopicEntry after an entry, and returns the last entry that it read. What is
	// older than most entries is ErrTooOld.
	Since(ctx context.Context, after uint64, most int, f func(Notice) error) (last uint64, err error)
	// Still tells whether a caller may go on.
	Still(who *web.Caller) bool
}

func (a *API) streams(d *Desk) {
	rule := web.Rule{Any: true, Shop: true}
	a.shelf.router.Handle(web.Route{Method: http.MethodGet, Pattern: StreamPath, Rule: rule, API: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.follow(w, r, d) }))
	op := a.describe(Operation{ID: "follow", Method: http.MethodGet, Path: "/stream", Summary: "What happens, as server-sent events", Tag: "stream", Rule: rule,
		Text: "Events, refusals and acts as they become durable (topic entry), and aggregates of now (topic live). A reader that comes again with Last-Event-ID, the number of an entry, gets what it missed. One that does not read is cut."})
	op.Parameters = []*huma.Param{
		{Name: "topics", In: "query", Description: "entry, live, or both with a comma; entry when not given", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"entry", "live", "entry,live", "live,entry"}}},
		{Name: "after", In: "query", Description: "the number of the last entry that is known, as Last-Event-ID", Schema: &huma.Schema{Type: huma.TypeInteger}},
		{Name: "Last-Event-ID", In: "header", Description: "the number of the last entry that is known", Schema: &huma.Schema{Type: huma.TypeString}}}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}}, "default": a.documentError()}
	a.huma.OpenAPI().AddOperation(&op)
}

// StreamPath is where the stream is. A request for it does not keep a session alive.
const StreamPath = Root + "/stream"

// follow serves one reader until it goes, is cut, may not any more, or has read for long.
func (a *API) follow(w http.ResponseWriter, r *http.Request, d *Desk) {
	topics, after, p := followed(r)
	if p != nil {
		a.refuse(w, r, p)
		return
	}
	who, stream := web.CallerOf(r.Context()), d.Streams.Stream()
	sub, err := stream.Subscribe(who, topics...)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		a.refuse(w, r, Refuse(http.StatusTooManyRequests, "too_many_readers", "as many follow the stream as may at once"))
		return
	}
	defer sub.End()
	f := &follower{out: http.NewResponseController(w), to: bufio.NewWriter(w), who: who}
	_ = f.out.SetReadDeadline(time.Time{}) // the request was read; a test's recorder has no deadlines
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	defer cancel()
	if f.comment("touchstone") != nil {
		return
	}
	if after != nil {
		if f.last, err = d.Streams.Since(ctx, *after, mostResumed, f.resumed); err != nil {
			if errors.Is(err, ErrTooOld) {
				_ = f.event("", "too_old", []byte(`{"code":"too_old","doc_url":"`+docURL("too_old")+`"}`))
			}
			return
		}
	}
	f.run(ctx, sub, func() bool { return d.Streams.Still(who) })
}

// followed reads what a reader asks for.
func followed(r *http.Request) (topics []string, after *uint64, p *Problem) {
	for name := range r.URL.Query() {
		if name != "topics" && name != "after" {
			p := Refuse(http.StatusBadRequest, "unknown_parameter", "there is no such parameter")
			p.Param = shortened(name)
			return nil, nil, p
		}
	}
	asked := r.URL.Query().Get("topics")
	if asked == "" {
		asked = TopicEntry
	}
	for _, t := range strings.Split(asked, ",") {
		if t != TopicEntry && t != TopicLive {
			p := Refuse(http.StatusBadRequest, "invalid_parameter", "want entry, live, or both with a comma")
			p.Param = "topics"
			return nil, nil, p
		}
		if !contains(topics, t) {
			topics = append(topics, t)
		}
	}
	last, param := r.Header.Get("Last-Event-ID"), "Last-Event-ID"
	if last == "" {
		last, param = r.URL.Query().Get("after"), "after"
	}
	if last == "" || !contains(topics, TopicEntry) {
		return topics, nil, nil
	}
	n, err := strconv.ParseUint(last, 10, 63)
	if err != nil {
		p := Refuse(http.StatusBadRequest, "invalid_parameter", "want the number of an entry")
		p.Param = param
		return nil, nil, p
	}
	return topics, &n, nil
}

// follower writes to one reader.
type follower struct {
	out  *http.ResponseController
	to   *bufio.Writer
	who  *web.Caller
	last uint64 // the last entry that was read again
}

func (f *follower) run(ctx context.Context, sub *Subscription, still func() bool) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if !still() || f.comment("") != nil {
				return
			}
		case n, open := <-sub.Notices:
			if !open {
				return
			}
			if n.Seq != 0 && n.Seq <= f.last {
				continue // told already, from the journal
			}
			if f.notice(n) != nil {
				return
			}
		}
	}
}

// resumed writes a notice from the journal, where the reader may see it.
func (f *follower) resumed(n Notice) error {
	if f.who.Merchant() && (n.Merchant != f.who.Shop) {
		return nil
	}
	return f.notice(n)
}

func (f *follower) notice(n Notice) error {
	id := ""
	if n.Seq != 0 {
		id = strconv.FormatUint(n.Seq, 10)
	}
	return f.event(id, n.Topic, n.Data)
}

func (f *follower) event(id, name string, data []byte) error {
	if id != "" {
		fmt.Fprintf(f.to, "id: %s\n", id)
	}
	fmt.Fprintf(f.to, "event: %s\ndata: ", name)
	f.to.Write(data)
	return f.flush("\n\n")
}

func (f *follower) comment(text string) error { return f.flush(": " + text + "\n\n") }

// flush sends what was written, within the time that one piece may take.
func (f *follower) flush(end string) error {
	_ = f.out.SetWriteDeadline(time.Now().Add(streamWrite)) // a test's recorder has no deadlines
	if _, err := io.WriteString(f.to, end); err != nil {
		return err
	}
	if err := f.to.Flush(); err != nil {
		return err
	}
	return f.out.Flush()
}
