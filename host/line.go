package host

import (
	"errors"
	"time"

	"touchstone/admission"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/transaction"
)

// Line is the transaction line of one host. Its fields are set once, before the first Begin.
type Line struct {
	Dialect  *iso8583.Dialect
	Ledger   Ledger
	Prover   Prover
	Sealer   Sealer
	Hasher   PANHasher
	Vault    issuer.Vault
	Keys     keys.Module
	Policy   *proof.Policy
	Clock    func() pos.Instant // never runs backwards while the process lives
	Zone     *time.Location     // of DE12 and DE13; Asia/Shanghai unless configured
	Acquirer string             // DE32, up to 11 digits
	Issuer   string             // DE44, up to 11 characters
	Test     bool               // a test data directory
	Versions Versions           // nil: no releases, and nobody is told
	Causes   Diagnoser          // seeks what is behind a refusal, after its answer; nil is nobody
	Samples  Sampler            // lent messages after their answers; nil is nobody
	Watch    Watcher            // told of every finished message; nil is nobody
	Trace    Tracer             // given some messages with their instants; nil is nobody
	Gate     *admission.Gate    // nil lets everything in
	Flood    *admission.Flood   // nil journals every refusal
}

// maxTries is how often a message is judged again because its terminal changed meanwhile.
const maxTries = 64

// Peer is where a message came from.
type Peer struct {
	Conn        uint64
	Address     pos.Address
	Certificate [32]byte // SHA-256 of its TLS certificate, zero without
	Secure      bool     // over TLS
	TLS13       bool     // of version 1.3
}

// Begin judges one frame as ReadFrame gave it (in x.Buffer) and enqueues its journal entry. x.Done is
// called when the entry is durable, or will never be; then Finish.
func (l *Line) Begin(frame []byte, peer Peer, x *Exchange) {
	x.reset(l.Clock(), peer)
	x.size, x.sampled = len(frame), l.Trace != nil && l.Trace.Sample()
	if l.Samples != nil && l.Samples.Pick(x.arrived) {
		x.measure(x.arrived)
	}
	switch err := l.Dialect.Parse(&x.msg, frame); {
	case err == nil:
		x.claim()
		x.laps.Mark(proof.Step(proof.Parse))
		if x.shut { // not a request: the verdict stands
			l.commit(x)
			return
		}
		if l.admit(x) {
			l.judge(x)
		}
	case errors.Is(err, iso8583.ErrEnvelope), errors.Is(err, iso8583.ErrFrameLength):
		x.verdict, x.shut = proof.RefuseFrame(false), true
		l.commit(x)
	default:
		x.salvage(frame, err)
		x.laps.Mark(proof.Step(proof.Parse))
		l.commit(x)
	}
}

// RefuseFrame records bytes that are no frame; the connection is then closed without an answer.
func (l *Line) RefuseFrame(peer Peer, x *Exchange) {
	x.reset(l.Clock(), peer)
	x.verdict, x.shut = proof.RefuseFrame(false), true
	l.commit(x)
}

func (x *Exchange) reset(now pos.Instant, peer Peer) {
	x.pan.Clear()
	x.Request = proof.Request{Conn: peer.Conn, Source: peer.Address, Certificate: peer.Certificate, Secure: peer.Secure, TLS13: peer.TLS13, PAN: x.pan}
	x.Snapshot = proof.Snapshot{}
	x.evidence, x.verdict, x.ask, x.card, x.question = proof.Evidence{}, proof.Verdict{}, issuer.Ask{}, proof.CardView{}, issuer.PINQuestion{}
	x.entry, x.receipt, x.arrived = journal.Exchange{}, journal.Receipt{}, now
	x.de62, x.shut, x.salvaged, x.failed, x.suppressed = nil, false, false, pos.ResponseCode{}, false
	x.msg.Reset()
	x.traced, x.sampled, x.laps = Traced{}, false, nil
}

// judge proves, decides and commits; again when the terminal changed in between.
func (l *Line) judge(x *Exchange) {
	if flawLate != 0 && x.Request.Op == transaction.BalanceInquiry { // only with the build tag flaw
		time.Sleep(flawLate)
	}
	for range maxTries {
		if err := l.Ledger.Gather(&x.Request, x.arrived, &x.Snapshot); err != nil {
			x.fail(reason.JournalUnavailable)
			return
		}
		x.laps.Mark(proof.Gathered)
		if err := l.prove(x); err != nil {
			x.fail(reason.JournalUnavailable)
			return
		}
		if err := l.prepare(x); err != nil {
			x.fail(reason.ModuleUnavailable)
			return
		}
		if l.spared(x) {
			return
		}
		switch err := l.enqueue(x); {
		case err == nil:
			return
		case errors.Is(err, ErrConflict):
			continue
		case errors.Is(err, journal.ErrQueueFull):
			x.overloaded(admission.Queue)
		case errors.Is(err, journal.ErrStopped):
			x.hangUp()
		default:
			x.fail(reason.JournalUnavailable)
		}
		return
	}
	x.overloaded(admission.Contest)
}

// commit records a verdict that needs no terminal.
func (l *Line) commit(x *Exchange) {
	if !l.admit(x) || l.spared(x) {
		return
	}
	switch err := l.enqueue(x); {
	case err == nil:
	case errors.Is(err, journal.ErrQueueFull):
		x.overloaded(admission.Queue)
	case errors.Is(err, journal.ErrStopped):
		x.hangUp()
	default:
		x.fail(reason.JournalUnavailable)
	}
}

// hangUp ends the connection without an answer. After the journal failed a message may be the repeat of
// one that reached the disk: the next start will know, and a refusal now would have been a lie.
func (x *Exchange) hangUp() {
	x.shut = true
	x.leave(false)
	x.Done(x)
}

// enqueue commits x. Whoever is last calls Done: the journal when the entry is durable, or this when the
// ledger has folded it.
func (l *Line) enqueue(x *Exchange) error {
	x.users.Store(2)
	err := l.Ledger.Commit(x)
	if err == nil {
		x.release()
	}
	return err
}

// fail answers 96 without any effect and without a journal entry: refused before anything happened. What
// may be the repeat of a message that was approved is closed instead: 96 would be a lie.
func (x *Exchange) fail(r reason.Reason) {
	x.failed, x.why = r.DE39(), r
	x.shut = x.shut || x.maybeRepeat()
	x.leave(false)
	x.Done(x)
}

// maybeRepeat tells whether the message's trace was used before in this batch. It is one look into memory,
// also for a message that was not gathered.
func (x *Exchange) maybeRepeat() bool {
	if _, uses := transaction.ClassOf(x.Request.MTI); !uses || x.salvaged {
		return false
	}
	if x.Snapshot.Terminal == nil && x.line.Ledger.Gather(&x.Request, x.arrived, &x.Snapshot) != nil {
		return true // it cannot be told
	}
	return x.Snapshot.Money.Seen || x.Snapshot.Money.HasPrior
}

// prove asks the module once, decides, and tells which application the device runs. Its error is that of the ledger,
// which could not read what must be known.
func (l *Line) prove(x *Exchange) error {
	err := l.decide(x)
	if err == nil {
		l.tellVersion(x)
	}
	return err
}

// decide is prove without telling anybody.
func (l *Line) decide(x *Exchange) error {
	r, s := &x.Request, &x.Snapshot
	r.Card, r.Shown, r.Print = pos.PANHash{}, pos.TruncatedPAN{}, [16]byte{} // of an earlier round
	if l.Versions != nil {
		s.Released = l.Versions.Released()
	}
	x.claims.MAB, x.claims.PAN, x.claims.Laps = x.msg.MAB(), x.pan, x.laps
	x.claims.Track, x.claims.TrackDigits = x.msg.Raw(35), x.msg.Len(35)
	proof.Prepare(l.Policy, r, s, x.arrived, &x.claims)
	if r.Need == proof.TamperReport {
		x.claims.FactorTail = x.stanDigits()
	}
	x.evidence = proof.Evidence{}
	x.laps.Mark(proof.Asked)
	x.mark(&x.traced.Asked)
	l.Prover.Prove(&x.claims, &x.evidence)
	x.mark(&x.traced.Proved)
	if x.evidence.MAC == proof.Passed {
		if err := l.hash(x); err != nil {
			x.evidence.MAC, x.evidence.Err = proof.Unavailable, err
		}
		x.laps.Mark(proof.Hashed)
	}
	if s.Money.Missing && x.evidence.MAC == proof.Passed {
		if err := l.Ledger.Recall(r, s); err != nil {
			return err
		}
		x.laps.Mark(proof.Gathered)
	}
	x.verdict = proof.Decide(l.Policy, r, s, &x.claims, &x.evidence, x.arrived)
	return nil
}

// tellVersion tells which application a device runs, when the device proved who it is: under a right MAC, with
// its serial number and, where it has a key for that, the number's cipher.
func (l *Line) tellVersion(x *Exchange) {
	r, dev := &x.Request, x.Snapshot.Device
	if l.Versions == nil || dev == nil || x.Snapshot.Terminal.Canary || !r.HasA2 || !r.HasApp || x.evidence.MAC != proof.Passed {
		return
	}
	proven := len(dev.Key) == 0 || x.evidence.Serial == proof.Passed
	if proven && string(r.SerialText()) == string(dev.Serial) && proof.KnownApp(r, dev, x.Snapshot.Released) {
		l.Versions.Presented(dev, r.Application(), x.arrived)
	}
}

// hash makes what the journal keeps of a card and of the request's bytes; only after the MAC verified.
func (l *Line) hash(x *Exchange) (err error) {
	r := &x.Request
	if r.Print, err = l.Hasher.Fingerprint(x.msg.Bytes()); err != nil {
		return err
	}
	if x.pan.Len() == 0 {
		return nil
	}
	if x.claims.TrackSealed && x.evidence.Track == proof.Passed {
		if r.Expiry == 0 {
			r.Expiry = x.evidence.Expiry
		}
		r.Service = x.evidence.ServiceCode
	}
	r.Shown = x.pan.Truncated()
	r.Card, err = l.Hasher.HashPAN(x.pan)
	return err
}

// prepare does what needs the module after the decision and before the commit: the PIN, or new keys.
func (l *Line) prepare(x *Exchange) error {
	x.ask.PIN = issuer.NoPIN
	if x.verdict.Refused() && x.verdict.Reason != reason.None || x.verdict.Repeat {
		return nil
	}
	switch {
	case x.Request.Need == proof.SignIn:
		return l.issue(x)
	case x.Request.Need == proof.Financial && x.Request.HasPIN():
		l.verifyPIN(x)
	}
	return nil
}

func (l *Line) verifyPIN(x *Exchange) {
	x.card = l.Ledger.CardView(x.Request.Card)
	x.question = issuer.PINQuestion{
		Terminal: x.Request.Terminal, Set: x.claims.Sets[x.verdict.Set], Form: x.Request.PINForm(),
		Block: x.pinBlock(), PAN: x.pan, Verifier: x.card.Verifier,
	}
	x.ask.PIN = l.Vault.VerifyPIN(&x.question)
	x.laps.Mark(proof.Step(proof.PIN))
}

// issue draws working keys; they are in force for nobody before the entry is durable and a message
// verifies under them.
func (l *Line) issue(x *Exchange) error {
	t := x.Snapshot.Terminal
	set, de62, err := l.Keys.IssueSet(background, t.ID, t.Master, t.Profile.SignInCode, t.Profile.MAC.LongMAK())
	switch {
	case errors.Is(err, keys.ErrOwner), errors.Is(err, keys.ErrUsage), errors.Is(err, keys.ErrWrapped):
		x.verdict = proof.RefuseKeys(x.verdict)
		return nil
	case err != nil:
		return err
	}
	x.wrapped, x.de62 = set, append(x.de62Room[:0], de62...)
	x.laps.Mark(proof.Issued)
	return nil
}
