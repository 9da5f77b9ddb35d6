package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/journal"
	"touchstone/reason"
)

// drawn is a journal of a few minutes: terminals of three models of which some fail.
func drawn(t *rapid.T, span time.Duration) []said {
	sick := rapid.IntRange(1, 3).Draw(t, "sick model") * 1000
	kinds := []reason.Reason{reason.SerialProofFailed, reason.MACFailed, reason.None, reason.None, reason.InsufficientFunds}
	n := rapid.IntRange(0, 60).Draw(t, "messages")
	all := make([]said, 0, n)
	for range n {
		s := said{at: time.Duration(rapid.Int64Range(0, int64(span)).Draw(t, "at")), n: rapid.IntRange(1, 3).Draw(t, "model")*1000 + rapid.IntRange(0, 9).Draw(t, "n")}
		s.why = rapid.SampledFrom(kinds).Draw(t, "why")
		if s.n/1000*1000 == sick && rapid.Bool().Draw(t, "fails") {
			s.why = reason.SerialProofFailed
		}
		if s.why == reason.None {
			s.effect = journal.Sold
		}
		all = append(all, s)
	}
	return all
}

// TestOrderWithinAWindow: the same entries in another order are the same detections.
func TestOrderWithinAWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawn(t, 9*time.Minute)
		detections := func(order []said) string {
			c := NewCorrelator(func() []Rule { return NewState().data.Rules }, fleetOf)
			for i, e := range entriesOf(t, order) {
				e.Seq = uint64(i + 1)
				c.Fold(e)
			}
			var lines []string
			for _, d := range c.Look() {
				for i := range d.Hits {
					d.Hits[i].Seq = 0 // the number follows the order
				}
				slices.SortFunc(d.Hits, func(a, b Hit) int { return strings.Compare(a.Terminal, b.Terminal) })
				lines = append(lines, fmt.Sprintf("%s %+v %+v", d.Key, d.Hits, d.Common))
			}
			return strings.Join(lines, "\n")
		}
		shuffled := rapid.Permutation(all).Draw(t, "order")
		if a, b := detections(all), detections(shuffled); a != b {
			t.Fatalf("in one order\n%s\nin another\n%s", a, b)
		}
	})
}

// TestKilledAnywhere: a host that is killed after any entry and reads the journal again from its begin opens what one
// that was not killed opens, and nothing twice.
func TestKilledAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawn(t, 9*time.Minute)
		slices.SortFunc(all, func(a, b said) int { return int(a.at - b.at) })
		entries := entriesOf(t, all)
		end := morning.Add(10 * time.Minute)
		whole := newFollower(t)
		for i := range entries { // it looks after every entry, as a host with time does
			whole.follow(entries[i : i+1])
			whole.look(entries[i].At)
		}
		whole.look(end)
		cut := rapid.IntRange(0, len(entries)).Draw(t, "killed after")
		killed := newFollower(t)
		for i := range cut {
			killed.follow(entries[i : i+1])
			killed.look(entries[i].At)
		}
		killed.start()
		killed.follow(entries[:cut])
		killed.look(end)
		for i := cut; i < len(entries); i++ {
			killed.follow(entries[i : i+1])
			killed.look(entries[i].At)
		}
		killed.look(end)
		if a, b := whole.opened(), killed.opened(); a != b {
			t.Fatalf("without a kill\n%s\n%s\nkilled after %d of %d\n%s\n%s", a, whole.told(), cut, len(entries), b, killed.told())
		}
	})
}

// opened is which incidents there are: of what rule, reason and state. Which terminals one holds depends on how often the
// evidence was looked at while it came, and so on a restart too.
func (f *follower) opened() string {
	var lines []string
	for _, i := range f.state.Incidents() {
		lines = append(lines, fmt.Sprintf("%s %s %s", i.Origin.Ref, i.Reason, i.State))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
