package api_test

import (
	"errors"
	"testing"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

func merchant(t *testing.T, s string) pos.MerchantID {
	t.Helper()
	m, err := pos.ParseMerchantID(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestStreamSees: staff see everything of their topics; a shop's people see what is theirs alone.
func TestStreamSees(t *testing.T) {
	own, other := merchant(t, "898310058120001"), merchant(t, "898310058120002")
	s := api.NewStream()
	people := map[string]*web.Caller{"staff": {Account: "qian", Roles: []staff.Role{staff.Security}}, "shop": {Account: "lin", Roles: []staff.Role{staff.Merchant}, Shop: own}}
	for name, want := range map[string]int{"staff": 3, "shop": 1} {
		sub, err := s.Subscribe(people[name], api.TopicEntry)
		if err != nil {
			t.Fatal(err)
		}
		s.Publish(api.Notice{Topic: api.TopicEntry, Seq: 1, Merchant: own})
		s.Publish(api.Notice{Topic: api.TopicEntry, Seq: 2, Merchant: other})
		s.Publish(api.Notice{Topic: api.TopicEntry, Seq: 3})
		s.Publish(api.Notice{Topic: api.TopicLive})
		if got := len(sub.Notices); got != want {
			t.Errorf("%s sees %d of 4, want %d", name, got, want)
		}
		sub.End()
	}
	if s.Wanted(api.TopicEntry) {
		t.Error("wanted by nobody")
	}
}

// TestStreamCut: who does not read is cut, and nobody waits for it; there is room for so many, and for so many of one.
func TestStreamCut(t *testing.T) {
	s := api.NewStream()
	who := &web.Caller{Account: "qian", Roles: []staff.Role{staff.Security}}
	slow, err := s.Subscribe(who, api.TopicLive)
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		s.Publish(api.Notice{Topic: api.TopicLive})
	}
	n := 0
	for range slow.Notices { // it ends: the channel was closed
		n++
	}
	if n == 0 || n >= 2000 {
		t.Errorf("a slow reader was given %d", n)
	}
	slow.End() // again: nothing
	for i := range api.MostOfOne + 1 {
		if _, err := s.Subscribe(who, api.TopicLive); (err != nil) != (i == api.MostOfOne) || err != nil && !errors.Is(err, api.ErrCrowded) {
			t.Errorf("subscription %d of one: %v", i+1, err)
		}
	}
	for i := api.MostOfOne; i < api.MostSubscribers+1; i++ {
		_, err := s.Subscribe(&web.Caller{Account: string(rune('a' + i))}, api.TopicEntry)
		if (err != nil) != (i == api.MostSubscribers) {
			t.Errorf("subscription %d: %v", i+1, err)
		}
	}
	s.Close()
	if _, err := s.Subscribe(&web.Caller{Account: "late"}, api.TopicEntry); err == nil {
		t.Error("after the end one may subscribe")
	}
}
