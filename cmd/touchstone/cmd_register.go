package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"touchstone/hsm/soft"
)

// directoryFlags say which data directory a command changes and how it opens.
type directoryFlags struct {
	Data           string `name:"data" required:"" help:"Data directory." placeholder:"DIR"`
	PassphraseFile string `name:"passphrase-file" help:"File that holds the passphrase of the keyring; not needed while the host runs, nor for a test data directory." placeholder:"FILE"`
	IdentityFile   string `name:"identity-file" help:"age identity that opens the keyring." placeholder:"FILE"`
}

// carryOut makes a change: in the host that runs on the directory, or by opening it.
func (f *directoryFlags) carryOut(a *app, c change) (told changed, err error) {
	result, running, err := ask(f.Data, c)
	switch {
	case err != nil:
		return changed{}, err
	case !running:
		return f.changeHere(a, c)
	}
	if err := json.Unmarshal(result, &told); err != nil {
		return changed{}, fmt.Errorf("read the running host's answer: %w", err)
	}
	return told, nil
}

// make carries out a change and says what was registered.
func (f *actFlags) make(a *app, c change) error {
	told, err := f.signed(a, c)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, "registered", told.What)
	if told.KCV != "" {
		fmt.Fprintln(a.stdout, "check value", told.KCV)
	}
	return nil
}

func (f *directoryFlags) changeHere(a *app, c change) (told changed, err error) {
	e, err := f.openHere()
	if err != nil {
		return changed{}, err
	}
	told, err = e.apply(a.ctx, c)
	return told, errors.Join(err, e.close())
}

// openHere opens the directory in this process, where no host runs on it.
func (f *directoryFlags) openHere() (*engine, error) {
	flags := hostDefaults()
	flags.Data, flags.PassphraseFile, flags.IdentityFile = f.Data, f.PassphraseFile, f.IdentityFile
	return flags.open(slog.New(slog.DiscardHandler))
}

// question asks something and changes nothing: the host that runs on the directory, or the directory itself.
// answer is what respond gives for that question.
func (f *directoryFlags) question(a *app, c change, answer any) error {
	raw, running, err := ask(f.Data, c)
	if err != nil {
		return err
	}
	if !running {
		e, err := f.openHere()
		if err != nil {
			return err
		}
		given, err := e.respond(a.ctx, c)
		if err = errors.Join(err, e.close()); err != nil {
			return err
		}
		if raw, err = json.Marshal(given); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// absolute makes every path absolute: a change may be applied by another process.
func absolute(paths []string) ([]string, error) {
	out := make([]string, len(paths))
	for i, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		out[i] = abs
	}
	return out, nil
}

// registerCmd enters merchants, devices, terminals and cards.
type registerCmd struct {
	Merchant registerMerchant `cmd:"" help:"A shop (DE42) and the networks its terminals may speak from."`
	Device   registerDevice   `cmd:"" help:"A piece of hardware and its serial-number key."`
	Terminal registerTerminal `cmd:"" help:"A terminal (DE41): its shop, its device, its master key."`
	Card     registerCard     `cmd:"" help:"A card of the embedded bank."`
}

// Help is shown by touchstone register --help.
func (registerCmd) Help() string {
	return `Each record is a journal entry, in force at once; registering again changes it. Works while the host runs. Once there are
accounts (touchstone staff), say whose: --as NAME; only a test data directory needs none. Keys are
read from files of hexadecimal digits (make one with touchstone key), and only their check value is ever shown.`
}

type registerMerchant struct {
	actFlags
	ID        string   `name:"id" required:"" help:"15 characters."`
	Name      string   `name:"name" required:""`
	Networks  []string `name:"network" required:"" help:"Such as 10.1.0.0/16; any for every address." placeholder:"NET"`
	Suspended bool     `name:"suspended" help:"Switched off."`
}

// Run registers the merchant.
func (c *registerMerchant) Run(a *app) error {
	return c.make(a, change{Merchant: &merchantChange{c.ID, c.Name, c.Networks, c.Suspended}})
}

type registerDevice struct {
	actFlags
	Serial     string   `name:"serial" required:"" help:"Hardware serial number."`
	Licence    string   `name:"licence" default:"P3100" help:"Network licence (入网认证编号): a letter and 4 digits."`
	Type       string   `name:"type" default:"04" help:"Device type, two digits; 04 is a smart POS."`
	Apps       []string `name:"app" help:"Application versions it may run; none given: any." placeholder:"VERSION"`
	Model      string   `name:"model" help:"Maker and model, at most 40 bytes; figures are shown by it."`
	Hardware   string   `name:"hardware" help:"Hardware version, such as 2.0: what software runs on it depends on it." placeholder:"VERSION"`
	State      string   `name:"state" default:"" enum:",active,suspended,tampered" help:"active, suspended or tampered."`
	Components []string `name:"component" help:"Component of its serial-number key, 16 bytes." placeholder:"FILE"`
}

// Run registers the device.
func (c *registerDevice) Run(a *app) error {
	files, err := absolute(c.Components)
	if err != nil {
		return err
	}
	return c.make(a, change{Device: &deviceChange{c.Serial, c.Licence, c.Type, c.Apps, c.Model, c.Hardware, c.State, files}})
}

type registerTerminal struct {
	actFlags
	ID             string   `name:"id" required:"" help:"8 characters."`
	Merchant       string   `name:"merchant" required:"" help:"15 characters."`
	Serial         string   `name:"serial" required:"" help:"Serial number of its device."`
	SignInCode     string   `name:"sign-in-code" default:"003" help:"001, 003, 004, 005 or 006."`
	MAC            string   `name:"mac" default:"ecb" enum:"ecb,ecb-3des,x9.9,x9.19" help:"ecb, ecb-3des, x9.9 or x9.19."`
	Networks       []string `name:"network" help:"Of its own; none given: its shop's." placeholder:"NET"`
	Components     []string `name:"component" help:"Component of its master key: 8 bytes for 001, else 16." placeholder:"FILE"`
	Suspended      bool     `name:"suspended" help:"Switched off."`
	ChipReader     bool     `name:"chip-reader" help:"A swiped chip card is refused as fallback."`
	TrackEncrypted bool     `name:"track-encrypted" help:"A clear track is refused."`
	PINWithoutPAN  bool     `name:"pin-without-pan" help:"A PIN block without the card number (DE53.1 = 1) is accepted."`
	VoidNeedsPIN   bool     `name:"void-needs-pin" help:"A void without a PIN is refused."`
	MACStrong      bool     `name:"mac-strong" help:"A MAC graded weaker than strong is refused."`
	Canary         bool     `name:"canary" help:"Reserved for known-bad messages: it moves no money and counts as no sale."`
	Place          string   `name:"place" help:"Where it stands: latitude,longitude,metres. Outside it a message is recorded, and refused with --place-refuse." placeholder:"PLACE"`
	PlaceRefuse    bool     `name:"place-refuse" help:"Refuse it outside its place."`
	NoSales        bool     `name:"no-sales" help:"Its permit: reversals only, no keys."`
	NoRefunds      bool     `name:"no-refunds" help:"Its permit: everything but refunds."`
}

// Run registers the terminal and prints the check value of its master key.
func (c *registerTerminal) Run(a *app) error {
	files, err := absolute(c.Components)
	if err != nil {
		return err
	}
	return c.make(a, change{Terminal: &terminalChange{ID: c.ID, Merchant: c.Merchant, Serial: c.Serial, SignInCode: c.SignInCode, MAC: c.MAC,
		Networks: c.Networks, Components: files, Suspended: c.Suspended, ChipReader: c.ChipReader, TrackEncrypted: c.TrackEncrypted,
		PINWithoutPAN: c.PINWithoutPAN, VoidNeedsPIN: c.VoidNeedsPIN, Place: c.Place, PlaceRefuse: c.PlaceRefuse, NoSales: c.NoSales, NoRefunds: c.NoRefunds,
		MACStrong: c.MACStrong, Canary: c.Canary}})
}

type registerCard struct {
	actFlags
	PANFile     string `name:"pan-file" required:"" help:"File that holds the card number." placeholder:"FILE"`
	PINFile     string `name:"pin-file" help:"File that holds a new PIN, 4 to 12 digits; without it the card keeps the PIN it has." placeholder:"FILE"`
	Expiry      string `name:"expiry" required:"" help:"YYMM."`
	ServiceCode string `name:"service-code" default:"101" help:"Three digits; 2.. or 6.. has a chip."`
	State       string `name:"state" default:"active" enum:"active,lost,stolen,restricted" help:"active, lost, stolen or restricted."`
	Balance     string `name:"balance" default:"0.00" help:"Of a new card, such as 1000.00."`
	SaleLimit   string `name:"sale-limit" help:"Of one sale, such as 500.00."`
	NoPINLimit  string `name:"no-pin-limit" help:"Of one sale without a PIN, such as 1000.00."`
	Canary      bool   `name:"canary" help:"Reserved: only a canary terminal may name it, and it never pays."`
	BirthDate   string `name:"birth-date" help:"The holder's, YYYYMMDD: no PIN of the card may be one of its usual forms. Kept only as keyed values." placeholder:"DATE"`
}

// Run registers the card, or changes it: its PIN, state, limits.
func (c *registerCard) Run(a *app) error {
	files, err := absolute([]string{c.PANFile})
	if err != nil {
		return err
	}
	pin := ""
	if c.PINFile != "" {
		if pin, err = filepath.Abs(c.PINFile); err != nil {
			return err
		}
	}
	return c.make(a, change{Card: &cardChange{PANFile: files[0], PINFile: pin, Expiry: c.Expiry, ServiceCode: c.ServiceCode, State: c.State,
		Balance: c.Balance, SaleLimit: c.SaleLimit, NoPINLimit: c.NoPINLimit, Canary: c.Canary, BirthDate: c.BirthDate}})
}

// deviceCmd is what is done to devices.
type deviceCmd struct {
	Announce deviceAnnounce `cmd:"" help:"What a maker says is under way: serial number, model, seal, source. Two people."`
	Receive  deviceReceive  `cmd:"" help:"Check what came against it; what differs is quarantined. Two people."`
	Deploy   deviceDeploy   `cmd:"" help:"Bind it to a terminal by the five elements; then it may sell. Two people."`
	Move     deviceMove     `cmd:"" help:"Another address, place or network. Two people."`
	Rebind   deviceRebind   `cmd:"" help:"Bind the device that works at a terminal in place of the one registered there. Two people."`
	Repair   deviceRepair   `cmd:"" help:"Send it to repair. Two people."`
	Picture  devicePicture  `cmd:"" help:"What a model looks like, for the check page."`
	Lose     deviceLose     `cmd:"" help:"It was lost or stolen. One person: it stops at once."`
	Return   deviceReturn   `cmd:"" help:"Take it back into stock under a new seal. Two people."`
	Retire   deviceRetire   `cmd:"" help:"End its work for good, with its keys and certificates. Two people."`
	Destroy  deviceDestroy  `cmd:"" help:"Record that it was destroyed. Two people."`
	Show     deviceShow     `cmd:"" help:"Its life, its five elements as of any day, its facts."`
	List     deviceList     `cmd:"" help:"Every device, or the five elements as CSV."`

	Release deviceRelease `cmd:"" help:"Let a device work again after tampering: two people, a new master key."`

	Certificate deviceCertificateCmd `cmd:"" help:"Issue, renew, revoke and show device certificates for TLS."`
}

type deviceRelease struct {
	actFlags
	Serial     string   `name:"serial" required:"" help:"Serial number of the device."`
	Terminal   string   `name:"terminal" required:"" help:"The terminal it is bound to."`
	People     []string `name:"person" help:"Who releases it, twice: only where there are no accounts, or in a test data directory; else --as and --with." placeholder:"NAME"`
	Components []string `name:"component" required:"" help:"Component of the new master key; twice, one of each." placeholder:"FILE"`
}

// Run releases the device.
func (c *deviceRelease) Run(a *app) error {
	files, err := absolute(c.Components)
	if err != nil {
		return err
	}
	request := change{Release: &releaseChange{Serial: c.Serial, Terminal: c.Terminal, Components: files}}
	if c.As == "" {
		request.Release.People = c.People
	}
	told, err := c.perform(a, request)
	if err == nil && told.KCV != "" {
		fmt.Fprintln(a.stdout, "check value", told.KCV)
	}
	return err
}

// initCmd makes a data directory.
type initCmd struct {
	directoryFlags
	Test          bool   `name:"test" help:"A test data directory: published keyring and passphrase, loopback only, single DES allowed."`
	LoadTerminals string `name:"load-terminals" help:"With --test: also register terminals and cards for touchstone terminal load, such as ecb=8000,sm4=2000,x9.19=2000." placeholder:"KIND=N,..."`
}

// Help is shown by touchstone init --help.
func (initCmd) Help() string {
	return `Makes an empty data directory whose keyring is sealed by a passphrase file (mode 0600) or to an age identity. Keep the
passphrase elsewhere: without it every key in the directory is lost.

  touchstone init --data shop --passphrase-file pass.txt`
}

// Run makes the directory.
func (c *initCmd) Run(a *app) error {
	log := slog.New(slog.DiscardHandler)
	if c.LoadTerminals != "" {
		return c.makeLoad(a, log)
	}
	if c.Test {
		if err := makeTestDirectory(c.Data, log); err != nil {
			return err
		}
	} else {
		lock := soft.Lock{PassphraseFile: c.PassphraseFile, IdentityFile: c.IdentityFile}
		if err := makeDirectory(c.Data, lock, false, rand.Reader, log); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.stdout, "made data directory", c.Data)
	return nil
}

// keyCmd makes key components.
type keyCmd struct {
	Bytes int    `name:"bytes" default:"16" enum:"8,16" help:"8 or 16."`
	File  string `arg:"" help:"New file, mode 0600." placeholder:"FILE"`
}

// Run draws a component and writes it as hexadecimal digits.
func (c *keyCmd) Run(a *app) error {
	b := make([]byte, c.Bytes)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	text := []byte(hex.EncodeToString(b) + "\n")
	defer clear(text)
	clear(b)
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		fmt.Fprintln(a.stdout, "wrote", c.File)
	}
	return err
}
