package observe

import "github.com/prometheus/client_golang/prometheus"

// Failures are the sales of the last 24 hours that security refused, and how many of them were honest.
type Failures struct {
	Approved      uint64  `json:"approved_sales"`
	Refused       uint64  `json:"refused_sales"`
	RefusedAmount int64   `json:"refused_amount"` // minor units
	Wrong         uint64  `json:"wrong"`          // of Refused: proven to be of honest terminals
	Unknown       uint64  `json:"unknown"`        // of Refused: neither is proven
	Least         float64 `json:"false_failure_rate_least"`
	Most          float64 `json:"false_failure_rate_most"`

	WrongTerminals int `json:"wrong_terminals"`
	Terminals      int `json:"terminals"`

	Recovered Purchases `json:"recovered"`
	Lost      Purchases `json:"lost"`
	Waiting   Purchases `json:"waiting"`
}

// Purchases are in number and money, minor units.
type Purchases struct {
	Number uint64 `json:"number"`
	Amount int64  `json:"amount"`
}

// failureExporter shows Failures.
type failureExporter struct {
	s   *Sources
	all []*prometheus.Desc

	rate, sales, amount, purchases, purchased, terminals *prometheus.Desc
}

var _ prometheus.Collector = (*failureExporter)(nil)

func newFailureExporter(s *Sources) *failureExporter {
	e := &failureExporter{s: s}
	d := func(name, help string, labels ...string) *prometheus.Desc {
		desc := prometheus.NewDesc("touchstone_"+name, help, labels, nil)
		e.all = append(e.all, desc)
		return desc
	}
	e.rate = d("false_failure_ratio", "Share of honest sales that security refused, last 24 hours: least is proven, most counts what is unknown too.", "bound")
	e.sales = d("refused_sales", "Sales that security refused, last 24 hours: wrong is proven honest, right the rule was right, unknown neither.", "justice")
	e.amount = d("refused_sales_amount", "Money of those sales, in the currency's major unit.")
	e.purchases = d("refused_purchases", "Purchases that security refused, last 24 hours, by what became of them within ten minutes.", "fate")
	e.purchased = d("refused_purchases_amount", "Money of those purchases, in the currency's major unit.", "fate")
	e.terminals = d("wrongly_refused_terminals", "Terminals with a refusal proven wrong, last 24 hours.")
	return e
}

// Describe implements prometheus.Collector.
func (e *failureExporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range e.all {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (e *failureExporter) Collect(out chan<- prometheus.Metric) {
	if e.s.Failures == nil {
		return
	}
	s, f := sender{out}, e.s.Failures()
	s.gauge(e.rate, f.Least, "least")
	s.gauge(e.rate, f.Most, "most")
	s.gauge(e.sales, float64(f.Wrong), "wrong")
	s.gauge(e.sales, float64(f.Unknown), "unknown")
	s.gauge(e.sales, float64(f.Refused-f.Wrong-f.Unknown), "right")
	s.gauge(e.amount, float64(f.RefusedAmount)/100)
	for fate, p := range map[string]Purchases{"recovered": f.Recovered, "lost": f.Lost, "waiting": f.Waiting} {
		s.gauge(e.purchases, float64(p.Number), fate)
		s.gauge(e.purchased, float64(p.Amount)/100, fate)
	}
	s.gauge(e.terminals, float64(f.WrongTerminals))
}
