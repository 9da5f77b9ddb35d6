package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"touchstone/explain"
	"touchstone/faultproxy"
)

// proxyCmd is the fault proxy for a person.
type proxyCmd struct {
	Listen string   `name:"listen" help:"Loopback address for terminals." default:"127.0.0.1:8600" placeholder:"HOST:PORT"`
	To     string   `name:"to" help:"Loopback address of the host." default:"127.0.0.1:8583" placeholder:"HOST:PORT"`
	Toxic  []string `name:"toxic" help:"What to do to which unit: DIRECTION:UNIT:KIND[:NAME=VALUE,...]. May be given again." placeholder:"TOXIC" sep:"none"`
	Seed   uint64   `name:"seed" help:"Of every draw; 0 draws one and prints it."`
	Unit   string   `name:"unit" help:"What is counted: frame, record (TLS) or bytes (one read)." default:"frame" enum:"frame,record,bytes"`
	Lang   string   `name:"lang" help:"en or zh." default:"en" enum:"en,zh"`
}

// Help is shown by touchstone proxy --help.
func (proxyCmd) Help() string {
	return `Terminals connect to --listen, the proxy connects to --to from their own address, and does to what passes what
it is told; the rest passes untouched. Nothing leaves loopback. Ctrl-C ends it: what is held then goes on, late.

DIRECTION is request (terminal to host) or answer. UNIT counts in that direction, over all connections, from 1; * is
every unit. KIND is one of

  delay:wait=50ms,spread=50ms   leaves after wait, and by seed up to spread more
  stall:wait=100ms              its connection rests, both ways
  split:bytes=7                 leaves in segments of 1 to bytes bytes
  throttle:bytes=4096           leaves at so many bytes a second
  coalesce:wait=5ms             leaves in one write with the next
  duplicate                     leaves twice
  replay:wait=20ms              leaves, and once more after the next unit of any connection
  reorder:wait=20ms             leaves after the next unit of any connection, though its sender hung up
  drop                          does not leave
  alter:bytes=1                 one bit of its last byte (the second last with bytes=2, ...) is turned over
  cut:bytes=7, reset:bytes=7    so much of it leaves, then both connections end (FIN), or are torn down (RST)
  half-open                     nothing leaves this way any more, not even the end; the other way stays open
  refuse                        connection number UNIT is closed at once (request only)

Watch a sale whose answer is lost end as reversed. In three windows:

  touchstone demo
  touchstone proxy --toxic answer:2:drop
  touchstone demo --print-fixture > fixture.json
  touchstone terminal --fixture fixture.json --host 127.0.0.1:8600 --timeout 2s sign-in sale 18.50 sale 7.00

The first answer is the sign-in's, the second the sale's. Before the second sale goes the reversal of the first.`
}

// Run carries until the process is told to end.
func (c *proxyCmd) Run(a *app) error {
	lang, err := explain.ParseLanguage(c.Lang)
	if err != nil {
		return err
	}
	two := func(en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(lang) }
	s := faultproxy.Schedule{Seed: c.Seed}
	if s.Seed == 0 {
		s.Seed = uint64(time.Now().UnixNano())
	}
	for _, text := range c.Toxic {
		t, err := faultproxy.ParseToxic(text)
		if err != nil {
			return err
		}
		s.Toxics = append(s.Toxics, t)
	}
	units := map[string]faultproxy.Units{"frame": faultproxy.Frames, "record": faultproxy.Records, "bytes": faultproxy.Bytes}
	var mu sync.Mutex // of the output
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(a.stdout, format, args...)
	}
	p, err := faultproxy.Listen(c.Listen, faultproxy.Config{To: c.To, Units: units[c.Unit], Log: func(e faultproxy.Event) {
		say(two("%s  connection %d  %s %d, %d bytes: %s\n", "%s  连接 %d  %s 第 %d 个，%d 字节：%s\n"), time.Now().Format("15:04:05.000"), e.Conn,
			directionWord(e.Toxic.Direction, lang), e.Unit, e.Bytes, afterUnit(e.Toxic))
	}})
	if err != nil {
		return err
	}
	p.Arm(s)
	say(two("tcp %s to %s, plan: %s\n", "tcp %s 转到 %s，计划：%s\n"), p.Addr(), c.To, s)
	<-a.ctx.Done()
	say(two("%d requests and %d answers passed by, %d of them were touched\n", "共 %d 个请求、%d 个应答经过，其中 %d 次施加了故障\n"),
		p.Units(faultproxy.Request), p.Units(faultproxy.Answer), p.Fired())
	p.Heal()
	return p.Close()
}

// directionWord is the direction for a person.
func directionWord(d faultproxy.Direction, lang explain.Language) string {
	if d == faultproxy.Request {
		return explain.Text{EN: "request", ZH: "请求"}.In(lang)
	}
	return explain.Text{EN: "answer", ZH: "应答"}.In(lang)
}

// afterUnit is what was done, with its parameters as drawn: "delay:wait=61ms,spread=0s".
func afterUnit(t faultproxy.Toxic) string { return strings.SplitN(t.String(), ":", 3)[2] }
