package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/pos"
)

func (s *Scope) check() error {
	switch {
	case len(s.Terminals) > MaxTerminals || len(s.Devices) > MaxTerminals:
		return fmt.Errorf("%d terminals are the most that are named one by one: name their model", MaxTerminals)
	case len(s.Models) > MaxNames || len(s.Versions) > MaxNames || len(s.Shops) > MaxTerminals:
		return fmt.Errorf("%d models or versions are the most", MaxNames)
	case s.To != 0 && s.To <= s.From:
		return errors.New("the window ends before it begins")
	case s.From < 0 || s.To < 0:
		return errors.New("the window begins before 1970")
	}
	for _, t := range s.Terminals {
		if _, err := pos.ParseTerminalID(t); err != nil {
			return errors.New("a terminal is not 8 characters")
		}
	}
	for _, list := range [][]string{s.Devices, s.Shops, s.Models, s.Versions} {
		for _, name := range list {
			if name == "" || !sound(name, 60) {
				return errors.New("a device, shop, model or version is empty or longer than 60 bytes")
			}
		}
	}
	return nil
}

// words is the scope in a sentence.
func (s *Scope) words() Text {
	var en, zh []string
	add := func(e, z string, list []string, more int) {
		if len(list) == 0 {
			return
		}
		shown := strings.Join(list[:min(len(list), 10)], ", ")
		if n := len(list) - 10 + more; n > 0 {
			en, zh = append(en, fmt.Sprintf("%s %s and %d more", e, shown, n)), append(zh, fmt.Sprintf("%s %s 及另外 %d 个", z, shown, n))
			return
		}
		en, zh = append(en, e+" "+shown), append(zh, z+" "+shown)
	}
	add("terminals", "终端", s.Terminals, s.More)
	add("devices", "设备", s.Devices, 0)
	add("models", "型号", s.Models, 0)
	add("versions", "版本", s.Versions, 0)
	if s.From != 0 {
		from := s.From.Time().Format(time.RFC3339)
		en, zh = append(en, "from "+from), append(zh, "自 "+from)
	}
	if s.To != 0 {
		to := s.To.Time().Format(time.RFC3339)
		en, zh = append(en, "to "+to), append(zh, "至 "+to)
	}
	return Text{EN: strings.Join(en, "; "), ZH: strings.Join(zh, "; ")}
}

// add puts names into a sorted list of distinct ones, most at most; more is how many did not fit.
func add(list []string, names []string, most int) (sorted []string, more int) {
	for _, n := range names {
		if n != "" && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	if len(list) > most {
		more = len(list) - most
		list = list[:most]
	}
	return list, more
}
