package main

import (
	"encoding/json"
	"fmt"
	"os"

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
	storyApp            = "1.0.1" // of both at the beginning
	storyFixed          = "1.0.3" // with which the bad model is well again
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
	}
}

// scene registers shops, devices and terminals, as an acquirer does.
func (s *story) scene() error {
	if err := s.writeCard(); err != nil {
		return err
	}
	for i, name := range storyShops {
		if _, err := s.do(command{key: fmt.Sprintf("merchant %d", i), hidden: i > 0, args: []string{"register", "merchant", "--data", s.data(), "--id", storyMerchant(i), "--name", name,
			"--network", "127.0.0.0/8"}}); err != nil {
			return err
		}
	}
	for i, t := range storyTerminals() {
		if err := s.install(t, i > 0); err != nil {
			return err
		}
	}
	return nil
}

// writeCard puts a shopper's card into the story's directory: the first sample card.
func (s *story) writeCard() error {
	card := cards()[0]
	raw, err := json.Marshal(printedCard{card.pan(), card.expiry, card.track2(), card.pin, int64(card.balance)})
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("card.json"), raw, 0o600)
}

// install draws the keys of one terminal, registers it and writes down what its own configuration is.
func (s *story) install(t storyTerminal, hidden bool) error {
	key, serialKey := s.path(t.id+".tmk"), s.path(t.serial+".key")
	for _, c := range []command{
		{key: "key " + t.id, args: []string{"key", key}},
		{key: "serial key " + t.serial, args: []string{"key", serialKey}},
		{key: "device " + t.serial, args: []string{"register", "device", "--data", s.data(), "--serial", t.serial, "--model", t.model, "--component", serialKey}},
		{key: "terminal " + t.id, args: []string{"register", "terminal", "--data", s.data(), "--id", t.id, "--merchant", t.merchant, "--serial", t.serial, "--mac", "ecb-3des", "--component", key}},
	} {
		c.hidden = hidden
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	return s.configure(t, storyApp)
}

// configure writes a terminal's own configuration.
func (s *story) configure(t storyTerminal, app string) error {
	text := fmt.Sprintf("host = \"127.0.0.1:8583\"\nterminal_id = %q\nmerchant_id = %q\nsign_in_code = \"003\"\nmac = \"ecb-3des\"\ntmk_file = %q\nserial = %q\nserial_key_file = %q\nnetwork_licence = \"P3100\"\ndevice_type = \"04\"\napp_version = %q\ncard_file = \"card.json\"\n",
		t.id, t.merchant, t.id+".tmk", t.serial, t.serial+".key", app)
	return os.WriteFile(s.path(t.id+".toml"), []byte(text), 0o600)
}

// at is a command of a terminal on the wire.
func (s *story) at(t storyTerminal, key string, actions ...string) command {
	args := append([]string{"terminal", "--config", s.path(t.id + ".toml"), "--host", s.address["tcp"], "--state", s.path("terminals"), "--lang", s.cmd.Lang}, actions...)
	return command{key: key, args: args, tail: 7} // the last screen, and the message in a line
}

// salesPass sells at every shop.
func (s *story) salesPass() error {
	for i, t := range storyTerminals() {
		c := s.at(t, "first sale "+t.id, "sale", fmt.Sprintf("%d.50", 18+i*7))
		c.hidden = i > 0
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	_, err := s.do(command{args: []string{"journal", "tail", "--data", s.data(), "-n", "7", "--lang", s.cmd.Lang}})
	return err
}
