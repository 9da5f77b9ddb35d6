package capture

import (
	"hash/maphash"
	"slices"

	"touchstone/pos"
)

// pairing keeps requests until they are answered or given up, and tells each terminal's in their order: a verdict
// on one rests on those before it.
type pairing struct {
	t       *Tracker
	senders map[pos.TerminalID]*sender
	oldest  []*waiting // in the order in which they came, for the wait
	live    int        // requests that were not told yet
	spare   []*waiting
	seed    maphash.Seed
	err     error // the first of OnPair
}

// sender is a terminal: its requests that wait, the oldest first, and the prints of its last ones. One that is known
// only while its requests wait has no prints.
type sender struct {
	all    []*waiting
	kept   bool
	prints prints
}

// waiting is a request, and its answer as soon as there is one.
type waiting struct {
	pair     Pair
	room     [2][]byte // for the bytes of request and answer; used again
	resolved bool
	told     bool
	conn     *conn
	sender   *sender
	queued   bool // in oldest
}

// link is the pairing's part of a connection.
type link struct {
	waiting []*waiting
	givenUp [8]key // answers of these are late
	next    int
}

type key struct {
	mti      pos.MTI
	stan     pos.STAN
	terminal pos.TerminalID
}

// prints are hashes of a terminal's last requests.
type prints struct {
	of   [8]uint64
	next int
}

// maxPrinted is for how many terminals repeats are looked for.
const maxPrinted = 1 << 20

func (p *pairing) begin(t *Tracker) {
	p.t, p.senders, p.seed = t, map[pos.TerminalID]*sender{}, maphash.MakeSeed()
}

// request takes a request. side.Frame is a view.
func (p *pairing) request(c *conn, kind Kind, side *Side) {
	w, from := p.make(), p.sender(side.Terminal)
	client, server := c.ends()
	w.pair = Pair{Stream: c.number, Client: client, Server: server, Kind: kind, Gap: c.gap, Repeat: p.repeats(from, side)}
	w.room[0] = p.copy(&w.pair.Request, side, w.room[0])
	if w.pair.Repeat {
		p.t.stats.Repeats++
	}
	if kind == Cut || kind == NoFrame { // the host closes the connection
		p.t.stats.Unanswered++
		w.pair.Closed = true
		p.tell(&w.pair)
		p.free(w)
		return
	}
	if len(c.link.waiting) >= MaxWaiting {
		p.giveUp(c, c.link.waiting[0])
	}
	c.link.waiting = append(c.link.waiting, w)
	w.conn = c
	p.remember(w)
	if w.sender = from; !from.kept {
		p.senders[side.Terminal] = from // giving up another may have taken it out
	}
	if from.all = append(from.all, w); len(from.all) > MaxWaiting {
		p.resolve(from.all[0], false)
	}
}

// sender finds a terminal, or takes one in. What names none is a sender too, as long as it waits.
func (p *pairing) sender(id pos.TerminalID) *sender {
	s := p.senders[id]
	if s == nil {
		s = &sender{kept: id != pos.TerminalID{} && len(p.senders) < maxPrinted}
		p.senders[id] = s
	}
	return s
}

// answer finds the request of an answer: the oldest of its connection with its type, trace and terminal. What the
// same terminal sent before it on that connection will not be answered any more.
func (p *pairing) answer(c *conn, side *Side) {
	at := slices.IndexFunc(c.link.waiting, func(w *waiting) bool { return answers(side, &w.pair.Request) })
	if at < 0 {
		late := key{side.MTI - 0x10, side.STAN, side.Terminal}
		if slices.Contains(c.link.givenUp[:], late) {
			p.t.stats.Late++
			return
		}
		p.t.stats.Orphans++
		return
	}
	w := c.link.waiting[at]
	c.link.waiting = slices.Delete(c.link.waiting, at, at+1)
	w.pair.Gap = w.pair.Gap || c.gap
	w.room[1] = p.copy(&w.pair.Answer, side, w.room[1])
	w.pair.Answered = true
	for _, before := range slices.Clone(c.link.waiting[:at]) {
		if before.pair.Request.Terminal == side.Terminal && side.Terminal != (pos.TerminalID{}) {
			p.giveUp(c, before)
		}
	}
	p.resolve(w, true)
}

// answers tells whether an answer is one of a request. A refusal of a malformed message may lack what it could not read.
func answers(a, r *Side) bool {
	return a.MTI == r.MTI.Response() && (a.STAN == r.STAN || !a.HasSTAN) && (a.Terminal == r.Terminal || a.Terminal == (pos.TerminalID{}))
}

// giveUp stops waiting for the answer of a request of c.
func (p *pairing) giveUp(c *conn, w *waiting) {
	if at := slices.Index(c.link.waiting, w); at >= 0 {
		c.link.waiting = slices.Delete(c.link.waiting, at, at+1)
	}
	r := &w.pair.Request
	c.link.givenUp[c.link.next%len(c.link.givenUp)] = key{r.MTI, r.STAN, r.Terminal}
	c.link.next++
	w.pair.Gap = w.pair.Gap || c.gap
	p.resolve(w, false)
}

// resolve marks a request as answered or given up, and tells what is now at the front of its terminal's line.
func (p *pairing) resolve(w *waiting, answered bool) {
	if w.resolved {
		return
	}
	w.resolved = true
	if answered {
		p.t.stats.Pairs++
		if w.pair.Took() > p.t.opts.Wait {
			p.t.stats.Late++
		}
	} else {
		p.t.stats.Unanswered++
	}
	l, terminal := w.sender, w.pair.Request.Terminal
	for len(l.all) > 0 && l.all[0].resolved {
		front := l.all[0]
		l.all = slices.Delete(l.all, 0, 1)
		p.tell(&front.pair)
		front.told = true
		front.wipe()
		p.live--
		if !front.queued {
			p.free(front)
		}
	}
	switch {
	case len(l.all) > 0:
	case !l.kept:
		delete(p.senders, terminal)
	case cap(l.all) > maxIdle:
		l.all = nil
	}
}

// expire gives up the requests whose wait is over.
func (p *pairing) expire(now pos.Instant) {
	n := 0
	for n < len(p.oldest) {
		w := p.oldest[n]
		if !w.resolved && now.Sub(w.pair.Request.At) <= p.t.opts.Wait {
			break
		}
		n++
		w.queued = false
		switch {
		case w.told:
			p.free(w)
		case !w.resolved:
			p.giveUp(w.conn, w)
		}
	}
	if n > 0 {
		p.oldest = slices.Delete(p.oldest, 0, n)
	}
}

// remember puts a request among those whose wait will be over. Those that were told meanwhile are taken out once
// they are the most, so that the list is as long as there are requests that wait.
func (p *pairing) remember(w *waiting) {
	if p.live++; len(p.oldest) > 2*p.live+maxSpare {
		p.oldest = slices.DeleteFunc(p.oldest, func(w *waiting) bool {
			if !w.told {
				return false
			}
			p.free(w)
			return true
		})
	}
	p.oldest, w.queued = append(p.oldest, w), true
}

// closed gives up what a connection that ended has left unanswered.
func (p *pairing) closed(c *conn, clean bool) {
	for len(c.link.waiting) > 0 {
		w := c.link.waiting[0]
		w.pair.Closed = clean
		p.giveUp(c, w)
	}
}

// end gives up everything.
func (p *pairing) end() {
	for _, w := range slices.Clone(p.oldest) {
		if !w.told {
			p.resolve(w, false)
		}
	}
	p.oldest = nil
}

// tell hands a pair over. After an error of OnPair nothing more is told.
func (p *pairing) tell(pair *Pair) {
	if p.t.opts.OnPair != nil && p.err == nil {
		p.err = p.t.opts.OnPair(pair)
	}
}

// repeats tells whether the same bytes were sent before by the terminal, and remembers them.
func (p *pairing) repeats(from *sender, side *Side) bool {
	if !from.kept || !side.HasSTAN {
		return false
	}
	own := &from.prints
	h := maphash.Bytes(p.seed, side.Frame)
	if slices.Contains(own.of[:], h) {
		return true
	}
	own.of[own.next%len(own.of)] = h
	own.next++
	return false
}

// copy keeps a side. Its frame is copied to room, which is given back, where pairs lend frames.
func (p *pairing) copy(to, from *Side, room []byte) []byte {
	*to = *from
	if to.Frame = nil; p.t.opts.Frames && from.Frame != nil {
		room = append(room[:0], from.Frame...)
		to.Frame = room
	}
	return room
}

func (p *pairing) make() *waiting {
	if n := len(p.spare); n > 0 {
		w := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return w
	}
	return &waiting{}
}

// The bounds of what is kept to be used again: how many requests, the room of each for the bytes of a message, and the
// places of a terminal of which nothing waits.
const (
	maxSpare = 1024
	maxRoom  = 4 << 10
	maxIdle  = 4
)

// wipe ends the life of a request's bytes.
func (w *waiting) wipe() {
	clear(w.pair.Request.Frame)
	clear(w.pair.Answer.Frame)
	w.pair.Request.Frame, w.pair.Answer.Frame = nil, nil
}

// free makes a request that was told ready for another.
func (p *pairing) free(w *waiting) {
	w.wipe()
	room := w.room
	for i := range room {
		if cap(room[i]) > maxRoom {
			room[i] = nil
		}
	}
	*w = waiting{room: room}
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, w)
	}
}
