package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"touchstone/capture"
	"touchstone/explain"
	"touchstone/pos"
)

// analyzeCmd reads a capture.
type analyzeCmd struct {
	File     string `arg:"" help:"Capture of tcpdump, pcap or pcapng; - for standard input." placeholder:"FILE"`
	Data     string `name:"data" default:"none" help:"Test data directory whose keys prove causes, or none." placeholder:"DIR|none"`
	Only     string `name:"only" default:"all" enum:"all,refused" help:"refused lists the refusals without the summary; all has both."`
	Terminal string `name:"terminal" help:"Of this terminal only." placeholder:"ID"`
	Port     uint16 `name:"port" help:"Port of the host. Default: any, messages are found by their form." placeholder:"N"`
	TimeZone string `name:"time-zone" help:"Time zone of the host's DE12 and DE13." default:"Asia/Shanghai"`
	JSON     bool   `name:"json" help:"One JSON object."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone analyze --help.
func (analyzeCmd) Help() string {
	return `Finds the messages of terminals in captured traffic, pairs requests with answers, and explains every refusal. Nothing is sent and
no card number is printed. Without keys a refusal is a list of what its code may mean: a code alone never yields a cause. With a
test data directory (published keys) every verdict is made again, and experiment looks for what is behind it, as a host does.

  tcpdump -i lo -w shop.pcap tcp port 8583          take a capture, see docs/operating/captures.md
  touchstone analyze shop.pcap
  touchstone analyze shop.pcap --data touchstone-data/demo --only refused
  touchstone analyze shop.pcap --data touchstone-data/demo --terminal 90000001 --json

A host may be running on the data directory: it is only read. What its journal holds from before the capture counts, what came
later does not.`
}

// collectLater lets the heap grow to three times what is in use, not twice, before it is collected: an analysis ends, and
// makes little garbage beside what it keeps. It returns what sets it back.
func collectLater() (back func()) {
	before := debug.SetGCPercent(200)
	return func() { debug.SetGCPercent(before) }
}

// Run analyses one capture.
func (c *analyzeCmd) Run(a *app) error {
	defer collectLater()()
	lang, err := explain.ParseLanguage(c.Lang)
	if err != nil {
		return fmt.Errorf("--lang: %w", err)
	}
	var o analyzeOptions
	if o.port = c.Port; c.Terminal != "" {
		if o.terminal, err = pos.ParseTerminalID(c.Terminal); err != nil {
			return fmt.Errorf("--terminal: want eight characters: %w", err)
		}
	}
	in, size, err := openCapture(a, c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	if c.Data != "none" {
		if !isTestDirectory(c.Data) {
			return fmt.Errorf("--data: %s is no test data directory: causes are proven with published keys only (touchstone init --test, or the demo's touchstone-data/demo); without: --data none", c.Data)
		}
		zone, err := time.LoadLocation(c.TimeZone)
		if err != nil {
			return fmt.Errorf("--time-zone: %w", err)
		}
		if o.world, err = openMirror(a.ctx, mirrorOptions{dir: c.Data, lock: testLock(c.Data), policy: analyzePolicy(), zone: zone}); err != nil {
			return err
		}
		defer o.world.close()
	}
	show := &captureProgress{w: a.stderr, lang: lang, size: size, live: isTerminal(a.stderr)}
	o.progress = show.read
	report, err := analyzeCapture(a.ctx, in, o)
	show.end()
	if err != nil {
		return explainCapture(c.File, err)
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(report)
	} else if w, made := newCaptureText(a.stdout, lang); made == nil {
		err = w.report(report, c.Only == "all")
	} else {
		err = made
	}
	if err == nil && report.Interrupted {
		return errInterrupted
	}
	return err
}

// errInterrupted is why an analysis that Ctrl-C ended is no success.
var errInterrupted = errors.New("interrupted: the report is of what was read until then")

// openCapture opens a file or lends standard input. size is 0 where it is not known.
func openCapture(a *app, name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(a.stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory, not a capture", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// explainCapture adds what to do about a file that is no capture.
func explainCapture(name string, err error) error {
	if errors.Is(err, capture.ErrFormat) {
		return fmt.Errorf("%s: %w\nTake one with: tcpdump -i INTERFACE -w FILE.pcap tcp port 8583; a compressed one must be unpacked first", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// captureProgress is a line about a long file, on a screen only.
type captureProgress struct {
	w     io.Writer
	lang  explain.Language
	size  int64
	live  bool
	done  int64
	seen  uint64
	last  time.Time
	drawn bool
}

// packetHead is what a record has besides the bytes of its packet, in pcap.
const packetHead = 16

// progressLook is how many packets pass between two looks at the clock, a power of two.
const progressLook = 4096

func (p *captureProgress) read(n int64) {
	p.done += n + packetHead
	if p.seen++; !p.live || p.seen%progressLook != 0 || time.Since(p.last) < watchEvery/4 {
		return
	}
	p.last, p.drawn = time.Now(), true
	share := ""
	if p.size > 0 {
		share = fmt.Sprintf("%s %3.0f %%  ", progressBar(float64(p.done)/float64(p.size)), min(100, 100*float64(p.done)/float64(p.size)))
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s%s", share, two(p.lang, fmt.Sprintf("%d packets", p.seen), fmt.Sprintf("%d 个数据包", p.seen)))
}

func (p *captureProgress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
