package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/witness"
)

var _ api.Journal = (*desk)(nil)

// mostLooked is how many entries one page looks at for what a filter names: some 20 ms.
const mostLooked = 20_000

// journalKinds are the kinds by their words.
var journalKinds = func() map[string]journal.Kind {
	m := map[string]journal.Kind{}
	for k := journal.KindExchange; k <= journal.KindCause; k++ {
		m[k.String()] = k
	}
	return m
}()

// Entries implements api.Journal.
func (d *desk) Entries(ctx context.Context, _ *web.Caller, q *api.JournalQuery) (api.JournalList, error) {
	head, hash, err := d.store.Reader.Head(ctx)
	if err != nil {
		return api.JournalList{}, err
	}
	list := api.JournalList{Data: []api.JournalLine{}, Head: head, HeadHash: hex.EncodeToString(hash[:])}
	before, err := d.journalFrom(ctx, q, head)
	if err != nil {
		return api.JournalList{}, err
	}
	kind, known := journalKinds[q.Kind]
	if q.Kind != "" && !known {
		return api.JournalList{}, badParam("kind", "want one of the kinds of entries, such as exchange, event, cause, staff")
	}
	list.LookedFrom, list.LookedTo = before, before-1
	say := newSayer(d)
	switch {
	case q.Terminal != "" && q.Account == "" && (kind == 0 || kind == journal.KindExchange):
		err = d.messagesOfTerminal(ctx, q, before, &list, say)
	case kind == journal.KindEvent && q.Terminal == "" && q.Account == "":
		err = d.eventLines(ctx, q, before, &list, say)
	default:
		list.LookedFrom, err = d.store.Reader.Back(ctx, before, mostLooked, func(e journal.Entry) bool {
			if (kind == 0 || e.Kind == kind) && ofTerminal(e, q.Terminal) && ofAccount(e, q.Account) {
				list.Data = append(list.Data, say.line(e))
			}
			return len(list.Data) < q.Limit
		})
	}
	if err == nil && list.LookedFrom > 1 {
		list.Next = strconv.FormatUint(list.LookedFrom, 10)
	}
	return list, err
}

// journalFrom is the entry before which a list begins.
func (d *desk) journalFrom(ctx context.Context, q *api.JournalQuery, head uint64) (before uint64, err error) {
	before = head + 1
	if q.AsOf != "" {
		at, err := d.instant("as_of", q.AsOf)
		if err != nil {
			return 0, err
		}
		if before, err = firstSince(ctx, d.store.Reader, at+1); err != nil {
			return 0, err
		}
	}
	if q.Cursor != "" {
		n, err := strconv.ParseUint(q.Cursor, 10, 63)
		if err != nil || n == 0 {
			return 0, badParam("cursor", "want next_cursor of the piece before")
		}
		before = min(before, n)
	}
	return before, nil
}

func badParam(param, message string) *api.Problem {
	p := api.Refuse(http.StatusBadRequest, "invalid_request", message)
	p.Param = param
	return p
}

// messagesOfTerminal lists the messages of one terminal by the index of the projection, however old they are.
func (d *desk) messagesOfTerminal(ctx context.Context, q *api.JournalQuery, before uint64, list *api.JournalList, say *sayer) error {
	id, err := pos.ParseTerminalID(q.Terminal)
	if err != nil {
		return badParam("terminal", "want the 8 characters of DE41")
	}
	if d.view == nil {
		return api.Refuse(http.StatusServiceUnavailable, "no_index", "this host keeps no index of messages")
	}
	var found []sqlite.Message
	if shown := d.view.Projected(); before > shown+1 { // what is newer than the index
		if found, err = d.store.Reader.MessagesBefore(ctx, id, before, shown, mostLooked); err != nil {
			return err
		}
	}
	if len(found) < q.Limit {
		more, err := d.view.Recent(ctx, id, before, q.Limit-len(found))
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	list.LookedFrom = 1
	var seqs []uint64
	for _, m := range found[:min(len(found), q.Limit)] {
		seqs = append(seqs, m.Seq)
	}
	return d.newestFirst(ctx, seqs, q.Limit, list, say)
}

// newestFirst lists entries; a list that is full was looked for down to its last.
func (d *desk) newestFirst(ctx context.Context, seqs []uint64, limit int, list *api.JournalList, say *sayer) error {
	from := len(list.Data)
	err := d.store.Reader.Entries(ctx, seqs, func(e journal.Entry) error {
		list.Data = append(list.Data, say.line(e))
		return nil
	})
	slices.Reverse(list.Data[from:])
	if len(seqs) == limit && err == nil {
		list.LookedFrom = seqs[len(seqs)-1]
	}
	return err
}

// eventLines lists events by their own table.
func (d *desk) eventLines(ctx context.Context, q *api.JournalQuery, before uint64, list *api.JournalList, say *sayer) error {
	events, err := d.store.Reader.EventsBefore(ctx, before, q.Limit)
	if err != nil {
		return err
	}
	list.LookedFrom = 1
	var seqs []uint64
	for _, x := range events {
		seqs = append(seqs, x.Seq)
	}
	return d.newestFirst(ctx, seqs, q.Limit, list, say)
}

// terminalOf is the terminal that an entry is about, "" none.
func terminalOf(e journal.Entry) string {
	switch e.Kind {
	case journal.KindExchange:
		var x journal.Exchange
		if x.Parse(e) == nil {
			return printableID(x.Terminal[:])
		}
	case journal.KindEvent, journal.KindCause, journal.KindFlood:
		var about struct{ Terminal string }
		if json.Unmarshal(e.Body, &about) == nil {
			return about.Terminal
		}
	case journal.KindTerminal:
		var t registry.Terminal
		if json.Unmarshal(e.Body, &t) == nil {
			return t.ID.String()
		}
	}
	return ""
}

func ofTerminal(e journal.Entry, want string) bool { return want == "" || terminalOf(e) == want }

func actorsOf(e journal.Entry) []string {
	var a struct{ Actors []string }
	if !e.Kind.OfActs() || json.Unmarshal(e.Body, &a) != nil {
		return nil
	}
	return a.Actors
}

func ofAccount(e journal.Entry, want string) bool {
	return want == "" || slices.Contains(actorsOf(e), want)
}

// sayer says entries in both languages, in the words of touchstone journal tail.
type sayer struct {
	en, zh *lines
	text   *strings.Builder
}

func newSayer(d *desk) *sayer {
	b := &strings.Builder{}
	in := func(l explain.Language) *lines {
		return &lines{w: b, lang: l, catalogue: d.now.words(), zone: d.line.Zone}
	}
	return &sayer{in(explain.English), in(explain.Chinese), b}
}

func (s *sayer) line(e journal.Entry) api.JournalLine {
	l := api.JournalLine{Entry: e.Seq, At: e.At.Time(), Kind: e.Kind.String(), Terminal: terminalOf(e), Accounts: actorsOf(e),
		Words: api.Text{EN: s.say(s.en, e), ZH: s.say(s.zh, e)}}
	switch e.Kind {
	case journal.KindExchange:
		var x journal.Exchange
		l.Alarm = x.Parse(e) == nil && securityRefusal(&x)
	case journal.KindEvent:
		event, ok := parseEvent(e)
		l.Alarm = ok && event.Severity == journal.Alarm
	}
	return l
}

// timeColumns is how wide the time before each line is: it has a column of its own on a page.
const timeColumns = len(" 15:04:05")

func (s *sayer) say(l *lines, e journal.Entry) string {
	s.text.Reset()
	l.unhinted = true // no line of a page tells which command explains it
	if err := l.entry(e); err != nil {
		return l.two("this version cannot read it", "本版本无法读取")
	}
	line, _, _ := strings.Cut(s.text.String(), "\n")
	if len(line) > timeColumns && line[timeColumns-3] == ':' {
		line = line[timeColumns:]
	}
	parts := strings.Split(line, "  ")
	parts = slices.DeleteFunc(parts, func(p string) bool { return strings.TrimSpace(p) == "" })
	for i := range parts {
		parts[i] = strings.TrimLeft(strings.TrimSpace(parts[i]), "─└ ")
	}
	if e.Kind == journal.KindExchange && len(parts) > 1 {
		parts[len(parts)-1] += " ms"
	}
	return strings.Join(parts, " · ")
}

// withheld are kinds whose bytes hold wrapped keys, verifiers of PINs and passphrases, or what people told of
// themselves: they are shown decoded and masked, and never as they are.
var withheld = []journal.Kind{journal.KindTerminal, journal.KindDevice, journal.KindCard, journal.KindKey, journal.KindStaff, journal.KindIncident, journal.KindRedress}

// Entry implements api.Journal.
func (d *desk) Entry(ctx context.Context, _ *web.Caller, n uint64) (api.JournalEntry, error) {
	b, err := d.store.Reader.BlockOf(ctx, n)
	if errors.Is(err, sqlite.ErrNoEntry) {
		return api.JournalEntry{}, api.NotFound()
	}
	if err != nil {
		return api.JournalEntry{}, err
	}
	var out api.JournalEntry
	id, err := journalID(ctx, d.store.Reader)
	if err != nil {
		return out, err
	}
	err = b.Links(func(l journal.Link) error {
		if l.Seq != n {
			return nil
		}
		e, err := journal.ParseEntry(n, l.Raw)
		if err != nil {
			return err
		}
		out = api.JournalEntry{JournalLine: newSayer(d).line(e), Bytes: len(l.Raw), Hash: hex.EncodeToString(l.After[:]), Before: hex.EncodeToString(l.Before[:]),
			Block: api.JournalBlock{First: b.First, Last: b.Last(), Prev: hex.EncodeToString(b.Prev[:]), Head: hex.EncodeToString(b.Head[:]), Journal: id}}
		if out.Withheld = slices.Contains(withheld, e.Kind); !out.Withheld {
			out.Hex = hex.EncodeToString(l.Raw)
		}
		if e.Kind == journal.KindExchange {
			out.Verdict = fmt.Sprintf("txn_%d", n)
		}
		out.Record, err = maskedRecord(e)
		return err
	})
	return out, err
}

// maskedRecord is an entry as JSON, as journal show prints it, with what is inside acts masked too.
func maskedRecord(e journal.Entry) (json.RawMessage, error) {
	if e.Kind == journal.KindExchange {
		s, err := showExchange(e)
		if err != nil {
			return nil, err
		}
		return json.Marshal(s)
	}
	record, err := named(e.Body)
	if err != nil {
		return nil, fmt.Errorf("entry %d: malformed record", e.Seq)
	}
	return json.Marshal(mask(record))
}

// maskedMembers are the members of records that prove a person or hold a secret.
var maskedMembers = []string{"passphrase", "former", "pin_verifier", "totp", "secret", "contact", "salt", "sum", "verifier"}

// mask replaces what no reader needs, at any depth.
func mask(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if slices.Contains(maskedMembers, strings.ToLower(name)) && member != nil && member != "" {
				v[name] = "[kept]"
				continue
			}
			if text, ok := member.(string); ok {
				var w keys.Wrapped
				if w.UnmarshalText([]byte(text)) == nil {
					v[name] = w.String()
				}
				continue
			}
			v[name] = mask(member)
		}
		return v
	case []any:
		for i := range v {
			v[i] = mask(v[i])
		}
	}
	return v
}

// Bounds of a proof.
const (
	mostLinks     = 4096
	mostLinkBytes = 1 << 20
)

// Proof implements api.Journal.
func (d *desk) Proof(ctx context.Context, who *web.Caller, n, through uint64) (api.JournalProof, error) {
	id, err := journalID(ctx, d.store.Reader)
	if err != nil {
		return api.JournalProof{}, err
	}
	out := api.JournalProof{Algorithm: `h = SHA-256("touchstone/1" || h || length || entry)`, Journal: id, Entry: n, Links: []api.JournalLink{}, Whole: true}
	newest, head, err := d.store.Reader.Head(ctx)
	if err != nil {
		return out, err
	}
	if n == 0 || n > newest || through > newest {
		return out, api.NotFound()
	}
	out.Newest, out.NewestIs = newest, hex.EncodeToString(head[:])
	if out.Witnesses, err = d.Witnesses(ctx, who); err != nil {
		return out, err
	}
	size := 0
	err = d.store.Reader.Blocks(ctx, n, func(b journal.Block) error {
		err := b.Links(func(l journal.Link) error {
			if l.Seq < n {
				return nil
			}
			if l.Seq == n {
				out.Previous = hex.EncodeToString(l.Before[:])
			}
			link := api.JournalLink{Entry: l.Seq, Hash: hex.EncodeToString(l.After[:])}
			if e, err := journal.ParseEntry(l.Seq, l.Raw); err != nil || slices.Contains(withheld, e.Kind) {
				link.Withheld, out.Whole = true, false
			} else {
				link.Hex, size = hex.EncodeToString(l.Raw), size+len(l.Raw)
			}
			out.Links = append(out.Links, link)
			if len(out.Links) > mostLinks || size > mostLinkBytes {
				return tooFar
			}
			return nil
		})
		out.Through, out.Head = b.Last(), hex.EncodeToString(b.Head[:])
		if err == nil && b.Last() >= max(n, through) {
			return errBeyond
		}
		return err
	})
	if errors.Is(err, errBeyond) {
		err = nil
	}
	return out, err
}

var tooFar = api.Refuse(http.StatusBadRequest, "proof_too_long",
	"the proof would have more than 4,096 entries or 1 MiB: leave through out, or check the journal itself with touchstone journal verify")

// Witnesses implements api.Journal.
func (d *desk) Witnesses(ctx context.Context, _ *web.Caller) ([]api.Witness, error) {
	list := []api.Witness{}
	if len(d.witnesses) == 0 {
		return list, nil
	}
	id, err := journalID(ctx, d.store.Reader)
	if err != nil {
		return nil, err
	}
	for _, path := range d.witnesses {
		w := api.Witness{File: filepath.Base(path), State: "agrees"}
		if seen, err := witness.Read(path); err == nil {
			w.Entry, w.Head, w.At = seen.Seq, hex.EncodeToString(seen.Head[:]), seen.At
		}
		var conflict *witness.Conflict
		switch err := witness.Compare(ctx, path, id, d.store.Reader); {
		case err == nil:
		case errors.Is(err, witness.ErrNone):
			w.State = "none"
		case errors.Is(err, witness.ErrDamaged):
			w.State = "damaged"
		case errors.As(err, &conflict):
			w.State = "conflict"
		default:
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// instant reads a moment of a query: RFC 3339, or a day, an hour, a minute or a second in the host's zone.
func (d *desk) instant(param, text string) (pos.Instant, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil && t.Unix() > 0 {
		return pos.Instant(t.UnixNano()), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, d.line.Zone); err == nil && t.Unix() > 0 {
			return pos.Instant(t.UnixNano()), nil
		}
	}
	return 0, badParam(param, "want RFC 3339, or a day or an hour such as 2026-11-27T08")
}
