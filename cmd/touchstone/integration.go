package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/observe"
	"touchstone/web"
)

// otherRoute stands for requests that no route answers.
const otherRoute = "other"

// integration adds up what other programs and browsers do. Labels are words of this program: a request makes none.
type integration struct {
	mu       sync.Mutex // guards what follows; held for a moment
	requests map[routeClass]*routeCount
	signIns  map[string]uint64
	ends     map[string]int64 // of certificates, by listener
	events   map[string]uint64
}

type routeClass struct{ route, class string }

type routeCount struct {
	n    uint64
	took time.Duration
}

func newIntegration() *integration {
	g := &integration{requests: map[routeClass]*routeCount{}, signIns: map[string]uint64{"in": 0, "refused": 0, "wait": 0}, ends: map[string]int64{}, events: map[string]uint64{}}
	for name := range eventWords { // from 0, so that the first one is a rise
		g.events[name] = 0
	}
	return g
}

// served takes a request in; the number of routes bounds the table.
func (g *integration) served(s *web.Served) {
	key := routeClass{cmp.Or(s.Pattern, otherRoute), strconv.Itoa(s.Status/100) + "xx"}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.requests[key]
	if c == nil {
		c = &routeCount{}
		g.requests[key] = c
	}
	c.n++
	c.took += s.Took
}

func (g *integration) signedIn(result string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.signIns[result]++
}

// mostEvents bounds the names of events that are counted; they are words of this program.
const mostEvents = 64

// fold counts an event that became durable.
func (g *integration) fold(entry journal.Entry) {
	if entry.Kind != journal.KindEvent {
		return
	}
	event, known := parseEvent(entry)
	if !known {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, counted := g.events[event.Name]; counted || len(g.events) < mostEvents {
		g.events[event.Name]++
	}
}

// shows notes which certificate a listener shows.
func (g *integration) shows(listener string, c *tls.Certificate) {
	leaf := c.Leaf
	if leaf == nil && len(c.Certificate) > 0 {
		leaf, _ = x509.ParseCertificate(c.Certificate[0]) // one that does not parse was refused before
	}
	if leaf == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends[listener] = leaf.NotAfter.Unix()
}

// observedIntegration are the figures for /metrics.
func (e *engine) observedIntegration() observe.Integration {
	n := observe.Integration{Subscribers: e.stream.Subscribers(), Webhooks: map[string]int{"delivering": 0, "failing": 0, "disabled": 0}, Spans: e.traces.counts()}
	g := e.integration
	g.mu.Lock()
	for key, c := range g.requests {
		n.Requests = append(n.Requests, observe.Requests{Route: key.route, Class: key.class, Count: c.n, Second: c.took.Seconds()})
	}
	n.SignIns, n.Certificates, n.Events = maps.Clone(g.signIns), maps.Clone(g.ends), maps.Clone(g.events)
	g.mu.Unlock()
	slices.SortFunc(n.Requests, func(a, b observe.Requests) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Class, b.Class))
	})
	e.hooks.mu.Lock()
	n.Told = map[string]uint64{"delivered": 0}
	for kind, count := range e.hooks.sent {
		n.Told[cmp.Or(kind, "delivered")] = count
	}
	e.hooks.mu.Unlock()
	list, err := webhookDesk{e}.hooksAt(context.Background(), 0)
	if err != nil {
		return n // the file cannot be read, which the log says where it matters
	}
	now := time.Now()
	for _, w := range list {
		n.Webhooks[w.State]++
		if w.Disabled != nil {
			continue
		}
		n.WebhookLag = max(n.WebhookLag, w.Behind)
		if w.Failing != nil {
			n.WebhookFailing = max(n.WebhookFailing, now.Sub(*w.Failing).Seconds())
		}
	}
	return n
}
