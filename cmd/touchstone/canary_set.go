package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/terminal"
)

// Roles of canary terminals. One of role main is needed; a probe whose role is not filled is not run.
const (
	roleMain      = "main"       // sealed track, serial-number key, a refusing circle, no refunds
	roleMAC       = "mac"        // one for each further MAC algorithm; the role of the n-th is mac-n
	roleGraded    = "graded"     // a weak MAC where its profile demands a strong one
	roleCertified = "certified"  // its device has a certificate, and it calls over plain TCP
	roleUnshown   = "unshown"    // its device has a certificate, and it calls over TLS without showing it
	roleTLS       = "tls"        // its device has a certificate and shows it
	roleSignedOff = "signed-off" // never signed in
)

// canaryProbe is one known-bad message, or a good one, and what must become of it.
type canaryProbe struct {
	probe  terminal.Probe
	check  proof.Check // the proof it tries
	role   string
	want   reason.Reason // None: approved
	amount pos.Amount
}

// Amounts of the probes, in fen, against the limits of the canary's card: 2.00 without a PIN, 5.00 with.
// An altered amount, which is 1.00 more, must not meet a limit.
const (
	probeSmall  = 50
	probeMiddle = 300
	probeLarge  = 900

	canaryNoPINLimit = 200
	canarySaleLimit  = 500
	canaryBalance    = 10_000
)

// canaryProbes are sent in this order, the wrong PIN before the right one so that the card stays open.
var canaryProbes = []canaryProbe{
	{terminal.ProbeGarbage, proof.Frame, roleMain, reason.FrameMalformed, 0},
	{terminal.ProbeNoAmount, proof.Parse, roleMain, reason.MessageMalformed, probeSmall},
	{terminal.ProbeProcessing, proof.Function, roleMain, reason.FunctionUnsupported, probeSmall},
	{terminal.ProbeUnregistered, proof.Identity, roleMain, reason.TerminalUnknown, probeSmall},
	{terminal.ProbeOtherMerchant, proof.Binding, roleMain, reason.BindingMismatch, probeSmall},
	{terminal.ProbeOtherNetwork, proof.Network, roleMain, reason.NetworkNotAllowed, probeSmall},
	{terminal.ProbeSignIn, proof.DeviceCertificate, roleCertified, reason.TransportRefused, 0},
	{terminal.ProbeSignIn, proof.DeviceCertificate, roleUnshown, reason.DeviceCertificateMismatch, 0},
	{terminal.ProbeElsewhere, proof.Place, roleMain, reason.LocationOutside, probeSmall},
	{terminal.ProbeRefund, proof.PermitCheck, roleMain, reason.PermitRefused, probeSmall},
	{terminal.ProbeSignedOff, proof.SignedIn, roleSignedOff, reason.NotSignedIn, probeSmall},
	{terminal.ProbeWrongBatch, proof.Batch, roleMain, reason.BatchMismatch, probeSmall},
	{terminal.ProbeWrongCipher, proof.KeyAlgorithm, roleMain, reason.KeyAlgorithmMismatch, probeSmall},
	{terminal.ProbeMissingMAC, proof.MAC, roleMain, reason.MACMissing, probeSmall},
	{terminal.ProbeWrongMAC, proof.MAC, roleMain, reason.MACFailed, probeSmall},
	{terminal.ProbeAltered, proof.MAC, roleMain, reason.MACFailed, probeSmall},
	{terminal.ProbeWrongMAC, proof.MAC, roleMAC, reason.MACFailed, probeSmall},
	{terminal.ProbeWrongMAC, proof.MAC, roleTLS, reason.MACFailed, probeSmall},
	{terminal.ProbeGoodSale, proof.MACGrade, roleGraded, reason.MACGradeRefused, probeSmall},
	{terminal.ProbeDuplicate, proof.Replay, roleMain, reason.DuplicateTrace, probeSmall},
	{terminal.ProbeReplay, proof.Replay, roleMain, reason.Replayed, probeSmall},
	{terminal.ProbeSerialMissing, proof.Serial, roleMain, reason.SerialMissing, probeSmall},
	{terminal.ProbeOtherSerial, proof.Serial, roleMain, reason.SerialMismatch, probeSmall},
	{terminal.ProbeSerialCipher, proof.Serial, roleMain, reason.SerialProofFailed, probeSmall},
	{terminal.ProbeSerialFactor, proof.Serial, roleMain, reason.SerialFactorMismatch, probeSmall},
	{terminal.ProbeOtherApp, proof.Serial, roleMain, reason.AppVersionUnknown, probeSmall},
	{terminal.ProbeTrackKey, proof.Track, roleMain, reason.TrackDecryptFailed, probeSmall},
	{terminal.ProbeTrackPAN, proof.Track, roleMain, reason.TrackPANMismatch, probeSmall},
	{terminal.ProbeNoChipData, proof.EMVConsistency, roleMain, reason.EMVMissing, probeSmall},
	{terminal.ProbeVoid, proof.Original, roleMain, reason.OriginalNotFound, probeSmall},
	{terminal.ProbeNoPIN, proof.PIN, roleMain, reason.PINMissing, probeSmall},
	{terminal.ProbePINKey, proof.PIN, roleMain, reason.PINFormat, probeSmall},
	{terminal.ProbeWrongPIN, proof.PIN, roleMain, reason.PINWrong, probeSmall},
	{terminal.ProbeUnverified, proof.CardholderVerification, roleMain, reason.NoCardholderVerification, probeMiddle},
	{terminal.ProbeOtherExpiry, proof.CardCheck, roleMain, reason.CardExpired, probeSmall},
	{terminal.ProbeLarge, proof.BalanceCheck, roleMain, reason.LimitExceeded, probeLarge},
	{terminal.ProbeSignInCode, proof.PolicyCheck, roleMain, reason.SignInCodeRefused, 0},
	{terminal.ProbeGoodBalance, proof.PolicyCheck, roleMain, reason.None, 0},
	{terminal.ProbeGoodSale, proof.PolicyCheck, roleMain, reason.None, probeSmall},
	{terminal.ProbeGoodBalance, proof.PolicyCheck, roleTLS, reason.None, 0},
}

// canaryTerminal is one reserved terminal as the canary plays it.
type canaryTerminal struct {
	role      string
	id        pos.TerminalID
	algorithm mac.Algorithm
	config    func() terminal.Config // fresh keys each: a closed terminal wipes its own
}

// canarySet is everything a canary plays with.
type canarySet struct {
	terminals []*canaryTerminal
	card      func() (terminal.Card, error)
	from      pos.Address // where the messages come from; zero when that is left to the system
	elsewhere pos.Address // where that of another network comes from
	merchant  bool        // another shop's number is known
	network   bool        // another network's address is known
}

// Why a probe is not run.
const (
	notRunNoTerminal = "no canary terminal for it"
	notRunNoShop     = "no other shop is named"
	notRunNoNetwork  = "no address of another network is named"
	notRunNoAddress  = "no address to send from is named"
)

// members are the terminals of a role.
func (s *canarySet) members(role string) (list []*canaryTerminal) {
	for _, t := range s.terminals {
		if t.role == role || (role == roleMAC && len(t.role) > len(roleMAC) && t.role[:len(roleMAC)+1] == roleMAC+"-") {
			list = append(list, t)
		}
	}
	return list
}

// lacks tells why a probe cannot be sent, "" when it can.
func (s *canarySet) lacks(p terminal.Probe) string {
	switch {
	case p == terminal.ProbeOtherMerchant && !s.merchant:
		return notRunNoShop
	case p == terminal.ProbeOtherNetwork && !s.network:
		return notRunNoNetwork
	case p == terminal.ProbeGarbage && s.from == pos.Address{}:
		return notRunNoAddress
	}
	return ""
}

// algorithmOf is how a canary terminal's MAC is computed.
func algorithmOf(c *terminal.Config) mac.Algorithm {
	return proof.AlgorithmOf(registry.MACProfile(c.MAC), pos.NetworkCode(c.SignInCode))
}

func addressOf(text string) (pos.Address, error) {
	if text == "" {
		return pos.Address{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return pos.Address{}, fmt.Errorf("%q: want an address such as 127.0.9.5", text)
	}
	return pos.Address(a.As16()), nil
}

// canaryFile is the TOML file of a canary. Each terminal is a file as touchstone terminal --config reads
// it, relative to this one; the card is that of the main terminal.
type canaryFile struct {
	Host         string   `toml:"host"`
	Main         string   `toml:"main"`
	MAC          []string `toml:"mac"`
	Graded       string   `toml:"graded"`
	Certified    string   `toml:"certified"`
	Unshown      string   `toml:"unshown"`
	TLS          string   `toml:"tls"`
	SignedOff    string   `toml:"signed_off"`
	From         string   `toml:"from"`
	OtherNetwork string   `toml:"other_network"`
	OtherShop    string   `toml:"other_shop"`
	Unregistered string   `toml:"unregistered"`
}

// readCanaryFile makes a set of a file. host, if not "", is where it calls; state is where its terminals
// keep their files.
func readCanaryFile(a *app, name, host, state string) (*canarySet, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f canaryFile
	if err := toml.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s: not the TOML of a canary", name)
	}
	if host == "" {
		host = f.Host
	}
	if f.Main == "" {
		return nil, fmt.Errorf("%s: no main terminal is named", name)
	}
	s := &canarySet{merchant: f.OtherShop != "", network: f.OtherNetwork != ""}
	if s.from, err = addressOf(f.From); err != nil {
		return nil, fmt.Errorf("%s: from: %w", name, err)
	}
	if s.elsewhere, err = addressOf(f.OtherNetwork); err != nil {
		return nil, fmt.Errorf("%s: other_network: %w", name, err)
	}
	files := []struct{ role, file string }{{roleMain, f.Main}, {roleGraded, f.Graded}, {roleCertified, f.Certified},
		{roleUnshown, f.Unshown}, {roleTLS, f.TLS}, {roleSignedOff, f.SignedOff}}
	for i, file := range f.MAC {
		files = append(files, struct{ role, file string }{fmt.Sprintf("%s-%d", roleMAC, i+1), file})
	}
	for _, entry := range files {
		if entry.file == "" {
			continue
		}
		t, err := f.terminal(a, filepath.Join(filepath.Dir(name), entry.file), entry.role, host, state)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, entry.role, err)
		}
		s.terminals = append(s.terminals, t)
	}
	s.card = func() (terminal.Card, error) {
		setup, err := (&terminalCmd{Config: filepath.Join(filepath.Dir(name), f.Main), Lang: "en"}).load(a)
		setup.config.TMK.Wipe()
		setup.config.SerialKey.Wipe()
		return setup.card, err
	}
	card, err := s.card()
	card.Wipe()
	return s, err
}

func (f *canaryFile) terminal(a *app, file, role, host, state string) (*canaryTerminal, error) {
	load := func() (terminal.Config, error) {
		setup, err := (&terminalCmd{Config: file, Lang: "en"}).load(a)
		setup.card.Wipe()
		c := setup.config
		if host != "" && c.TLS == nil { // a terminal that speaks TLS calls where its own file says
			c.Host = host
		}
		c.From, c.FaultFrom, c.StateDir = f.From, f.OtherNetwork, state
		if err == nil && f.OtherShop != "" {
			c.FaultMerchant, err = pos.ParseMerchantID(f.OtherShop)
		}
		if err == nil && f.Unregistered != "" {
			c.FaultTerminal, err = pos.ParseTerminalID(f.Unregistered)
		}
		return c, err
	}
	c, err := load()
	if err != nil {
		return nil, err
	}
	c.TMK.Wipe()
	c.SerialKey.Wipe()
	return &canaryTerminal{role: role, id: c.Terminal, algorithm: algorithmOf(&c), config: func() terminal.Config {
		c, _ := load() // read once already; what has become unreadable makes a Config that does not open
		return c
	}}, nil
}
