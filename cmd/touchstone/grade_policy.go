package main

import (
	"fmt"
	"log/slog"

	"touchstone/proof"
)

// gradeFlags are the flags, and configuration keys, by which a host refuses what is proven too weakly. All are off
// unless asked for: what the dialect prescribes would refuse most terminals of the field.
type gradeFlags struct {
	RefuseMAC      []string `name:"refuse-mac" help:"Refuse a right MAC of these kinds: weak, xor-fold, single DES, open chain, or an algorithm's name; several with commas. Try it first: touchstone policy try." placeholder:"WORDS"`
	RequireTLS     bool     `name:"require-tls" help:"Refuse what comes over plain TCP."`
	RequireNetwork bool     `name:"require-network" help:"Refuse a terminal whose registration takes any address."`
}

func (f *gradeFlags) check() error {
	if _, err := proof.ParseMACRefusal(f.RefuseMAC); err != nil {
		return fmt.Errorf("refuse-mac: %w", err)
	}
	return nil
}

// into puts the flags, which check has read, into a policy.
func (f *gradeFlags) into(p *proof.Policy) {
	p.RefuseMAC, _ = proof.ParseMACRefusal(f.RefuseMAC) // check has read it
	p.RequireTLS, p.RequireNetwork = f.RequireTLS, f.RequireNetwork
}

// announce says at the start what is refused for its grade.
func (f *gradeFlags) announce(log *slog.Logger) {
	if m, err := proof.ParseMACRefusal(f.RefuseMAC); err == nil && m.Any() {
		log.Info("MACs are refused for their grade", slog.String("refuse_mac", m.String()))
	}
	if f.RequireTLS {
		log.Info("plain TCP is refused")
	}
	if f.RequireNetwork {
		log.Info("a registration for any address is refused")
	}
}
