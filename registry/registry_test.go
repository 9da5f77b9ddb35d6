package registry_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
)

func networks(t *testing.T, list ...string) (nets []pos.Network) {
	t.Helper()
	for _, s := range list {
		n, err := pos.ParseNetwork(s)
		if err != nil {
			t.Fatal(err)
		}
		nets = append(nets, n)
	}
	return nets
}

func aTerminal() registry.Terminal {
	return registry.Terminal{ID: pos.TerminalID([]byte("00000001")), Merchant: pos.MerchantID([]byte("898310048160001")), Serial: "S1",
		Profile: registry.Profile{SignInCode: keys.SignInTDES}, Permit: registry.FullPermit}
}

type checker interface{ Check() error }

func TestCheck(t *testing.T) {
	terminal := func(change func(*registry.Terminal)) checker {
		r := aTerminal()
		change(&r)
		return &r
	}
	device := func(change func(*registry.Device)) checker {
		r := registry.Device{Serial: "S1", Licence: "P1234", DeviceType: "02", State: registry.Active}
		change(&r)
		return &r
	}
	merchant := func(change func(*registry.Merchant)) checker {
		r := registry.Merchant{ID: pos.MerchantID([]byte("898310048160001")), Name: "shop"}
		change(&r)
		return &r
	}
	profile := func(code pos.NetworkCode, m registry.MACProfile) checker {
		return terminal(func(r *registry.Terminal) { r.Profile = registry.Profile{SignInCode: code, MAC: m} })
	}
	for name, c := range map[string]struct {
		record checker
		right  bool
	}{
		"terminal":                        {terminal(func(*registry.Terminal) {}), true},
		"terminal without id":             {terminal(func(r *registry.Terminal) { r.ID = pos.TerminalID{} }), false},
		"terminal without merchant":       {terminal(func(r *registry.Terminal) { r.Merchant = pos.MerchantID{} }), false},
		"code 000":                        {profile(0, ""), false},
		"code 001":                        {profile(1, ""), true},
		"code 002":                        {profile(2, ""), false},
		"code 004":                        {profile(4, registry.MACECB), true},
		"code 005":                        {profile(5, ""), true},
		"code 006":                        {profile(6, ""), true},
		"code 007":                        {profile(7, ""), false},
		"long MAK after 003":              {profile(3, registry.MACX919), true},
		"long MAK after 004":              {profile(4, registry.MACX99), true},
		"long MAK after 001":              {profile(1, registry.MACECB3DES), false},
		"long MAK after 005":              {profile(5, registry.MACX919), false},
		"MAC unknown":                     {profile(3, "cmac"), false},
		"terminal with the most networks": {terminal(func(r *registry.Terminal) { r.Networks = make([]pos.Network, registry.MaxNetworks) }), true},
		"terminal with one more":          {terminal(func(r *registry.Terminal) { r.Networks = make([]pos.Network, registry.MaxNetworks+1) }), false},

		"device":                {device(func(*registry.Device) {}), true},
		"device without serial": {device(func(r *registry.Device) { r.Serial = "" }), false},
		"device suspended":      {device(func(r *registry.Device) { r.State = registry.Suspended }), true},
		"device tampered":       {device(func(r *registry.Device) { r.State = registry.TamperedBy }), true},
		"device without state":  {device(func(r *registry.Device) { r.State = "" }), false},
		"device state unknown":  {device(func(r *registry.Device) { r.State = "Active" }), false},
		"device type short":     {device(func(r *registry.Device) { r.DeviceType = "2" }), false},
		"device type long":      {device(func(r *registry.Device) { r.DeviceType = "002" }), false},
		"device type letters":   {device(func(r *registry.Device) { r.DeviceType = "0A" }), false},

		"merchant":                        {merchant(func(*registry.Merchant) {}), true},
		"merchant without id":             {merchant(func(r *registry.Merchant) { r.ID = pos.MerchantID{} }), false},
		"merchant without name":           {merchant(func(r *registry.Merchant) { r.Name = "" }), false},
		"merchant with the most networks": {merchant(func(r *registry.Merchant) { r.Networks = make([]pos.Network, registry.MaxNetworks) }), true},
		"merchant with one more":          {merchant(func(r *registry.Merchant) { r.Networks = make([]pos.Network, registry.MaxNetworks+1) }), false},
	} {
		if err := c.record.Check(); (err == nil) != c.right || (err != nil && !errors.Is(err, registry.ErrRecord)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	here, there := pos.IPv4(10, 1, 2, 3), pos.IPv4(10, 9, 2, 3)
	for name, c := range map[string]struct {
		terminal     registry.Terminal
		merchant     registry.Merchant
		from         pos.Address
		matched      string
		anywhere, ok bool
	}{
		"nothing registered":              {registry.Terminal{}, registry.Merchant{}, here, "", false, false},
		"terminal anywhere":               {registry.Terminal{AnyNetwork: true}, registry.Merchant{}, here, "", true, true},
		"terminal anywhere and networks":  {registry.Terminal{AnyNetwork: true, Networks: networks(t, "1.0.0.0/8")}, registry.Merchant{}, here, "", true, true},
		"merchant anywhere":               {registry.Terminal{}, registry.Merchant{AnyNetwork: true}, here, "", true, true},
		"merchant anywhere, terminal not": {registry.Terminal{Networks: networks(t, "1.0.0.0/8")}, registry.Merchant{AnyNetwork: true}, here, "", false, false},
		"terminal's second":               {registry.Terminal{Networks: networks(t, "1.0.0.0/8", "10.1.0.0/16")}, registry.Merchant{}, here, "10.1.0.0/16", false, true},
		"none of the terminal's":          {registry.Terminal{Networks: networks(t, "10.1.0.0/16")}, registry.Merchant{}, there, "", false, false},
		"merchant's":                      {registry.Terminal{}, registry.Merchant{Networks: networks(t, "10.1.0.0/16")}, here, "10.1.0.0/16", false, true},
		"merchant's, terminal has own":    {registry.Terminal{Networks: networks(t, "1.0.0.0/8")}, registry.Merchant{Networks: networks(t, "10.1.0.0/16")}, here, "", false, false},
		"zero network":                    {registry.Terminal{Networks: make([]pos.Network, 1)}, registry.Merchant{}, here, "", false, false},
		"no address":                      {registry.Terminal{Networks: networks(t, "10.1.0.0/16")}, registry.Merchant{}, pos.Address{}, "", false, false},
	} {
		matched, anywhere, ok := registry.Allowed(&c.terminal, &c.merchant, c.from)
		if matched.String() != c.matched || anywhere != c.anywhere || ok != c.ok {
			t.Errorf("%s: %q, anywhere %t, %t", name, matched, anywhere, ok)
		}
	}
}

// TestJSON: a record is read from the journal as it was written.
func TestJSON(t *testing.T) {
	r := aTerminal()
	r.Networks = networks(t, "10.1.0.0/16", "10.1.2.3", "2001:db8:0:0:0:0:0:1/64")
	r.Place, r.Master = &registry.Circle{Latitude: -1, Longitude: 121_473_701, Metres: 50, Refuse: true}, keys.Wrapped{1, 2, 3}
	body, err := json.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	var got registry.Terminal
	if err := json.Unmarshal(body, &got); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("a terminal differs after a round trip: %v", err)
	}
	if (registry.Permit{}).Sell || (registry.Permit{}).Refund {
		t.Error("the zero permit permits")
	}
	if registry.MACECB.LongMAK() || registry.MACProfile("").LongMAK() || !registry.MACECB3DES.LongMAK() {
		t.Error("lengths of MAC keys")
	}
}
