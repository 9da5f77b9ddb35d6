package check

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"touchstone/paycrypto"
	"touchstone/pos"
)

// question is a number and what somebody has of its screen: the codes that were typed, or the proof that was scanned.
type question struct {
	serial pos.Serial
	codes  []Code
	signed *paycrypto.CheckProof
}

// answered is what a page shows of a terminal.
type answered struct {
	Answer Answer
	Why    Why
	Serial pos.Serial
	Place  *Place // of a terminal that proved itself
	At     time.Time
	Two    bool   // two in a row are asked for
	Proof  string // what was scanned, for the question after this one; "" where a code was typed
}

func (p *Pages) mountTerminal() {
	p.get("/t", p.terminalForm)
	p.get("/t/{serial}", p.terminalForm)
	p.post("/t", p.checkTerminal)
	p.get("/p/{serial}/{proof}", p.scanned)
}

// terminalForm asks for the code. The number of a QR code is shown to be compared with the label, and looked up
// nowhere: the page is the same for every number.
func (p *Pages) terminalForm(w http.ResponseWriter, r *http.Request) {
	q, err := query(r, "serial")
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	typed := r.PathValue("serial") + q.Get("serial")
	v := view{Title: two(r, "Is this the registered terminal?", "这是已登记的终端吗?")}
	a := answered{At: p.Clock()}
	if typed != "" {
		if a.Serial, err = parseSerial(typed); err != nil {
			v.Wrong = two(r, "That is no serial number. Type it as it stands on the label of the terminal.", "这不是序列号。请按终端标签上的内容输入。")
		}
	}
	a.Two = a.Serial != "" && p.limits.devices.guarded(string(a.Serial), p.Clock())
	v.Data = a
	p.show(w, r, http.StatusOK, "terminal", v)
}

// checkTerminal answers. Everything up to the answer takes the same way for every number.
func (p *Pages) checkTerminal(w http.ResponseWriter, r *http.Request) {
	f, err := form(r, "serial", "code", "next", "proof")
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	v := view{Title: two(r, "Is this the registered terminal?", "这是已登记的终端吗?")}
	q, wrong := read(f.Get("serial"), f.Get("code"), f.Get("next"), f.Get("proof"))
	if wrong != nil {
		v.Wrong = wrongText(r, wrong)
		v.Data = answered{Serial: q.serial, At: p.Clock(), Two: q.serial != "" && p.limits.devices.guarded(string(q.serial), p.Clock())}
		p.show(w, r, http.StatusUnprocessableEntity, "terminal", v)
		return
	}
	a, ok := p.askTerminal(r, q)
	if !ok {
		tooMany(w)
		return
	}
	v.Data = a
	name := "answer"
	if a.Why == WhyAskCode || a.Why == WhyTwoCodes {
		name = "terminal"
	}
	p.show(w, r, http.StatusOK, name, v)
}

// scanned answers whoever scanned the QR code of a screen: its address is the whole question. That it can be read in an
// address, unlike a code, costs nothing: it is shown to everybody, is over after its minute, and opens nothing.
func (p *Pages) scanned(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	serial, err := parseSerial(r.PathValue("serial"))
	proof, wrong := paycrypto.ParseCheckProof(r.PathValue("proof"))
	if err != nil || wrong != nil {
		p.refused(w, r, http.StatusNotFound, "")
		return
	}
	a, ok := p.askTerminal(r, question{serial: serial, signed: &proof})
	if !ok {
		tooMany(w)
		return
	}
	p.show(w, r, http.StatusOK, "answer", view{Title: two(r, "Is this the registered terminal?", "这是已登记的终端吗?"), Data: a})
}

// askTerminal is the answer of page and JSON interface. ok is false where this address has guessed too often.
func (p *Pages) askTerminal(r *http.Request, q question) (a answered, ok bool) {
	a = answered{Serial: q.serial, At: p.Clock()}
	if q.signed != nil {
		a.Proof = q.signed.String()
	}
	proven, ok := p.prove(r, q)
	if !ok {
		return answered{}, false
	}
	if proven == rightCode {
		place, err := p.Devices.Place(r.Context(), q.serial)
		if err != nil {
			p.Log.Error("the place of a proven terminal is not known", slog.String("error", err.Error()))
		} else {
			a.Place = &place
		}
	}
	a.Answer, a.Why = judgeTerminal(proven, a.Place)
	a.Two = a.Why == WhyTwoCodes
	if a.Answer != Yes {
		a.Place = nil // whose it is, only a yes tells
	}
	return a, true
}

// prove finds out what the codes are worth, and counts those that are worth nothing. An address that guessed too often
// is not heard for a while; a number that was guessed at too often asks for two codes in a row, of which one in some
// 3·10¹⁵ pairs fits, so that nobody's guesses keep another customer from an answer.
func (p *Pages) prove(r *http.Request, q question) (proof, bool) {
	now := p.Clock()
	if len(q.codes) == 0 && q.signed == nil {
		return noCode, true
	}
	who := p.who(r)
	if !p.limits.wrong.Left(who, now) {
		return noProof, false
	}
	if q.signed != nil {
		return p.proveSigned(r, q), true
	}
	if len(q.codes) < 2 && p.limits.devices.guarded(string(q.serial), now) {
		return needTwo, true
	}
	right, err := p.Devices.Prove(context.WithoutCancel(r.Context()), q.serial, q.codes...)
	switch {
	case err != nil:
		p.Log.Error("a check code could not be proven", slog.String("error", err.Error()))
		return noProof, true
	case right:
		return rightCode, true
	}
	p.limits.wrong.Allow(who, now)
	p.limits.devices.wrong(string(q.serial), now)
	return wrongCode, true
}

// proveSigned finds out what a scanned proof is worth. A foreign one is counted by its address alone: a signature is not
// guessed, so nobody makes a number ask for two codes by it.
func (p *Pages) proveSigned(r *http.Request, q question) proof {
	switch fit, err := p.Devices.ProveSigned(context.WithoutCancel(r.Context()), q.serial, *q.signed); {
	case err != nil:
		p.Log.Error("a check proof could not be verified", slog.String("error", err.Error()))
		return noProof
	case fit == Fresh:
		return rightCode
	case fit == Over:
		return overCode
	}
	p.limits.wrong.Allow(p.who(r), p.Clock())
	return wrongCode
}

// read reads what was typed, or scanned before; wrong is errSerial or errCode. A proof and a code at once are wrong: one
// of them would not be looked at.
func read(serial, code, next, scanned string) (q question, wrong error) {
	if q.serial, wrong = parseSerial(serial); wrong != nil {
		return question{}, wrong
	}
	if scanned != "" {
		made, err := paycrypto.ParseCheckProof(scanned)
		if err != nil || code+next != "" {
			return q, errCode
		}
		q.signed = &made
		return q, nil
	}
	for _, typed := range [...]string{code, next} {
		c, given, err := parseCode(typed)
		if err != nil {
			return q, err
		}
		if given {
			q.codes = append(q.codes, c)
		}
	}
	return q, nil
}

func wrongText(r *http.Request, wrong error) string {
	if wrong == errCode {
		return two(r, "A code has 8 digits. Type the one on the terminal's screen.", "核验码为 8 位数字。请输入终端屏幕上显示的核验码。")
	}
	return two(r, "That is no serial number. Type it as it stands on the label of the terminal.", "这不是序列号。请按终端标签上的内容输入。")
}
