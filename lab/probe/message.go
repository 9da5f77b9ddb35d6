package probe

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/terminal"
)

// Amount of the messages, in fen, below every limit of the reserved card.
const amount = 50

// answerTime is how long an answer is waited for.
const answerTime = 5 * time.Second

// secretElements are never shown: card number, tracks, PIN, chip data, expiry, and what holds the end of the card number.
var secretElements = map[int]bool{2: true, 14: true, 35: true, 36: true, 45: true, 52: true, 55: true, 59: true}

// send sends a probe of a reserved terminal and reads the host's own word on it.
func (r *Rig) send(ctx context.Context, t *terminal.Terminal, name string, p terminal.Probe, want ...string) (Step, error) {
	s := Step{Name: name, At: r.at(), Sent: string(p), Want: want}
	if err := r.Gate(ctx, r.TCP); err != nil {
		return s, err
	}
	card, err := r.Card()
	if err != nil {
		return s, err
	}
	defer card.Wipe()
	head, err := r.Journal.Head(ctx)
	if err != nil {
		return s, err
	}
	out, err := t.Probe(ctx, p, card, amount)
	if err != nil {
		s.Got, s.Note = GotUnsent, err.Error()
		return s, ctx.Err()
	}
	s.Answer = out.DE39.String()
	if out.MTI == 0 {
		s.Answer = strings.ReplaceAll(out.Outcome.String(), " ", "-")
	}
	return r.weigh(ctx, s, head, out.Terminal, out.Trace)
}

// weigh finishes a step by the newest entry of a message. An answer that is not in the journal counts as what it
// is: an approval without an entry is an approval.
func (r *Rig) weigh(ctx context.Context, s Step, head uint64, id pos.TerminalID, trace pos.STAN) (Step, error) {
	seen, err := r.Journal.Find(ctx, head, id, trace)
	if err != nil {
		return s, err
	}
	switch {
	case len(seen) > 0:
		last := seen[len(seen)-1]
		s.Entry, s.Got = last.Entry, last.word()
		if s.Got == GotApproved && !last.Placed && s.has(GotFlagged) {
			s.Got = GotFlagged
		}
		if s.Answer == "00" && !last.Approved {
			s.Got = GotApproved
		}
	case s.Answer == "00":
		s.Got = GotApproved
	case s.Answer == "no-connection" || s.Answer == "no-answer" || s.Answer == "none":
		s.Got = GotNothing
	default:
		s.Got = GotRefused
	}
	return s, ctx.Err()
}

func (s *Step) has(want string) bool {
	for _, w := range s.Want {
		if w == want {
			return true
		}
	}
	return false
}

// word is what became of a judged message.
func (x *Seen) word() string {
	switch {
	case x.Moved:
		return GotMoney
	case x.Reason != "":
		return x.Reason
	case x.Approved:
		return GotApproved
	}
	return GotRefused
}

// serialBinding is check serial-binding, version 1: the host takes the serial number from the proof, not from what
// is claimed.
func serialBinding(ctx context.Context, r *Rig) ([]Step, error) {
	return r.with(&r.Place, func(t *terminal.Terminal) (steps []Step, err error) {
		for _, p := range []struct {
			name  string
			probe terminal.Probe
			want  string
		}{
			{"own serial number, own key", terminal.ProbeGoodSale, GotApproved},
			{"another serial number, own key", terminal.ProbeOtherSerial, "serial_mismatch"},
			{"no serial number's proof", terminal.ProbeSerialMissing, "serial_missing"},
			{"a wrong ciphertext", terminal.ProbeSerialCipher, "serial_proof_failed"},
			{"the ciphertext of another factor", terminal.ProbeSerialFactor, "serial_factor_mismatch"},
			{"own serial number again", terminal.ProbeGoodSale, GotApproved},
		} {
			s, err := r.send(ctx, t, p.name, p.probe, p.want)
			if err != nil {
				return nil, err
			}
			steps = append(steps, s)
		}
		return steps, nil
	})
}

// with opens a reserved terminal for f.
func (r *Rig) with(place *terminal.Location, f func(*terminal.Terminal) ([]Step, error)) (steps []Step, err error) {
	t, err := r.Terminal(place)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := t.Close(); err == nil {
			err = closed
		}
	}()
	return f(t)
}

// location is check location, version 1: a position in place is accepted, others are refused or flagged, each for
// its own reason.
func location(ctx context.Context, r *Rig) (steps []Step, err error) {
	good := r.Place
	bad := func(longitude, latitude string) *terminal.Location {
		return &terminal.Location{Longitude: longitude, Latitude: latitude, System: good.System}
	}
	for _, p := range []struct {
		name  string
		place *terminal.Location
		want  []string
	}{
		{"in place", &good, []string{GotApproved}},
		{"another country", bad("+139.69171", "+35.68950"), []string{"location_outside"}},
		{"no fix: 0, 0", bad("+0.00000", "+0.00000"), []string{"location_outside", "message_malformed"}},
		{"outside the globe", bad("+200.00000", "+91.00000"), []string{"location_outside", "message_malformed"}},
		{"no number", bad("+12a.48352", "+31.23040"), []string{"message_malformed", "location_outside"}},
		{"none", nil, []string{GotFlagged, "location_outside", "message_malformed"}},
	} {
		got, err := r.with(p.place, func(t *terminal.Terminal) ([]Step, error) {
			s, err := r.send(ctx, t, p.name, terminal.ProbeGoodSale, p.want...)
			return []Step{s}, err
		})
		if err != nil {
			return nil, err
		}
		steps = append(steps, got...)
	}
	return steps, nil
}

// say sends a frame on a connection and reads one answer: its DE39, or what else came.
func say(c net.Conn, frame []byte) string {
	if c.SetDeadline(time.Now().Add(answerTime)) != nil {
		return "closed"
	}
	if _, err := c.Write(frame); err != nil {
		return "closed"
	}
	answer, err := iso8583.ReadFrame(c, make([]byte, 4096))
	if err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return "none"
		}
		return "closed"
	}
	var m iso8583.Message
	if iso8583.UnionPay.Parse(&m, answer) != nil {
		return "unreadable"
	}
	return string(m.Text(39))
}

func (r *Rig) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: answerTime}
	if r.From != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(r.From)}
	}
	return d.DialContext(ctx, "tcp", r.TCP)
}

// once sends a frame on a connection of its own.
func (r *Rig) once(ctx context.Context, frame []byte) string {
	c, err := r.dial(ctx)
	if err != nil {
		return "no-connection"
	}
	defer c.Close()
	return say(c, frame)
}

// describe lists a frame's elements with all that is secret left out.
func describe(frame []byte) string {
	var m iso8583.Message
	if len(frame) < iso8583.LengthSize || iso8583.UnionPay.Parse(&m, frame[iso8583.LengthSize:]) != nil {
		return fmt.Sprintf("%d bytes that are no message", len(frame))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v", m.MTI())
	for n := 2; n <= 64; n++ {
		switch {
		case !m.Has(n):
		case secretElements[n]:
			fmt.Fprintf(&b, " %d=[%d bytes]", n, len(m.Raw(n)))
		default:
			fmt.Fprintf(&b, " %d=%x", n, m.Raw(n))
		}
	}
	return b.String()
}

// altered is a frame changed in one way.
type altered struct {
	name  string
	frame []byte
}

// alter makes the copies of mac-coverage: every element before the MAC changed at its first and at its last byte,
// the last element before the MAC dropped from the bitmap, and the MAC cut off, zeroed and changed.
func alter(frame []byte) (list []altered) {
	var m iso8583.Message
	if iso8583.UnionPay.Parse(&m, frame[iso8583.LengthSize:]) != nil {
		return nil
	}
	body := m.Bytes()
	start := len(frame) - len(body) // body is the message from its type to its end
	copyOf := func(name string, change func(b []byte) []byte) {
		b := change(append([]byte(nil), frame...))
		n := len(b) - iso8583.LengthSize
		b[0], b[1] = byte(n>>8), byte(n)
		list = append(list, altered{name, b})
	}
	at := start + 2 + 8
	for n := 2; n < 64; n++ {
		if !m.Has(n) {
			continue
		}
		raw := m.Raw(n)
		// Elements lie in order, each perhaps after its length: the raw bytes are found from where the last ended.
		i := at + indexOf(frame[at:], raw)
		last := i + len(raw) - 1
		for _, place := range []int{i, last} {
			copyOf(fmt.Sprintf("element %d, byte %d", n, place-i+1), func(b []byte) []byte {
				b[place] = flip(b[place])
				return b
			})
			if i == last {
				break
			}
		}
		at = last + 1
	}
	copyOf("MAC zeroed", func(b []byte) []byte { clear(b[len(b)-8:]); return b })
	copyOf("MAC changed in its last byte", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	copyOf("MAC cut to four bytes", func(b []byte) []byte { return b[:len(b)-4] })
	copyOf("MAC left out", func(b []byte) []byte {
		b[start+2+7] &^= 1 // bit 64
		return b[:len(b)-8]
	})
	return list
}

func indexOf(in, what []byte) int {
	for i := 0; i+len(what) <= len(in); i++ {
		if string(in[i:i+len(what)]) == string(what) {
			return i
		}
	}
	return 0
}

// flip changes one byte so that packed digits stay digits and letters stay letters.
func flip(b byte) byte {
	if b&0x0F == 9 {
		return b - 1
	}
	return b ^ 1
}

// macCoverage is check mac-coverage, version 1.
func macCoverage(ctx context.Context, r *Rig) ([]Step, error) {
	return r.with(&r.Place, func(t *terminal.Terminal) ([]Step, error) {
		frame, trace, err := r.saleFrame(ctx, t)
		if err != nil {
			return nil, err
		}
		defer clear(frame)
		var steps []Step
		for _, a := range alter(frame) {
			s := Step{Name: a.name, At: r.at(), Sent: describe(a.frame), Want: []string{GotRefused}}
			if err := r.Gate(ctx, r.TCP); err != nil {
				return nil, err
			}
			head, err := r.Journal.Head(ctx)
			if err != nil {
				return nil, err
			}
			s.Answer = r.once(ctx, a.frame)
			if s, err = r.refusal(ctx, s, head, a.frame); err != nil {
				return nil, err
			}
			clear(a.frame)
			steps = append(steps, s)
		}
		// The sale itself, last: what was refused above was not refused for another reason.
		s := Step{Name: "the sale itself", At: r.at(), Sent: describe(frame), Want: []string{GotApproved}}
		if err := r.Gate(ctx, r.TCP); err != nil {
			return nil, err
		}
		head, err := r.Journal.Head(ctx)
		if err != nil {
			return nil, err
		}
		s.Answer = r.once(ctx, frame)
		s, err = r.weigh(ctx, s, head, r.ID, trace)
		return append(steps, s), err
	})
}

// refusal finishes a step whose message must be refused, for whatever reason stands in its way first; the note
// says which.
func (r *Rig) refusal(ctx context.Context, s Step, head uint64, frame []byte) (Step, error) {
	var m iso8583.Message
	s.Got = GotRefused
	switch s.Answer {
	case "00":
		s.Got = GotApproved
	case "no-connection", "none":
		s.Got = GotNothing
	}
	if iso8583.UnionPay.Parse(&m, frame[iso8583.LengthSize:]) != nil {
		s.Note = "no message any more"
		return s, ctx.Err()
	}
	id, err1 := pos.ParseTerminalID(string(m.Text(41)))
	trace, ok := m.Number(11)
	if err1 != nil || !ok || s.Got == GotNothing {
		return s, ctx.Err()
	}
	seen, err := r.Journal.Find(ctx, head, id, pos.STAN(trace))
	if err != nil {
		return s, err
	}
	for _, x := range seen {
		s.Entry, s.Note = x.Entry, x.Reason
		if x.Moved || x.Approved {
			s.Got = x.word()
		}
	}
	return s, ctx.Err()
}

func (r *Rig) saleFrame(ctx context.Context, t *terminal.Terminal) ([]byte, pos.STAN, error) {
	if err := r.Gate(ctx, r.TCP); err != nil {
		return nil, 0, err
	}
	card, err := r.Card()
	if err != nil {
		return nil, 0, err
	}
	defer card.Wipe()
	return t.SaleFrame(ctx, card, amount)
}

// copies is how many are sent at once.
const copies = 12

// replay is check replay, version 1: of all copies of a sale one posts at most.
func replay(ctx context.Context, r *Rig) ([]Step, error) {
	return r.with(&r.Place, func(t *terminal.Terminal) ([]Step, error) {
		frame, trace, err := r.saleFrame(ctx, t)
		if err != nil {
			return nil, err
		}
		defer clear(frame)
		head, err := r.Journal.Head(ctx)
		if err != nil {
			return nil, err
		}
		first := Step{Name: "a sale, and at once again on the same connection", At: r.at(), Sent: describe(frame), Want: []string{onePosting}}
		first.Answer = r.twice(ctx, frame)
		steps := []Step{first}
		again := Step{Name: "again on a new connection", At: r.at(), Want: []string{onePosting}, Answer: r.once(ctx, frame)}
		at := r.at()
		answers := make([]string, copies)
		var all sync.WaitGroup
		for i := range copies {
			if err := r.Gate(ctx, r.TCP); err != nil {
				all.Wait()
				return nil, err
			}
			all.Go(func() { answers[i] = r.once(ctx, frame) })
		}
		all.Wait()
		steps = append(steps, again, Step{Name: fmt.Sprintf("%d copies at once", copies), At: at, Want: []string{onePosting}, Answer: strings.Join(answers, ",")})
		seen, err := r.Journal.Find(ctx, head, r.ID, trace)
		if err != nil {
			return nil, err
		}
		for i := range steps {
			steps[i].Got, steps[i].Entry = postings(seen)
		}
		last, err := r.send(ctx, t, "a sale again after its reversal", terminal.ProbeReplay, "replayed")
		return append(steps, last), err
	})
}

// onePosting is what may come of any number of copies.
const onePosting = "one posting"

// postings counts the approvals of a message that are not the former answer sent again.
func postings(seen []Seen) (word string, entry uint64) {
	n := 0
	for _, x := range seen {
		if x.Moved {
			return GotMoney, x.Entry
		}
		if x.Approved && !x.Repeat {
			n, entry = n+1, x.Entry
		}
	}
	switch n {
	case 0:
		return GotNothing, 0
	case 1:
		return onePosting, entry
	}
	return fmt.Sprintf("%d postings", n), entry
}

// twice sends a frame two times on one connection.
func (r *Rig) twice(ctx context.Context, frame []byte) string {
	if r.Gate(ctx, r.TCP) != nil {
		return "stopped"
	}
	c, err := r.dial(ctx)
	if err != nil {
		return "no-connection"
	}
	defer c.Close()
	return say(c, frame) + "," + say(c, frame)
}
