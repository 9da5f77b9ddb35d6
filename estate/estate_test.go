package estate_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/estate"
	"touchstone/pos"
)

func terminalID(n int) (id pos.TerminalID) { copy(id[:], fmt.Sprintf("%08d", n)); return id }

func merchantID(n int) (id pos.MerchantID) { copy(id[:], fmt.Sprintf("8983205%08d", n)); return id }

// plain is the index without an index.
type plain struct {
	terminals map[pos.TerminalID]estate.Terminal
	merchants map[pos.MerchantID]estate.Merchant
}

func has(t estate.Terminal, f estate.Facet, want []string) bool {
	if len(want) == 0 {
		return true
	}
	if len(t.Values[f]) == 0 {
		return slices.Contains(want, estate.Unknown)
	}
	for _, v := range t.Values[f] {
		for _, w := range want {
			if v == w || f == estate.Reason && strings.HasPrefix(v, w+".") {
				return true
			}
		}
	}
	return false
}

func (p *plain) fits(t estate.Terminal, q *estate.Query, but int) bool {
	if text := strings.TrimSpace(q.Text); text != "" {
		low := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(text)) }
		name, address := low, low
		if len(text) < 3 {
			name = func(s string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(text)) }
			address = func(string) bool { return false }
		}
		if !name(t.ID.String()) && !name(string(t.Serial)) && !name(t.Merchant.String()) && !address(t.Address) && !low(p.merchants[t.Merchant].Name) {
			return false
		}
	}
	if q.Merchant != (pos.MerchantID{}) && t.Merchant != q.Merchant || q.DueBefore != 0 && (t.Due == 0 || t.Due >= q.DueBefore) {
		return false
	}
	if a := q.Within; a != nil && !(t.Place && t.Latitude >= a.South && t.Latitude <= a.North && t.Longitude >= a.West && t.Longitude <= a.East) {
		return false
	}
	for f, want := range q.Want {
		if f != but && !has(t, estate.Facet(f), want) {
			return false
		}
	}
	return true
}

func (p *plain) search(q estate.Query) (r estate.Result) {
	var all []estate.Terminal
	for _, t := range p.terminals {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b estate.Terminal) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	r.Counts = map[estate.Facet][]estate.Count{}
	number := map[estate.Facet]map[string]int{}
	for _, t := range all {
		for _, f := range q.Count {
			if !p.fits(t, &q, int(f)) {
				continue
			}
			if number[f] == nil {
				number[f] = map[string]int{}
			}
			values := slices.Clone(t.Values[f])
			slices.Sort(values)
			for _, v := range slices.Compact(values) {
				number[f][v]++
			}
			if len(values) == 0 {
				number[f][estate.Unknown]++
			}
		}
		if !p.fits(t, &q, -1) {
			continue
		}
		r.Total++
		if t.ID.String() > q.After && len(r.IDs) < q.Limit {
			r.IDs = append(r.IDs, t.ID)
		} else if t.ID.String() > q.After && q.Limit > 0 {
			r.More = true
		}
	}
	for _, f := range q.Count {
		for v, n := range number[f] {
			r.Counts[f] = append(r.Counts[f], estate.Count{Value: v, N: n})
		}
		if len(all) == 0 || r.Counts[f] == nil {
			r.Counts[f] = []estate.Count{}
		}
		slices.SortFunc(r.Counts[f], func(a, b estate.Count) int { return cmp.Or(b.N-a.N, strings.Compare(a.Value, b.Value)) })
	}
	return r
}

var drawnWords = map[estate.Facet][]string{
	estate.Sell: {"yes", "limited", "no"}, estate.Model: {"A7", "A70", "Vx"}, estate.Version: {"1.0.0", "1.0.1"}, estate.Inspection: {"good", "overdue"},
	estate.Reason: {"inspection.overdue", "inspection.failed", "advisory.open", "device.tampered"}, estate.Campaign: {"CMP-1", "CMP-2"},
}

func drawTerminal(t *rapid.T) estate.Terminal {
	d := estate.Terminal{ID: terminalID(rapid.IntRange(0, 40).Draw(t, "terminal") * 7), Merchant: merchantID(rapid.IntRange(0, 5).Draw(t, "merchant")),
		Serial:  pos.Serial(fmt.Sprintf("%s%04d", rapid.SampledFrom([]string{"AB", "N7", "70"}).Draw(t, "maker"), rapid.IntRange(0, 60).Draw(t, "serial"))),
		Address: rapid.SampledFrom([]string{"", "上海市黄浦区南京东路 7 号", "Nanjing Road 70", "nanjing road 70"}).Draw(t, "address"),
		Due:     pos.Instant(rapid.IntRange(0, 5).Draw(t, "due")) * pos.Instant(time.Hour)}
	if d.Place = rapid.Bool().Draw(t, "placed"); d.Place {
		d.Latitude, d.Longitude = int32(rapid.IntRange(-3, 3).Draw(t, "lat")), int32(rapid.IntRange(-3, 3).Draw(t, "lon"))
	}
	for f := range estate.Facet(estate.Facets) {
		words := drawnWords[f]
		if words == nil {
			continue
		}
		most := 1
		if f == estate.Reason || f == estate.Campaign {
			most = 3
		}
		d.Values[f] = rapid.SliceOfN(rapid.SampledFrom(words), 0, most).Draw(t, f.String())
	}
	return d
}

func drawQuery(t *rapid.T) estate.Query {
	q := estate.Query{Limit: rapid.IntRange(0, 8).Draw(t, "limit"), Text: rapid.SampledFrom([]string{"", "", "7", "00", "0000", "ab", "aB0", "N7", "n70", "南京", "NANJING", "店", "8983", "70 ", "zz"}).Draw(t, "text")}
	if rapid.Bool().Draw(t, "after") {
		q.After = terminalID(rapid.IntRange(0, 300).Draw(t, "from")).String()
	}
	if rapid.IntRange(0, 3).Draw(t, "of one") == 0 {
		q.Merchant = merchantID(rapid.IntRange(0, 6).Draw(t, "of"))
	}
	if rapid.IntRange(0, 3).Draw(t, "due") == 0 {
		q.DueBefore = pos.Instant(3 * time.Hour)
	}
	if rapid.IntRange(0, 3).Draw(t, "within") == 0 {
		q.Within = &estate.Area{South: -1, North: 2, West: -2, East: 3}
	}
	for f := range estate.Facet(estate.Facets) {
		words := drawnWords[f]
		if rapid.IntRange(0, 3).Draw(t, "want") == 0 {
			q.Want[f] = rapid.SliceOfN(rapid.SampledFrom(append([]string{estate.Unknown, "inspection", "no such"}, words...)), 1, 2).Draw(t, "wanted")
		}
		q.Count = append(q.Count, f)
	}
	return q
}

// Whatever is told in whatever order, a search finds what looking at every terminal finds.
func TestSearchIsWhatLookingAtAllFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index, bare := estate.New(), &plain{map[pos.TerminalID]estate.Terminal{}, map[pos.MerchantID]estate.Merchant{}}
		for range rapid.IntRange(0, 4).Draw(t, "rounds") {
			for range rapid.IntRange(0, 25).Draw(t, "told") {
				x := drawTerminal(t)
				index.Tell(x)
				bare.terminals[x.ID] = x
			}
			m := estate.Merchant{ID: merchantID(rapid.IntRange(0, 5).Draw(t, "shop")), Name: rapid.SampledFrom([]string{"南京便利店", "Corner 7", "STORE"}).Draw(t, "name")}
			index.TellMerchants(m)
			bare.merchants[m.ID] = m
			q := drawQuery(t)
			got, want := index.Search(q), bare.search(q)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%+v\ngot  %+v\nwant %+v", q, got, want)
			}
			for id := range bare.merchants {
				n := 0
				for _, x := range bare.terminals {
					if x.Merchant == id {
						n++
					}
				}
				if index.TerminalsOf(id) != n {
					t.Fatalf("%s has %d terminals, told %d", id, n, index.TerminalsOf(id))
				}
			}
		}
	})
}

// Pages, one after the other, are the whole without a gap.
func TestPagesAreTheWhole(t *testing.T) {
	index := estate.New()
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(1000) {
		index.Tell(estate.Terminal{ID: terminalID(i), Merchant: merchantID(i / 4), Serial: pos.Serial(fmt.Sprintf("S%06d", i))})
	}
	seen := 0
	for after := ""; ; {
		r := index.Search(estate.Query{After: after, Limit: 37})
		for _, id := range r.IDs {
			if id != terminalID(seen) {
				t.Fatalf("%s where %s comes", id, terminalID(seen))
			}
			seen++
		}
		if !r.More {
			break
		}
		after = r.IDs[len(r.IDs)-1].String()
	}
	if seen != 1000 {
		t.Errorf("%d of 1000", seen)
	}
}

func TestDevicesAndMerchantsByName(t *testing.T) {
	index := estate.New()
	index.TellDevices(estate.DeviceRow{Serial: "N700001", Model: "NEWLAND N700", State: "deployed"}, estate.DeviceRow{Serial: "A90002", Model: "PAX A90", State: "announced"},
		estate.DeviceRow{Serial: "A90001", Model: "PAX A90", State: "deployed"})
	index.TellMerchants(estate.Merchant{ID: merchantID(2), Name: "晨光便利店"}, estate.Merchant{ID: merchantID(1), Name: "Pier Café"})
	serials, more, total, states := index.DevicesLike(estate.DeviceQuery{Text: "pax", Limit: 1})
	if fmt.Sprint(serials, more, total, states) != "[A90001] true 2 [{announced 1} {deployed 1}]" {
		t.Error(serials, more, total, states)
	}
	if serials, _, total, _ := index.DevicesLike(estate.DeviceQuery{State: "deployed", After: "A90001", Limit: 9}); fmt.Sprint(serials, total) != "[N700001] 2" {
		t.Error(serials, total)
	}
	for text, want := range map[string]string{"光便": merchantID(2).String(), "CAFÉ": merchantID(1).String()} {
		if ids, _, _ := index.MerchantsLike(text, "", 5); len(ids) != 1 || ids[0].String() != want {
			t.Error(text, ids)
		}
	}
}

// million is an estate of a size.
func million(n int) *estate.Estate {
	index, r := estate.New(), rand.New(rand.NewPCG(7, 7))
	var list []estate.Terminal
	models := []string{"SAMPLE S1", "SAMPLE A7", "NEWLAND N910", "PAX A920", "LANDI A8"}
	for i := range n {
		x := estate.Terminal{ID: terminalID(10_000_000 + i), Merchant: merchantID(i / 4), Serial: pos.Serial(fmt.Sprintf("00000%d%09d", i%5, i)),
			Address: fmt.Sprintf("上海市浦东新区示例路%d号%d室", i/160, i/4%40), Due: pos.Instant(1_800_000_000+r.IntN(40_000_000)) * pos.Instant(time.Second), Place: true,
			Latitude: int32(30_000_000 + r.IntN(2_000_000)), Longitude: int32(121_000_000 + r.IntN(2_000_000))}
		x.Values[estate.Sell] = []string{"yes"}
		if i%10 == 0 {
			x.Values[estate.Sell], x.Values[estate.Reason] = []string{"limited"}, []string{"inspection.overdue"}
		}
		x.Values[estate.Model], x.Values[estate.Version] = models[i%5:i%5+1], []string{fmt.Sprintf("1.%d.%d", i%3, i%7)}
		x.Values[estate.Grade], x.Values[estate.Network], x.Values[estate.State] = []string{"weak"}, []string{"private"}, []string{"active"}
		if list = append(list, x); len(list) == 512 {
			index.Tell(list...)
			list = list[:0]
		}
		if i%4 == 0 {
			index.TellMerchants(estate.Merchant{ID: x.Merchant, Name: fmt.Sprintf("示例商户%d店", i/4)})
		}
	}
	index.Tell(list...)
	index.Settle()
	return index
}

// cpuTime is what this process has used: on a busy machine it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkMillion is the estate of the console's target: build, memory, and the searches that people make. b.N is a
// search of each kind in turn; the slowest of them is told as p99.
func BenchmarkMillion(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	index := million(1_000_000)
	built := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	all := []estate.Facet{}
	for f := range estate.Facet(estate.Facets) {
		all = append(all, f)
	}
	with := func(f estate.Facet, values ...string) (q estate.Query) { q.Want[f] = values; return q }
	queries := map[string]estate.Query{"nothing": {}, "terminal": {Text: "10123456"}, "part": {Text: "1234"}, "one digit": {Text: "1"}, "shop": {Text: "商户1234"}, "address": {Text: "示例路77号"},
		"model": with(estate.Model, "SAMPLE A7"), "limited": with(estate.Sell, "limited"), "reason": with(estate.Reason, "inspection"), "merchant": {Merchant: merchantID(1000)},
		"due": {DueBefore: pos.Instant(1_810_000_000) * pos.Instant(time.Second)}, "nobody": {Text: "zzzz"}, "equal digits": {Text: "9999"}}
	for name, q := range queries {
		q.Limit, q.Count = 200, all
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			cpu := cpuTime(b)
			for b.Loop() {
				at := time.Now()
				index.Search(q)
				took = append(took, time.Since(at))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
			b.ReportMetric(float64(cpuTime(b)-cpu)/1e6/float64(len(took)), "cpu-ms")
		})
	}
	fmt.Printf("built in %s, %d MB\n", built, (after.HeapAlloc-before.HeapAlloc)>>20)
	runtime.KeepAlive(index)
}
