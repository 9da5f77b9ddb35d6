package fleet

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"touchstone/pos"
)

// CarePolicy is how often devices are looked at, and what a health report is held to: data, which an acquirer
// replaces by its own risk analysis.
type CarePolicy struct {
	Source     string                          `json:"source"`
	Unverified bool                            `json:"unverified"`
	Inspection map[SiteClass]map[Risk]careSpan `json:"inspect_every"`
	Health     healthPolicy                    `json:"health"`
	Photograph struct {
		Most  int `json:"most"`  // of one inspection
		Bytes int `json:"bytes"` // of one
		Least int `json:"least_pixels"`
		Sides int `json:"most_pixels"`
	} `json:"photograph"`
	GlanceEvery careSpan `json:"glance_every"`
}

type healthPolicy struct {
	Age         careSpan `json:"oldest"`      // a report made earlier is refused
	Ahead       careSpan `json:"ahead"`       // one made later than now by more is refused
	Stale       careSpan `json:"stale_after"` // the newest report is then no longer good
	Definitions careSpan `json:"definitions"` // how old a scanner's definitions may be
}

// careSpan is a time in a policy file: "720h".
type careSpan time.Duration

// UnmarshalJSON takes a duration as time.ParseDuration does.
func (d *careSpan) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	v, err := time.ParseDuration(text)
	*d = careSpan(v)
	return err
}

// MarshalJSON writes what UnmarshalJSON takes.
func (d careSpan) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

//go:embed care_policy.json
var carePolicyFile []byte

// ErrCarePolicy is returned for a policy, or a checklist, that cannot be used.
var ErrCarePolicy = errors.New("care policy")

// ParseCarePolicy reads a policy. Every class and risk must have its interval: a gap would be an inspection that
// is never due.
func ParseCarePolicy(raw []byte) (p CarePolicy, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return CarePolicy{}, fmt.Errorf("%w: %w", ErrCarePolicy, err)
	}
	for _, c := range SiteClasses {
		for _, r := range Risks {
			if d := p.Inspection[c][r]; time.Duration(d) < time.Hour {
				return CarePolicy{}, fmt.Errorf("%w: inspect_every.%s.%s: want an hour at least", ErrCarePolicy, c, r)
			}
		}
	}
	h := p.Health
	if h.Age <= 0 || h.Ahead <= 0 || h.Stale <= 0 || h.Definitions <= 0 || p.GlanceEvery <= 0 {
		return CarePolicy{}, fmt.Errorf("%w: health.oldest, ahead, stale_after, definitions and glance_every must be above zero", ErrCarePolicy)
	}
	if x := p.Photograph; x.Most < 0 || x.Most > maxPhotographs || x.Bytes < 1 || x.Least < 1 || x.Sides < x.Least {
		return CarePolicy{}, fmt.Errorf("%w: photograph: want most of 0 to %d, bytes above zero, least_pixels at most most_pixels", ErrCarePolicy, maxPhotographs)
	}
	return p, nil
}

// DefaultCarePolicy is the one that comes with the program.
func DefaultCarePolicy() CarePolicy {
	p, err := ParseCarePolicy(carePolicyFile)
	if err != nil {
		panic("fleet: the embedded care policy: " + err.Error())
	}
	return p
}

// due is when the next inspection is due; an unknown class or risk counts as the worst.
func (p *CarePolicy) due(class SiteClass, risk Risk, from pos.Instant) pos.Instant {
	if !known(SiteClasses[:], class) {
		class = OpenPublic
	}
	if !known(Risks[:], risk) {
		risk = HighRisk
	}
	return from.Add(time.Duration(p.Inspection[class][risk]))
}
