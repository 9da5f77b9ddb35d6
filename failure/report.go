package failure

import (
	"cmp"
	"slices"
	"strconv"

	"touchstone/effectiveness"
	"touchstone/pos"
)

// Count is how many messages were refused, how many of them were sales, and for how much; of each, what was wrong and
// what is unknown.
type Count struct {
	Messages uint64     `json:"messages"`
	Sales    uint64     `json:"sales"`
	Amount   pos.Amount `json:"amount"`
	Wrong    uint64     `json:"wrong"`   // messages proven to be of honest terminals
	Unknown  uint64     `json:"unknown"` // messages of which neither is proven
}

func (c *Count) add(key *cell, f *figures) {
	c.Messages += f.messages
	c.Sales += f.sales
	c.Amount += f.amount
	switch key.justice {
	case Wrong:
		c.Wrong += f.messages
	case Unknown:
		c.Unknown += f.messages
	}
}

// Row is one value of a dimension.
type Row struct {
	Key string `json:"key"` // "" no name: over the bound, unknown, or not registered
	Count
}

// MaxRows is the most rows of one table; the rest are one row.
const MaxRows = 200

// Report is the figures of a range of hours.
type Report struct {
	From effectiveness.Hour `json:"from"`
	To   effectiveness.Hour `json:"to"` // the last hour that has anything
	Last uint64             `json:"last"`

	Approved  uint64     `json:"approved_sales"`
	Taken     pos.Amount `json:"approved_amount"`
	Terminals int        `json:"terminals"` // that were answered well or refused by security
	Total     Count      `json:"refused_by_security"`

	// WrongSales are refused sales that are proven to be honest, UnknownSales those of which nothing is proven: the
	// false-failure rate is between WrongSales/(Approved+WrongSales) and the same with UnknownSales added.
	WrongSales     uint64 `json:"wrong_sales"`
	UnknownSales   uint64 `json:"unknown_sales"`
	WrongTerminals int    `json:"wrong_terminals"` // honest terminals with at least one refusal proven wrong

	Waiting   Purchases `json:"purchases_waiting"`
	Recovered Purchases `json:"purchases_recovered"`
	Lost      Purchases `json:"purchases_lost"`

	Tables map[string][]Row `json:"tables"` // by dimension
	Cut    bool             `json:"cut"`    // a table has more rows than MaxRows
}

// Dimensions are the tables of a report.
var Dimensions = []string{"reason", "cause", "model", "version", "merchant", "terminal", "hour"}

func (c *cell) value(dimension string, at effectiveness.Hour) string {
	switch dimension {
	case "reason":
		return c.reason.String()
	case "cause":
		switch {
		case c.certainty == "" && !c.reason.Sought():
			return "verdict " + c.reason.String()
		case c.certainty == "":
			return "not_examined"
		}
		return string(c.certainty) + " " + c.cause.String()
	case "model":
		return c.model
	case "version":
		if c.model == "" {
			return ""
		}
		return c.model + " " + c.version
	case "merchant":
		return printable(c.merchant[:])
	case "terminal":
		return printable(c.terminal[:])
	}
	return strconv.FormatInt(int64(at.Start())/1e9, 10)
}

// printable is an identifier, "" for the zero one.
func printable(b []byte) string {
	if len(b) == 0 || b[0] == 0 {
		return ""
	}
	return string(b)
}

// Rate is a share between nothing and one, at least and at most. NaN has no place: without any sale both are 0.
type Rate struct {
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// FalseFailures is the share of honest sales that were refused by security: at least what is proven, at most that and
// what is unknown.
func (r *Report) FalseFailures() Rate {
	return Rate{share(r.WrongSales, r.Approved), share(r.WrongSales+r.UnknownSales, r.Approved)}
}

func share(wrong, approved uint64) float64 {
	if wrong+approved == 0 {
		return 0
	}
	return float64(wrong) / float64(wrong+approved)
}

// Report puts a range of hours into figures.
func (t *Table) Report(r effectiveness.Range) Report {
	w := t.whole(r)
	rep := Report{Last: t.last, Total: w.total, WrongSales: w.wrongSales, UnknownSales: w.unknownSales}
	for at := range w.in {
		h := t.hours[at]
		if rep.From == 0 || at < rep.From {
			rep.From = at
		}
		rep.To = max(rep.To, at)
		rep.Approved += h.approved
		rep.Taken += h.taken
		rep.Waiting.add(h.purchases[Waiting])
		rep.Recovered.add(h.purchases[Recovered])
		rep.Lost.add(h.purchases[Lost])
	}
	rep.Terminals, rep.WrongTerminals = t.heardIn(w), len(w.wrong)
	rep.Tables, rep.Cut = w.rows()
	return rep
}

// rowsOf sorts a table and keeps MaxRows of it: of hours the newest, in their order; of all else the most refusals first.
func rowsOf(dimension string, values []Row) (rows []Row) {
	if dimension == "hour" {
		rows = slices.Clone(values)
		slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Key, b.Key) })
		return rows[max(0, len(rows)-MaxRows):]
	}
	rows = make([]Row, 0, min(len(values), 2*MaxRows))
	full, last := false, Row{} // of the best MaxRows so far
	for i := range values {
		row := &values[i]
		if full && (row.Messages < last.Messages || row.Messages == last.Messages && row.Key > last.Key) {
			continue
		}
		rows = append(rows, *row)
		if len(rows) == 2*MaxRows { // of a hundred thousand terminals two hundred are shown: all are not sorted
			slices.SortFunc(rows, mostFirst)
			rows = rows[:MaxRows]
			full, last = true, rows[MaxRows-1]
		}
	}
	slices.SortFunc(rows, mostFirst)
	return rows[:min(len(rows), MaxRows)]
}

func mostFirst(a, b Row) int {
	return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Key, b.Key))
}
