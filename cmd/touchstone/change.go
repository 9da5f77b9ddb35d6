package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
)

// change is one change of the cold records, made by a command in its own process or sent to the host
// that runs. Exactly one field is set. Files are absolute paths, read where the change is applied.
type change struct {
	Merchant *merchantChange `json:"merchant,omitempty"`
	Device   *deviceChange   `json:"device,omitempty"`
	Terminal *terminalChange `json:"terminal,omitempty"`
	Card     *cardChange     `json:"card,omitempty"`
	Release  *releaseChange  `json:"release,omitempty"`

	Certificate *certificateChange `json:"certificate,omitempty"`
	CRL         *crlChange         `json:"crl,omitempty"`

	Status  *statusQuery   `json:"status,omitempty"`  // asks, and changes nothing
	Finding *findingChange `json:"finding,omitempty"` // of a canary outside the host
	Resume  *resumeChange  `json:"resume,omitempty"`

	Effectiveness *effectivenessQuery `json:"effectiveness,omitempty"` // asks and changes nothing
	CanaryRound   *canaryRoundQuery   `json:"canary_round,omitempty"`
	Failures      *failuresQuery      `json:"failures,omitempty"` // asks and changes nothing
	Judge         *judgeQuery         `json:"judge,omitempty"`    // asks and changes nothing

	Account *accountChange `json:"account,omitempty"`
	Approve *approveChange `json:"approve,omitempty"`
	People  *peopleQuery   `json:"people,omitempty"`

	PermitQuery  *permitQuery        `json:"permit_query,omitempty"` // asks and changes nothing
	PermitPolicy *permitPolicyChange `json:"permit_policy,omitempty"`
	Grade        *gradeQuery         `json:"grade,omitempty"` // asks and changes nothing
	Repository   *repositoryChange   `json:"repository,omitempty"`
	Publish      *publishChange      `json:"publish,omitempty"`
	ReleaseState *releaseStateChange `json:"release_state,omitempty"`
	Package      *packageChange      `json:"release_package,omitempty"`
	Advisory     *advisoryChange     `json:"advisory,omitempty"`
	Picture      *modelPictureChange `json:"model_picture,omitempty"`
	Campaign     *campaignChange     `json:"campaign,omitempty"`
	Updates      *updatesQuery       `json:"updates,omitempty"` // asks, and changes nothing
	Care         *careChange         `json:"care,omitempty"`    // a step of a device's life
	Inspect      *inspectChange      `json:"inspect,omitempty"`
	Glance       *glanceChange       `json:"glance,omitempty"`
	Seal         *sealQuery          `json:"seal,omitempty"`
	Devices      *careQuery          `json:"devices,omitempty"`
	Cashier      *cashierChange      `json:"cashier,omitempty"`
	Training     *trainingChange     `json:"training,omitempty"`
	Personnel    *personnelChange    `json:"personnel,omitempty"`
	Passphrase   *passphraseChange   `json:"passphrase,omitempty"`
	Second       *secondChange       `json:"second_factor,omitempty"`
	Passwords    *passwordsChange    `json:"passwords,omitempty"`
	Policy       *passwordsQuery     `json:"terminal_passwords,omitempty"`
	OldPINs      *pinsQuery          `json:"old_pins,omitempty"`
	Register     *registerQuery      `json:"register,omitempty"` // of cashiers, trainings and accounts

	CloneClear  *cloneClearChange  `json:"clone_clear,omitempty"`
	Loss        *lossChange        `json:"loss,omitempty"` // only signed: it is carried out where no host runs
	Incident    *incidentChange    `json:"incident,omitempty"`
	Incidents   *incidentQuery     `json:"incidents,omitempty"`
	Report      *reportChange      `json:"report,omitempty"`
	Exposure    *exposureChange    `json:"exposure,omitempty"`
	Claim       *claimChange       `json:"claim,omitempty"`
	Decision    *decisionChange    `json:"decision,omitempty"`
	Scope       *scopeQuery        `json:"scope,omitempty"`  // asks
	Claims      *claimsQuery       `json:"claims,omitempty"` // asks
	NoticeDraft *noticeDraftChange `json:"notice_draft,omitempty"`
	NoticeSend  *noticeSendChange  `json:"notice_send,omitempty"`
	NoticeRetry *noticeRetryChange `json:"notice_retry,omitempty"`
	Notices     *noticesQuery      `json:"notices,omitempty"`
	Lab         *labChange         `json:"lab,omitempty"`
	LabQuery    *labQuery          `json:"lab_query,omitempty"`

	APIKey       *apiKeyChange     `json:"api_key,omitempty"` // for programs
	APIKeyRevoke *apiKeyRevocation `json:"api_key_revoke,omitempty"`
	APIKeys      *apiKeysQuery     `json:"api_keys,omitempty"`

	Webhook       *webhookChange      `json:"webhook,omitempty"` // endpoints that are told of what happens
	WebhookSet    *webhookState       `json:"webhook_set,omitempty"`
	WebhookRotate *webhookRotation    `json:"webhook_rotate,omitempty"`
	WebhookReplay *webhookReplay      `json:"webhook_replay,omitempty"`
	TransportKey  *transportKeyChange `json:"transport_key,omitempty"` // to which people seal what they send

	Webhooks *webhooksQuery `json:"webhooks,omitempty"` // asks

	By       []credential `json:"by,omitempty"` // who asks; two where two people are needed and both are here
	caller   *web.Caller  // who asks by the console or the interface, proven there; By is empty then
	public   bool         // a stranger asks, at the public pages: a report or a claim
	actors   []string     // the accounts that were proven, the proposer first; set where the change is applied
	proposal string       // the proposal that was approved
}

type merchantChange struct {
	ID        string   `json:"id" minLength:"15" maxLength:"15" doc:"DE42, 15 characters." example:"898310058120001"`
	Name      string   `json:"name" minLength:"1" maxLength:"100" example:"Sample Tea House"`
	Networks  []string `json:"networks,omitempty" doc:"From where its terminals may come: CIDR, or any." example:"[\"any\"]"`
	Suspended bool     `json:"suspended,omitempty" doc:"None of its terminals may do anything."`
}

type deviceChange struct {
	Serial     string   `json:"serial" minLength:"1" maxLength:"50" doc:"Serial number, as DE62 or DE46 carries it." example:"00000304TS0000000099"`
	Licence    string   `json:"licence" doc:"Network licence number." example:"P3100"`
	DeviceType string   `json:"device_type" doc:"Two digits: 04 is a smart terminal." example:"04"`
	Apps       []string `json:"apps,omitempty" doc:"Application versions that it may run." example:"[\"1.0.0\"]"`
	Model      string   `json:"model,omitempty" example:"Sample V1"`
	Hardware   string   `json:"hardware,omitempty"`
	State      string   `json:"state,omitempty" enum:"active,suspended" doc:"As it is, when not given."`
	Components []string `json:"components,omitempty" file:"sealed" doc:"Components of the key, two at least, each sealed to the transport key (touchstone seal serial-key-component) and uploaded before."`
}

type terminalChange struct {
	ID             string   `json:"id" minLength:"8" maxLength:"8" doc:"DE41, 8 characters." example:"00000011"`
	Merchant       string   `json:"merchant" minLength:"15" maxLength:"15" doc:"DE42 of its shop." example:"898310058120001"`
	Serial         string   `json:"serial" doc:"Serial number of the device." example:"00000304TS0000000011"`
	SignInCode     string   `json:"sign_in_code" enum:"001,003,004,005,006" doc:"DE60.3: which working keys a sign-in brings." example:"003"`
	MAC            string   `json:"mac,omitempty" enum:"ecb,ecb-3des,x9.9,x9.19" doc:"How DE64 is computed."`
	Networks       []string `json:"networks,omitempty" doc:"From where it may come; its shop's, when not given."`
	Components     []string `json:"components,omitempty" file:"sealed" doc:"Components of the key, two at least, each sealed to the transport key (touchstone seal tmk-component) and uploaded before."`
	Suspended      bool     `json:"suspended,omitempty"`
	ChipReader     bool     `json:"chip_reader,omitempty"`
	TrackEncrypted bool     `json:"track_encrypted,omitempty" doc:"It sends tracks under its track key."`
	Place          string   `json:"place,omitempty" doc:"Latitude, longitude, metres." example:"31.230400,121.473700,300"`
	PlaceRefuse    bool     `json:"place_refuse,omitempty" doc:"Messages from elsewhere are refused."`
	NoSales        bool     `json:"no_sales,omitempty"`
	NoRefunds      bool     `json:"no_refunds,omitempty"`
	PINWithoutPAN  bool     `json:"pin_without_pan,omitempty"`
	VoidNeedsPIN   bool     `json:"void_needs_pin,omitempty"`
	MACStrong      bool     `json:"mac_strong,omitempty" doc:"Only a strong MAC proves it."`
	Canary         bool     `json:"canary,omitempty" doc:"Reserved for probes: no money."`
}

type cardChange struct {
	PANFile     string `json:"pan_file" file:"sealed" doc:"The card number, sealed to the transport key (touchstone seal pan) and uploaded before."`
	PINFile     string `json:"pin_file,omitempty" file:"sealed" doc:"A new PIN, sealed likewise (touchstone seal pin); without it the card keeps the one it has."`
	Expiry      string `json:"expiry,omitempty" doc:"YYMM." example:"4912"`
	ServiceCode string `json:"service_code,omitempty" example:"101"`
	State       string `json:"state,omitempty" enum:"active,lost,stolen,restricted"`
	Balance     string `json:"balance,omitempty" example:"1000.00"`
	SaleLimit   string `json:"sale_limit,omitempty"`
	NoPINLimit  string `json:"no_pin_limit,omitempty"`
	Canary      bool   `json:"canary,omitempty"`
	BirthDate   string `json:"birth_date,omitempty" doc:"YYYYMMDD, for the check of a new PIN; not kept."` // YYYYMMDD, for the check of the PIN; not kept
	PINAlone    bool   `json:"pin_alone,omitempty" doc:"A new PIN, and every other term as it was."`       // a new PIN, and every other term as it was
}

type releaseChange struct {
	Serial     string   `json:"serial" doc:"Serial number of the device." example:"00000304TS0000000011"`
	Terminal   string   `json:"terminal,omitempty" doc:"The terminal that it works as."`
	People     []string `json:"people" doc:"Who looked at it." example:"[\"qian\",\"sun\"]"`
	Components []string `json:"components,omitempty" file:"sealed" doc:"Components of the key, two at least, each sealed to the transport key (touchstone seal tmk-component) and uploaded before."`
}

// changed is what a change tells the person who made it.
type changed struct {
	What string `json:"what"`
	ZH   string `json:"zh,omitempty"`  // the same in Chinese, where it is said
	KCV  string `json:"kcv,omitempty"` // check value of the key that was loaded

	Fingerprint string `json:"fingerprint,omitempty"` // SHA-256 of the certificate that was made, hexadecimal
	PEM         string `json:"pem,omitempty"`         // that certificate, or the list that was asked for

	Secret string `json:"secret,omitempty"` // shown this once

	Proposal string            `json:"proposal,omitempty"` // nothing was done yet: a second person has to approve this
	Facts    map[string]string `json:"facts,omitempty"`    // what else the act made, such as the number of a case
}

// apply proves who asks, sees to it that two people agree where two are needed, and carries the change out.
func (e *engine) apply(ctx context.Context, c change) (changed, error) {
	if c.Approve != nil {
		return e.approve(ctx, c)
	}
	told, proposed, err := e.admit(ctx, &c)
	if err != nil || proposed {
		return told, err
	}
	told, err = e.carry(ctx, c)
	_ = e.permits.settle(ctx) // an error is logged there, and the permits are judged again
	return told, errors.Join(err, e.finish(ctx, c.proposal))
}

// carry carries out one change whose people are proven.
func (e *engine) carry(ctx context.Context, c change) (changed, error) {
	switch {
	case c.Account != nil:
		return e.changeAccount(ctx, c.Account, c.actors)
	case c.Repository != nil:
		return e.changeRepository(ctx, c.Repository, c.actors)
	case c.Publish != nil:
		return e.publishRelease(ctx, c.Publish, c.actors)
	case c.ReleaseState != nil:
		return e.changeRelease(ctx, c.ReleaseState, c.actors)
	case c.Package != nil:
		return e.publishPackage(ctx, c.Package, c.actors)
	case c.Advisory != nil:
		return e.changeAdvisory(ctx, c.Advisory, c.actors)
	case c.Picture != nil:
		return e.changeModelPicture(ctx, c.Picture, c.actors)
	case c.Campaign != nil:
		return e.changeCampaign(ctx, c.Campaign, c.actors)
	case c.Care != nil:
		return e.changeCare(ctx, c.Care, fleet.Who{Actors: c.actors, Proposal: c.proposal})
	case c.Inspect != nil:
		return e.inspect(ctx, c.Inspect, fleet.Who{Actors: c.actors})
	case c.Glance != nil:
		return e.glance(ctx, c.Glance, c.actors)
	case c.Cashier != nil:
		return e.changeCashier(ctx, c.Cashier, c.actors)
	case c.Training != nil:
		return e.changeTraining(ctx, c.Training, c.actors)
	case c.Passwords != nil:
		return e.setPasswords(ctx, c.Passwords, c.actors)
	case c.TransportKey != nil:
		return e.makeTransportKey(ctx, c.TransportKey, c.actors, c.proposal)
	case c.Personnel != nil:
		return e.changePersonnel(ctx, c.Personnel, c.actors)
	case c.Second != nil:
		return e.changeSecond(ctx, c.Second, c.actors, c.proposal)
	case c.Passphrase != nil:
		return e.changePassphrase(ctx, c.Passphrase, c.actors)
	case c.Incident != nil:
		return e.changeIncident(ctx, c.Incident, incident.By{Actors: c.actors, Proposal: c.proposal})
	case c.Report != nil:
		return e.fileReport(ctx, c.Report, c.actors)
	case c.Merchant != nil:
		return e.changeMerchant(ctx, c.Merchant, c.actors)
	case c.Device != nil:
		return e.changeDevice(ctx, c.Device, c.actors)
	case c.Terminal != nil:
		return e.changeTerminal(ctx, c.Terminal, c.actors)
	case c.Card != nil:
		return e.changeCard(ctx, c.Card, c.actors)
	case c.Release != nil:
		return e.release(ctx, c.Release, c.actors)
	case c.Certificate != nil:
		c.Certificate.By = c.actor(c.Certificate.By)
		return e.changeCertificate(ctx, c.Certificate)
	case c.CRL != nil:
		return e.revocationList(ctx, c.CRL)
	case c.Exposure != nil:
		return e.freeze(ctx, c.Exposure, c.actors)
	case c.Claim != nil:
		return e.makeClaim(ctx, c.Claim, c.actors)
	case c.Decision != nil:
		return e.decideClaim(ctx, c.Decision, c.actors, c.proposal)
	case c.Finding != nil:
		return e.finding(ctx, c.Finding)
	case c.CloneClear != nil:
		return e.clearClone(ctx, c.CloneClear, c.actors)
	case c.Resume != nil:
		c.Resume.By = c.actor(c.Resume.By)
		return e.resume(ctx, c.Resume)
	case c.PermitPolicy != nil:
		return e.changePermitPolicy(ctx, c.PermitPolicy, c.actors)
	case c.NoticeDraft != nil:
		return e.draftNotices(ctx, c.NoticeDraft, c.actors)
	case c.NoticeSend != nil:
		return e.sendNotices(ctx, c.NoticeSend, c.actors, c.proposal)
	case c.NoticeRetry != nil:
		return e.retryNotices(ctx, c.NoticeRetry, c.actors)
	case c.Lab != nil:
		return e.changeLab(ctx, &c)
	case c.APIKey != nil:
		return e.makeAPIKey(ctx, c.APIKey, c.actors)
	case c.APIKeyRevoke != nil:
		return e.revokeAPIKey(ctx, c.APIKeyRevoke, c.actors)
	case c.Webhook != nil:
		return e.makeWebhook(ctx, c.Webhook, c.actors)
	case c.WebhookSet != nil:
		return e.setWebhook(ctx, c.WebhookSet, c.actors)
	case c.WebhookRotate != nil:
		return e.rotateWebhook(ctx, c.WebhookRotate, c.actors)
	case c.WebhookReplay != nil:
		return e.replayWebhook(ctx, c.WebhookReplay, c.actors)
	}
	return changed{}, errors.New("nothing to change")
}

// actor is the account that was proven, or the name that was given where there are no accounts.
func (c *change) actor(named string) string {
	if len(c.actors) > 0 && c.actors[0] != setupActor {
		return c.actors[0]
	}
	return named
}

func (e *engine) changeMerchant(ctx context.Context, c *merchantChange, actors []string) (changed, error) {
	id, err := pos.ParseMerchantID(c.ID)
	if err != nil {
		return changed{}, fmt.Errorf("merchant id: want 15 characters: %w", err)
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) }) {
		return changed{}, errors.New("merchant name: want one line of characters that print: no line ends, no escapes of a screen, no marks that turn a text")
	}
	m := &registry.Merchant{ID: id, Name: c.Name, Suspended: c.Suspended}
	if m.Networks, m.AnyNetwork, err = networks(c.Networks); err != nil {
		return changed{}, err
	}
	return changed{What: "merchant " + c.ID}, e.enter(ctx, registration{Kind: "merchant", ID: c.ID}, actors, m)
}

// networks reads a list of networks; "any" stands for every address.
func networks(list []string) (nets []pos.Network, anywhere bool, err error) {
	for _, s := range list {
		if s == "any" {
			anywhere = true
			continue
		}
		n, err := pos.ParseNetwork(s)
		if err != nil {
			return nil, false, fmt.Errorf("%q: %w", s, err)
		}
		nets = append(nets, n)
	}
	return nets, anywhere, nil
}

func (e *engine) changeDevice(ctx context.Context, c *deviceChange, actors []string) (changed, error) {
	e.certificates.Lock() // a certificate's act changes the same record
	defer e.certificates.Unlock()
	serial, err := pos.ParseSerial(c.Serial)
	if err != nil {
		return changed{}, fmt.Errorf("serial number: %w", err)
	}
	d := &registry.Device{Serial: serial, State: registry.Active, MasterTerms: 0}
	if old, err := e.ledger.Device(serial); err == nil {
		copied := *old
		d = &copied
	}
	if d.State == registry.TamperedBy {
		return changed{}, fmt.Errorf("device %s was tampered with: only touchstone device release changes it", serial)
	}
	d.Licence, d.DeviceType, d.AppVersions, d.Model = c.Licence, c.DeviceType, c.Apps, cmp.Or(c.Model, d.Model)
	d.Hardware = cmp.Or(c.Hardware, d.Hardware)
	if c.State != "" {
		d.State = registry.DeviceState(c.State)
	} else if life := e.lifeOf(serial); life != nil {
		d.State = life.DeviceState(d.State)
	}
	if d.State == registry.Active {
		if err := e.mayWork(ctx, serial, actors); err != nil {
			return changed{}, err
		}
	}
	told := changed{What: "device " + c.Serial}
	if len(c.Components) > 0 {
		if d.Key, d.KeyKCV, err = e.load(ctx, keys.OfSerial(string(serial)), keys.SerialKey, keys.SM4, c.Components); err != nil {
			return changed{}, err
		}
		told.KCV = d.KeyKCV
	}
	return told, e.enter(ctx, registration{Kind: "device", ID: c.Serial}, actors, d)
}

func (e *engine) changeTerminal(ctx context.Context, c *terminalChange, actors []string) (changed, error) {
	id, err := pos.ParseTerminalID(c.ID)
	if err != nil {
		return changed{}, fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	merchant, err := pos.ParseMerchantID(c.Merchant)
	if err != nil {
		return changed{}, fmt.Errorf("merchant id: want 15 characters: %w", err)
	}
	if _, err := e.ledger.Merchant(merchant); err != nil {
		return changed{}, err
	}
	device, err := e.ledger.Device(pos.Serial(c.Serial))
	if err != nil {
		return changed{}, err
	}
	code, err := strconv.ParseUint(c.SignInCode, 10, 16)
	if err != nil {
		return changed{}, fmt.Errorf("sign-in code %q: want 001, 003, 004, 005 or 006", c.SignInCode)
	}
	t := &registry.Terminal{ID: id, Merchant: merchant, Serial: device.Serial, Permit: registry.FullPermit, Suspended: c.Suspended, Canary: c.Canary,
		Profile: registry.Profile{SignInCode: pos.NetworkCode(code), MAC: registry.MACProfile(c.MAC), ChipReader: c.ChipReader, TrackSecret: c.TrackEncrypted,
			PINWithout: c.PINWithoutPAN, VoidNeedsPIN: c.VoidNeedsPIN, MACStrong: c.MACStrong}}
	if t.Networks, t.AnyNetwork, err = networks(c.Networks); err != nil {
		return changed{}, err
	}
	if t.Place, err = circleOf(c.Place, c.PlaceRefuse); err != nil {
		return changed{}, err
	}
	if c.NoSales || c.NoRefunds {
		t.Permit = registry.Permit{Sell: !c.NoSales, Refund: !c.NoSales && !c.NoRefunds, Reason: "restricted at registration"}
	}
	if err := t.Check(); err != nil {
		return changed{}, err
	}
	if err := e.mayBind(ctx, t, actors); err != nil {
		return changed{}, err
	}
	if err := e.masterFor(ctx, t, c.Components); err != nil {
		return changed{}, err
	}
	return changed{What: "terminal " + c.ID, KCV: t.MasterKCV}, e.enter(ctx, registration{Kind: "terminal", ID: c.ID}, actors, t)
}

// circleOf reads "31.230400,121.473700,300": degrees north, degrees east, metres. "" is no place.
func circleOf(s string, refuse bool) (*registry.Circle, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return nil, errPlace
	}
	lat, err1 := strconv.ParseFloat(parts[0], 64)
	lon, err2 := strconv.ParseFloat(parts[1], 64)
	metres, err3 := strconv.ParseUint(parts[2], 10, 31)
	if errors.Join(err1, err2, err3) != nil || !(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180) {
		return nil, errPlace
	}
	return &registry.Circle{Latitude: int32(math.Round(lat * 1e6)), Longitude: int32(math.Round(lon * 1e6)), Metres: uint32(metres), Refuse: refuse}, nil
}

var errPlace = errors.New("place: want latitude,longitude,metres such as 31.230400,121.473700,300")

func (e *engine) changeCard(ctx context.Context, c *cardChange, actors []string) (changed, error) {
	digits, err := e.secretOf(c.PANFile, purposePAN)
	if err != nil {
		return changed{}, err
	}
	defer clear(digits)
	pan := pos.NewPAN()
	defer pan.Clear()
	if err := pan.Set(digits); err != nil || !pan.Luhn() {
		return changed{}, fmt.Errorf("%s: not a card number with a right check digit", nameOfSource(c.PANFile))
	}
	o := &issuer.Opening{Shown: pan.Truncated(), ServiceCode: c.ServiceCode, State: issuer.CardState(c.State), Canary: c.Canary}
	if o.Card, err = e.module.HashPAN(pan); err != nil {
		return changed{}, err
	}
	if c.PINAlone {
		return e.changePIN(ctx, pan, o, c, actors)
	}
	expiry, err := strconv.ParseUint(c.Expiry, 10, 16)
	if err != nil || len(c.Expiry) != 4 || expiry%100 < 1 || expiry%100 > 12 {
		return changed{}, errors.New("expiry: want YYMM")
	}
	o.Expiry = uint16(expiry)
	if o.Balance, err = pos.ParseAmount(c.Balance); err != nil {
		return changed{}, fmt.Errorf("balance: want such as 1000.00: %w", err)
	}
	if c.SaleLimit != "" {
		if o.SaleLimit, err = pos.ParseAmount(c.SaleLimit); err != nil {
			return changed{}, fmt.Errorf("sale limit: %w", err)
		}
	}
	if c.NoPINLimit != "" {
		if o.NoPINLimit, err = pos.ParseAmount(c.NoPINLimit); err != nil {
			return changed{}, fmt.Errorf("no-pin limit: %w", err)
		}
	}
	if err := e.setPIN(ctx, o, pan, c); err != nil {
		return changed{}, e.pinRefused(ctx, actors, err)
	}
	return changed{What: "card " + o.Shown.String()}, e.enter(ctx, registration{Kind: "card", ID: o.Shown.String()}, actors, o)
}
