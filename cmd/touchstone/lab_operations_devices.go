package main

import (
	"slices"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/lab"
	"touchstone/pos"
)

// devicesListed: make, model, serial number and place of every terminal's device; messages of others are refused.
func devicesListed(o *operations) (operationState, lab.Text) {
	all := o.terminals
	var lacking []string
	for _, t := range all {
		d := o.devices[t.Serial]
		life, b := o.r.fleet.Life(t.Serial), o.r.fleet.Binding(t.ID)
		if d == nil || d.Model == "" || life == nil || life.Maker == "" || b == nil || b.Address == "" {
			lacking = append(lacking, t.ID.String())
		}
	}
	// 99.9 % filled is asked.
	if len(all) == 0 || 1000*len(lacking) > len(all) {
		return opNotSatisfied, say("%d of %d devices lack maker, model or place: %.100s", "%[2]d 台设备中有 %[1]d 台缺少厂商、型号或位置: %.100[3]s", len(lacking), len(all), strings.Join(lacking, ", "))
	}
	return opSatisfied, say("%d devices, each with maker, model, serial number and address; a terminal that is not listed is refused as terminal_unknown", "%d 台设备均有厂商、型号、序列号与地址; 未登记的终端以 terminal_unknown 拒绝", len(all))
}

// inspectionsInTime: at least 98 in 100 in time, every inspection with a checklist and photographs.
func inspectionsInTime(o *operations) (operationState, lab.Text) {
	deployed, overdue, bare := len(o.r.fleet.BindingsAt(o.now)), 0, 0
	for _, d := range o.r.fleet.DueBefore(o.now, o.now) {
		if d.Overdue && !d.Failed {
			overdue++
		}
	}
	seen := map[string]bool{}
	copied := 0
	for _, i := range o.r.fleet.Inspections() {
		if len(i.Photographs) == 0 {
			bare++
		}
		for _, p := range i.Photographs {
			if seen[p.Digest] {
				copied++
			}
			seen[p.Digest] = true
		}
	}
	words := say("%d deployed, %d overdue; %d inspections, %d without a photograph, %d photographs used twice by their digest: pixels are not compared", "在网 %d 台, 逾期 %d 台; 巡检 %d 次, 无照片 %d 次, 按摘要重复 %d 张: 不比对像素", deployed, overdue, len(o.r.fleet.Inspections()), bare, copied)
	switch {
	case deployed == 0 || 100*overdue > 2*deployed || copied > 0:
		return opNotSatisfied, words
	case bare > 0:
		return opPartly, words
	}
	return opSatisfied, words
}

// fiveElements: each serial number has one binding in force, of five elements, and each terminal is bound once.
func fiveElements(o *operations) (operationState, lab.Text) {
	terminals, serials, conflicts := map[pos.TerminalID]pos.Serial{}, map[pos.Serial]bool{}, 0
	for _, b := range o.r.fleet.BindingsAt(o.now) {
		if serials[b.Serial] || terminals[b.Terminal] != "" {
			conflicts++
		}
		serials[b.Serial], terminals[b.Terminal] = true, b.Serial
		if b.Acquirer == "" || b.Merchant == (pos.MerchantID{}) || b.Credit.Hash == "" || b.Settlement.Hash == "" || b.Address == "" {
			conflicts++
		}
	}
	for _, t := range o.terminals {
		b := o.r.fleet.Binding(t.ID)
		life := o.r.fleet.Life(t.Serial)
		if life != nil && life.State == fleet.Deployed && (b == nil || b.Serial != t.Serial || b.Merchant != t.Merchant) {
			conflicts++
		}
	}
	if conflicts > 0 || len(serials) == 0 {
		return opNotSatisfied, say("%d bindings, %d conflicts", "%d 条绑定, %d 处冲突", len(serials), conflicts)
	}
	return opPartly, say("%d bindings of five elements, each of one device, no conflict; the clearing body's own extract is not here to be compared", "%d 条五要素绑定, 一机一条, 无冲突; 未有清算机构数据可供比对", len(serials))
}

// locationDrift: a registered circle for every terminal of a shop, far-away messages refused, and a case for each
// terminal that sent one.
func locationDrift(o *operations) (operationState, lab.Text) {
	shops, placed, refusing := 0, 0, 0
	for _, t := range o.terminals {
		if t.Visitor {
			continue // for whoever tries the demonstration: they stand nowhere
		}
		if shops++; t.Place != nil {
			placed++
			if t.Place.Refuse {
				refusing++
			}
		}
	}
	drifted, uncased := 0, 0
	for id := range o.drifted {
		if drifted++; !slices.ContainsFunc(o.r.incident.Incidents(), func(i *incident.Incident) bool {
			return i.Kind == "moved" && slices.Contains(i.Scope.Terminals, id.String())
		}) {
			uncased++
		}
	}
	words := say("%d far-away messages refused as location_outside; %d of %d terminals of shops have a registered circle, %d of them refuse outside it; %d terminals were away, %d of them without a case; of %d sales %d said where",
		"以 location_outside 拒绝 %d 条远离报文; 商户终端 %[3]d 台中 %[2]d 台登记了区域, 其中 %[4]d 台区域外拒绝; %[5]d 台曾在区域外, 其中 %[6]d 台未立案; %[7]d 笔消费中 %[8]d 笔上报位置",
		o.outside, placed, shops, refusing, drifted, uncased, o.said+o.silent, o.said)
	switch {
	case !o.whole:
		return o.tooLong()
	case o.outside == 0 || placed == 0 || uncased > 0:
		return opNotSatisfied, words
	case placed < shops || refusing < placed:
		return opPartly, words
	}
	return opSatisfied, words
}

// dormantAfter is how long a terminal may be without a sale.
const dormantAfter = 92 * 24 * time.Hour

// dormantTerminals: none in service without a sale for three months; those registered less long ago count as verified.
func dormantTerminals(o *operations) (operationState, lab.Text) {
	if !o.whole {
		return o.tooLong()
	}
	dormant, all := 0, o.terminals
	for _, t := range all {
		seen := max(o.traded[t.ID], o.first)
		if i := o.r.fleet.LastInspection(t.Serial); i != nil && i.Passed {
			seen = max(seen, i.At)
		}
		if !t.Suspended && o.now.Sub(seen) > dormantAfter {
			dormant++
		}
	}
	if dormant > 0 {
		return opNotSatisfied, say("%d of %d terminals in service have neither sold nor been inspected for three months", "%[2]d 台在用终端中有 %[1]d 台三个月内无交易也未巡检", dormant, len(all))
	}
	return opSatisfied, say("of %d terminals none in service is older than three months without a sale or an inspection", "%d 台终端中没有在用而三个月内既无交易又未巡检的", len(all))
}

// mostTerminalError is how far a terminal's clock may be off: POSC-OP-09 of the catalogue.
const mostTerminalError = time.Minute

// clocksAgree: the kernel says that somebody keeps the host's clock, and the terminals' signed health reports say the
// time at which they arrived. The others set their clocks by the answer to each sign-in, and never say what they have.
func clocksAgree(o *operations) (operationState, lab.Text) {
	deployed, told, off, most := 0, 0, 0, time.Duration(0)
	for _, b := range o.r.fleet.BindingsAt(o.now) {
		deployed++
		h := o.r.fleet.LastHealth(b.Serial)
		if h == nil || o.now.Sub(h.At) > 24*time.Hour {
			continue
		}
		told++
		apart := h.At.Time().Sub(h.Time).Abs()
		if most = max(most, apart); apart > mostTerminalError {
			off++
		}
	}
	words := say("of %d deployed devices %d said the time in a signed report within a day, at most %d ms from the host's, %d more than a minute; the others set their clock by each sign-in and do not say it",
		"在网 %d 台设备中 %d 台在一日内的签名上报带有时间, 与主机最多相差 %d 毫秒, 超过一分钟的 %d 台; 其余设备每次签到时校时, 不上报时间", deployed, told, most.Milliseconds(), off)
	k, err := o.e.kernel()
	if err != nil {
		return opNotSatisfied, lab.Text{EN: "nothing is known of the host's own clock; " + words.EN, ZH: "主机时钟状态未知; " + words.ZH}
	}
	host := say("the kernel says that nobody keeps the host's clock right; ", "内核表明主机时钟未同步; ")
	if k.Synchronised {
		host = say("the kernel says that the host's clock is synchronised, at most %d ms off; no other time source is asked; ", "内核表明主机时钟已同步, 误差不超过 %d 毫秒; 未另行查询时间源; ", k.Error.Milliseconds())
	}
	words = lab.Text{EN: host.EN + words.EN, ZH: host.ZH + words.ZH}
	if !k.kept() || told == 0 || off > 0 {
		return opNotSatisfied, words
	}
	return opPartly, words
}

// malwareScanned: every deployed device that has a key to sign by reported within a day a scanner whose definitions are
// a day old at most, and clean.
func malwareScanned(o *operations) (operationState, lab.Text) {
	deployed, able, right := 0, 0, 0
	visitors := map[pos.TerminalID]bool{} // for whoever tries the demonstration: nobody runs them
	for _, t := range o.terminals {
		visitors[t.ID] = t.Visitor
	}
	for _, b := range o.r.fleet.BindingsAt(o.now) {
		if visitors[b.Terminal] {
			continue
		}
		deployed++
		if d := o.devices[b.Serial]; d == nil || d.Certificate == "" {
			continue
		}
		able++
		h := o.r.fleet.LastHealth(b.Serial)
		if h == nil || o.now.Sub(h.At) > 24*time.Hour || h.Scanner.Result != "clean" {
			continue
		}
		if day, err := time.Parse(time.DateOnly, h.Scanner.Definitions); err == nil && o.now.Time().Sub(day) < 48*time.Hour {
			right++
		}
	}
	words := say("of %d devices deployed in shops %d have a certificate to sign a report by, and %d of these reported a clean scan with fresh definitions within a day; the other %d cannot report, and the scanners of the hosts themselves are not recorded here",
		"商户在网 %d 台设备中 %d 台有可签名上报的证书, 其中 %d 台在一日内上报了使用最新特征库的正常扫描; 其余 %d 台无法上报, 主机自身的防护软件不在此记录", deployed, able, right, deployed-able)
	if able == 0 || right < able {
		return opNotSatisfied, words
	}
	return opPartly, words
}

// changesAssessed: every version that runs on a device was examined in a complete run.
func changesAssessed(o *operations) (operationState, lab.Text) {
	examined := map[string]bool{}
	for _, run := range o.r.lab.Runs() {
		if run.State == lab.Complete {
			examined[run.Subject.Model+" "+run.Subject.Application] = true
		}
	}
	all, missing := map[string]bool{}, map[string]bool{}
	for _, t := range o.terminals {
		d := o.devices[t.Serial]
		if d == nil {
			continue
		}
		key := d.Model + " " + o.r.fleet.VersionOf(d)
		if all[key] = true; !examined[key] {
			missing[key] = true
		}
	}
	if len(all) == 0 || len(missing) > 0 {
		return opNotSatisfied, say("%d of %d versions of models in the field were examined in no complete run of the laboratory", "在网 %[2]d 个型号版本中 %[1]d 个未经完整检测", len(missing), len(all))
	}
	return opSatisfied, say("all %d versions of models in the field were examined in a complete run; the delta class stands in the run", "在网 %d 个型号版本均经完整检测; 变更类别记于检测记录", len(all))
}

// networksApart needs vantage points in other networks.
func networksApart(*operations) (operationState, lab.Text) {
	return opNotSatisfied, say("it takes probes from guest, office and terminal networks: none is here", "须从访客、办公与终端网络分别探测: 此处没有")
}
