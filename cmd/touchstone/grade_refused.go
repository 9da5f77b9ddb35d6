package main

import (
	"fmt"
	"slices"

	"touchstone/grade"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/proof"
	"touchstone/registry"
)

// policyTally counts terminals by the policies that would refuse them, in the order of gradePolicies.
type policyTally struct{ list []policyCount }

func newPolicyTally() *policyTally {
	t := new(policyTally)
	for _, p := range gradePolicies {
		t.list = append(t.list, policyCount{Policy: p})
	}
	return t
}

func (t *policyTally) add(refused []string) {
	for _, p := range refused {
		t.list[slices.Index(gradePolicies, p)].Terminals++
	}
}

// The policies by which a host may refuse a grade, as lines of its configuration.
const (
	policyFold      = `refuse-mac = ["xor-fold"]`
	policySingleDES = `refuse-mac = ["single DES"]`
	policyOpenChain = `refuse-mac = ["open chain"]`
	policyWeak      = `refuse-weak-mac = true`
	policyNoDES     = `allow-single-des = false`
	policyTLS       = `require-tls = true`
	policyNetwork   = `require-network = true`
)

var gradePolicies = []string{policyFold, policySingleDES, policyOpenChain, policyWeak, policyNoDES, policyTLS, policyNetwork}

// refusedBy are the policies that would refuse what the terminal sends, as registered and as it was seen lately.
func (w *gradeWorld) refusedBy(t *registry.Terminal, f *grade.Facts) (list []string) {
	algorithm := proof.AlgorithmOf(f.MAC, f.Code)
	for policy, weakness := range map[string]mac.Weakness{policyFold: mac.XORFold, policySingleDES: mac.SingleDES, policyOpenChain: mac.OpenChain} {
		if algorithm.Grade().Why.Has(weakness) {
			list = append(list, policy)
		}
	}
	m := w.merchant(t.Merchant)
	for _, p := range [...]struct {
		policy string
		on     bool
	}{
		{policyWeak, algorithm.Grade().Strength != mac.Strong},
		{policyNoDES, f.Code == keys.SignInDES},
		{policyTLS, f.Seen.Plain > 0 || f.Seen.TLS12+f.Seen.TLS13 == 0 && !f.Client},
		{policyNetwork, t.AnyNetwork || len(t.Networks) == 0 && m != nil && m.AnyNetwork},
	} {
		if p.on {
			list = append(list, p.policy)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return slices.Index(gradePolicies, a) - slices.Index(gradePolicies, b) })
	return list
}

// inForce are the policies of a host that runs, among gradePolicies.
func inForce(p *proof.Policy) (list []string) {
	for _, w := range p.RefuseMAC.Words() {
		list = append(list, fmt.Sprintf("refuse-mac = [%q]", w))
	}
	for _, on := range [...]struct {
		is     bool
		policy string
	}{{p.RefuseWeakMAC, policyWeak}, {!p.AllowSingleDES, policyNoDES}, {p.RequireTLS, policyTLS}, {p.RequireNetwork, policyNetwork}} {
		if on.is {
			list = append(list, on.policy)
		}
	}
	return list
}
