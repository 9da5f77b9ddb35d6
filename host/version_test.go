package host_test

import (
	"testing"

	"touchstone/host"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
)

// versions is a list of releases, and what was told.
type versions struct {
	released registry.Released
	told     []string
}

func (v *versions) Released() registry.Released { return v.released }
func (v *versions) Presented(d *registry.Device, app []byte, at pos.Instant) {
	v.told = append(v.told, string(d.Serial)+" "+string(app))
}

var _ host.Versions = (*versions)(nil)

// TestVersions: which versions pass, and of which the host learns that a device runs them.
func TestVersions(t *testing.T) {
	const withVersion = "A2069" + "01002" + "04" + "02020" + serialText + "03006" + "000005" + "04008" + "7D3233EE"
	sale := func(version string) []byte {
		return pack(t, "0200", with(saleFields(), fields{59: withVersion + "05008" + version}))
	}
	for name, c := range map[string]struct {
		version string
		change  func(g *rig, v *versions)
		want    reason.Reason
		told    bool
	}{
		"registered":                          {"1.0.0   ", nil, reason.None, true},
		"released, and not registered":        {"1.0.3   ", nil, reason.None, true},
		"neither":                             {"6.6.6   ", nil, reason.AppVersionUnknown, false},
		"released for another model":          {"1.0.3   ", func(g *rig, _ *versions) { g.snapshot.Device.Model = "S99" }, reason.AppVersionUnknown, false},
		"no list, and registered with any":    {"6.6.6   ", func(g *rig, _ *versions) { g.snapshot.Device.AppVersions = nil }, reason.None, true},
		"the permit refuses, and it is heard": {"1.0.3   ", func(g *rig, _ *versions) { g.snapshot.Terminal.Permit = registry.Permit{} }, reason.PermitRefused, true},
		"a wrong MAC":                         {"1.0.3   ", func(g *rig, _ *versions) { g.evidence.MAC = proof.Failed }, reason.MACFailed, false},
		"a MAC that could not be checked": {"1.0.3   ", func(g *rig, _ *versions) {
			g.evidence = proof.Evidence{MAC: proof.Unavailable, Err: keys.ErrUnavailable}
		}, reason.ModuleUnavailable, false},
		"a wrong serial proof":    {"1.0.3   ", func(g *rig, _ *versions) { g.evidence.Serial = proof.Failed }, reason.SerialProofFailed, false},
		"another device's serial": {"1.0.3   ", func(g *rig, _ *versions) { g.snapshot.Device.Serial = "00000304N9NL10000002" }, reason.SerialMismatch, false},
		"a reserved terminal":     {"1.0.3   ", func(g *rig, _ *versions) { g.snapshot.Terminal.Canary = true }, reason.CardRestricted, false},
	} {
		t.Run(name, func(t *testing.T) {
			g, v := newRig(t), &versions{released: registry.Released{"S20": {"1.0.0", "1.0.3"}}}
			g.line.Versions = v
			g.snapshot.Device.Model, g.snapshot.Device.AppVersions = "S20", []string{"1.0.0"}
			if c.change != nil {
				c.change(g, v)
			}
			g.say(t, sale(c.version))
			if g.entry.Reason != c.want {
				t.Errorf("reason %s, want %s", g.entry.Reason, c.want)
			}
			if told := len(v.told) == 1; told != c.told || told && v.told[0] != serialText+" "+c.version[:5] {
				t.Errorf("told %q, want it told: %t", v.told, c.told)
			}
		})
	}
}
