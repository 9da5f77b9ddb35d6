package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"touchstone/diagnosis"
	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// The states of a repair.
const (
	repairNothing  = "no_refusal"
	repairWaiting  = "waiting"
	repairSignedIn = "signed_in"
	repairDone     = "repaired"
	repairAgain    = "refused_again"
)

// How many messages after a refusal are looked at: where none of the newest few is a sale, more.
const (
	fewSince  = 8
	mostSince = 100
)

// Repair implements api.Terminals.
func (d *desk) Repair(ctx context.Context, who *web.Caller, name, transaction string) (out api.Repair, err error) {
	p, err := d.permittedNamed(who, name)
	if err != nil {
		return out, err
	}
	id := p.Terminal.ID
	out = api.Repair{Terminal: id.String(), Merchant: p.Terminal.Merchant.String(), State: repairNothing, Steps: []api.RepairStep{}}
	refused, err := d.repaired(ctx, who, id, transaction)
	if err != nil || refused == nil {
		return out, err
	}
	detail, err := d.refusal(ctx, who, refused.Seq)
	if err != nil {
		return out, err
	}
	out.Refusal, out.Cause, out.Remedy = &detail.Transaction, detail.Explained, detail.Remedy
	if err := d.since(ctx, who, id, refused, &out); err != nil {
		return out, err
	}
	if refused.Reason == reason.PermitRefused {
		rights, err := d.present().permitOf(ctx, who, &p)
		if err != nil {
			return out, err
		}
		out.Permit = &rights
	}
	out.Steps = d.repairSteps(who, refused, &out)
	return out, nil
}

// refusal is a refused message with its cause, without what stands around it.
func (d *desk) refusal(ctx context.Context, who *web.Caller, seq uint64) (api.TransactionDetail, error) {
	s, err := d.speaker()
	if err != nil {
		return api.TransactionDetail{}, err
	}
	m, e, err := d.exchange(ctx, who, seq)
	if err == errNoTransaction {
		return api.TransactionDetail{}, api.NotFound()
	}
	if err != nil {
		return api.TransactionDetail{}, err
	}
	return d.judged(ctx, who, s, m, e, 0)
}

// repaired is the refusal to repair: the one that is named, or the newest; nil when the terminal has none.
func (d *desk) repaired(ctx context.Context, who *web.Caller, id pos.TerminalID, transaction string) (*sqlite.Judged, error) {
	if transaction != "" {
		seq, ok := parseTransactionID(transaction)
		if !ok {
			return nil, api.NotFound()
		}
		m, _, err := d.exchange(ctx, who, seq)
		if err == errNoTransaction || err == nil && (m.Terminal != id || m.Reason == reason.None) {
			return nil, api.NotFound()
		}
		return m, err
	}
	found, err := d.messages(ctx, &sqlite.MessageQuery{Terminals: []pos.TerminalID{id}, Refused: true, Most: 1, Match: d.seenBy(who)})
	if err != nil || len(found.List) == 0 {
		return nil, err
	}
	return &found.List[0], nil
}

// seenBy is which messages a caller may see; nil: all.
func (d *desk) seenBy(who *web.Caller) func(uint64, *journal.Exchange) bool {
	if !who.Merchant() {
		return nil
	}
	return func(_ uint64, x *journal.Exchange) bool { return d.owns(who.Shop, x) }
}

// since says what the terminal did after the refusal.
func (d *desk) since(ctx context.Context, who *web.Caller, id pos.TerminalID, refused *sqlite.Judged, out *api.Repair) error {
	list, err := d.sinceThen(ctx, who, id, refused)
	if err != nil {
		return err
	}
	s, err := d.speaker()
	if err != nil {
		return err
	}
	line := func(m *sqlite.Judged) *api.Transaction { t := d.transactionOf(who, s, m, nil); return &t }
	for i := range list { // newest first
		m := &list[i]
		switch {
		case m.Effect == journal.Sold:
			out.Passed = line(m) // the first is the last one seen here
		case m.Reason != reason.None && out.Passed == nil && out.Again == nil:
			out.Again = line(m)
		case m.Effect == journal.KeysIssued && out.SignedIn == nil:
			out.SignedIn = line(m)
		}
	}
	out.State = repairWaiting
	switch {
	case out.Passed != nil && out.Again == nil:
		out.State = repairDone
	case out.Again != nil && (out.SignedIn == nil || out.SignedIn.Entry < out.Again.Entry):
		out.State = repairAgain
	case out.SignedIn != nil:
		out.State = repairSignedIn
	}
	return nil
}

// sinceThen are messages of a terminal after a refusal, newest first. Where a sale passed lately, what counts is how it began and
// how it is now: the first few, the newest few and the newest sign-in, however many came between.
func (d *desk) sinceThen(ctx context.Context, who *web.Caller, id pos.TerminalID, refused *sqlite.Judged) ([]sqlite.Judged, error) {
	q := &sqlite.MessageQuery{Terminals: []pos.TerminalID{id}, After: refused.Seq, Most: fewSince, Match: d.seenBy(who)}
	newest, err := d.messages(ctx, q)
	if err != nil || !newest.More {
		return newest.List, err
	}
	if d.view == nil || !slices.ContainsFunc(newest.List, func(m sqlite.Judged) bool { return m.Effect == journal.Sold }) {
		q.Most = mostSince
		newest, err = d.messages(ctx, q)
		return newest.List, err
	}
	list := newest.List
	oldest := list[len(list)-1].Seq
	take := func(m sqlite.Judged) {
		if m.Seq < oldest && (q.Match == nil || q.Match(m.Seq, &m.Exchange)) {
			list = append(list, m)
		}
	}
	first, err := d.view.MessagesAfter(ctx, id, refused.Seq, fewSince)
	if err != nil {
		return nil, err
	}
	signed, _, err := d.view.SignIns(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(first) > 0 && len(signed) > 0 && signed[0].Seq > first[len(first)-1].Seq && signed[0].Seq < oldest {
		m, _, err := d.exchange(ctx, who, signed[0].Seq)
		if err != nil && err != errNoTransaction {
			return nil, err
		}
		if err == nil {
			take(*m)
		}
	}
	for i := len(first) - 1; i >= 0; i-- {
		take(first[i])
	}
	return list, nil
}

// repairSteps are what the host itself can show or carry out for a refusal. What people do besides is the remedy's.
func (d *desk) repairSteps(who *web.Caller, m *sqlite.Judged, out *api.Repair) (steps []api.RepairStep) {
	add := func(s api.RepairStep) { steps = append(steps, s) }
	signIn := signInStep(out)
	if who.Merchant() {
		if out.Remedy != nil && out.Remedy.MaySign {
			add(signIn)
		} else {
			add(api.RepairStep{Step: "call", What: api.Text{EN: "Call support", ZH: "联系客服"},
				How: api.Text{EN: "This is mended by the acquirer. Have the terminal's number and the time of the sale at hand. Do not try again and again.", ZH: "需由收单机构处理。请准备好终端号和交易时间，不要反复尝试。"}})
		}
		return append(steps, waitStep(out))
	}
	switch m.Reason {
	case reason.SerialMismatch, reason.SerialProofFailed, reason.SerialFactorMismatch, reason.BindingMismatch:
		steps = append(steps, d.deviceSteps(m, out)...)
	case reason.PermitRefused:
		steps = append(steps, permitSteps(m, out)...)
	case reason.CloneSuspected:
		add(api.RepairStep{Step: "clone_clear", Act: "clone_clear", Two: true, Values: map[string]string{"terminal": m.Terminal.String()},
			What: api.Text{EN: "Visit, and say what the visit found", ZH: "上门核查并登记结果"},
			How:  api.Text{EN: "Two devices are suspected to bear this identity. Only after somebody saw one device alone do two people clear it.", ZH: "疑有两台设备使用同一身份。须有人现场确认仅有一台设备，并由两人解除。"}})
	case reason.DeviceTampered:
		add(api.RepairStep{Step: "key", Two: true, Command: "touchstone device release " + d.serialOf(m.Terminal) + " --terminal " + m.Terminal.String() + " --component FILE --component FILE",
			What: api.Text{EN: "Release the device after tampering, with a new master key", ZH: "拆机告警解除，并装载新主密钥"},
			How:  api.Text{EN: "Examine the device first. Two people each bring one component of the new key to the machine: components never pass a browser.", ZH: "先检查设备。两人各带一份新密钥分量到主机旁输入：分量不经浏览器。"}})
	case reason.TerminalSuspended, reason.MerchantSuspended, reason.DeviceSuspended, reason.NetworkNotAllowed, reason.LocationOutside, reason.DeviceTypeMismatch, reason.AppVersionUnknown,
		reason.TerminalUnknown, reason.MerchantUnknown, reason.DeviceUnknown:
		add(registerStep(m))
	case reason.KeyAbsent, reason.KeyCompromised:
		add(keyStep(m))
	default:
		steps = append(steps, d.causeSteps(m, out)...)
	}
	if out.Remedy != nil && out.Remedy.MaySign || signInCures(m.Reason, causeNamed(out)) {
		steps = append([]api.RepairStep{signIn}, steps...)
	}
	return append(steps, waitStep(out))
}

func causeNamed(out *api.Repair) reason.Cause {
	if out.Refusal == nil || out.Refusal.Cause == nil {
		return reason.NoCause
	}
	c, err := reason.ParseCause(out.Refusal.Cause.Name)
	if err != nil {
		return reason.NoCause
	}
	return c
}

func signInCures(r reason.Reason, c reason.Cause) bool {
	switch c {
	case reason.MACStaleKey, reason.PINStaleKey, reason.TrackStaleKey:
		return true
	}
	return r == reason.NotSignedIn || r == reason.KeyExpired
}

func signInStep(out *api.Repair) api.RepairStep {
	s := api.RepairStep{Step: "sign_in", What: api.Text{EN: "The shop signs in again", ZH: "商户重新签到"},
		How: api.Text{EN: "At the terminal: menu, sign-in (签到), operator number and its password. It takes new working keys. Once is enough: signing in again and again is refused.", ZH: "在终端上：菜单 → 签到，输入操作员号和密码，终端即取得新的工作密钥。一次即可，反复签到会被拒绝。"}}
	if out.SignedIn != nil && (out.Again == nil || out.SignedIn.Entry > out.Again.Entry) {
		s.Done = &out.SignedIn.At
	}
	return s
}

func waitStep(out *api.Repair) api.RepairStep {
	s := api.RepairStep{Step: "wait", What: api.Text{EN: "The next sale", ZH: "下一笔交易"}, How: api.Text{EN: "Ask the shop to sell once more. This page says so when a sale passed.", ZH: "请商户再做一笔交易。交易成功后本页会自动提示。"}}
	if out.State == repairDone {
		s.Done = &out.Passed.At
	}
	return s
}

func (d *desk) serialOf(id pos.TerminalID) string {
	if t, err := d.ledger.Terminal(id); err == nil {
		return string(t.Serial)
	}
	return ""
}

// deviceSteps are of a refusal because of the device that spoke.
func (d *desk) deviceSteps(m *sqlite.Judged, out *api.Repair) []api.RepairStep {
	serial := pos.Serial("")
	if presented, wrong := proof.SerialPresented(&m.Exchange); wrong {
		serial = pos.Serial(presented)
	}
	if c := out.Refusal.Cause; c != nil && c.Facts[diagnosis.FactSerial] != "" && causeNamed(out) == reason.SerialOtherDeviceKey {
		serial = pos.Serial(c.Facts[diagnosis.FactSerial])
	}
	now := pos.Serial(d.serialOf(m.Terminal))
	switch {
	case serial == "":
		return []api.RepairStep{d.lookStep(m)}
	case serial == now:
		return []api.RepairStep{{Step: "rebind", Act: "care", Two: true, Done: d.reboundAt(serial), What: api.Text{EN: "Device " + string(serial) + " is bound to this terminal now", ZH: "设备 " + string(serial) + " 现已绑定到本终端"},
			How: api.Text{EN: "Two people agreed to it. Load another master key at the next visit: the device that left had this one.", ZH: "已由两人确认。请在下次上门时更换主密钥：换下的设备曾持有当前主密钥。"}}}
	}
	if other := d.boundTo(serial); other != nil {
		return []api.RepairStep{{Step: "bring_back", Values: map[string]string{"serial": string(serial), "terminal": other.ID.String()},
			What: api.Text{EN: "Bring device " + string(serial) + " back to terminal " + other.ID.String(), ZH: "将设备 " + string(serial) + " 送回终端 " + other.ID.String()},
			How: api.Text{EN: fmt.Sprintf("It works at %s of %s. One device, one terminal, one merchant: put %s back here. Nothing has to be changed in this system.", other.ID, d.shopName(other.Merchant), now),
				ZH: fmt.Sprintf("该设备登记于终端 %s（%s）。一机一户一终端：请将 %s 换回本处，系统内无需修改。", other.ID, d.shopName(other.Merchant), now)}}}
	}
	device, err := d.ledger.Device(serial)
	life := d.lifeOf(serial)
	stock := life != nil && (life.State == fleet.Received || life.State == fleet.Returned)
	if err != nil || life != nil && !stock || life == nil && d.lifeOf(now) != nil {
		s := d.lookStep(m)
		s.How = api.Text{EN: fmt.Sprintf("Device %s spoke, and it was never announced and received for use. Treat it as suspect: visit, and take it out of use. A spare is announced, received and registered, then bound here.", serial),
			ZH: fmt.Sprintf("报文来自设备 %s，该设备未经预告和收货。请视为可疑：上门核查并停用。备机须先预告、收货、登记，再在此换绑。", serial)}
		return []api.RepairStep{s}
	}
	step := api.RepairStep{Step: "rebind", Act: "care", Two: true, Values: map[string]string{"serial": string(serial), "terminal": m.Terminal.String()}, Proposal: d.rebindProposed(serial, m.Terminal),
		What: api.Text{EN: "Bind device " + string(serial) + " to this terminal", ZH: "将设备 " + string(serial) + " 绑定到本终端"},
		How: api.Text{EN: fmt.Sprintf("It is in stock (%s), and its messages come under this terminal's keys: somebody put it in the place of %s. Make sure on the spot, never by telephone: one of yours reads the serial number on label and screen. Then two people agree, and %s goes to stock.", device.Model, now, now),
			ZH: fmt.Sprintf("该设备在库（%s），其报文使用本终端密钥：有人用它替换了 %s。须现场核实，不得凭电话：由本方人员读取标签与屏幕上的序列号。随后由两人确认，%s 退回入库。", device.Model, now, now)}}
	return []api.RepairStep{step}
}

// reboundAt is when a device was bound where it is.
func (d *desk) reboundAt(serial pos.Serial) *time.Time {
	if l := d.lifeOf(serial); l != nil {
		return momentOf(l.Since)
	}
	return nil
}

// rebindProposed is the open proposal to bind a device to a terminal, "" for none.
func (d *desk) rebindProposed(serial pos.Serial, id pos.TerminalID) (proposal string) {
	d.office.view(func(r *rooms) {
		for _, p := range r.staff.Proposals() {
			if p.State != staff.Open {
				continue
			}
			var c change
			if readChange(p.Request, &c) && c.Care != nil && c.Care.Rebind != nil && c.Care.Rebind.Serial == string(serial) && c.Care.Rebind.Terminal == id.String() {
				proposal = p.ID
			}
		}
	})
	return proposal
}

func (d *desk) lookStep(m *sqlite.Judged) api.RepairStep {
	return api.RepairStep{Step: "look", Act: "inspect", Values: map[string]string{"terminal": m.Terminal.String()}, What: api.Text{EN: "Inspect the terminal", ZH: "巡检终端"},
		How: api.Text{EN: "Somebody compares serial label, screen and seal with what is registered, and records the inspection.", ZH: "由专人核对序列号标签、屏显与封签，并登记巡检结果。"}}
}

func keyStep(m *sqlite.Judged) api.RepairStep {
	return api.RepairStep{Step: "key", Two: true, Command: "touchstone register terminal --id " + m.Terminal.String() + " ... --component FILE --component FILE",
		What: api.Text{EN: "Load a new master key", ZH: "装载新主密钥"},
		How:  api.Text{EN: "Two people each bring one component to the machine and to the terminal: components never pass a browser. Then the shop signs in.", ZH: "两人各带一份分量，分别输入主机与终端：分量不经浏览器。随后商户签到。"}}
}

func registerStep(m *sqlite.Judged) api.RepairStep {
	act := "terminal"
	switch m.Reason {
	case reason.MerchantSuspended, reason.MerchantUnknown:
		act = "merchant"
	case reason.DeviceSuspended, reason.DeviceUnknown, reason.DeviceTypeMismatch, reason.AppVersionUnknown:
		act = "device"
	}
	return api.RepairStep{Step: "register", Act: act, Values: map[string]string{"id": m.Terminal.String()}, What: api.Text{EN: "Set the register right", ZH: "更正登记"},
		How: api.Text{EN: "The register says otherwise than the message. Make sure which of them is right; if the message is, register it so.", ZH: "登记与报文不符。请先核实哪一方正确；若报文正确，则更正登记。"}}
}

// permitSteps say what restores the permit, fact by fact.
func permitSteps(m *sqlite.Judged, out *api.Repair) (steps []api.RepairStep) {
	if out.Permit == nil {
		return nil
	}
	for _, f := range out.Permit.Facts {
		if !f.Restricts {
			continue
		}
		s := api.RepairStep{Step: "permit", What: api.Text{EN: f.Name.EN + ": " + f.Words.EN, ZH: f.Name.ZH + "：" + f.Words.ZH}, How: f.Restore, Values: map[string]string{"terminal": m.Terminal.String(), "fact": f.Fact}}
		switch f.Fact {
		case "inspection":
			s.Step, s.Act = "inspect", "inspect"
		case "registration":
			s.Act = "terminal"
		case "cashier":
			s.Act = "training"
		case "device":
			s.Act, s.Two = "care", true
		}
		steps = append(steps, s)
	}
	return steps
}

// causeSteps are of what experiment found behind a failed proof.
func (d *desk) causeSteps(m *sqlite.Judged, out *api.Repair) []api.RepairStep {
	switch causeNamed(out) {
	case reason.MACOtherTerminalKey, reason.PINOtherTerminalKey:
		other := out.Refusal.Cause.Facts[diagnosis.FactTerminal]
		return []api.RepairStep{{Step: "bring_back", Values: map[string]string{"terminal": other}, What: api.Text{EN: "The device of terminal " + other + " is here", ZH: "此处是终端 " + other + " 的设备"},
			How: api.Text{EN: "Its keys were used. Bring each device back to its place; nothing has to be changed in this system.", ZH: "报文使用了该终端的密钥。请将设备各归其位，系统内无需修改。"}}}
	case reason.MACKeyHalfLoaded, reason.MACMasterKeyMismatch:
		return []api.RepairStep{keyStep(m)}
	case reason.MACWrongAlgorithm, reason.PINWrongAlgorithm, reason.PINWrongFormat:
		return []api.RepairStep{registerStep(m)}
	}
	return nil
}
