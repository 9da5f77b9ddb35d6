package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/paycrypto"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// leakWorld is the secrets of one run and the files a user would have put them in. Nothing of it is
// published: everything is drawn anew.
type leakWorld struct {
	t         *testing.T
	given     string // what the user gives: files with secrets, which nobody scans
	work      string // what the program makes: all of it is scanned
	forms     leakForms
	pass      string
	cards     []leakCard
	terminals []leakTerminal
}

type leakCard struct {
	pan, track, pin   string
	panFile, pinFile  string
	wrongPIN, expired string
}

type leakTerminal struct {
	id, merchant, serial string
	code                 paycrypto.SignInCode
	mac                  terminal.MACProfile
	master, serialKey    []byte
	masterFiles          []string
	serialFiles          []string
}

const leakMerchant = "898310058120001"

func newLeakWorld(t *testing.T, cards, terminals int) *leakWorld {
	t.Helper()
	w := &leakWorld{t: t, given: t.TempDir(), work: t.TempDir()}
	for _, d := range []string{"out", "tmp", "home", "terminals"} {
		if err := os.Mkdir(filepath.Join(w.work, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.pass = hex.EncodeToString(draw(t, 20))
	w.forms.phrase(canary{ofPassphrase, "0"}, w.pass)
	w.give("pass", w.pass+"\n")
	for i := range cards {
		w.cards = append(w.cards, w.newCard(i))
	}
	codes := []paycrypto.SignInCode{paycrypto.SignInTDES, paycrypto.SignInTDESTrack, paycrypto.SignInSM4, paycrypto.SignInSM4Track}
	for i := range terminals {
		w.terminals = append(w.terminals, w.newTerminal(i, codes[i%len(codes)]))
	}
	return w
}

func draw(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func drawDigits(t *testing.T, n int) string {
	t.Helper()
	v, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%0*s", n, v.String())
}

// give writes a file that the user brings.
func (w *leakWorld) give(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.given, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// withLuhn appends a check digit, ISO/IEC 7812-1 Annex B.
func withLuhn(body string) string {
	for d := '0'; d <= '9'; d++ {
		if p, err := pos.ParsePAN(body + string(d)); err == nil && p.Luhn() {
			return body + string(d)
		}
	}
	panic("no check digit fits")
}

// newCard draws a card under the sample prefix. PINs have 9 or 12 digits, so that none is found by chance.
func (w *leakWorld) newCard(i int) leakCard {
	w.t.Helper()
	name := fmt.Sprint(i)
	c := leakCard{pan: withLuhn("629999" + drawDigits(w.t, 9))}
	discretionary := "1" + drawDigits(w.t, 12)
	c.track = c.pan + "=4912101" + discretionary
	c.pin, c.wrongPIN = drawDigits(w.t, 12-3*(i%2)), drawDigits(w.t, 12)
	w.forms.digits(canary{ofPAN, name}, c.pan)
	w.forms.digits(canary{ofTrack, name}, c.track)
	w.forms.digits(canary{ofTrack, name + " (discretionary data)"}, discretionary)
	for which, pin := range map[string]string{"": c.pin, " (mistyped)": c.wrongPIN} {
		of := canary{ofPIN, name + which}
		w.forms.digits(of, pin)
		w.blocks(of, pin, c.pan)
	}
	c.panFile, c.pinFile = w.give("pan-"+name, c.pan), w.give("pin-"+name, c.pin)
	return c
}

// blocks adds the clear PIN blocks as they are before enciphering: what a module holds for a moment. They
// are found as what the block is under a key whose cipher is undone again.
func (w *leakWorld) blocks(of canary, pin, pan string) {
	w.t.Helper()
	for algorithm, f := range map[paycrypto.Algorithm]pinblock.Format{paycrypto.TDES: pinblock.ISO0, paycrypto.SM4: pinblock.SM4PAN1} {
		key, err := paycrypto.NewCipher(algorithm, bytes.Repeat([]byte{0x5A, 0xA4}, 8))
		if err != nil {
			w.t.Fatal(err)
		}
		block := make([]byte, f.Size())
		if err := pinblock.Encipher(block, key, f, pinblock.Parts{PIN: []byte(pin), PAN: []byte(pan)}); err != nil {
			w.t.Fatal(err)
		}
		clearBlock := make([]byte, len(block))
		for at := 0; at < len(block); at += key.BlockSize() {
			key.Decrypt(clearBlock[at:], block[at:])
		}
		w.forms.binary(of, fmt.Sprintf("clear PIN block, format %v", f), clearBlock)
	}
}

// key draws a key in two components, each in a file as touchstone key makes it.
func (w *leakWorld) key(kind canaryKind, name string, des bool) (key []byte, files []string) {
	w.t.Helper()
	key = draw(w.t, 16)
	one := draw(w.t, 16)
	if des {
		paycrypto.AdjustParity(key)
	}
	two := make([]byte, 16)
	for i := range two {
		two[i] = key[i] ^ one[i]
	}
	w.forms.bytes(canary{kind, name}, key)
	for i, part := range [][]byte{one, two} {
		w.forms.bytes(canary{kind, fmt.Sprintf("%s, component %d", name, i+1)}, part)
		files = append(files, w.give(fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), i+1), hex.EncodeToString(part)+"\n"))
	}
	return key, files
}

func (w *leakWorld) newTerminal(i int, code paycrypto.SignInCode) leakTerminal {
	t := leakTerminal{id: fmt.Sprintf("%08d", 100+i), merchant: leakMerchant, serial: fmt.Sprintf("00000304TS%010d", 100+i), code: code}
	if i%len("abcd") == 0 {
		t.mac = terminal.X919
	}
	t.master, t.masterFiles = w.key(ofMaster, "master "+t.id, code.Algorithm() == paycrypto.TDES)
	t.serialKey, t.serialFiles = w.key(ofSerialKey, "serial "+t.id, false)
	return t
}

// register enters everything: through the control socket, as touchstone register does.
func (w *leakWorld) register(data string) {
	w.t.Helper()
	apply := func(c change) {
		w.t.Helper()
		if _, running, err := ask(data, c); err != nil || !running {
			w.t.Fatalf("register: running %t: %v", running, err)
		}
	}
	apply(change{Merchant: &merchantChange{ID: leakMerchant, Name: "Sample Leaks 示例", Networks: []string{"127.0.0.0/8"}}})
	for _, t := range w.terminals {
		apply(change{Device: &deviceChange{Serial: t.serial, Licence: sampleLicence, DeviceType: sampleDeviceType, Components: t.serialFiles}})
		mac := string(t.mac)
		if mac == "" {
			mac = "ecb"
		}
		apply(change{Terminal: &terminalChange{ID: t.id, Merchant: t.merchant, Serial: t.serial, SignInCode: fmt.Sprintf("%03d", t.code), MAC: mac, Components: t.masterFiles}})
	}
	for _, c := range w.cards {
		apply(change{Card: &cardChange{PANFile: c.panFile, PINFile: c.pinFile, Expiry: "4912", ServiceCode: "101", State: "active", Balance: "100000.00"}})
	}
}

// open makes a terminal in this process; its file is in the scanned directory. With an authority it speaks TLS.
func (w *leakWorld) open(t leakTerminal, host string, authority []byte, seal bool) *terminal.Terminal {
	w.t.Helper()
	id, err := pos.ParseTerminalID(t.id)
	if err != nil {
		w.t.Fatal(err)
	}
	merchant, err := pos.ParseMerchantID(t.merchant)
	if err != nil {
		w.t.Fatal(err)
	}
	var secure *terminal.TLS
	if authority != nil {
		secure = &terminal.TLS{CA: authority}
	}
	reader, err := terminal.Open(terminal.Config{Host: host, TLS: secure, Terminal: id, Merchant: merchant, SignInCode: t.code, MAC: t.mac, SealTrack: seal && t.code.Track(),
		SendPAN: true, TMK: secret.Take(bytes.Clone(t.master)), SerialKey: secret.Take(bytes.Clone(t.serialKey)), KeyLoad: 1, Serial: pos.Serial(t.serial),
		Licence: sampleLicence, DeviceType: sampleDeviceType, AppVersion: sampleApp, StateDir: filepath.Join(w.work, "terminals"), Language: terminal.English})
	if err != nil {
		w.t.Fatal(err)
	}
	return reader
}

func (c leakCard) card(t *testing.T, pin string) terminal.Card {
	t.Helper()
	pan, err := pos.ParsePAN(c.pan)
	if err != nil {
		t.Fatal(err)
	}
	return terminal.Card{PAN: pan, Expiry: 4912, Track2: secret.Take([]byte(c.track)), PIN: secret.Take([]byte(pin))}
}

// learn adds the working keys of the last sign-in: it reads them, wrapped, from the terminal's own file.
func (w *leakWorld) learn(t leakTerminal, round int) {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.work, "terminals", "terminal-"+t.id+".json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var kept struct {
		Keys []byte `json:"working_keys"`
	}
	if err := json.Unmarshal(raw, &kept); err != nil || len(kept.Keys) == 0 {
		w.t.Fatalf("terminal %s holds no working keys: %v", t.id, err)
	}
	tmk, err := paycrypto.NewCipher(t.code.Algorithm(), t.master)
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := paycrypto.ParseWorkingKeys(t.code, tmk, kept.Keys)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, key := range map[string]secret.Bytes{"PIK": keys.PIK, "MAK": keys.MAK, "TDK": keys.TDK} {
		key.Use(func(b []byte) {
			if len(b) >= 8 {
				w.forms.bytes(canary{ofWorking, fmt.Sprintf("%s of %s, sign-in %d", name, t.id, round)}, b)
			}
		})
	}
}

// trade lets every terminal sign in, sell, mistype and misbehave; each third speaks TLS. Their connections stay
// open until hangUp.
func (w *leakWorld) trade(ctx context.Context, h *leakHost, round int) (answered int, hangUp func()) {
	w.t.Helper()
	faults := terminal.Faults()
	var open []*terminal.Terminal
	for i, t := range w.terminals {
		host, authority := h.tcp, []byte(nil)
		if i%3 == 2 {
			host, authority = h.tls, h.authority
		}
		reader := w.open(t, host, authority, i%2 == 1)
		open = append(open, reader)
		did := func(r terminal.Result, err error) {
			if err == nil && r.MTI != 0 {
				answered++
			}
		}
		did(reader.SignIn(ctx))
		w.learn(t, round)
		for j := range 3 {
			c := w.cards[(3*i+j)%len(w.cards)]
			did(reader.Sale(ctx, c.card(w.t, c.pin), 1850))
		}
		wrong := w.cards[(3*i)%len(w.cards)]
		did(reader.Sale(ctx, wrong.card(w.t, wrong.wrongPIN), 100))
		did(reader.Balance(ctx, wrong.card(w.t, wrong.pin)))
		fault := faults[(i+round*len(w.terminals))%len(faults)]
		if fault != terminal.Tamper { // a tampered terminal locks for good
			did(reader.Misbehave(ctx, fault, wrong.card(w.t, wrong.pin), 500))
		}
	}
	return answered, func() {
		for _, reader := range open {
			if err := reader.Close(); err != nil {
				w.t.Error(err)
			}
		}
	}
}
