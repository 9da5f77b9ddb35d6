package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"touchstone/explain"
)

// storyTerminal is one terminal of the story: where it stands and what it is.
type storyTerminal struct {
	id, merchant, serial string
	model, hardware      string
}

// The models of the story. One goes bad; the other stands beside it in two of the shops.
const (
	storyBad, storyGood = "Sample A7", "Sample B2"
	storyApp            = "1.0.1" // of both at the beginning: a small change after the version that was examined
	storyCertified      = "1.0.0"
	storyFixed          = "1.0.3" // with which the bad model is well again
	storyOpened         = 1       // which of the terminals somebody has attached a device to
)

// storyShops are the five shops.
var storyShops = [...]string{"Sample Dumplings 示例饺子馆", "Sample Hardware 示例五金店", "Sample Toys 示例玩具店", "Sample Optician 示例眼镜店", "Sample Stationery 示例文具店"}

func storyMerchant(shop int) string { return fmt.Sprintf("89831005812%04d", 7001+shop) }

// storyTerminals are five of the bad model, two of them on hardware for which no fixed version exists, and two of
// the good one.
func storyTerminals() (all []storyTerminal) {
	for i := range 7 {
		t := storyTerminal{id: fmt.Sprintf("%08d", 70001+i), merchant: storyMerchant(i % len(storyShops)), serial: fmt.Sprintf("00000304TA%010d", 70001+i),
			model: storyBad, hardware: "2.0"}
		switch i {
		case 3, 4:
			t.hardware = "1.0"
		case 5, 6:
			t.model = storyGood
		}
		all = append(all, t)
	}
	return all
}

// storySteps are the steps in order; step 0 sets the scene.
func storySteps() []storyStep {
	return []storyStep{
		{explain.Text{EN: "The scene: five shops, seven terminals, two models", ZH: "场景: 五家商户, 七台终端, 两种型号"}, (*story).scene},
		{explain.Text{EN: "Sales pass at five shops", ZH: "五家商户正常收款"}, (*story).salesPass},
		{explain.Text{EN: "A7 spreads: one model, one version", ZH: "A7 扩散: 集中于同一型号, 同一版本"}, (*story).refusalsSpread},
		{explain.Text{EN: "The incident opens itself, and names what the failures share", ZH: "事件自动立案, 并指出故障的共同点"}, (*story).incidentOpens},
		{explain.Text{EN: "The laboratory confirms it; certificate, advisory, campaign: the permit falls", ZH: "实验室确认; 证书暂停, 发布公告, 启动升级: 终端许可收紧"}, (*story).laboratoryConfirms},
		{explain.Text{EN: "An inspection finds a foreign device", ZH: "巡检发现加装装置"}, (*story).inspectionFinds},
		{explain.Text{EN: "Whose cards were exposed, and everybody is told", ZH: "哪些卡受到影响, 并逐一告知"}, (*story).everybodyIsTold},
		{explain.Text{EN: "A consumer claims, two people decide, money goes back", ZH: "消费者索赔, 双人审核, 款项退回"}, (*story).moneyGoesBack},
		{explain.Text{EN: "Upgraded or replaced: permits return, sales pass", ZH: "升级或更换: 许可恢复, 收款正常"}, (*story).upgradedOrReplaced},
		{explain.Text{EN: "The incidents close", ZH: "事件结案"}, (*story).incidentsClose},
		{explain.Text{EN: "The books", ZH: "账目与日志"}, (*story).books},
	}
}

// d and l are the flags that say where, and in what language.
func (s *story) d() []string { return []string{"--data", s.data()} }

func (s *story) with(args ...string) []string { return append(args, s.d()...) }

// talk adds the language to a command that people read.
func (s *story) talk(args ...string) []string {
	return append(args, "--data", s.data(), "--lang", s.cmd.Lang)
}

// list does commands one after another.
func (s *story) list(commands ...command) error {
	for _, c := range commands {
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	return nil
}

// scene registers shops, devices and terminals as an acquirer does, and has the model certified.
func (s *story) scene() error {
	if err := s.writeFiles(); err != nil {
		return err
	}
	for i, name := range storyShops {
		if _, err := s.do(command{key: fmt.Sprintf("merchant %d", i), hidden: i > 0, args: s.with("register", "merchant", "--id", storyMerchant(i), "--name", name, "--network", "127.0.0.0/8")}); err != nil {
			return err
		}
	}
	if _, err := s.do(command{key: "announce", already: "cannot be announced again", args: s.with("device", "announce", "--file", s.path("maker.csv"), "--as", "li", "--with", "zhou")}); err != nil {
		return err
	}
	for i, t := range storyTerminals() {
		if err := s.install(t, i > 0); err != nil {
			return err
		}
	}
	s.say("The laboratory examined %s with application %s and lets the certificate cover 1.0.x.", "实验室检测了 %s 应用 %s, 证书覆盖 1.0.x.", storyBad, storyCertified)
	if err := s.examine("certified", storyCertified, false); err != nil {
		return err
	}
	return s.list(command{key: "certificate", already: "has certificate", args: s.with("certificate", "issue", "RUN-1", "--as", "wu", "--with", "zheng")})
}

// writeFiles writes what the story's people bring: a card, the maker's list, the inspector's form, photograph.
func (s *story) writeFiles() error {
	card := cards()[0]
	raw, err := json.Marshal(printedCard{card.pan(), card.expiry, card.track2(), card.pin, int64(card.balance)})
	if err != nil {
		return err
	}
	announced := "serial,model,hardware,maker,seal,source,shipment\n"
	for _, t := range append(storyTerminals(), storyReplacements()...) {
		announced += fmt.Sprintf("%s,%s,%s,%s,%s,%s,WB-1\n", t.serial, t.model, t.hardware, sampleMaker, sealOf(t), sampleMaker)
	}
	for name, content := range map[string]string{"card.json": string(raw), "maker.csv": announced, "advisory.json": storyAdvisory, "app-1.0.3": "application 1.0.3 of Sample A7\n",
		"credit-code": "91310000000000000U\n", "account": "6222000011112222333\n"} {
		if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// storyAdvisory is what the maker publishes of its model, an OSV document.
const storyAdvisory = `{"schema_version":"1.7.0","id":"x_sample-2026-1","modified":"2026-11-20T08:00:00Z","summary":"Sample A7: a key left in the application",
"details":"Application versions before 1.0.3 carry a test key and make the proof of the serial number with it.",
"affected":[{"database_specific":{"vendor":"Sample Maker","terminal_model":"Sample A7","hardware_versions":"vers:generic/*"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0.3"}]}]}],
"database_specific":{"severity":"high","details_zh":"1.0.3 之前的应用内遗留测试密钥, 并用它生成序列号证明.","certificate":"to be suspended","certificate_link":"CRT-1"}}
`

func sealOf(t storyTerminal) string { return "SEAL-" + t.serial[len(t.serial)-5:] }

// install draws the keys of one terminal, receives and registers its device, and deploys it.
func (s *story) install(t storyTerminal, hidden bool) error {
	key, serialKey := s.path(t.id+".tmk"), s.path(t.serial+".key")
	for _, c := range []command{
		{key: "receive " + t.serial, already: "received", args: s.with("device", "receive", t.serial, "--seal", sealOf(t), "--source", sampleMaker, "--as", "li", "--with", "zhou")},
		{key: "key " + t.id, already: "exists", args: []string{"key", key}},
		{key: "serial key " + t.serial, already: "exists", args: []string{"key", serialKey}},
		{key: "device " + t.serial, args: s.with("register", "device", "--serial", t.serial, "--model", t.model, "--hardware", t.hardware, "--component", serialKey)},
		{key: "terminal " + t.id, args: s.with("register", "terminal", "--id", t.id, "--merchant", t.merchant, "--serial", t.serial, "--mac", "ecb-3des", "--component", key)},
		{key: "deploy " + t.serial, already: "deployed|works at terminal", args: s.deploy(t)},
	} {
		c.hidden = hidden
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	return s.configure(t, storyApp)
}

func (s *story) deploy(t storyTerminal, more ...string) []string {
	return append(s.with("device", "deploy", t.serial, "--terminal", t.id, "--credit-code-file", s.path("credit-code"), "--settlement-file", s.path("account"),
		"--address", "Sample Road 1, Shanghai", "--site", "counter", "--risk", "normal", "--network-class", "private", "--as", "li", "--with", "zhou"), more...)
}

// configure writes a terminal's own configuration.
func (s *story) configure(t storyTerminal, app string) error {
	text := fmt.Sprintf("host = \"127.0.0.1:8583\"\nterminal_id = %q\nmerchant_id = %q\nsign_in_code = \"003\"\nmac = \"ecb-3des\"\ntmk_file = %q\nserial = %q\nserial_key_file = %q\nnetwork_licence = \"P3100\"\ndevice_type = \"04\"\napp_version = %q\nmodel = %q\nhardware = %q\ncard_file = \"card.json\"\n",
		t.id, t.merchant, t.id+".tmk", t.serial, t.serial+".key", app, t.model, t.hardware)
	return os.WriteFile(s.path(t.id+".toml"), []byte(text), 0o600)
}

// at is a command of a terminal on the wire.
func (s *story) at(t storyTerminal, key string, actions ...string) command {
	args := append([]string{"terminal", "--config", s.path(t.id + ".toml"), "--host", s.address["tcp"], "--state", s.path("terminals"), "--lang", s.cmd.Lang}, actions...)
	return command{key: key, args: args, tail: 7} // the last screen, and the message in a line
}

// examine runs the laboratory's profile on a subject of the bad model.
func (s *story) examine(name, app string, flawed bool) error {
	dir := s.path("subject-" + name)
	sample := []string{"lab", "sample-package", "--out", dir, "--model", storyBad, "--application", app}
	if flawed {
		sample = append(sample, "--flaw", "secret")
	}
	where := []string{"--tcp", s.address["tcp"], "--tls", s.address["tls"]}
	scope, err := s.do(command{key: "scope " + name + " " + s.address["tcp"], hidden: true, args: s.with("lab", "scope", "--target", s.address["tcp"], "--target", s.address["tls"], "--rate", "1000", "--as", "qian")})
	if err != nil {
		return err
	}
	id, err := find(`(SCP-[0-9]+)`, scope)
	if err != nil {
		return err
	}
	if _, err := s.do(command{key: "package " + name, already: "exists", hidden: true, args: sample}); err != nil {
		return err
	}
	run := command{key: "run " + name, fails: flawed, args: append(s.talk("lab", "run", dir+"/subject.toml", "--scope", id, "--as", "wu"), where...)}
	known, complete, err := s.runOf(app)
	switch {
	case err != nil:
		return err
	case complete: // the story was killed before it learned the end of it
		run.args, run.fails = s.talk("lab", "show", known), false
	case known != "":
		run.args = append(s.talk("lab", "resume", known, "--scope", id, "--as", "wu"), where...)
	}
	if _, err := s.do(run); err != nil {
		return err
	}
	s.progress.Done["id of run "+name], _, err = s.runOf(app)
	return err
}

// runOf is the laboratory's run of a version of the bad model, and whether it is complete; "" where there is none.
func (s *story) runOf(app string) (id string, complete bool, err error) {
	var shown struct {
		Runs []struct {
			ID      string `json:"id"`
			State   string `json:"state"`
			Subject struct {
				Application string `json:"application"`
			} `json:"subject"`
		} `json:"runs"`
	}
	if err := s.ask(&shown, s.with("lab", "show", "--json")...); err != nil {
		return "", false, err
	}
	for _, r := range shown.Runs {
		if r.Subject.Application == app {
			return r.ID, r.State == "complete", nil
		}
	}
	return "", false, nil
}

// salesPass sells at every shop, and three more at the terminal that will turn out to be opened.
func (s *story) salesPass() error {
	all := storyTerminals()
	s.today()
	for i, t := range all {
		c := s.at(t, "first sale "+t.id, "sale", fmt.Sprintf("%d.50", 18+i*7))
		c.hidden = i > 0
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	more := s.at(all[storyOpened], "more sales", "sale", "88.00", "sale", "126.00", "sale", "9.90")
	more.hidden = true
	if err := s.list(more, command{args: s.talk("journal", "tail", "-n", "12")}); err != nil {
		return err
	}
	return s.permits(storyBad, func(p storyPermit) bool { return p.may == "full" }, "everything at the beginning")
}

// refusalsSpread: the bad model begins to prove its serial number with a key that is not its own.
func (s *story) refusalsSpread() error {
	for i, t := range storyTerminals()[:5] {
		c := s.at(t, "failure "+t.id)
		c.args, c.fails, c.hidden = append(c.args, "--fault", "wrong-serial-cipher"), true, i > 0
		text, err := s.do(c)
		if err != nil {
			return err
		}
		if err := s.holds(strings.Contains(text, " A7 "), "terminal %s was answered A7", t.id); err != nil {
			return err
		}
	}
	for _, t := range storyTerminals()[5:] { // the other model sells on beside it
		c := s.at(t, "beside "+t.id, "sale", "12.00")
		c.hidden = true
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	return s.list(command{args: s.talk("journal", "tail", "-n", "10")}, command{args: []string{"explain", "A7", "--lang", s.cmd.Lang}})
}

// storyWait bounds how long the story waits for what the host does by itself.
const storyWait = 30 * time.Second

// until asks again and again until an answer is as it should be.
func (s *story) until(what string, ask func() (bool, error)) error {
	for end := time.Now().Add(storyWait); ; {
		ok, err := ask()
		if err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return s.holds(false, "%s, after %s", what, storyWait)
		}
		if !pause(s.a.ctx, 50*time.Millisecond) {
			return s.a.ctx.Err()
		}
	}
}
