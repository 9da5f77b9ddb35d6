package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/web"
	"touchstone/web/api"
)

// follow reads the stream as a caller, from an entry on, and gives what comes.
func (h *apiHouse) follow(server *httptest.Server, who, query, last string) (events <-chan [3]string, end func()) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+api.StreamPath+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set(asAccount, who)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	if answer.StatusCode != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		h.t.Fatalf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	out := make(chan [3]string, 10_000)
	go func() {
		defer close(out)
		defer answer.Body.Close()
		var e [3]string
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			for i, field := range []string{"id: ", "event: ", "data: "} {
				if value, ok := strings.CutPrefix(lines.Text(), field); ok {
					e[i] = value
				}
			}
			if lines.Text() == "" && e[1] != "" {
				out <- e
				e = [3]string{}
			}
		}
	}()
	return out, cancel
}

// TestFollow: what becomes durable comes as it does; who comes back with the last number misses nothing and gets nothing
// twice; a shop's people get what is theirs; what is too far back is said to be so.
func TestFollow(t *testing.T) {
	h := newAPIHouse(t)
	server := httptest.NewServer(h.router)
	defer server.Close()
	head, _, err := h.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	act := func(id string) {
		t.Helper()
		if w := h.ask("chen", "POST", api.Root+"/cashiers", `{"merchant":"`+shopOfLin+`","operator":"`+id+`","name":"x"}`); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	next := func(from <-chan [3]string, noun string) (id string) {
		t.Helper()
		for e := range from {
			var told happened
			if err := json.Unmarshal([]byte(e[2]), &told); err != nil || e[1] != api.TopicEntry || e[0] != fmt.Sprint(told.Entry) {
				t.Fatalf("%v: %v", e, err)
			}
			if told.Act != nil && len(told.Act.Changed) > 0 && told.Act.Changed[0].Noun == "cashier" && told.Act.Changed[0].ID == noun {
				return e[0]
			}
		}
		t.Fatalf("the stream ended before %s", noun)
		return ""
	}
	live, end := h.follow(server, "qian", "?after="+fmt.Sprint(head), "")
	act("71")
	at := next(live, shopOfLin+"/71")
	end()
	act("72")
	act("73")
	again, end := h.follow(server, "qian", "", at)
	defer end()
	next(again, shopOfLin+"/72")
	next(again, shopOfLin+"/73")
	act("74")
	next(again, shopOfLin+"/74")

	own, endOwn := h.follow(server, "lin", "?after="+fmt.Sprint(head), "")
	defer endOwn()
	for _, shop := range []string{"898310058120002", shopOfLin} {
		if err := h.raise(t.Context(), &journal.Event{Name: "a_test", Severity: journal.Info, Merchant: shop}); err != nil {
			t.Fatal(err)
		}
	}
	if e := <-own; !strings.Contains(e[2], shopOfLin) || strings.Contains(e[2], "898310058120002") {
		t.Errorf("a merchant was told %v", e)
	}
	for len(own) > 0 {
		t.Errorf("and %v", <-own)
	}
	old, endOld := h.follow(server, "qian", "?topics=live,entry&after=0", "")
	defer endOld()
	if e := <-old; head <= 5000 && e[1] != api.TopicEntry {
		t.Errorf("from the first entry: %v", e)
	}
	for query, code := range map[string]string{"?topics=x": "invalid_parameter", "?after=x": "invalid_parameter", "?x=1": "unknown_parameter"} {
		if w := h.ask("qian", "GET", api.StreamPath+query, ""); w.Code != 400 || problemCode(w) != code {
			t.Errorf("%s: %d %s", query, w.Code, problemCode(w))
		}
	}
}

// TestFollowTooOld: what is further back than is read again is said to be so.
func TestFollowTooOld(t *testing.T) {
	h := newAPIHouse(t)
	d := streamDesk{h.engine}
	if _, err := d.Since(t.Context(), 1, 10, func(api.Notice) error { return nil }); err != api.ErrTooOld {
		t.Errorf("%v", err)
	}
	if !d.Still(&web.Caller{Account: "qian"}) {
		t.Error("qian may not go on")
	}
	if d.Still(&web.Caller{Account: "nobody"}) || d.Still(&web.Caller{Account: "key:KEY-9"}) {
		t.Error("nobody may")
	}
}
