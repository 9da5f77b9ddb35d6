package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/fleet"
	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// The pace of learning versions and of counting campaigns.
const (
	presentedQueue = 4096                  // devices that wait; what does not fit is told again by the next message
	presentedEvery = 50 * time.Millisecond // what came meanwhile is one act
	campaignEvery  = time.Minute
	campaignShare  = 20
)

// presented learns from proven messages which application each device runs. Only a change is written down.
type presented struct {
	queue    chan fleet.Presentation
	released atomic.Pointer[registry.Released]

	mu  sync.RWMutex                // guards now
	now map[pos.Serial]knownVersion // of devices that presented another than they were registered with
}

type knownVersion [fleet.MaxVersion]byte

var _ host.Versions = (*presented)(nil)

func newPresented() *presented {
	return &presented{queue: make(chan fleet.Presentation, presentedQueue), now: map[pos.Serial]knownVersion{}}
}

// begin takes over what the journal knows.
func (p *presented) begin(s *fleet.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.EachInstalled(func(serial pos.Serial, i *fleet.Installed) { p.now[serial] = versionOf([]byte(i.Version)) })
	p.publish(s)
}

// publish makes the list of releases the one that messages are judged by.
func (p *presented) publish(s *fleet.State) {
	released := s.Released()
	p.released.Store(&released)
}

func versionOf(app []byte) (v knownVersion) {
	copy(v[:], app)
	return v
}

// Released implements host.Versions.
func (p *presented) Released() registry.Released {
	if list := p.released.Load(); list != nil {
		return *list
	}
	return nil
}

// Presented implements host.Versions.
func (p *presented) Presented(d *registry.Device, app []byte, at pos.Instant) {
	if len(app) == 0 || len(app) > fleet.MaxVersion {
		return
	}
	version := versionOf(app)
	p.mu.RLock()
	known, ok := p.now[d.Serial]
	p.mu.RUnlock()
	if ok && known == version || !ok && len(d.AppVersions) == 1 && d.AppVersions[0] == string(app) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.queue <- fleet.Presentation{Device: d, Version: string(app), At: at}:
		p.now[d.Serial] = version
	default:
	}
}

// forget makes the next message of these devices tell again.
func (p *presented) forget(list []fleet.Presentation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range list {
		delete(p.now, x.Device.Serial)
	}
}

// followVersions writes down what devices presented, and counts what campaigns have left, until ctx ends. Counting a
// large fleet takes a while, so it is done again only when campaignShare times as long has passed.
func (e *engine) followVersions(ctx context.Context) {
	count := time.NewTimer(campaignEvery)
	defer count.Stop()
	var ready time.Time // when campaigns may be counted again
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-e.presented.queue:
			e.learn(ctx, first)
			if wait := time.Until(ready); wait > 0 {
				count.Reset(wait)
				continue
			}
		case <-count.C:
		}
		began := time.Now()
		if err := e.countCampaigns(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("campaigns were not counted", slog.String("error", err.Error()))
		}
		ready = time.Now().Add(campaignShare * time.Since(began))
		count.Reset(campaignEvery)
	}
}

// learn makes one act of what comes within a moment.
func (e *engine) learn(ctx context.Context, first fleet.Presentation) {
	list := []fleet.Presentation{first}
	more := time.NewTimer(presentedEvery)
	defer more.Stop()
gather:
	for len(list) < fleet.MaxPresentations {
		select {
		case next := <-e.presented.queue:
			list = append(list, next)
		case <-more.C:
			break gather
		case <-ctx.Done():
			break gather
		}
	}
	err := e.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) { return fleet.Learn(r.fleet, list), nil })
	if err != nil {
		e.presented.forget(list)
		if ctx.Err() == nil {
			e.log.Warn("presented versions were not written down", slog.String("error", err.Error()))
		}
	}
}

// places lists where every device works, reserved terminals left out. It takes locks of the ledger, so it is
// called before the rooms are lent.
func (e *engine) places() []fleet.Place {
	terminals := e.ledger.Terminals()
	all := make([]fleet.Place, 0, len(terminals))
	for _, t := range terminals {
		if t.Canary {
			continue
		}
		if d, err := e.ledger.Device(t.Serial); err == nil {
			all = append(all, fleet.Place{Terminal: t.ID, Merchant: t.Merchant, Device: d})
		}
	}
	return all
}

// countCampaigns notes how many terminals each open campaign has left, and closes those that have none.
func (e *engine) countCampaigns(ctx context.Context) error {
	open := false
	e.office.view(func(r *rooms) { open = r.fleet.Campaigning() })
	if !open {
		return nil
	}
	places := e.places()
	return e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		for _, c := range r.fleet.OpenCampaigns() {
			drafts = append(drafts, fleet.Progress(r.fleet, c, places, now)...)
		}
		return drafts, nil
	})
}
