package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"touchstone/web"
)

// madeLive gives made pictures; beats nil: too many watch.
type madeLive struct {
	beats chan []byte
	lang  string
}

func (m *madeLive) Now(_ context.Context, _ *web.Caller, lang string) (Now, error) {
	m.lang = lang
	return Now{Points: make([]Point, 301), Needs: []Need{}}, nil
}

func (m *madeLive) Watch(context.Context, *web.Caller, string) (<-chan []byte, error) {
	if m.beats == nil {
		return nil, ErrWatched
	}
	return m.beats, nil
}

func liveAnswer(m *madeLive, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/live"+query, nil)
	serveLive(w, r.WithContext(web.With(r.Context(), &web.Caller{Account: "qian", Lang: "zh"})), m)
	return w
}

// TestTheStream: the first event has the last ten minutes, each further one is a beat, and it ends when the host ends it; too many
// are turned away with a time to come back.
func TestTheStream(t *testing.T) {
	m := &madeLive{beats: make(chan []byte, 2)}
	m.beats <- []byte(`{"journal":1}`)
	close(m.beats)
	w := liveAnswer(m, "?lang=en")
	events := strings.Split(strings.TrimSpace(w.Body.String()), "\n\n")
	if w.Header().Get("Content-Type") != "text/event-stream" || len(events) != 3 || !strings.HasPrefix(events[0], "retry: ") || events[2] != "event: beat\ndata: {\"journal\":1}" || m.lang != "en" {
		t.Fatalf("%s: %.300q", w.Header().Get("Content-Type"), events)
	}
	var begin Now
	if err := json.Unmarshal([]byte(strings.TrimPrefix(events[1], "event: begin\ndata: ")), &begin); err != nil || len(begin.Points) != 301 {
		t.Errorf("begins with %d points: %v", len(begin.Points), err)
	}
	if liveAnswer(m, "?lang=fr"); m.lang != "zh" {
		t.Errorf("of an unknown language: %q, want the caller's", m.lang)
	}
	m.beats = nil
	if w := liveAnswer(m, ""); w.Code != 503 || !strings.Contains(w.Body.String(), "too_many_watch") || w.Header().Get("Retry-After") == "" {
		t.Errorf("too many: %d %s", w.Code, w.Body)
	}
}
