package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"strings"
)

// storyPermit is what the story reads of a permit.
type storyPermit struct {
	Terminal string `json:"terminal"`
	may      string
	Permit   string `json:"permit"`
}

func (s *story) permit(id string) (p storyPermit, err error) {
	err = s.ask(&p, s.with("permit", id, "--json")...)
	p.may = p.Permit
	return p, err
}

// permits waits until every terminal of a model has a permit as it should be.
func (s *story) permits(model string, ok func(storyPermit) bool, what string) error {
	for _, t := range storyTerminals() {
		if t.model != model {
			continue
		}
		if err := s.until(fmt.Sprintf("permit of terminal %s: %s", t.id, what), func() (bool, error) {
			p, err := s.permit(t.id)
			return ok(p), err
		}); err != nil {
			return err
		}
	}
	return nil
}

// storyIncident is what the story reads of an incident.
type storyIncident struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	Scope struct {
		Terminals []string `json:"terminals"`
		Models    []string `json:"models"`
		Versions  []string `json:"versions"`
	} `json:"scope"`
	Clocks []struct {
		Rule  string `json:"rule"`
		State string `json:"state"`
	} `json:"clocks"`
}

func (s *story) incidents() (all []storyIncident, err error) {
	return all, s.ask(&all, s.with("incident", "list", "--all", "--json")...)
}

// incidentOpens: nobody opened it. It names the model and version, and not the terminals beside it.
func (s *story) incidentOpens() error {
	var found storyIncident
	if err := s.until("the incident of the failing model opens by itself", func() (bool, error) {
		all, err := s.incidents()
		for _, i := range all {
			if slices.Equal(i.Scope.Models, []string{storyBad}) {
				found = i
			}
		}
		return len(found.Scope.Terminals) == 5, err // it opens at three, and takes in those that follow
	}); err != nil {
		return err
	}
	if err := s.holds(slices.Equal(found.Scope.Versions, []string{storyApp}), "the incident names version %s: %v", storyApp, found.Scope.Versions); err != nil {
		return err
	}
	return s.list(command{args: s.talk("incident", "show", found.ID), whole: true},
		command{key: "assign", args: s.with("incident", "assign", found.ID, "qian", "--as", "qian")},
		command{key: "contain", already: "answered or waived", args: s.with("incident", "clock", "answer", found.ID, "contain", "--statement", "terminals left powered; the maker and the laboratory told", "--as", "qian")})
}

// laboratoryConfirms examines the version in the field, suspends, publishes and begins the campaign.
func (s *story) laboratoryConfirms() error {
	if err := s.examine("field", storyApp, true); err != nil {
		return err
	}
	if err := s.list(command{args: s.talk("lab", "show", "FND-1")},
		command{key: "publish", args: s.with("release", "publish", s.path("app-1.0.3"), "--model", storyBad, "--hardware", ">=2.0", "--version", storyFixed, "--notes", "No key is left in it.", "--notes-zh", "不再遗留密钥.", "--as", "qian", "--with", "sun")},
		command{key: "suspend", already: "suspended", args: s.with("certificate", "suspend", "CRT-1", "--reason", "a key is left in application 1.0.1", "--as", "wu", "--with", "zheng")},
		command{key: "advisory", already: "already", args: s.with("advisory", "add", s.path("advisory.json"), "--as", "qian")},
		command{args: s.talk("advisory", "radius", "ADV-1")},
		command{key: "campaign", already: "CMP-1", args: s.with("campaign", "start", "--advisory", "ADV-1", "--deadline", "48h", "--restriction", "no_refund,online_only", "--after-deadline", "sign_in_only", "--as", "qian", "--with", "sun")}); err != nil {
		return err
	}
	if err := s.permits(storyBad, func(p storyPermit) bool { return p.may == "no_refund, online_only" }, "no refunds, online only"); err != nil {
		return err
	}
	bad := storyTerminals()[0]
	refund := s.at(bad, "refund refused", "refund", "last", "1.00")
	refund.fails = true
	if err := s.list(command{args: s.talk("permit", bad.id), whole: true}, refund); err != nil {
		return err
	}
	if err := s.holds(strings.Contains(s.progress.Done["refund refused"], " 58 "), "a refund of the bad model is answered 58"); err != nil {
		return err
	}
	return s.permits(storyGood, func(p storyPermit) bool { return p.may == "full" }, "everything, as before")
}

// storyForm are an inspector's answers about a sound device.
func (s *story) storyForm(t storyTerminal, seal string) (path string, err error) {
	form := map[string]string{"serial_label": t.serial, "serial_screen": t.serial, "seal_number": seal, "seals_intact": "yes", "attached_device": "no",
		"foreign_object": "no", "cables": "2", "extra_cable": "no", "pin_shield": "yes", "camera": "no", "router_untouched": "yes",
		"tamper_message": "no", "case_sound": "yes", "weight_grams": "390"}
	raw, err := json.Marshal(form)
	if err != nil {
		return "", err
	}
	path = s.path("inspection-" + t.id + ".json")
	return path, os.WriteFile(path, raw, 0o600)
}

// photograph draws the picture that stands for the inspector's: a card slot with something in it.
func (s *story) photograph(name string) (path string, err error) {
	picture := image.NewGray(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			shade := uint8(200 - y/4)
			if y > 90 && y < 110 && x > 40 && x < 280 {
				shade = uint8(30 + (x*7+len(name)*13)%20)
			}
			picture.SetGray(x, y, color.Gray{Y: shade})
		}
	}
	path = s.path(name + ".png")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return path, png.Encode(f, picture)
}

// inspectionFinds: a cashier's glance, a visit, a finding; the device is refused from its next message on.
func (s *story) inspectionFinds() error {
	t := storyTerminals()[storyOpened]
	form, err := s.storyForm(t, sealOf(t))
	if err != nil {
		return err
	}
	photo, err := s.photograph("slot")
	if err != nil {
		return err
	}
	sale := s.at(t, "quarantined sale", "sale", "20.00")
	sale.fails = true
	if err := s.list(
		command{key: "visit", fails: true, already: "one of inspection", args: s.talk("inspect", t.id, "--answers", form, "--answer", "attached_device=yes", "--photo", photo, "--as", "li")},
		sale, command{args: s.talk("permit", t.id)}); err != nil {
		return err
	}
	p, err := s.permit(t.id)
	if err != nil {
		return err
	}
	return s.holds(p.may == "blocked", "the visit stops the terminal: %s", p.may)
}

// attached is the incident that the inspection opened.
func (s *story) attached() (found storyIncident, err error) {
	err = s.until("the incident of the attached device opens by itself", func() (bool, error) {
		all, err := s.incidents()
		for _, i := range all {
			if i.Kind == "attached_device" {
				found = i
			}
		}
		return found.ID != "", err
	})
	return found, err
}

// everybodyIsTold freezes the set of exposed sales and sends what is owed to each by mail.
func (s *story) everybodyIsTold() error {
	i, err := s.attached()
	if err != nil {
		return err
	}
	t := storyTerminals()[storyOpened]
	if err := s.list(
		command{key: "action attached", args: s.with("incident", "action", i.ID, "the device is quarantined; its cable and reader are kept as evidence", "--as", "qian")},
		command{key: "cause attached", args: s.with("incident", "cause", i.ID, "a reader was attached to the card slot of terminal "+t.id, "--as", "qian")},
		command{key: "exposed", already: "frozen", args: s.talk("exposed", "--incident", i.ID, "--freeze", "--as", "chen")},
		command{key: "draft", already: "already", args: s.with("notice", "draft", "--incident", i.ID, "--as", "chen", "--measure", "The device was taken out of service.|该终端已停用.")},
		command{key: "send", already: "nothing", args: s.talk("notice", "send", "--incident", i.ID, "--as", "chen", "--with", "wang", "--wait", "20s")},
		command{args: s.talk("notice", "list", "--incident", i.ID)},
		command{args: []string{"mail", "list", "--dir", s.data() + "/mail"}},
		command{args: []string{"mail", "show", "1", "--conversation", "--dir", s.data() + "/mail"}}); err != nil {
		return err
	}
	notices, err := s.noticesHold(i.ID)
	if err != nil {
		return err
	}
	return s.list(
		command{key: "told consumers", already: "answered or waived", args: s.with("incident", "clock", "answer", i.ID, "pipl-57", "--notice", notices["consumer_notice"], "--as", "qian")},
		command{key: "told authority", already: "answered or waived", args: s.with("incident", "clock", "answer", i.ID, "pboc-2020-5-danger", "pboc-2020-5-harm", "--notice", notices["regulator_note"], "--as", "qian")})
}

// noticesHold: every notice of an incident was sent, and the catcher has each once. It gives one by mail of each kind.
func (s *story) noticesHold(id string) (kinds map[string]string, err error) {
	var all struct {
		Notices []struct {
			ID    string `json:"id"`
			Kind  string `json:"kind"`
			State string `json:"state"`
			To    struct {
				Channel string `json:"channel"`
			} `json:"to"`
		} `json:"notices"`
	}
	if err := s.ask(&all, s.with("notice", "list", "--incident", id, "--json")...); err != nil {
		return nil, err
	}
	kinds = map[string]string{}
	mailed := 0
	for _, n := range all.Notices {
		if n.State != "sent" {
			return nil, s.holds(false, "notice %s is %s", n.ID, n.State)
		}
		if n.To.Channel == "smtp" {
			kinds[n.Kind] = n.ID
			mailed++
		}
	}
	var caught []struct {
		ID string `json:"message_id"`
	}
	if err := s.ask(&caught, "mail", "list", "--dir", s.data()+"/mail", "--json"); err != nil {
		return nil, err
	}
	once := map[string]bool{}
	for _, m := range caught {
		once[m.ID] = true
	}
	return kinds, s.holds(mailed > 0 && len(caught) == mailed && len(once) == mailed, "%d notices by mail, each caught once: %d caught, %d different", mailed, len(caught), len(once))
}

// storyReplacements are the devices that come for the two terminals on old hardware.
func storyReplacements() (all []storyTerminal) {
	for i, t := range storyTerminals()[3:5] {
		t.serial, t.hardware = fmt.Sprintf("00000304TB%010d", 70004+i), "2.0"
		all = append(all, t)
	}
	return all
}

// upgradedOrReplaced publishes the fixed version, upgrades what can run it and replaces what cannot.
func (s *story) upgradedOrReplaced() error {
	if err := s.examine("fixed", storyFixed, false); err != nil {
		return err
	}
	if err := s.list(
		command{key: "finding fixed", already: "cannot become", hidden: true, args: s.with("lab", "finding", "FND-1", "answer", "--text", "the test key is gone from 1.0.3", "--as", "wu")},
		command{key: "finding in", already: "cannot become", hidden: true, args: s.with("lab", "finding", "FND-1", "fixed", "--in", storyFixed, "--as", "wu")},
		command{key: "finding retested", already: "cannot become", args: s.with("lab", "finding", "FND-1", "retest", "--run", s.progress.Done["id of run fixed"], "--as", "wu")},
		command{key: "finding closed", already: "cannot become", args: s.with("lab", "finding", "FND-1", "close", "--as", "zheng")},
		command{key: "reinstate", already: "valid", args: s.with("certificate", "reinstate", "CRT-1", "--reason", "1.0.3 passes, 1.0.1 is under advisory", "--as", "wu", "--with", "zheng")}); err != nil {
		return err
	}
	all := storyTerminals()
	opened := all[storyOpened]
	form, err := s.storyForm(opened, "SEAL-NEW")
	if err != nil {
		return err
	}
	photo, err := s.photograph("slot-clean")
	if err != nil {
		return err
	}
	// The opened one goes to the maker and comes back under a new seal.
	if err := s.list(
		command{key: "repair", already: "in_repair", hidden: true, args: s.with("device", "repair", opened.serial, "--note", "to the maker", "--as", "li", "--with", "zhou")},
		command{key: "return", already: "return", hidden: true, args: s.with("device", "return", opened.serial, "--seal", "SEAL-NEW", "--note", "the reader was removed; opened and closed by the maker", "--as", "li", "--with", "zhou")},
		command{key: "deploy again", already: "deployed|works at terminal", args: s.deploy(opened)},
		command{key: "visit again", already: "one of inspection", args: s.talk("inspect", opened.id, "--answers", form, "--photo", photo, "--as", "li")}); err != nil {
		return err
	}
	for i, t := range all[:3] {
		c := s.upgrade(t)
		c.hidden = i > 0
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	for i, t := range storyReplacements() {
		if err := s.replace(all[3+i], t, i > 0); err != nil {
			return err
		}
	}
	return s.sellAgain()
}

func (s *story) upgrade(t storyTerminal) command {
	repository := s.data() + "/releases/repository"
	return command{key: "upgrade " + t.id, args: []string{"terminal", "update", "--config", s.path(t.id + ".toml"), "--state", s.path("terminals"), "--repository", repository,
		"--trusted-root", repository + "/metadata/1.root.json", "--lang", s.cmd.Lang}}
}

// replace retires a device and puts a new one, with new keys, in its place.
func (s *story) replace(old, t storyTerminal, hidden bool) error {
	key, serialKey := s.path(t.id+".tmk2"), s.path(t.serial+".key")
	for _, c := range []command{
		{key: "retire " + old.serial, already: "retired", args: s.with("device", "retire", old.serial, "--note", "no fixed version runs on this hardware", "--as", "li", "--with", "zhou")},
		{key: "receive " + t.serial, already: "received", args: s.with("device", "receive", t.serial, "--seal", sealOf(t), "--source", sampleMaker, "--as", "li", "--with", "zhou")},
		{key: "serial key " + t.serial, already: "exists", args: []string{"key", serialKey}},
		{key: "key 2 " + t.id, already: "exists", args: []string{"key", key}},
		{key: "device " + t.serial, args: s.with("register", "device", "--serial", t.serial, "--model", t.model, "--hardware", t.hardware, "--component", serialKey)},
		{key: "deploy " + t.serial, already: "deployed|works at terminal", args: s.deploy(t, "--component", key)},
	} {
		c.hidden = hidden
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	raw, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path(t.id+".tmk"), raw, 0o600); err != nil {
		return err
	}
	return s.configure(t, storyFixed)
}

// sellAgain: each terminal reports its new version with its next message, and may do everything again.
func (s *story) sellAgain() error {
	for i, t := range storyTerminals()[:5] {
		c := s.at(t, "sale after "+t.id, "sale", fmt.Sprintf("%d.00", 30+i))
		if i >= 3 {
			c.args = append(c.args, "--key-load", "2")
		}
		c.hidden = i > 0
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	if err := s.permits(storyBad, func(p storyPermit) bool { return p.may == "full" }, "everything again"); err != nil {
		return err
	}
	t := storyTerminals()[0]
	return s.list(s.at(t, "refund after", "refund", "last", "1.00"), command{args: s.talk("campaign", "show", "CMP-1")}, command{args: s.talk("permit", t.id)})
}

// incidentsClose: what is missing is named; then every clock is answered, and two people close.
func (s *story) incidentsClose() error {
	all, err := s.incidents()
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.State == "closed" {
			continue
		}
		if err := s.closeIncident(i); err != nil {
			return err
		}
	}
	if all, err = s.incidents(); err != nil {
		return err
	}
	for _, i := range all {
		if i.State != "closed" {
			return s.holds(false, "incident %s is closed: %s", i.ID, i.State)
		}
	}
	return s.list(command{args: s.talk("incident", "list", "--all")})
}

func (s *story) closeIncident(i storyIncident) error {
	if slices.Equal(i.Scope.Models, []string{storyBad}) {
		if err := s.list(
			command{key: "close too soon " + i.ID, fails: true, args: s.with("incident", "close", i.ID, "--as", "qian", "--with", "sun")},
			command{key: "cause " + i.ID, args: s.with("incident", "cause", i.ID, "application 1.0.1 proves the serial number with a test key that was left in it (FND-1)", "--as", "qian")},
			command{key: "action " + i.ID, args: s.with("incident", "action", i.ID, "upgraded to 1.0.3 or replaced (CMP-1)", "--as", "qian")},
			command{key: "link " + i.ID, args: s.with("incident", "link", i.ID, "ADV-1", "CRT-1", "CMP-1", "--as", "qian")}); err != nil {
			return err
		}
	}
	for _, c := range i.Clocks {
		if c.State != "running" {
			continue
		}
		answer := command{key: "clock " + i.ID + " " + c.Rule, hidden: true, already: "answered or waived",
			args: s.with("incident", "clock", "answer", i.ID, c.Rule, "--statement", "told, and the reply kept", "--as", "qian")}
		if _, err := s.do(answer); err != nil {
			return err
		}
	}
	return s.list(command{key: "close " + i.ID, already: "is closed", args: s.with("incident", "close", i.ID, "--as", "qian", "--with", "sun")})
}
