package fleet_test

import (
	"strings"
	"testing"

	"touchstone/fleet"
)

// TestSetPicture: bounds of a model's picture, that it replaces the one before, and that one which was removed is nobody's
// to see any more.
func TestSetPicture(t *testing.T) {
	good := fleet.ModelPicture{Model: "Sample S10", Digest: strings.Repeat("a", 64), Bytes: 9000, Width: 480, Height: 440, Credit: "Maker", ZH: "厂商"}
	with := func(f func(*fleet.ModelPicture)) fleet.ModelPicture { p := good; f(&p); return p }
	for name, c := range map[string]struct {
		p  fleet.ModelPicture
		ok bool
	}{
		"good":                     {good, true},
		"no model":                 {with(func(p *fleet.ModelPicture) { p.Model = "" }), false},
		"a model of 40 bytes":      {with(func(p *fleet.ModelPicture) { p.Model = strings.Repeat("m", 40) }), true},
		"a model of 41 bytes":      {with(func(p *fleet.ModelPicture) { p.Model = strings.Repeat("m", 41) }), false},
		"digest of 63 digits":      {with(func(p *fleet.ModelPicture) { p.Digest = p.Digest[1:] }), false},
		"the most bytes":           {with(func(p *fleet.ModelPicture) { p.Bytes = fleet.MaxPictureBytes }), true},
		"one byte more":            {with(func(p *fleet.ModelPicture) { p.Bytes = fleet.MaxPictureBytes + 1 }), false},
		"no width":                 {with(func(p *fleet.ModelPicture) { p.Width = 0 }), false},
		"credit of 121 bytes":      {with(func(p *fleet.ModelPicture) { p.Credit = strings.Repeat("c", 121) }), false},
		"credit that turns text":   {with(func(p *fleet.ModelPicture) { p.ZH = "a\u202eb" }), false},
		"removed where none is":    {fleet.ModelPicture{Model: "Sample S10"}, false},
		"credit with a line break": {with(func(p *fleet.ModelPicture) { p.Credit = "a\nb" }), false},
	} {
		if _, err := fleet.SetPicture(fleet.NewState(), c.p, []string{"li"}, start); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, seq := fleet.NewState(), uint64(0)
	set := func(p fleet.ModelPicture) {
		t.Helper()
		drafts, err := fleet.SetPicture(s, p, []string{"li"}, start)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range drafts[0].Act.Changes {
			seq++
			if err := s.Fold(seq, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := with(func(p *fleet.ModelPicture) { p.Digest = strings.Repeat("b", 64) })
	set(good)
	set(next)
	if s.ShowsPicture(good.Digest) || !s.ShowsPicture(next.Digest) || s.Picture("Sample S10").Digest != next.Digest || s.Picture("Sample S20") != nil || len(s.Pictures()) != 1 {
		t.Error("the new picture does not stand in the old one's place")
	}
	set(fleet.ModelPicture{Model: "Sample S10"})
	if s.ShowsPicture(next.Digest) || s.Picture("Sample S10") != nil {
		t.Error("a removed picture is shown")
	}
}
