package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"touchstone/pos"
)

// Result is what a check found.
type Result struct {
	Verdict   Verdict
	Detail    Text
	Externals []ExternalEnd
}

func found(v Verdict, en, zh string, a ...any) Result {
	return Result{Verdict: v, Detail: Text{EN: fmt.Sprintf(en, a...), ZH: fmt.Sprintf(zh, a...)}}
}

// Day is a date as lists state it, 2026-11-20: the instant at which it begins in UTC.
type Day pos.Instant

// UnmarshalText reads 2026-11-20.
func (d *Day) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.DateOnly, string(b))
	if err != nil {
		return errors.New("a date is written 2026-11-20")
	}
	*d = Day(t.UnixNano())
	return nil
}

// MarshalText writes 2026-11-20.
func (d Day) MarshalText() ([]byte, error) {
	return []byte(pos.Instant(d).Time().UTC().Format(time.DateOnly)), nil
}

func (d Day) String() string { b, _ := d.MarshalText(); return string(b) }

// PTSList is a dated snapshot of PCI's list of approved PTS devices, imported by a person. Whether it is the list
// is the importer's word.
type PTSList struct {
	Source   string       `json:"source"`
	Taken    Day          `json:"taken"`
	Listings []PTSListing `json:"listings"`
}

// PTSListing is one approval; the fields are those of the listing's field help.
type PTSListing struct {
	Number          string   `json:"number"`
	Vendor          string   `json:"vendor"`
	Model           string   `json:"model"`
	Hardware        []string `json:"hardware"` // patterns: a lower-case x is any one character
	Firmware        []string `json:"firmware"`
	Application     []string `json:"application,omitempty"`
	Class           string   `json:"class"`
	Expires         Day      `json:"expires"`
	FirmwareExpires Day      `json:"firmware_expires,omitempty"`
	EndOfLife       bool     `json:"end_of_life,omitempty"`
}

// LicenceList is an imported list of UnionPay network licences.
type LicenceList struct {
	Source   string          `json:"source"`
	Taken    Day             `json:"taken"`
	Licences []LicenceRecord `json:"licences"`
}

// LicenceRecord is one network licence (入网认证编号).
type LicenceRecord struct {
	Number      string `json:"number"`
	Maker       string `json:"maker"`
	Model       string `json:"model"`
	Certificate string `json:"certificate"`
	Expires     Day    `json:"expires"`
	Revoked     bool   `json:"revoked,omitempty"`
}

// MaxList bounds an imported list.
const MaxList = 4 << 20

// ErrList is returned for a file that is no list.
var ErrList = errors.New("imported list")

// ParsePTSList reads a snapshot.
func ParsePTSList(b []byte) (*PTSList, error) { return parseList[PTSList](b) }

// ParseLicenceList reads a list of licences.
func ParseLicenceList(b []byte) (*LicenceList, error) { return parseList[LicenceList](b) }

func parseList[T any](b []byte) (*T, error) {
	if len(b) > MaxList {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrList, MaxList)
	}
	list := new(T)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(list); err != nil {
		return nil, fmt.Errorf("%w: not its JSON", ErrList)
	}
	return list, nil
}

// Ages of an imported list, and how soon an end is worth a word.
const (
	listAge  = 30 * 24 * time.Hour
	endsSoon = 365 * 24 * time.Hour
)

// stale tells whether a list is too old, or from the future, to say anything now.
func stale(taken Day, now pos.Instant) bool {
	age := now.Sub(pos.Instant(taken))
	return age > listAge || age < -24*time.Hour
}

// CheckPTS is check pts-listing of POSC-HW-01, version 1: one listing matches all declared numbers, its class is the
// declared one, its expiry is ahead, and so is that of its firmware unless the device's comes first.
func CheckPTS(list *PTSList, s *Subject, now pos.Instant) Result {
	if stale(list.Taken, now) {
		return found(Inconclusive, "the snapshot of %s is older than 30 days or of the future: import a new one", "批准清单快照(%s)已超过30天或日期在将来: 请重新导入", list.Taken)
	}
	any := func(patterns []string, value string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return Covers(p, value) })
	}
	why := Text{"no listing is of this vendor and model", "清单中没有该厂商的该型号"}
	for _, l := range list.Listings {
		switch {
		case plain(l.Vendor) != plain(s.Maker) || plain(l.Model) != plain(s.Model):
		case !any(l.Hardware, s.Hardware):
			why = Text{"listing " + l.Number + " does not cover hardware " + s.Hardware, "批准号 " + l.Number + " 不覆盖硬件 " + s.Hardware}
		case !any(l.Firmware, s.Firmware):
			why = Text{"listing " + l.Number + " does not cover firmware " + s.Firmware, "批准号 " + l.Number + " 不覆盖固件 " + s.Firmware}
		case len(l.Application) > 0 && !any(l.Application, s.Application):
			why = Text{"listing " + l.Number + " does not cover application " + s.Application, "批准号 " + l.Number + " 不覆盖应用 " + s.Application}
		case l.Class != s.Class:
			why = Text{"listing " + l.Number + " is of class " + l.Class, "批准号 " + l.Number + " 的类别为 " + l.Class}
		case now >= pos.Instant(l.Expires):
			why = Text{"listing " + l.Number + " expired on " + l.Expires.String(), "批准号 " + l.Number + " 已于 " + l.Expires.String() + " 到期"}
		case l.FirmwareExpires != 0 && now >= pos.Instant(l.FirmwareExpires) && !l.EndOfLife:
			why = Text{"the firmware's reassessment ended on " + l.FirmwareExpires.String(), "固件复评已于 " + l.FirmwareExpires.String() + " 到期"}
		default:
			return listed(&l, s, now)
		}
	}
	return Result{Verdict: Fail, Detail: why}
}

func listed(l *PTSListing, s *Subject, now pos.Instant) Result {
	r := found(Pass, "listing %s covers %s, hardware %s, firmware %s, class %s, until %s", "批准号 %s 覆盖 %s, 硬件 %s, 固件 %s, 类别 %s, 有效期至 %s",
		l.Number, s.Model, s.Hardware, s.Firmware, l.Class, l.Expires)
	if pos.Instant(l.Expires).Sub(now) < endsSoon {
		r.Detail.EN += "; that is within a year: plan its replacement"
		r.Detail.ZH += "; 不足一年: 请计划更换"
	}
	r.Externals = []ExternalEnd{{"PCI PTS", l.Number, pos.Instant(l.Expires)}}
	if l.FirmwareExpires != 0 && !l.EndOfLife {
		r.Externals = append(r.Externals, ExternalEnd{"PCI PTS firmware", l.Number, pos.Instant(l.FirmwareExpires)})
	}
	return r
}

var licenceForm = regexp.MustCompile(`^[A-Z][0-9]{4}$`)

// CheckLicence is check unionpay-licence of POSC-HW-03, version 1: the number has the form of a letter and four
// digits, is in the imported list for this maker and model, is not revoked, and its certificate's end is ahead.
func CheckLicence(list *LicenceList, s *Subject, now pos.Instant) Result {
	if !licenceForm.MatchString(s.Licence) {
		return found(Fail, "network licence %.12q is not a letter and four digits", "入网认证编号 %.12q 不是一个字母加四位数字", s.Licence)
	}
	if stale(list.Taken, now) {
		return found(Inconclusive, "the list of %s is older than 30 days or of the future: import a new one", "清单(%s)已超过30天或日期在将来: 请重新导入", list.Taken)
	}
	why := Text{"network licence " + s.Licence + " is not in the list for this maker and model", "清单中该厂商该型号没有入网认证编号 " + s.Licence}
	for _, l := range list.Licences {
		if l.Number != s.Licence || plain(l.Maker) != plain(s.Maker) || plain(l.Model) != plain(s.Model) {
			continue
		}
		switch {
		case l.Revoked:
			why = Text{"network licence " + l.Number + " of this model was revoked", "该型号的入网认证编号 " + l.Number + " 已被撤销"}
		case now >= pos.Instant(l.Expires):
			why = Text{"certificate " + l.Certificate + " ended on " + l.Expires.String(), "证书 " + l.Certificate + " 已于 " + l.Expires.String() + " 到期"}
		default:
			r := found(Pass, "network licence %s, certificate %s, until %s", "入网认证编号 %s, 证书 %s, 有效期至 %s", l.Number, l.Certificate, l.Expires)
			r.Externals = []ExternalEnd{{"UnionPay licence", l.Number, pos.Instant(l.Expires)}}
			return r
		}
	}
	return Result{Verdict: Fail, Detail: why}
}

// plain is a name as lists are searched by it: without case and doubled spaces.
func plain(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
