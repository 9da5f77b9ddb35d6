package proof

import (
	"errors"
	"math"

	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// Decide judges every proof of a message that was parsed, in the order of the checks, and stops at the
// first that fails. c and e are what the module was asked and what it said. A verdict that is not
// refused still needs Conclude.
func Decide(p *Policy, r *Request, s *Snapshot, c *Claims, e *Evidence, now pos.Instant) (v Verdict) {
	v.Set, v.laps = -1, c.Laps
	v.pass(Frame)
	d := &decision{p, r, s, c, e, now, &v}
	stages := [...]func() bool{d.form, d.identity, d.network, d.place, d.permit, d.session, d.mac, d.repeat, d.serial, d.track, d.cardholder, d.inPerson, d.effective}
	for _, stage := range stages {
		if !stage() || v.Repeat {
			return v
		}
		if flaw == Identity && s.Terminal == nil && v.Checks.Of(Identity) == Passed {
			break // only with the build tag flaw: nothing more can be asked of a terminal that is not known
		}
	}
	v.decided = true // the proofs held; DE39 is Conclude's
	return v
}

type decision struct {
	p   *Policy
	r   *Request
	s   *Snapshot
	c   *Claims
	e   *Evidence
	now pos.Instant
	v   *Verdict
}

// form: the elements fit each other and the function is served.
func (d *decision) form() bool {
	if d.r.Need == Unserved {
		d.v.pass(Parse)
		return d.v.fail(Function, reason.FunctionUnsupported)
	}
	if d.r.Malformed || d.r.BadDE59 {
		return d.v.fail(Parse, reason.MessageMalformed)
	}
	d.v.pass(Parse)
	d.v.pass(Function)
	return true
}

// identity: terminal and merchant are known, belong together with the device, and are in use.
func (d *decision) identity() bool {
	s, v := d.s, d.v
	if s.Terminal == nil {
		return v.fail(Identity, reason.TerminalUnknown)
	}
	if s.Merchant == nil {
		return v.fail(Identity, reason.MerchantUnknown)
	}
	v.pass(Identity)
	switch {
	case s.Terminal.Merchant != d.r.Merchant:
		v.details.note(Binding, textOf(d.r.Merchant[:]), textOf(s.Terminal.Merchant[:]))
		return v.fail(Binding, reason.BindingMismatch)
	case s.Merchant.Suspended:
		return v.fail(Binding, reason.MerchantSuspended)
	case s.Terminal.Suspended:
		return v.fail(Binding, reason.TerminalSuspended)
	case s.Device == nil:
		return v.fail(Binding, reason.DeviceUnknown)
	case s.Device.State == registry.TamperedBy:
		return v.fail(Binding, reason.DeviceTampered)
	case s.Device.State != registry.Active:
		return v.fail(Binding, reason.DeviceSuspended)
	case s.Suspected && d.p.RefuseClones && !s.Terminal.Canary:
		v.details.note(Binding, textOf([]byte("two devices are suspected")), textOf([]byte("one device, as a visit finds")))
		return v.fail(Binding, reason.CloneSuspected)
	}
	v.pass(Binding)
	return true
}

// network: the source address and, where one is registered, the device certificate.
func (d *decision) network() bool {
	matched, anywhere, ok := registry.Allowed(d.s.Terminal, d.s.Merchant, d.r.Source)
	if !ok || anywhere && d.p.RequireNetwork && !d.s.Terminal.Canary {
		d.v.details.note(Network, value{}, textOf([]byte("a registered network")))
		return d.v.fail(Network, reason.NetworkNotAllowed)
	}
	d.v.details.note(Network, value{}, network(matched, anywhere))
	d.v.pass(Network)
	return d.certificate()
}

// certificate: a device with a registered certificate is heard on no other connection than one that proved
// to hold it; a connection that proved another device's speaks for that device alone.
func (d *decision) certificate() bool {
	device, given := d.s.Device, d.r.Certificate != [32]byte{}
	want := device.Certificate
	if d.p.RequireTLS && !d.r.Secure && !d.s.Terminal.Canary {
		d.v.details.note(DeviceCertificate, textOf([]byte("plain TCP")), textOf([]byte("TLS")))
		return d.v.fail(DeviceCertificate, reason.TransportRefused)
	}
	if want == "" && !given {
		return true
	}
	if want != "" && !d.r.Secure {
		d.v.details.note(DeviceCertificate, textOf([]byte("plain TCP")), textOf([]byte("TLS")))
		return d.v.fail(DeviceCertificate, reason.TransportRefused)
	}
	presented := hexOf(d.r.Certificate)
	if want == "" || !device.MayPresent(presented, d.now) {
		d.v.details.note(DeviceCertificate, textOf([]byte(presented[:16])), textOf([]byte(want)[:min(16, len(want))]))
		return d.v.fail(DeviceCertificate, reason.DeviceCertificateMismatch)
	}
	d.v.pass(DeviceCertificate)
	return true
}

// place: A5 against the registered circle and its own uncertainty.
func (d *decision) place() bool {
	area := d.s.Terminal.Place
	if d.r.BadPlace && area != nil && (area.Refuse || d.p.RefusePlace) {
		return d.v.fail(Place, reason.LocationOutside) // what cannot be read is never inside
	}
	if !d.r.HasPlace || area == nil {
		return true
	}
	d.v.details.note(Place, place(d.r.Latitude, d.r.Longitude), circle(area.Latitude, area.Longitude, area.Metres))
	if metres(d.r.Latitude, d.r.Longitude, area.Latitude, area.Longitude) <= float64(area.Metres)+float64(d.p.PlaceMetres) {
		d.v.pass(Place)
		return true
	}
	if area.Refuse || d.p.RefusePlace {
		return d.v.fail(Place, reason.LocationOutside)
	}
	d.v.Outside = true
	return true
}

// metres is the great-circle distance (haversine) of two points in micro-degrees, Earth radius 6,371,009 m.
func metres(lat1, lon1, lat2, lon2 int32) float64 {
	rad := func(micro int32) float64 { return float64(micro) / 1e6 * math.Pi / 180 }
	sinLat := math.Sin((rad(lat2) - rad(lat1)) / 2)
	sinLon := math.Sin((rad(lon2) - rad(lon1)) / 2)
	h := sinLat*sinLat + math.Cos(rad(lat1))*math.Cos(rad(lat2))*sinLon*sinLon
	return 2 * 6371009 * math.Asin(math.Min(1, math.Sqrt(h)))
}

// session: signed in, the open batch, the algorithm of the keys; for a sign-in, its code and rate.
func (d *decision) session() bool {
	switch d.r.Need {
	case SignIn:
		return d.signIn()
	case Financial, Settlement:
	default:
		return true
	}
	v, s := d.v, d.s
	if d.c.Sets[0] == nil {
		return v.fail(SignedIn, reason.NotSignedIn)
	}
	v.details.note(SignedIn, instant(d.c.Sets[0].Issued), value{})
	v.pass(SignedIn)
	if r := d.r; r.MTI != 0x0400 {
		settledNow := r.Need == Settlement && r.Batch == s.Money.LastBatch
		if !r.HasBatch || (r.Batch != s.Money.Batch && !settledNow) {
			v.details.note(Batch, six(uint32(r.Batch)), six(uint32(s.Money.Batch)))
			return v.fail(Batch, reason.BatchMismatch)
		}
		v.pass(Batch)
	}
	if d.r.Need == Settlement {
		return d.settlement()
	}
	if !d.r.HasSecurity || string(d.r.Security[:3]) == "000" {
		return true // nothing is stated, so nothing passes; a PIN is looked at only after the MAC (9A.16)
	}
	if !d.algorithm() {
		v.details.note(KeyAlgorithm, textOf(d.r.Security[:]), textOf([]byte(keys.CipherOf(d.c.Sets[0].Code).String())))
		return v.fail(KeyAlgorithm, reason.KeyAlgorithmMismatch)
	}
	v.details.note(KeyAlgorithm, textOf(d.r.Security[:3]), textOf([]byte(keys.CipherOf(d.c.Sets[0].Code).String())))
	v.pass(KeyAlgorithm)
	return true
}

// settlement carries no MAC (4.4), so it is believed only from the address from which a message of
// this terminal last verified in this batch; a batch with nothing in it has nothing to lose.
func (d *decision) settlement() bool {
	if !d.s.Money.Empty && d.s.Money.HeardFrom != d.r.Source && d.r.Batch == d.s.Money.Batch {
		d.v.details.note(PolicyCheck, textOf([]byte(d.r.Source.String())), textOf([]byte(d.s.Money.HeardFrom.String())))
		return d.v.fail(PolicyCheck, reason.NetworkNotAllowed)
	}
	return true
}

// algorithm compares digit 2 of DE53 with the cipher of the keys; 5.1, 8.1.
func (d *decision) algorithm() bool {
	digits := d.r.Security[:]
	switch keys.CipherOf(d.c.Sets[0].Code) {
	case keys.DES:
		return digits[1] == '0'
	case keys.TDES:
		return digits[1] == '6'
	case keys.SM4:
		return digits[1] == '3'
	}
	return false
}

func (d *decision) signIn() bool {
	v, t := d.v, d.s.Terminal
	if who := d.s.Cashiers[0]; who != nil && !who.Permit.SignIn() {
		return d.forbidden(PolicyCheck, who, who.Permit.String())
	}
	switch {
	case d.r.NetCode != t.Profile.SignInCode:
		v.details.note(PolicyCheck, textOf([]byte(d.r.NetCode.String())), textOf([]byte(t.Profile.SignInCode.String())))
		return v.fail(PolicyCheck, reason.SignInCodeRefused)
	case t.Profile.SignInCode == keys.SignInDES && !d.p.AllowSingleDES:
		return v.fail(MACGrade, reason.MACGradeRefused)
	case len(t.Master) == 0:
		return v.fail(SignedIn, reason.KeyAbsent)
	case d.s.RateLimited:
		return v.fail(PolicyCheck, reason.RateLimited)
	}
	if d.r.HasTail && !tailMatches(d.r, d.s.Device) {
		v.details.note(Serial, textOf(d.r.Tail[:]), textOf([]byte(d.s.Device.Serial)))
		if d.p.RefuseTail {
			return v.fail(Serial, reason.SerialMismatch)
		}
	}
	v.pass(PolicyCheck)
	return true
}

// tailMatches: licence digits without the letter and the last 8 characters of the serial, left-padded
// with 0; 9A.11.
func tailMatches(r *Request, dev *registry.Device) bool {
	serial, want := string(dev.Serial), ""
	if len(serial) > 8 {
		serial = serial[len(serial)-8:]
	}
	for range 8 - len(serial) {
		want += "0"
	}
	want += serial
	return string(r.Tail[:]) == want && len(dev.Licence) == 5 && string(r.Licence[:]) == dev.Licence[1:]
}

// mac: present where required, right, and of a grade the policy accepts.
func (d *decision) mac() bool {
	v, e := d.v, d.e
	if !needsMAC(d.r) && !(d.r.Need == TamperReport && d.r.HasMAC) {
		return true
	}
	if !d.r.HasMAC {
		return v.fail(MAC, reason.MACMissing)
	}
	if d.c.Sets[0] == nil { // a tamper report of a terminal that is not signed in
		return v.fail(SignedIn, reason.NotSignedIn)
	}
	if e.MAC == Failed {
		v.details.note(MAC, textOf(d.r.DE64[:]), keyOf(d.c.Sets[0].Number, d.c.Algorithms[0], len(d.c.MAB)))
		return v.fail(MAC, reason.MACFailed)
	}
	if e.MAC != Passed || uint(e.Used) >= uint(len(d.c.Sets)) || d.c.Sets[e.Used] == nil {
		return v.fail(MAC, keyTrouble(e.Err))
	}
	set, algorithm := d.c.Sets[e.Used], d.c.Algorithms[e.Used]
	v.details.note(MAC, textOf(d.r.DE64[:]), keyOf(set.Number, algorithm, len(d.c.MAB)))
	v.MACVerified, v.Set, v.Promote = true, e.Used, set.Number == d.s.Session.Pending.Number
	v.pass(MAC)
	grade := algorithm.Grade()
	v.details.note(MACGrade, textOf([]byte(grade.Strength.String())), value{})
	singleDES := set.Code == keys.SignInDES
	weakRefused := d.p.RefuseWeakMAC || d.s.Terminal.Profile.MACStrong
	if d.p.RefuseMAC.Refuses(algorithm) {
		v.details.note(MACGrade, textOf([]byte(algorithm.String()+", "+grade.Why.String())), textOf([]byte("not "+d.p.RefuseMAC.String())))
		return v.fail(MACGrade, reason.MACGradeRefused)
	}
	if (singleDES && !d.p.AllowSingleDES) || (weakRefused && grade.Strength != mac.Strong) {
		return v.fail(MACGrade, reason.MACGradeRefused)
	}
	v.pass(MACGrade)
	return true
}

func keyTrouble(err error) reason.Reason {
	if errors.Is(err, keys.ErrOwner) || errors.Is(err, keys.ErrUsage) || errors.Is(err, keys.ErrWrapped) {
		return reason.KeyAbsent
	}
	return reason.ModuleUnavailable
}

// repeat: 9A.1 and 9A.4.
func (d *decision) repeat() bool {
	v, m := d.v, &d.s.Money
	if _, uses := transaction.ClassOf(d.r.MTI); !uses {
		return true
	}
	if !m.HasPrior {
		if m.Seen || m.Full {
			return v.fail(Replay, reason.DuplicateTrace)
		}
		v.pass(Replay)
		return true
	}
	v.details.note(Replay, value{}, entryOf(m.Prior.Seq))
	switch {
	case m.Prior.State == transaction.Grave:
		return v.fail(Replay, reason.ReversedBeforeArrival)
	case m.Prior.Print != d.r.Print || m.Prior.Merchant != d.r.Merchant:
		return v.fail(Replay, reason.DuplicateTrace)
	case !Repeatable(d.p, &m.Prior, d.now):
		return v.fail(Replay, reason.Replayed)
	}
	v.pass(Replay)
	v.Repeat, v.decided, v.DE39 = true, true, m.Prior.DE39
	return true
}

// Repeatable tells whether a recorded answer may be given again; 9A.1.
func Repeatable(p *Policy, prior *transaction.Record, now pos.Instant) bool {
	untouched := (prior.State == transaction.Refused || prior.State == transaction.Standing) && prior.Refunded == 0
	return untouched && now.Sub(prior.At) <= p.RepeatWindow
}

// serial: A2 against the device bound to this terminal; 6.1, 9A.22.
func (d *decision) serial() bool {
	v, r, dev := d.v, d.r, d.s.Device
	if r.Need != Financial && r.Need != TamperReport {
		return true // unauthenticated: nothing is said about a serial number (9A.16)
	}
	required := needsSerial(r, dev)
	if !r.HasA2 {
		if required || d.r.Need == TamperReport && !d.v.MACVerified {
			return v.fail(Serial, reason.SerialMissing)
		}
		return true
	}
	keyed := len(dev.Key) > 0
	if string(r.SerialText()) != string(dev.Serial) {
		v.details.note(Serial, textOf(r.SerialText()), textOf([]byte(dev.Serial)))
		return v.fail(Serial, reason.SerialMismatch)
	}
	v.details.note(Serial, textOf(r.SerialText()), value{})
	switch {
	case string(r.DeviceType[:]) != dev.DeviceType:
		return v.fail(Serial, reason.DeviceTypeMismatch)
	case !KnownApp(r, dev, d.s.Released):
		return v.fail(Serial, reason.AppVersionUnknown)
	case !keyed && d.r.Need == TamperReport && !d.v.MACVerified:
		return v.fail(Serial, reason.SerialMissing)
	case !keyed:
		v.pass(Serial)
		return true
	case !r.HasCipher || !r.HasFactor:
		return v.fail(Serial, reason.SerialMissing)
	case d.e.Serial == Failed:
		v.details.note(Serial, textOf(withCipher(r)), value{})
		return v.fail(Serial, reason.SerialProofFailed)
	case d.e.Serial != Passed:
		return v.fail(Serial, keyTrouble(d.e.Err))
	case d.e.Factor == Failed:
		return v.fail(Serial, reason.SerialFactorMismatch)
	case d.e.Factor == NotRun && r.HasTrack2 && r.TrackSealed && d.e.Track != Passed:
		return true // the card's name is in a track that did not open: the track decides
	case d.e.Factor != Passed:
		return v.fail(Serial, keyTrouble(d.e.Err))
	}
	v.pass(Serial)
	return true
}

// withCipher is the serial number as presented and the start of its ciphertext, which was wrong: enough to find it in a
// capture by. A ciphertext that is no text, or a number that leaves no room, is left out.
func withCipher(r *Request) []byte {
	const word, shown, more = " cipher ", 4, "..."
	serial := r.SerialText()
	for _, c := range r.Cipher[:shown] {
		if c <= ' ' || c > '~' {
			return serial
		}
	}
	if len(serial)+len(word)+shown+len(more) > maxText {
		return serial
	}
	text := append(append(make([]byte, 0, maxText), serial...), word...)
	return append(append(text, r.Cipher[:shown]...), more...)
}

// KnownApp tells whether a device may present the application version of A2: one that it was registered with,
// where it was registered with any, or one that its model has a release of. Which of them are good is the
// permit's to say.
func KnownApp(r *Request, dev *registry.Device, released registry.Released) bool {
	if len(dev.AppVersions) == 0 {
		return true
	}
	app := r.Application()
	for _, known := range dev.AppVersions {
		if string(app) == known {
			return true
		}
	}
	return released.Has(dev.Model, app)
}

// track: clear or sealed, readable, and of the card in DE2; 5.3, 9A.23.
func (d *decision) track() bool {
	v, r, e := d.v, d.r, d.e
	if !r.HasTrack2 || r.Need != Financial {
		return true // of an unauthenticated message nothing is said about a track
	}
	if !r.TrackSealed {
		switch {
		case r.TrackBad, d.s.Terminal.Profile.TrackSecret, !d.p.AllowTrackClear && keys.HasTrackKey(d.s.Terminal.Profile.SignInCode):
			return v.fail(Track, reason.TrackDecryptFailed)
		case r.TrackOther:
			return v.fail(Track, reason.TrackPANMismatch)
		}
		v.pass(Track)
		return true
	}
	switch {
	case e.Track == Failed:
		return v.fail(Track, reason.TrackDecryptFailed)
	case e.Track != Passed:
		return v.fail(Track, keyTrouble(e.Err))
	case e.TrackPAN == Failed:
		return v.fail(Track, reason.TrackPANMismatch)
	case r.HasPAN && e.TrackPAN != Passed:
		return v.fail(Track, keyTrouble(e.Err))
	}
	v.pass(Track)
	return true
}

// cardholder: the elements of PIN and chip agree with each other, on 0100 and 0200 only; 2.1, 9A.21.
func (d *decision) cardholder() bool {
	v, r := d.v, d.r
	if r.Need != Financial || r.Op == transaction.Reversal {
		return true
	}
	if r.MTI == 0x0200 && (r.Op == transaction.Sale || r.Op == transaction.BalanceInquiry || r.HasEntry) {
		entered := r.EntryMode%10 == 1
		switch {
		case entered && !r.HasPIN():
			return v.fail(PIN, reason.PINMissing)
		case r.HasPIN() && (!entered || !r.HasCapture || !r.HasSecurity || r.Security[0] == '0'):
			return v.fail(PIN, reason.PINUnexpected)
		}
	}
	if r.Op == transaction.Void && d.s.Terminal.Profile.VoidNeedsPIN && !r.HasPIN() { // 9A.25
		return v.fail(PIN, reason.PINMissing)
	}
	if r.HasPIN() && !d.pinForm() {
		return v.fail(PIN, reason.PINFormat)
	}
	if r.Chip() && r.Op == transaction.Sale && !r.HasChipData {
		return v.fail(EMVConsistency, reason.EMVMissing)
	}
	return true
}

// pinForm: the form of the PIN fits the cipher and the profile; 9A.21.
func (d *decision) pinForm() bool {
	sm4 := keys.CipherOf(d.c.Sets[d.v.Set].Code) == keys.SM4
	switch d.r.PINForm() {
	case issuer.PINSM4:
		return sm4 && !d.r.HasPINBlock && d.r.HasSecurity && d.r.Security[0] == '2'
	case issuer.PINWithoutPAN:
		return !sm4 && d.s.Terminal.Profile.PINWithout
	case issuer.PINFormat0:
		return !sm4 && d.r.HasSecurity && d.r.Security[0] == '2'
	}
	return false
}

const hexDigits = "0123456789abcdef"

func hexOf(b [32]byte) string {
	out := make([]byte, 64)
	for i, c := range b {
		out[2*i], out[2*i+1] = hexDigits[c>>4], hexDigits[c&15]
	}
	return string(out)
}
