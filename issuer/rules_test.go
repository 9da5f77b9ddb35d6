package issuer_test

import (
	"testing"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// month is the host's business month in every case.
const month = 2403

func aCard() *issuer.Card {
	return &issuer.Card{Opening: issuer.Opening{Card: pos.PANHash{1}, Expiry: 2512, ServiceCode: "101", State: issuer.Active, Balance: 1000}}
}

func aSale() issuer.Ask {
	return issuer.Ask{Op: transaction.Sale, Amount: 100, PIN: issuer.PINRight, Month: month}
}

// TestDecide has a case for each answer of the embedded bank; the base is an approved sale with a right PIN.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(c *issuer.Card, a *issuer.Ask)
		want   reason.Reason
		de39   string
	}{
		{"approved", func(*issuer.Card, *issuer.Ask) {}, reason.None, "00"},
		{"approved without PIN", func(_ *issuer.Card, a *issuer.Ask) { a.PIN = issuer.NoPIN }, reason.None, "00"},

		{"all but nothing left", func(_ *issuer.Card, a *issuer.Ask) { a.Amount = 999 }, reason.None, "00"},
		{"all of it", func(_ *issuer.Card, a *issuer.Ask) { a.Amount = 1000 }, reason.None, "00"},
		{"one too much", func(_ *issuer.Card, a *issuer.Ask) { a.Amount = 1001 }, reason.InsufficientFunds, "51"},
		{"balance below nothing", func(c *issuer.Card, a *issuer.Ask) { c.Balance, a.Amount = -1, 1 }, reason.InsufficientFunds, "51"},

		{"expires this month", func(c *issuer.Card, _ *issuer.Ask) { c.Expiry = month }, reason.None, "00"},
		{"expired last month", func(c *issuer.Card, _ *issuer.Ask) { c.Expiry = month - 1 }, reason.CardExpired, "54"},
		{"no expiry", func(c *issuer.Card, _ *issuer.Ask) { c.Expiry = 0 }, reason.CardExpired, "54"},
		{"its expiry was sent", func(_ *issuer.Card, a *issuer.Ask) { a.Expiry = 2512 }, reason.None, "00"},
		{"another expiry was sent", func(_ *issuer.Card, a *issuer.Ask) { a.Expiry = 2511 }, reason.CardExpired, "54"},

		{"PIN wrong", func(_ *issuer.Card, a *issuer.Ask) { a.PIN = issuer.PINWrong }, reason.PINWrong, "55"},
		{"PIN wrong, third time", func(c *issuer.Card, a *issuer.Ask) { a.PIN, c.Tries = issuer.PINWrong, issuer.MaxTries-1 }, reason.PINWrong, "55"},
		{"PIN wrong, fourth time", func(c *issuer.Card, a *issuer.Ask) { a.PIN, c.Tries = issuer.PINWrong, issuer.MaxTries }, reason.PINTriesExceeded, "75"},
		{"PIN right, third time", func(c *issuer.Card, _ *issuer.Ask) { c.Tries = issuer.MaxTries - 1 }, reason.None, "00"},
		{"PIN right, too late", func(c *issuer.Card, _ *issuer.Ask) { c.Tries = issuer.MaxTries }, reason.PINTriesExceeded, "75"},
		{"no PIN, PIN closed", func(c *issuer.Card, a *issuer.Ask) { a.PIN, c.Tries = issuer.NoPIN, issuer.MaxTries }, reason.None, "00"},
		{"PIN unreadable", func(_ *issuer.Card, a *issuer.Ask) { a.PIN = issuer.PINUnreadable }, reason.PINFormat, "99"},
		{"module silent", func(_ *issuer.Card, a *issuer.Ask) { a.PIN = issuer.PINUnavailable }, reason.ModuleUnavailable, "96"},
		{"module silent, card lost", func(c *issuer.Card, a *issuer.Ask) { a.PIN, c.State = issuer.PINUnavailable, issuer.Lost }, reason.ModuleUnavailable, "96"},

		{"without PIN up to the limit", func(c *issuer.Card, a *issuer.Ask) { a.PIN, c.NoPINLimit = issuer.NoPIN, 100 }, reason.None, "00"},
		{"without PIN above the limit", func(c *issuer.Card, a *issuer.Ask) { a.PIN, c.NoPINLimit = issuer.NoPIN, 99 }, reason.NoCardholderVerification, "57"},
		{"with PIN above that limit", func(c *issuer.Card, _ *issuer.Ask) { c.NoPINLimit = 99 }, reason.None, "00"},
		{"at the limit of a sale", func(c *issuer.Card, _ *issuer.Ask) { c.SaleLimit = 100 }, reason.None, "00"},
		{"above the limit of a sale", func(c *issuer.Card, _ *issuer.Ask) { c.SaleLimit = 99 }, reason.LimitExceeded, "61"},

		{"restricted", func(c *issuer.Card, _ *issuer.Ask) { c.State = issuer.Restricted }, reason.CardRestricted, "62"},
		{"state unknown", func(c *issuer.Card, _ *issuer.Ask) { c.State = "" }, reason.CardRestricted, "62"},
		{"lost", func(c *issuer.Card, _ *issuer.Ask) { c.State = issuer.Lost }, reason.CardLost, "41"},
		{"stolen", func(c *issuer.Card, _ *issuer.Ask) { c.State = issuer.Stolen }, reason.CardStolen, "43"},

		{"chip card swiped at a chip reader", func(c *issuer.Card, a *issuer.Ask) { c.ServiceCode, a.Swiped, a.ChipReader = "201", true, true }, reason.FallbackRefused, "45"},
		{"international chip card swiped there", func(c *issuer.Card, a *issuer.Ask) { c.ServiceCode, a.Swiped, a.ChipReader = "620", true, true }, reason.FallbackRefused, "45"},
		{"chip card swiped where no chip is read", func(c *issuer.Card, a *issuer.Ask) { c.ServiceCode, a.Swiped = "201", true }, reason.None, "00"},
		{"stripe card swiped at a chip reader", func(_ *issuer.Card, a *issuer.Ask) { a.Swiped, a.ChipReader = true, true }, reason.None, "00"},
		{"chip", func(_ *issuer.Card, a *issuer.Ask) { a.Chip = true }, reason.FunctionUnsupported, "40"},
		{"chip, marked not verified", func(c *issuer.Card, a *issuer.Ask) { c.ChipUnproven, a.Chip = true, true }, reason.None, "00"},

		{"track of another service code", func(_ *issuer.Card, a *issuer.Ask) { a.HasTrack, a.ServiceCode = true, [3]byte{'2', '0', '1'} }, reason.IssuerDeclined, "05"},
		{"track of its service code", func(_ *issuer.Card, a *issuer.Ask) { a.HasTrack, a.ServiceCode = true, [3]byte{'1', '0', '1'} }, reason.None, "00"},

		{"balance of a lost card", func(c *issuer.Card, a *issuer.Ask) { a.Op, c.State = transaction.BalanceInquiry, issuer.Lost }, reason.CardLost, "41"},
		{"balance, PIN wrong", func(_ *issuer.Card, a *issuer.Ask) { a.Op, a.PIN = transaction.BalanceInquiry, issuer.PINWrong }, reason.PINWrong, "55"},
		{"balance of an empty card", func(c *issuer.Card, a *issuer.Ask) { a.Op, c.Balance = transaction.BalanceInquiry, 0 }, reason.None, "00"},
		{"refund to a stolen, expired card", func(c *issuer.Card, a *issuer.Ask) { a.Op, c.State, c.Expiry = transaction.Refund, issuer.Stolen, 0 }, reason.None, "00"},
		{"void on an empty card", func(c *issuer.Card, a *issuer.Ask) { a.Op, c.Balance = transaction.Void, 0 }, reason.None, "00"},
		{"void, PIN wrong", func(_ *issuer.Card, a *issuer.Ask) { a.Op, a.PIN = transaction.Void, issuer.PINWrong }, reason.PINWrong, "55"},
	} {
		card, ask := aCard(), aSale()
		c.change(card, &ask)
		before := *card
		got := issuer.Decide(card, &ask)
		if got != c.want || got.DE39().String() != c.de39 {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if *card != before {
			t.Errorf("%s: the decision changed the card", c.name)
		}
	}
	for _, op := range []transaction.Op{transaction.Sale, transaction.BalanceInquiry, transaction.Void, transaction.Refund} {
		ask := aSale()
		ask.Op = op
		if got := issuer.Decide(nil, &ask); got != reason.CardUnknown || got.DE39().String() != "14" {
			t.Errorf("%s with an unknown card: %s", op, got)
		}
	}
}

// TestOpenKeepsTheBalance: a change of terms sets everything but the balance, and opens the PIN again.
func TestOpenKeepsTheBalance(t *testing.T) {
	var c issuer.Card
	c.Open(5, issuer.Opening{Card: pos.PANHash{1}, State: issuer.Active, Balance: 1000})
	if c.Balance != 1000 || c.Version != 5 {
		t.Fatalf("opened with %d", c.Balance)
	}
	c.Fold(6, &journal.Exchange{Delta: -300, PIN: journal.PINWrong})
	c.Open(7, issuer.Opening{Card: pos.PANHash{1}, State: issuer.Lost, Balance: 9999, SaleLimit: 5})
	if c.Balance != 700 || c.State != issuer.Lost || c.SaleLimit != 5 || c.Tries != 0 || c.Version != 7 {
		t.Errorf("changed to %s with %d, %d tries, version %d", c.State, c.Balance, c.Tries, c.Version)
	}
}

// TestTries: wrong PINs add up, a right one clears them, anything else leaves them.
func TestTries(t *testing.T) {
	c := aCard()
	for i, step := range []struct {
		pin   journal.PINOutcome
		tries uint8
	}{{journal.PINWrong, 1}, {journal.PINNotTried, 1}, {journal.PINWrong, 2}, {journal.PINRight, 0}, {journal.PINWrong, 1}} {
		c.Fold(uint64(i+1), &journal.Exchange{PIN: step.pin, Delta: -1})
		if c.Tries != step.tries || c.Balance != pos.Amount(999-i) || c.Version != uint64(i+1) {
			t.Errorf("step %d: %d tries, balance %d", i, c.Tries, c.Balance)
		}
	}
}

func TestHasChip(t *testing.T) {
	for code, want := range map[string]bool{"201": true, "601": true, "101": false, "120": false, "20": false, "2010": false, "": false} {
		c := issuer.Card{Opening: issuer.Opening{ServiceCode: code}}
		if c.HasChip() != want {
			t.Errorf("service code %q: %t", code, c.HasChip())
		}
	}
}
