package main

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/api"
)

// nowRoom is what the pages Now, Failures and Journal need beside the folds: one picture a second for all who watch,
// figures that are too dear to be made for each of them, and two kinds of reading of the journal in the background.
type nowRoom struct {
	e     *engine
	pulse *pulse
	words func() *explain.Catalogue

	ctx context.Context // of what runs in the background; ends with the engine

	needs     kept[[]need]
	proving   kept[provenWords]
	verifying verifying
	counting  counting

	mu       sync.Mutex // guards the fields below
	watchers map[*watcher]struct{}
	beating  bool // a goroutine makes pictures
}

// Bounds of watching.
const (
	beatEvery    = time.Second
	mostWatchers = 256
	beatPoints   = 4       // of one beat: what came late is corrected
	beatBytes    = 4 << 10 // of one beat: the oldest refusals are left out over it
	beatLatest   = 20
)

// watcher is one open page.
type watcher struct {
	shop pos.MerchantID // of a merchant's caller; zero: the acquirer's
	lang string
	out  chan []byte // of 1: the newest picture says all
}

func newNowRoom(ctx context.Context, e *engine) *nowRoom {
	n := &nowRoom{e: e, ctx: ctx, watchers: map[*watcher]struct{}{}}
	n.words = sync.OnceValue(func() *explain.Catalogue {
		c, err := explain.Load()
		if err != nil {
			panic("the catalogue that is built in does not load: " + err.Error()) // every command loads it too
		}
		return c
	})
	n.pulse = newPulse(e.line.Zone, func(id pos.TerminalID) (pos.MerchantID, bool) {
		t, err := e.ledger.Terminal(id)
		if err != nil {
			return pos.MerchantID{}, false
		}
		return t.Merchant, true
	})
	n.needs = kept[[]need]{make: e.needsNow, least: 5 * time.Second}
	n.proving = kept[provenWords]{make: e.provenNow, least: 10 * time.Second}
	n.counting.ctx = n.ctx
	return n
}

// kept is a value that is made anew at most every so often: not before least, nor before a hundred times what the last
// making took, so that it costs a hundredth of a processor at most. Only the first reader waits.
type kept[T any] struct {
	make  func() T
	least time.Duration

	mu     sync.Mutex // guards the fields below
	value  T
	at     time.Time
	took   time.Duration
	making bool
	first  chan struct{} // closed when there is a value
}

func (k *kept[T]) get() T {
	k.mu.Lock()
	if k.first == nil {
		k.first = make(chan struct{})
	}
	first := k.first
	if stale := time.Since(k.at) > max(k.least, 100*k.took); stale && !k.making {
		k.making = true
		go k.renew()
	}
	k.mu.Unlock()
	<-first
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.value
}

func (k *kept[T]) renew() {
	began := time.Now()
	v := k.make()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at.IsZero() {
		close(k.first)
	}
	k.value, k.at, k.took, k.making = v, time.Now(), time.Since(began), false
}

// watch adds a page until ctx ends.
func (n *nowRoom) watch(ctx context.Context, shop pos.MerchantID, lang string) (<-chan []byte, error) {
	w := &watcher{shop: shop, lang: lang, out: make(chan []byte, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.watchers) >= mostWatchers || n.ctx.Err() != nil {
		return nil, api.ErrWatched
	}
	n.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() { n.leave(w) })
	if !n.beating {
		n.beating = true
		n.e.wait.Go(n.beat)
	}
	return w.out, nil
}

func (n *nowRoom) leave(w *watcher) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, there := n.watchers[w]; there {
		delete(n.watchers, w)
		close(w.out)
	}
}

// beat makes a picture a second while anybody watches.
func (n *nowRoom) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			n.end()
			return
		case <-tick.C:
		}
		if !n.publish() {
			return
		}
	}
}

// end lets every page go.
func (n *nowRoom) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watchers {
		delete(n.watchers, w)
		close(w.out)
	}
	n.beating = false
}

// view is what a picture is made for: all who see the same share it.
type viewOf struct {
	shop pos.MerchantID
	lang string
}

// publish gives each watcher its picture; false when nobody is left.
func (n *nowRoom) publish() bool {
	made := map[viewOf][]byte{}
	n.mu.Lock()
	for w := range n.watchers {
		made[viewOf{w.shop, w.lang}] = nil
	}
	if len(made) == 0 {
		n.beating = false
		n.mu.Unlock()
		return false
	}
	n.mu.Unlock()
	for v := range made {
		made[v] = n.picture(v)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watchers {
		data := made[viewOf{w.shop, w.lang}]
		if data == nil {
			continue // came meanwhile
		}
		select {
		case <-w.out: // who is slow is given the newest
		default:
		}
		w.out <- data
	}
	return true
}

// picture is one beat as JSON, within beatBytes.
func (n *nowRoom) picture(v viewOf) []byte {
	now := n.of(v, beatPoints)
	for {
		data, err := json.Marshal(now)
		if err != nil {
			return nil // a number that JSON has no form for; the next second has another
		}
		latest := &now.Latest
		if now.Shop != nil {
			latest = &now.Shop.Latest
		}
		if len(data) <= beatBytes || len(*latest) == 0 {
			return data
		}
		*latest = (*latest)[:len(*latest)-1]
	}
}

// Watch implements api.Live.
func (d *desk) Watch(ctx context.Context, who *web.Caller, lang string) (<-chan []byte, error) {
	return d.now.watch(ctx, shopOf(who), lang)
}

// Now implements api.Live.
func (d *desk) Now(_ context.Context, who *web.Caller, lang string) (api.Now, error) {
	return d.now.of(viewOf{shopOf(who), lang}, pulseBeats), nil
}

// shopOf is whose figures a caller is given: the zero merchant stands for the acquirer's, which no merchant gets.
func shopOf(who *web.Caller) pos.MerchantID {
	if !who.Merchant() {
		return pos.MerchantID{}
	}
	if who.Shop == (pos.MerchantID{}) {
		return noShop
	}
	return who.Shop
}

// noShop is of a merchant's account without a shop: no merchant has this number.
var noShop = pos.MerchantID{0: '?'}
