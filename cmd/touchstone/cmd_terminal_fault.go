package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"touchstone/pos"
	"touchstone/terminal"
)

// faultFlags are what faults take beyond a terminal and a card.
type faultFlags struct {
	Faults        bool   `name:"faults" help:"List every fault: what it does, what the host answers, what it takes."`
	Second        string `name:"second" help:"Second terminal of the fixture, of faults that take one. Default: the first other one of the same shop and sign-in code." placeholder:"ID"`
	FormerTMKFile string `name:"former-tmk-file" help:"File with the master key that the terminal had before this one, of faults that still use it." placeholder:"FILE"`
	OtherMerchant string `name:"other-merchant" help:"Another registered shop's number, of the fault of that name." placeholder:"ID"`
	SealTrack     bool   `name:"seal-track" help:"Encipher the track, where the sign-in code brings a track key."`
}

// apply adds what the flags say to a setup.
func (f *faultFlags) apply(a *app, s *terminalSetup) (err error) {
	s.config.SealTrack = s.config.SealTrack || f.SealTrack
	if f.OtherMerchant != "" {
		if s.config.FaultMerchant, err = pos.ParseMerchantID(f.OtherMerchant); err != nil {
			return fmt.Errorf("--other-merchant: %w", err)
		}
	}
	if f.FormerTMKFile != "" {
		if s.config.FormerTMK, err = readTerminalKey(a, f.FormerTMKFile); err != nil {
			return fmt.Errorf("--former-tmk-file: %w", err)
		}
	}
	if s.second == nil {
		if f.Second != "" {
			return errors.New("--second: no such terminal in the fixture, or no fixture")
		}
		return nil
	}
	second, setup := s.second, s
	s.config.Other = func() (terminal.Config, error) {
		c, err := second.config()
		c.Host, c.From, c.Timeout, c.StateDir, c.SealTrack = setup.config.Host, setup.config.From, setup.config.Timeout, setup.config.StateDir, setup.config.SealTrack
		return c, err
	}
	return nil
}

// second is the terminal with a number, or the first that is of the chosen one's shop and sign-in code; nil none.
func (f *terminalFixture) second(chosen int, id string) *terminalEntry {
	own := &f.Terminals[chosen]
	for i := range f.Terminals {
		t := &f.Terminals[i]
		switch {
		case i == chosen || t.Certificate != "":
		case id == t.ID, id == "" && t.Merchant == own.Merchant && t.SignInCode == own.SignInCode && t.MAC == own.MAC:
			return t
		}
	}
	return nil
}

// helpColumns is the width of the lists in the help.
const helpColumns = 80

// faultGroupTitles say what the faults of a group go against.
var faultGroupTitles = map[terminal.Group]string{
	terminal.GroupMAC: "The MAC: keys, algorithm, what it covers", terminal.GroupAltered: "What was changed after the MAC was made", terminal.GroupSerial: "The serial number's proof",
	terminal.GroupPIN: "The PIN block", terminal.GroupTrack: "The track, and the chip's data", terminal.GroupSession: "Sign-in, batch and trace number", terminal.GroupMessage: "Frame and fields",
	terminal.GroupIdentity: "Who it is, and where", terminal.GroupStanding: "What the host holds of the terminal", terminal.GroupMoney: "Card, amount and original sale",
}

// faultsByGroup is the names of all faults, one paragraph a group.
func faultsByGroup() string {
	var out strings.Builder
	for _, g := range terminal.Groups() {
		out.WriteString(faultGroupTitles[g] + "\n")
		line := " "
		for _, f := range terminal.Faults() {
			row, err := terminal.Describe(f)
			if err != nil || row.Group != g {
				continue
			}
			if len(line)+1+len(f) > helpColumns {
				out.WriteString(line + "\n")
				line = " "
			}
			line += " " + string(f)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// writeFaults writes every fault with what is to be known of it.
func writeFaults(w io.Writer) error {
	var out strings.Builder
	for _, g := range terminal.Groups() {
		fmt.Fprintf(&out, "%s\n", g)
		for _, f := range terminal.Faults() {
			row, err := terminal.Describe(f)
			if err != nil || row.Group != g {
				continue
			}
			fmt.Fprintf(&out, "  %-24s %-5s %-28s %s\n", row.Fault, answerWord(row), row.Reason, row.What)
			if row.Cause != "" {
				fmt.Fprintf(&out, "  %-24s cause %s\n", "", causeWords(row))
			}
			if len(row.Needs) > 0 {
				fmt.Fprintf(&out, "  %-24s takes %s\n", "", needWords(row.Needs))
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func answerWord(row terminal.FaultRow) string {
	if row.DE39 == "" {
		return "close"
	}
	return row.DE39
}

// causeWords is the cause that diagnosis must find and how sure it may be after one message and after two.
func causeWords(row terminal.FaultRow) string {
	s := row.Cause
	if row.Variant != "" {
		s += " (" + row.Variant + ")"
	}
	switch {
	case row.Cause == row.First:
		return s
	case row.First == row.Second:
		return s + ": " + row.First
	}
	return s + ": " + row.First + ", then " + row.Second
}

func needWords(needs []terminal.Need) string {
	var words []string
	for _, n := range needs {
		words = append(words, string(n))
	}
	return strings.Join(words, "; ")
}

// faultsPage is docs/protocol/faults.md, made of the table.
func faultsPage() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `# Faults of the reference terminal

<!-- Made of the table in terminal/fault_table.go; a test compares them. -->

`+"`touchstone terminal --fault NAME`"+` does an ordinary operation that is wrong in exactly one way. For each of the %d faults the table says
what the host must answer, the verdict's reason, and the cause that diagnosis must find after one message and after a second, different
one. *unproven* is a right answer too: of these faults nothing can be proven, and nobody is told a guess. Without a cause the verdict
itself is the proof. The panel (`+"`go test ./cmd/touchstone -run TestPanel`"+`) runs all of them against the program in every form of terminal they
fit, and reads answer, reason, cause and certainty back. [How](../design/030-panel.md).

`, len(terminal.Faults()))
	for _, g := range terminal.Groups() {
		fmt.Fprintf(&out, "## %s\n\n| fault | what is done | DE39 | reason | cause | takes |\n|---|---|---|---|---|---|\n", g)
		for _, f := range terminal.Faults() {
			row, err := terminal.Describe(f)
			if err != nil || row.Group != g {
				continue
			}
			cause := ""
			if row.Cause != "" {
				cause = causeWords(row)
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | `%s` | %s | %s |\n", row.Fault, row.What, answerWord(row), row.Reason, cause, needWords(row.Needs))
		}
		out.WriteString("\n")
	}
	out.WriteString("## Reasons without a fault\n\n| reason | why no terminal can cause it |\n|---|---|\n")
	for _, u := range terminal.NotInjected() {
		fmt.Fprintf(&out, "| `%s` | %s |\n", u.Reason, u.Why)
	}
	return out.Bytes()
}
