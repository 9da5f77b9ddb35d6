package main

import (
	"fmt"
	"time"
)

// storyBooks is what the story reads of the money equation.
type storyBooks struct {
	Refunds      storyPart `json:"refunds"`
	Compensation storyPart `json:"compensation"`
	MoneyOut     int64     `json:"money_out"` // fen
	Reconciles   bool      `json:"reconciles"`
}

type storyPart struct {
	Approved int64 `json:"approved"`
}

// hold is the equation: what went out to cards is what two people approved, and something was.
func (b storyBooks) hold() bool {
	approved := b.Refunds.Approved + b.Compensation.Approved
	return b.Reconciles && b.MoneyOut == approved && approved > 0
}

// moneyGoesBack: a consumer claims by the receipt, two people decide on the evidence, and the card is credited once.
func (s *story) moneyGoesBack() error {
	t, i := storyTerminals()[storyOpened], storyIncident{}
	i, err := s.attached()
	if err != nil {
		return err
	}
	number := cards()[0].pan()
	before, err := s.balance()
	if err != nil {
		return err
	}
	made, err := s.do(command{key: "claim", already: "claimed already", args: s.with("claim", "make", "--date", s.today(), "--amount", "88.00", "--last4", number[len(number)-4:], "--terminal", t.id,
		"--incident", i.ID, "--reason", "I do not know what became of my card's data")})
	if err != nil {
		return err
	}
	claim, err := find(`(CLM-[0-9]+-[A-Z2-7]+)`, made)
	if err != nil { // the story was killed before it learned the number; the acquirer's people know it
		if made, err = s.do(command{hidden: true, args: s.with("claim", "list", "--json")}); err == nil {
			claim, err = find(`(CLM-[0-9]+-[A-Z2-7]+)`, made)
		}
	}
	if err != nil {
		return err
	}
	if err := s.list(command{args: s.talk("claim", "evidence", claim)},
		command{key: "same person", fails: true, args: s.with("claim", "decide", claim, "--approve", "--refund", "88.00", "--as", "chen", "--with", "chen")}); err != nil {
		return err
	}
	proposed, err := s.do(command{key: "decide", args: s.with("claim", "decide", claim, "--approve", "--refund", "88.00", "--compensation", "20.00", "--payer", "maker", "--why", "the trouble of a new card", "--as", "chen")})
	if err != nil {
		return err
	}
	proposal, err := find(`(PRP-[0-9]+)`, proposed)
	if err != nil {
		return err
	}
	if err := s.list(command{key: "agree", already: "decided", args: s.with("approve", proposal, "--as", "wang")},
		command{args: s.talk("claim", "show", claim)}, command{args: s.talk("money", "--incident", i.ID)}); err != nil {
		return err
	}
	after, err := s.balance()
	if err != nil {
		return err
	}
	var b storyBooks
	if err := s.ask(&b, s.with("money", "--json")...); err != nil {
		return err
	}
	return s.holds(b.hold() && after-before == b.MoneyOut, "the card got %d of what was approved: %+v", after-before, b)
}

// today is the date on the receipts of this story, in the host's time zone: that of its first sales.
func (s *story) today() string {
	if s.progress.Done["today"] == "" {
		s.progress.Done["today"] = receiptDay(time.Now())
	}
	return s.progress.Done["today"]
}

// receiptDay is the date that a host with serve's default time zone prints on a receipt, wherever the reader's clock stands.
func receiptDay(now time.Time) string { return now.In(hostZone()).Format(time.DateOnly) }

// balance asks for the balance of the story's card at a terminal of the other model, in fen; of a step that is told
// again, as it was when it was told first.
func (s *story) balance() (int64, error) {
	t := storyTerminals()[5]
	key := fmt.Sprintf("balance %d", s.balances)
	s.balances++
	c := s.at(t, key, "balance")
	c.hidden, c.args = true, append(c.args, "--json")
	text, err := s.do(c)
	if err != nil {
		return 0, err
	}
	whole, err := find(`"balance":"([0-9]+\.[0-9]{2})"`, text)
	if err != nil {
		return 0, err
	}
	var yuan, fen int64
	if _, err := fmt.Sscanf(whole, "%d.%d", &yuan, &fen); err != nil {
		return 0, err
	}
	return yuan*100 + fen, nil
}

// books: the journal is whole, and the money equation holds over all of it.
func (s *story) books() error {
	if err := s.list(command{args: s.with("journal", "verify")}, command{args: s.talk("money")}, command{args: s.talk("permit", "list")}); err != nil {
		return err
	}
	var b storyBooks
	if err := s.ask(&b, s.with("money", "--json")...); err != nil {
		return err
	}
	return s.holds(b.hold(), "the books balance: %+v", b)
}
