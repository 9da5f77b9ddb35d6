package main

import (
	"context"
	"fmt"
	"io"

	"touchstone/fleet"
	"touchstone/pos"
)

// The devices that the check page of the demonstration has an answer for besides those that sell: made up, in nobody's shop.
const (
	showStolen  = 91000001
	showRetired = 91000002
	showStock   = 91000003 // announced, received, in stock
	showWeak    = 23       // of the old model, which its advisory touches and version 1.0.1 answers
	showUnknown = 99999999 // no device has this number
)

// fillShowroom has the people of the demonstration take in three devices of a maker's list, report one of them stolen, and
// retire another: acts of theirs, as anybody's.
func (p *demoDesk) fillShowroom(ctx context.Context) error {
	serials := []pos.Serial{sampleSerial(showStolen), sampleSerial(showRetired), sampleSerial(showStock)}
	if p.lifeOf(serials[0]) != nil {
		return nil
	}
	list := announceChange{Licence: sampleLicence, DeviceType: sampleDeviceType}
	for n, s := range serials {
		list.Devices = append(list.Devices, fleet.Announcement{Serial: s, Model: commonModel, Hardware: "2.0", Maker: sampleMaker, Seal: fmt.Sprintf("SEAL-SHOW-%d", n+1), Source: sampleMaker, Shipment: "WB-2026-009"})
	}
	if _, err := p.do(ctx, "care", careChange{Announce: &list}, "li", "zhou"); err != nil {
		return err
	}
	for _, d := range list.Devices {
		if _, err := p.do(ctx, "care", careChange{Receive: &fleet.Receipt{Serial: d.Serial, Seal: d.Seal, Source: d.Source, SealGood: true}}, "zhou", "li"); err != nil {
			return err
		}
	}
	if _, err := p.do(ctx, "care", careChange{Leave: &leaveChange{Step: "lose", Serial: string(serials[0]), Note: "taken out of the van overnight (sample)"}}, "li", ""); err != nil {
		return err
	}
	_, err := p.do(ctx, "care", careChange{Leave: &leaveChange{Step: "retire", Serial: string(serials[1]), Note: "its keypad is worn (sample)"}}, "li", "zhou")
	return err
}

// showroomLine is one number for the check page, and what is answered to it.
type showroomLine struct {
	serial pos.Serial
	en, zh string
}

// showroom is what a reader may try on the check page, in the order of its three answers.
func showroom() []showroomLine {
	return []showroomLine{
		{visitors()[0].serial, "yes, with the code that check-code shows; cannot tell without", "输入 check-code 显示的核验码: 是; 不输入: 无法确定"},
		{sampleSerial(showStolen), "no: stolen", "不可以: 被盗"},
		{sampleSerial(showRetired), "no: retired", "不可以: 已停用"},
		{sampleSerial(showWeak), "no: under an advisory", "不可以: 有安全通告"},
		{sampleSerial(showStock), "cannot tell: in stock, its version is not known", "无法确定: 在库, 版本未知"},
		{sampleSerial(showUnknown), "cannot tell: no such number", "无法确定: 没有此序列号"},
	}
}

// showroomOn says on the demonstration's screen which numbers to try, and how to see a code.
func (l *lines) showroomOn(w io.Writer) {
	for n, s := range showroom() {
		head := ""
		if n == 0 {
			head = l.two("try there", "可试序列号")
		}
		fmt.Fprintf(w, "  %s %s  %s\n", pad(head, 11), s.serial, l.two(s.en, s.zh))
	}
	fmt.Fprintf(w, "  %s %s\n", pad("", 11), fmt.Sprintf(l.two("the code of now: %s terminal --fixture fixture.json check-code", "当前核验码: %s terminal --fixture fixture.json check-code"), program()))
}
