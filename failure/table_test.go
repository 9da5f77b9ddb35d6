package failure_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/effectiveness"
	"touchstone/failure"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

const noon = pos.Instant(1_760_000_400_000_000_000) // 2025-10-09T09:00:00Z, the first instant of an hour

var zero = noon - noon%pos.Instant(time.Hour)

func id(n int) (t pos.TerminalID)   { copy(t[:], fmt.Sprintf("%08d", n)); return t }
func shop(n int) (m pos.MerchantID) { copy(m[:], fmt.Sprintf("%015d", n)); return m }

// day is a journal being written.
type day struct {
	t     *testing.T
	table *failure.Table
	seq   uint64
}

func newDay(t *testing.T, b failure.Bounds) *day {
	return &day{t: t, table: failure.New(func(term pos.TerminalID) (failure.Facts, bool) {
		if term == id(99) {
			return failure.Facts{}, false
		}
		return failure.Facts{Model: "P-10", Version: "1.4"}, true
	}, b)}
}

func (d *day) put(at time.Duration, kind journal.Kind, body []byte) uint64 {
	d.seq++
	d.table.Fold(journal.Entry{Seq: d.seq, Kind: kind, At: zero + pos.Instant(at), Body: body})
	return d.seq
}

// sale is a sale with a reason, None an approval.
func (d *day) sale(at time.Duration, terminal, merchant int, amount pos.Amount, r reason.Reason) uint64 {
	x := journal.Exchange{At: zero + pos.Instant(at), Terminal: id(terminal), Merchant: shop(merchant), MTI: 0x0200, Type: pos.Sale, Amount: amount,
		Currency: pos.CNY, Reason: r, DE39: r.DE39()}
	return d.put(at, journal.KindExchange, x.AppendBody(nil))
}

func (d *day) found(at time.Duration, verdict uint64, terminal int, r reason.Reason, c reason.Cause, certainty journal.Certainty, owner reason.Owner) {
	cause := journal.CauseOf(verdict, id(terminal), r, c, certainty)
	cause.Tried, cause.Fit, cause.OneIn = 10, 1, 1<<28
	if c == reason.NoCause {
		cause.Fit = 0
	} else {
		cause.Owner = owner.String()
	}
	if err := cause.Check(); err != nil {
		d.t.Fatal(err)
	}
	body, err := json.Marshal(cause)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(at, journal.KindCause, body)
}

func (d *day) report() failure.Report { return d.table.Report(effectiveness.Range{}) }

func TestARefusalIsWrongOnlyWhenThatIsProven(t *testing.T) {
	for name, c := range map[string]struct {
		r         reason.Reason
		cause     reason.Cause
		certainty journal.Certainty
		owner     reason.Owner
		want      failure.Justice
	}{
		"a stale key whose sign-in's answer was lost": {reason.MACFailed, reason.MACStaleKey, journal.Proven, reason.Terminal, failure.Wrong},
		"a stale key after a newer was used":          {reason.MACFailed, reason.MACStaleKey, journal.Proven, reason.Security, failure.Right},
		"a stale key, only indicated":                 {reason.MACFailed, reason.MACStaleKey, journal.Indicated, reason.Terminal, failure.Unknown},
		"another terminal's key, indicated":           {reason.MACFailed, reason.MACOtherTerminalKey, journal.Indicated, reason.Security, failure.Right},
		"nothing fits":                                {reason.MACFailed, reason.NoCause, journal.Unproven, reason.Acquirer, failure.Unknown},
		"not examined":                                {reason.MACFailed, reason.NoCause, "", reason.Nobody, failure.Unknown},
		"wrong coverage":                              {reason.MACFailed, reason.MACWrongCoverage, journal.Proven, reason.Acquirer, failure.Wrong},
		"the module did not answer":                   {reason.ModuleUnavailable, reason.NoCause, "", reason.Nobody, failure.Wrong},
		"another batch":                               {reason.BatchMismatch, reason.NoCause, "", reason.Nobody, failure.Right},
		"from an address that is not its own":         {reason.NetworkNotAllowed, reason.NoCause, "", reason.Nobody, failure.Unknown},
	} {
		var cause *journal.Cause
		if c.certainty != "" {
			cause = journal.CauseOf(1, id(1), c.r, c.cause, c.certainty)
			cause.Owner = c.owner.String()
		}
		if got := failure.Judge(c.r, cause); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhatBecomesOfARefusedSale(t *testing.T) {
	type purchases struct{ waiting, recovered, lost uint64 }
	for name, c := range map[string]struct {
		day  func(d *day)
		want purchases
	}{
		"tried again in time": {func(d *day) { d.sale(0, 1, 1, 500, reason.MACFailed); d.sale(9*time.Minute, 2, 1, 500, reason.None) }, purchases{recovered: 1}},
		"at the last instant": {func(d *day) { d.sale(0, 1, 1, 500, reason.MACFailed); d.sale(10*time.Minute, 2, 1, 500, reason.None) }, purchases{recovered: 1}},
		"an instant too late": {func(d *day) { d.sale(0, 1, 1, 500, reason.MACFailed); d.sale(10*time.Minute+1, 1, 1, 500, reason.None) }, purchases{lost: 1}},
		"at another shop":     {func(d *day) { d.sale(0, 1, 1, 500, reason.MACFailed); d.sale(time.Minute, 2, 2, 500, reason.None) }, purchases{waiting: 1}},
		"for another amount":  {func(d *day) { d.sale(0, 1, 1, 500, reason.MACFailed); d.sale(time.Minute, 1, 1, 501, reason.None) }, purchases{waiting: 1}},
		"three tries are one purchase": {func(d *day) {
			d.sale(0, 1, 1, 500, reason.MACFailed)
			d.sale(1, 1, 1, 500, reason.NotSignedIn)
			d.sale(2, 2, 1, 500, reason.MACFailed)
		}, purchases{waiting: 1}},
		"one sale recovers one of two": {func(d *day) {
			d.sale(0, 1, 1, 500, reason.MACFailed)
			d.sale(1, 1, 1, 500, reason.None)
			d.sale(2, 1, 1, 500, reason.MACFailed)
			d.sale(11*time.Minute, 3, 3, 1, reason.None)
		}, purchases{recovered: 1, lost: 1}},
		"the bank's refusal is not ours":   {func(d *day) { d.sale(0, 1, 1, 500, reason.InsufficientFunds) }, purchases{}},
		"the money rules' refusal neither": {func(d *day) { d.sale(0, 1, 1, 500, reason.AmountInvalid) }, purchases{}},
	} {
		d := newDay(t, failure.LiveBounds())
		c.day(d)
		r := d.report()
		if got := (purchases{r.Waiting.Number, r.Recovered.Number, r.Lost.Number}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestACauseMovesTheRefusal(t *testing.T) {
	d := newDay(t, failure.LiveBounds())
	d.sale(0, 3, 1, 900, reason.None)
	verdict := d.sale(time.Second, 1, 1, 500, reason.MACFailed)
	before := d.report()
	if before.UnknownSales != 1 || before.WrongSales != 0 || before.FalseFailures() != (failure.Rate{Least: 0, Most: 0.5}) {
		t.Fatalf("before the cause: %+v", before)
	}
	d.found(2*time.Second, verdict, 1, reason.MACFailed, reason.MACStaleKey, journal.Proven, reason.Terminal)
	d.sale(time.Minute, 1, 1, 500, reason.None)
	after := d.report()
	if after.UnknownSales != 0 || after.WrongSales != 1 || after.WrongTerminals != 1 || after.Terminals != 2 {
		t.Errorf("after the cause: %+v", after)
	}
	if after.Recovered.Wrong != 1 || after.Recovered.WrongAmount != 500 || after.Recovered.Unknown != 0 {
		t.Errorf("the purchase: %+v", after.Recovered)
	}
	if rows := after.Tables["cause"]; len(rows) != 1 || rows[0].Key != "proven mac_stale_key" || rows[0].Messages != 1 {
		t.Errorf("causes: %+v", rows)
	}
	if got := after.FalseFailures(); got.Least != 1.0/3 || got.Most != 1.0/3 {
		t.Errorf("rate %+v", got)
	}
}

func TestCanariesAndStrangersHaveNoName(t *testing.T) {
	d := newDay(t, failure.LiveBounds())
	d.sale(0, 99, 7, 500, reason.TerminalUnknown)
	r := d.report()
	if rows := r.Tables["merchant"]; len(rows) != 1 || rows[0].Key != "" || rows[0].Messages != 1 {
		t.Errorf("shops: %+v", rows)
	}
}

// Random days, folded as they come and counted again the simple way.
func TestFiguresAddUp(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		b := failure.LiveBounds()
		if seed%3 == 0 {
			b.Cells = 3
		}
		d := newDay(t, b)
		var refused, sales, wrong uint64
		var amount pos.Amount
		at := time.Duration(0)
		for range 200 {
			at += time.Duration(rng.Int64N(int64(5 * time.Minute)))
			r := []reason.Reason{reason.None, reason.None, reason.None, reason.MACFailed, reason.SerialProofFailed, reason.BatchMismatch, reason.InsufficientFunds, reason.Overloaded}[rng.IntN(8)]
			a := pos.Amount(100 + rng.IntN(4))
			seq := d.sale(at, rng.IntN(5), rng.IntN(3), a, r)
			if !failure.OfSecurity(r) {
				continue
			}
			refused++
			sales++
			amount += a
			if r == reason.Overloaded {
				wrong++
			}
			if r == reason.MACFailed && rng.IntN(2) == 0 {
				d.found(at, seq, 1, r, reason.MACStaleKey, journal.Proven, reason.Terminal)
				wrong++
			}
		}
		r := d.report()
		if r.Total.Messages != refused || r.Total.Sales != sales || r.Total.Amount != amount || r.Total.Wrong != wrong || r.WrongSales != wrong {
			t.Fatalf("seed %d: %+v, want %d refused, %d wrong, %d", seed, r.Total, refused, wrong, amount)
		}
		for name, rows := range r.Tables {
			var sum uint64
			for _, row := range rows {
				sum += row.Messages
			}
			if sum != refused {
				t.Fatalf("seed %d: table %s has %d of %d", seed, name, sum, refused)
			}
		}
		if n := r.Waiting.Number + r.Recovered.Number + r.Lost.Number; n == 0 || n > sales {
			t.Fatalf("seed %d: %d purchases of %d sales", seed, n, sales)
		}
		if total := r.Waiting.Amount + r.Recovered.Amount + r.Lost.Amount; total > amount {
			t.Fatalf("seed %d: purchases of %d, attempts of %d", seed, total, amount)
		}
	}
}

func TestOldHoursAreForgotten(t *testing.T) {
	b := failure.LiveBounds()
	b.Hours = 2
	d := newDay(t, b)
	d.sale(0, 1, 1, 500, reason.MACFailed)
	d.sale(90*time.Minute, 2, 1, 500, reason.None)
	if r := d.report(); r.Total.Messages != 1 || r.Terminals != 2 {
		t.Fatalf("%+v", r)
	}
	d.sale(3*time.Hour, 3, 1, 500, reason.None)
	if r := d.report(); r.Total.Messages != 0 || r.Approved != 1 {
		t.Errorf("%+v", r)
	}
}

func BenchmarkFold(b *testing.B) {
	table := failure.New(func(pos.TerminalID) (failure.Facts, bool) { return failure.Facts{Model: "P-10", Version: "1"}, true }, failure.LiveBounds())
	var bodies [1000][]byte
	for i := range bodies {
		x := journal.Exchange{At: zero, Terminal: id(i), Merchant: shop(i / 4), MTI: 0x0200, Type: pos.Sale, Amount: 500, Currency: pos.CNY, DE39: pos.Approved}
		if i%100 == 0 {
			x.Reason, x.DE39 = reason.MACFailed, reason.MACFailed.DE39()
		}
		bodies[i] = x.AppendBody(nil)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Fold(journal.Entry{Seq: uint64(i + 1), Kind: journal.KindExchange, At: zero, Body: bodies[i%len(bodies)]})
	}
}

// TestHeatAndFlowsAreTheReport: the picture of hours by reason, the flows and the narrowed tables count the same messages as the
// report, also after a cause came for an hour that was added up before.
func TestHeatAndFlowsAreTheReport(t *testing.T) {
	d := newDay(t, failure.LiveBounds())
	first := d.sale(0, 1, 1, 500, reason.MACFailed)
	d.sale(time.Minute, 2, 1, 700, reason.BatchMismatch)
	d.sale(2*time.Hour, 3, 2, 900, reason.MACFailed)
	all := effectiveness.Range{}
	same := func(when string) {
		t.Helper()
		r := d.report()
		v := d.table.View(all, failure.Filter{})
		total, tables, flows := v.Total, v.Tables, v.Flows
		heat, flowed := map[string]uint64{}, uint64(0)
		for _, h := range v.Heat {
			for _, row := range h.Reasons {
				heat[row.Key] += row.Messages
			}
		}
		for _, row := range r.Tables["reason"] {
			if heat[row.Key] != row.Messages {
				t.Errorf("%s: %s: %d in the picture, %d in the report", when, row.Key, heat[row.Key], row.Messages)
			}
		}
		for _, f := range flows {
			flowed += f.Messages
		}
		if total != r.Total || flowed != r.Total.Messages || len(tables["hour"]) != len(r.Tables["hour"]) {
			t.Errorf("%s: %+v and flows of %d, the report has %+v", when, total, flowed, r.Total)
		}
	}
	same("at first")
	d.found(3*time.Hour, first, 1, reason.MACFailed, reason.MACStaleKey, journal.Proven, reason.Terminal)
	same("after a cause")
	if v := d.table.View(all, failure.Filter{Cause: "proven mac_stale_key"}); len(v.Tables["merchant"]) != 1 || v.Tables["reason"][0].Wrong != 1 {
		t.Errorf("narrowed to a cause: %+v", v.Tables)
	}
	if v := d.table.View(all, failure.Filter{Merchant: shop(2).String()}); v.Total.Messages != 1 || v.Total.Amount != 900 {
		t.Errorf("narrowed to a shop: %+v", v.Total)
	}
	if heat := d.table.View(all, failure.Filter{Reason: "batch_mismatch"}).Heat; len(heat) != 1 || len(heat[0].Reasons) != 1 {
		t.Errorf("narrowed to a reason: %+v", heat)
	}
}

// TestATableOfManyKeepsTheMost: of more rows than MaxRows those with the most refusals are kept, in order.
func TestATableOfManyKeepsTheMost(t *testing.T) {
	d := newDay(t, failure.WholeBounds())
	for n := range 3 * failure.MaxRows {
		for range 1 + n%7 {
			d.sale(time.Duration(n), 1000+n, 1000+n, 100, reason.BatchMismatch)
		}
	}
	r := d.report()
	rows := r.Tables["terminal"]
	if len(rows) != failure.MaxRows || !r.Cut || rows[0].Messages != 7 || rows[failure.MaxRows-1].Messages != 5 { // 85 have seven, 86 have six
		t.Fatalf("%d rows, cut %v, from %d to %d", len(rows), r.Cut, rows[0].Messages, rows[len(rows)-1].Messages)
	}
	for i := 1; i < len(rows); i++ {
		if rows[i].Messages > rows[i-1].Messages {
			t.Fatalf("row %d has more than the one before it", i)
		}
	}
}

// BenchmarkReportOfTwoDays is the page of failures when every bound is reached: 48 hours of 4,096 combinations, of which the
// newest hour just changed.
func BenchmarkReportOfTwoDays(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	bounds := failure.LiveBounds()
	table := failure.New(func(id pos.TerminalID) (failure.Facts, bool) {
		return failure.Facts{Model: "P-1" + string(id[7:]), Version: "1.4"}, true
	}, bounds)
	seq := uint64(0)
	put := func(at time.Duration, n int) {
		seq++
		r := []reason.Reason{reason.BatchMismatch, reason.MACFailed, reason.Replayed, reason.SerialProofFailed}[n%4]
		x := journal.Exchange{At: zero + pos.Instant(at), Terminal: id(n), Merchant: shop(n / 4), MTI: 0x0200, Type: pos.Sale, Amount: pos.Amount(100 + n), Currency: pos.CNY, Reason: r, DE39: r.DE39()}
		table.Fold(journal.Entry{Seq: seq, Kind: journal.KindExchange, At: x.At, Body: x.AppendBody(nil)})
	}
	for h := range bounds.Hours {
		for n := range bounds.Cells {
			put(time.Duration(h)*time.Hour+time.Duration(n), h*bounds.Cells+n)
		}
	}
	table.Report(effectiveness.Range{})
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		put(time.Duration(bounds.Hours)*time.Hour-time.Second, 7)
		table.Report(effectiveness.Range{})
		table.View(effectiveness.Range{}, failure.Filter{})
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
}

// TestACauseLeavesNoRowOfNothing: over the bound of cells a refusal is in the row without names. A cause that moves it may empty
// that row, in more than one hour, and the hours still go.
func TestACauseLeavesNoRowOfNothing(t *testing.T) {
	d := newDay(t, failure.Bounds{Hours: 4, Cells: 1, Causes: 9, Attempts: 9})
	for h := range time.Duration(2) {
		at := h * time.Hour
		d.sale(at, 1, 1, 500, reason.BatchMismatch)
		d.found(at, d.sale(at, 2, 1, 500, reason.MACFailed), 2, reason.MACFailed, reason.MACStaleKey, journal.Proven, reason.Terminal)
	}
	for _, row := range d.table.Report(effectiveness.Range{}).Tables["cause"] {
		if row.Messages == 0 {
			t.Errorf("%q of nothing", row.Key)
		}
	}
	d.sale(9*time.Hour, 3, 1, 500, reason.None)
	if rep := d.table.Report(effectiveness.Range{}); rep.Total.Messages != 0 {
		t.Errorf("%d messages are left of hours that went", rep.Total.Messages)
	}
}

// TestAReportIsTheSameHoweverItWasAddedUp: after every message, cause and hour that goes, of any range and filter, the figures
// that are kept and brought up to date are those that are added up anew.
func TestAReportIsTheSameHoweverItWasAddedUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		bounds := failure.Bounds{Hours: 4, Cells: 5, Causes: 50, Attempts: 50}
		d := newDay(t, bounds)
		var refused []uint64
		at := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			at += time.Duration(rapid.IntRange(0, 90).Draw(r, "minutes")) * time.Minute
			why := rapid.SampledFrom([]reason.Reason{reason.None, reason.MACFailed, reason.BatchMismatch}).Draw(r, "reason")
			terminal := rapid.IntRange(1, 8).Draw(r, "terminal")
			switch seq := d.sale(at, terminal, terminal/3, 500, why); {
			case why == reason.MACFailed:
				refused = append(refused, seq)
			case len(refused) > 0 && rapid.Bool().Draw(r, "found"):
				d.found(at, refused[0], terminal, reason.MACFailed, reason.MACStaleKey, journal.Proven, reason.Terminal)
				refused = refused[1:]
			}
			now := effectiveness.HourOf(zero + pos.Instant(at))
			span := rapid.SampledFrom([]effectiveness.Range{{}, {From: now - 1}, {From: now - 3, To: now}, {From: now + 9}}).Draw(r, "range")
			only := rapid.SampledFrom([]failure.Filter{{}, {Reason: "mac_failed"}, {Terminal: id(3).String()}, {Cause: "proven mac_stale_key", Merchant: shop(1).String()}, {Version: "P-10 1.4"}}).Draw(r, "filter")
			kept := fmt.Sprintf("%+v %+v", d.table.Report(span), d.table.View(span, only))
			if rapid.Bool().Draw(r, "go on") {
				continue
			}
			d.table.AddUpAnew()
			if anew := fmt.Sprintf("%+v %+v", d.table.Report(span), d.table.View(span, only)); kept != anew {
				r.Fatalf("range %v, filter %+v\nkept %s\nanew %s", span, only, kept, anew)
			}
		}
	})
}
