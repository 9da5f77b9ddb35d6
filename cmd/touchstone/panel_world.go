package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"touchstone/authority"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/terminal"
)

// The panel's world: a made-up shop for each case, with two terminals and a card, and what the case's fault takes of
// the register. Every key is published, as all of the sample world; it is registered in a test data directory only.

// The numbers of the panel's terminals and merchants, apart from every other sample's.
const (
	panelTerminals = 70_000_000
	panelMerchants = 3000
)

// panelForm is how the terminals of a shop speak.
type panelForm struct {
	name    string
	code    pos.NetworkCode
	profile registry.MACProfile
	seal    bool // the track goes enciphered
}

// panelForms are the forms in which a fault may be tried.
func panelForms() []panelForm {
	return []panelForm{
		{name: "ecb", code: 3}, {name: "ecb-3des", code: 3, profile: registry.MACECB3DES}, {name: "x9.19", code: 3, profile: registry.MACX919},
		{name: "sm4", code: 5}, {name: "ecb-track", code: 4, seal: true}, {name: "sm4-track", code: 6, seal: true}, {name: "x9.9", code: 3, profile: registry.MACX99},
	}
}

// fits tells whether a fault that takes needs may be tried in this form.
func (f panelForm) fits(needs []terminal.Need) bool {
	sm4, long := keys.CipherOf(f.code) == keys.SM4, keys.CipherOf(f.code) == keys.SM4 || f.profile.LongMAK()
	weak := f.profile != registry.MACX919
	for _, n := range needs {
		ok := true
		switch n {
		case terminal.NeedSealTrack:
			ok = f.seal
		case terminal.NeedLongMAK:
			ok = long
		case terminal.NeedShortMAK:
			ok = !long
		case terminal.NeedTDES:
			ok = !sm4
		case terminal.NeedSM4:
			ok = sm4
		case terminal.NeedECB3DES:
			ok = f.profile == registry.MACECB3DES
		case terminal.NeedX919:
			ok = f.profile == registry.MACX919
		case terminal.NeedFold:
			ok = weak
		case terminal.NeedStrongMAC:
			ok = weak
		case terminal.NeedStopped:
			ok = f.profile == registry.MACX99 // sales that rest on this algorithm alone are stopped
		}
		if !ok {
			return false
		}
	}
	return f.profile != registry.MACX99 || slices.Contains(needs, terminal.NeedStopped)
}

// panelShop is the shop of one case.
type panelShop struct {
	n          int
	form       panelForm
	needs      []terminal.Need
	own, other sampleTerminal
	kind       int // of a made-up day: what its case is, 0 to 99
	card       sampleCard
}

// newPanelShop makes shop n.
func newPanelShop(n int, form panelForm, needs []terminal.Need) *panelShop {
	s := &panelShop{n: n, form: form, needs: needs}
	make := func(i int) sampleTerminal {
		id := panelTerminals + 2*n + i
		return sampleTerminal{id: sampleID(id), merchant: sampleMerchant(panelMerchants + n), code: form.code, profile: form.profile,
			serial: sampleSerial(id), networks: []string{"127.0.0.0/8"}, tls: s.takes(terminal.NeedCertified)}
	}
	s.own, s.other = make(0), make(1)
	if s.takes(terminal.NeedNetwork) {
		s.own.networks = []string{s.address(0) + "/32"}
	}
	if s.takes(terminal.NeedPlace) {
		s.own.place = &registry.Circle{Latitude: 31_230_400, Longitude: 121_473_700, Metres: 500, Refuse: true}
	}
	s.own.chip = s.takes(terminal.NeedChipReader)
	s.card = sampleCard{label: fmt.Sprintf("panel %d", n), service: "101", expiry: "4912", balance: 900_000_000, state: "active", number: fmt.Sprintf("%09d", (panelTerminals+n)*7%1_000_000_000)}
	s.setCard()
	for again := 0; s.card.pin == "" || guessed(s.card.pin, s.card.pan()); again++ {
		s.card.pin = publishedDigits(fmt.Sprintf("pin/%d/%s", again, s.card.label), 6)
	}
	return s
}

func (s *panelShop) takes(n terminal.Need) bool { return slices.Contains(s.needs, n) }

// address is one of the shop's own addresses on loopback, so that its messages are found by where they came from
// and no two shops are neighbours: 0 where its terminals call from, 1 another.
func (s *panelShop) address(i int) string {
	return fmt.Sprintf("127.%d.%d.%d", 70+i, s.n/250, 1+s.n%250)
}

// neighbour is another shop's number: the first two of a panel are always there.
func (s *panelShop) neighbour() pos.MerchantID {
	if s.n == 0 {
		return sampleMerchant(panelMerchants + 1)
	}
	return sampleMerchant(panelMerchants)
}

func (s *panelShop) setCard() {
	c := &s.card
	for need, change := range map[terminal.Need]func(){
		terminal.NeedPoor: func() { c.balance = 1 }, terminal.NeedExpired: func() { c.expiry = "2001" },
		terminal.NeedLost: func() { c.state = "lost" }, terminal.NeedStolen: func() { c.state = "stolen" },
		terminal.NeedRestricted: func() { c.state = "restricted" }, terminal.NeedSaleLimit: func() { c.limit = 1 },
		terminal.NeedChipCard: func() { c.service = "201" },
	} {
		if s.takes(need) {
			change()
		}
	}
}

// formerMaster is the master key that the terminal had before.
func (s *panelShop) formerMaster() []byte {
	key := published("former terminal master key/"+s.own.id.String(), len(s.own.masterKey()))
	if s.own.code != 5 && s.own.code != 6 {
		paycrypto.AdjustParity(key)
	}
	return key
}

// seedPanel registers shops.
func (e *engine) seedPanel(ctx context.Context, shops []*panelShop) error {
	var records, later []any
	for _, s := range shops {
		first, then, err := e.seedShop(ctx, s)
		if err != nil {
			return fmt.Errorf("panel shop %d: %w", s.n, err)
		}
		records, later = append(records, first...), append(later, then...)
	}
	if err := e.ledger.Register(ctx, e.clock(), records...); err != nil {
		return err
	}
	if err := e.ledger.Register(ctx, e.clock(), later...); err != nil {
		return err
	}
	if err := e.permits.settle(ctx); err != nil {
		return err
	}
	return e.seedPanelCertificates(ctx, shops)
}

// seedShop makes the records of a shop: first those that come first, then those that change them.
func (e *engine) seedShop(ctx context.Context, s *panelShop) (first, then []any, err error) {
	first = append(first, &registry.Merchant{ID: s.own.merchant, Name: fmt.Sprintf("Sample Panel 示例 %d", s.n), AnyNetwork: true, Sample: true, Suspended: s.takes(terminal.NeedShopClosed)})
	for _, t := range []sampleTerminal{s.own, s.other} {
		more, err := e.seedTerminal(ctx, t)
		if err != nil {
			return nil, nil, err
		}
		if t.id == s.own.id {
			if s.takes(terminal.NeedFormerTMK) {
				if more, then, err = e.rekeyed(ctx, s, more); err != nil {
					return nil, nil, err
				}
			}
			more = s.standing(more)
		}
		first = append(first, more...)
	}
	if s.takes(terminal.NeedStopped) {
		then = append(then, &journal.Event{Name: proof.EventStopped, Severity: journal.Alarm,
			Parameters: map[string]string{proof.StopCheck: proof.MAC.String(), proof.StopAlgorithm: mac.CBCMACTDES.String()}})
	}
	if s.takes(terminal.NeedCloned) {
		then = append(then, &journal.Event{Name: proof.EventCloneSuspected, Severity: journal.Alarm, Terminal: s.own.id.String(), Parameters: map[string]string{proof.SuspectKeys: "yes"}})
	}
	if s.takes(terminal.NeedUnknown) {
		return first, then, nil
	}
	opening, err := e.seedCard(ctx, s.card)
	if err != nil {
		return nil, nil, err
	}
	if s.takes(terminal.NeedNoPINLimit) && opening != nil {
		opening.NoPINLimit = 1
	}
	return append(first, opening), then, nil
}

// rekeyed registers the terminal under its former master key first.
func (e *engine) rekeyed(ctx context.Context, s *panelShop, records []any) (first, then []any, err error) {
	for _, r := range records {
		if t, ok := r.(*registry.Terminal); ok {
			before := *t
			before.Master, before.MasterKCV, err = e.form(ctx, keys.OfTerminal(t.ID.String()), keys.TerminalMaster, keys.CipherOf(s.own.code), s.formerMaster())
			first, then = append(first, &before), append(then, t)
			continue
		}
		first = append(first, r)
	}
	return first, then, err
}

// standing changes the records of a terminal as the needs of its fault say.
func (s *panelShop) standing(records []any) (out []any) {
	for _, r := range records {
		switch r := r.(type) {
		case *registry.Device:
			switch {
			case s.takes(terminal.NeedNoDevice):
				continue
			case s.takes(terminal.NeedDeviceOut):
				r.State = registry.Suspended
			case s.takes(terminal.NeedTampered):
				r.State = registry.TamperedBy
			}
		case *registry.Terminal:
			r.Suspended = s.takes(terminal.NeedSuspended)
			r.Profile.MACStrong = s.takes(terminal.NeedStrongMAC)
			switch {
			case s.takes(terminal.NeedNoMaster):
				r.Master, r.MasterKCV = nil, ""
			case s.takes(terminal.NeedBlocked):
				r.Permit = registry.BlockedPermit
			case s.takes(terminal.NeedNoRefund):
				r.Permit = registry.NoRefund
			case s.takes(terminal.NeedLimit):
				r.Permit = registry.LimitedTo(1)
			}
		}
		out = append(out, r)
	}
	return out
}

// seedPanelCertificates gives certified shops' devices their published certificates.
func (e *engine) seedPanelCertificates(ctx context.Context, shops []*panelShop) error {
	e.certificates.Lock()
	defer e.certificates.Unlock()
	if _, _, err := e.authority(ctx); err != nil {
		return err
	}
	for _, s := range shops {
		for _, t := range []sampleTerminal{s.own, s.other} {
			if !t.tls {
				continue
			}
			d, err := e.ledger.Device(t.serial)
			if err != nil {
				return err
			}
			if err := e.registerCertificate(ctx, *d, nil, t.certificate(), "published", 0, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// panelPlace is where a panel's host is heard and its terminals keep their files.
type panelPlace struct {
	tcp, tls string
	state    string                                                            // a directory
	dial     func(ctx context.Context, local, remote string) (net.Conn, error) // nil: over the network
	timeout  time.Duration
	now      func() time.Time
	random   io.Reader // nil: the system's
}

// config is one of the shop's terminals.
func (s *panelShop) config(p *panelPlace, t sampleTerminal) terminal.Config {
	c := terminal.Config{
		Host: p.tcp, From: s.address(0), Terminal: t.id, Merchant: t.merchant, SignInCode: paycrypto.SignInCode(t.code), MAC: terminal.MACProfile(t.profile),
		SealTrack: s.form.seal, SendPAN: true, TMK: secret.Take(t.masterKey()), SerialKey: secret.Take(t.serialKey()), Serial: t.serial, Licence: sampleLicence,
		DeviceType: sampleDeviceType, AppVersion: sampleApp, StateDir: filepath.Join(p.state, strconv.Itoa(s.n)), Language: terminal.English, Timeout: p.timeout,
		FaultFrom: s.address(1), FaultMerchant: s.neighbour(), Dial: p.dial, Now: p.now, Random: p.random,
	}
	if s.takes(terminal.NeedPlace) {
		c.Location = &terminal.Location{Longitude: "+121.47370", Latitude: "+31.23040", System: "GCJ02"}
	}
	if s.takes(terminal.NeedFormerTMK) && t.id == s.own.id {
		c.FormerTMK = secret.Take(s.formerMaster())
	}
	return c
}

// open makes the shop's first terminal; the second is made when a fault takes it.
func (s *panelShop) open(p *panelPlace) (*terminal.Terminal, error) {
	c := s.config(p, s.own)
	c.Other = func() (terminal.Config, error) { return s.config(p, s.other), nil }
	if s.takes(terminal.NeedBareTLS) || s.takes(terminal.NeedOtherCert) {
		c.Host, c.TLS = p.tls, &terminal.TLS{CA: authority.PEM(publishedRoot().Raw)}
		if s.takes(terminal.NeedOtherCert) {
			c.TLS.Certificate, c.TLS.Key = authority.PEM(s.other.certificate().Raw), secret.Take(s.other.keyPEM())
		}
	}
	return terminal.Open(c)
}

// reader is the card in the terminal's reader.
func (s *panelShop) reader() (terminal.Card, error) {
	pan, err := pos.ParsePAN(s.card.pan())
	if err != nil {
		return terminal.Card{}, err
	}
	expiry, err := strconv.ParseUint(s.card.expiry, 10, 16)
	if err != nil {
		return terminal.Card{}, err
	}
	return terminal.Card{PAN: pan, Expiry: uint16(expiry), Track2: secret.Take([]byte(s.card.track2())), PIN: secret.Take([]byte(s.card.pin))}, nil
}
