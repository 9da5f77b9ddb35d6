package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
)

// demoCmd is a whole acquirer on one machine, for somebody who wants to see it work.
type demoCmd struct {
	hostFlags
	PrintFixture bool   `name:"print-fixture" help:"Print the address, the visitors' terminals and keys, and the cards as JSON, and end."`
	Mail         string `name:"mail" default:"127.0.0.1:2525" help:"Address of the built-in mail catcher: what is sent to anybody is kept in the directory mail." placeholder:"HOST:PORT"`
	Quiet        bool   `name:"quiet" help:"Without the demonstration's own traffic: only yours."`
	Lang         string `name:"lang" default:"en" help:"en or zh." placeholder:"LANG"`
}

// demoTLS is where the demonstration hears terminals over TLS when not told otherwise.
const demoTLS = "127.0.0.1:8584"

// revokedList is the demonstration's list of revoked certificates, in its data directory.
const revokedList = "revoked.crl"

// demoDirectory is where the demonstration keeps its data when not told otherwise.
const demoDirectory = "touchstone-data/demo"

// Help is shown by touchstone demo --help.
func (demoCmd) Help() string {
	return `Needs no configuration. Makes and seeds a test data directory (published keys, sample shops and cards), hears terminals
on 127.0.0.1:8583, over TLS on 127.0.0.1:8584, and runs software terminals at human pace: most of them healthy, several faulty.

  touchstone demo                                        watch it; Ctrl-C ends it
  touchstone demo --print-fixture > fixture.json         what a client of your own needs
  touchstone terminal --fixture fixture.json sale 18.50  a visitor of your own, from another window
  touchstone journal show --terminal 90000001 --trace 2  every proof of one message`
}

// Run shows the demonstration until it is told to end.
func (c *demoCmd) Run(a *app) error {
	if c.Data == "" {
		c.Data = demoDirectory
	}
	if c.TLS == "" {
		c.TLS = demoTLS
	}
	if c.HTTPS == "" {
		c.HTTPS = demoHTTPS
	}
	if c.HTTP == "" {
		c.HTTP = demoHTTP
	}
	if c.Public == "" {
		c.Public = demoPublic
	}
	if c.PrintFixture {
		world := makeFixture(c.TCP, c.TLS)
		if base, err := c.base(nil); err == nil && base != "" {
			world.CheckURL = base
		} else if c.Public != demoPublic {
			world.CheckURL = "http://" + c.Public
		}
		return json.NewEncoder(a.stdout).Encode(world)
	}
	out := &flushing{w: a.stdout}
	show, err := newLines(out, c.Lang, isTerminal(a.stdout) && a.getenv("NO_COLOR") == "")
	if err != nil {
		return err
	}
	show.brief = true
	log := newLog(a.stderr, c.LogFormat, slog.LevelWarn)
	if err := c.witnessBeside(); err != nil {
		return err
	}
	if err := makeTestDirectory(c.Data, log); err != nil {
		return err
	}
	if c.TLSList == "" && c.TLSListURL == "" { // every client is on this machine
		if c.TLSList, err = filepath.Abs(filepath.Join(c.Data, revokedList)); err != nil {
			return err
		}
		c.TLSListURL = (&url.URL{Scheme: "file", Path: c.TLSList}).String()
	}
	e, err := c.open(log)
	if err != nil {
		return err
	}
	if err := e.seed(a.ctx); err != nil {
		return errors.Join(err, e.close())
	}
	if !c.Quiet {
		if err := e.seedPast(a.ctx); err != nil {
			return errors.Join(err, e.close())
		}
	}
	caught, err := c.catchMail(a, e)
	if err != nil {
		return errors.Join(err, e.close())
	}
	return errors.Join(c.play(a, e, show), caught(), e.close())
}

// witnessBeside keeps a witness beside the data directory unless others are named. One that outlived its
// data directory is removed: the demonstration's may be deleted at will.
func (c *demoCmd) witnessBeside() error {
	if len(c.Witness) > 0 {
		return nil
	}
	path := filepath.Clean(c.Data) + ".witness"
	c.Witness = []string{path}
	if _, err := os.Stat(filepath.Join(c.Data, keyringFile)); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (c *demoCmd) play(a *app, e *engine, show *lines) error {
	limits, err := c.confine(e.log)
	if err != nil {
		return err
	}
	ln, taken, err := listenAnywhere(c.TCP, func() (net.Listener, error) { return c.listen(true) })
	if err != nil {
		return err
	}
	secure, tlsTaken, err := listenAnywhere(c.TLS, func() (net.Listener, error) { return c.tlsFlags.listen(true) })
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	secureCtx, endSecure := context.WithCancel(context.WithoutCancel(a.ctx))
	doors, waitSecure, err := e.secure(secureCtx, &c.tlsFlags, secure)
	if err != nil {
		endSecure()
		return errors.Join(err, ln.Close(), secure.Close())
	}
	defer waitSecure()
	defer endSecure()
	figures, figuresTaken, err := listenAnywhere(c.Observe, c.listenObserve)
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	defer e.observeOn(figures)()
	reports, _, err := listenAnywhere(c.HTTPS, func() (net.Listener, error) { return c.listenHTTPS(true) })
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	c.HTTPS = reports.Addr().String()
	endHTTPS, err := e.serveHTTPS(&c.tlsFlags, reports)
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	defer endHTTPS()
	e.bench.host.hears(ln, secure)
	consoleLn, consoleTaken, err := listenAnywhere(c.HTTP, func() (net.Listener, error) { return c.listenHTTP(true) })
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	c.consoleFlags.ListURL = c.TLSListURL
	link, endConsole, err := e.serveHTTP(&c.consoleFlags, consoleLn)
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	defer endConsole()
	publicLn, publicTaken, err := listenAnywhere(c.Public, func() (net.Listener, error) { return c.listenPublic(true) })
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	endPublic, err := e.servePublic(&c.publicFlags, &c.tlsFlags, publicLn)
	if err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	defer endPublic()
	s := &stage{publicTaken: publicTaken, link: link, linkTaken: consoleTaken, engine: e, show: show, data: c.Data, from: e.ledger.Durable() + 1, figures: e.address, figuresTaken: figuresTaken, rounds: make(chan *round, 1)}
	if err := s.banner(ln.Addr().String(), secure.Addr().String(), taken, tlsTaken, c); err != nil {
		return errors.Join(err, ln.Close(), secure.Close())
	}
	players, stopPlayers := context.WithCancel(a.ctx)
	defer stopPlayers()
	serving, stopServing := context.WithCancel(context.WithoutCancel(a.ctx))
	defer stopServing()
	var all sync.WaitGroup
	all.Go(func() {
		<-a.ctx.Done()
		stopPlayers()
	})
	ended := make(chan error, 1)
	go func() { ended <- e.serve(serving, ln, limits, doors...) }()
	crowd := make(chan struct{})
	go func() {
		defer close(crowd)
		if !c.Quiet {
			(&crowdOf{host: ln.Addr().String(), tls: secure.Addr().String(), https: "https://" + c.HTTPS, state: filepath.Join(c.Data, "terminals"), log: e.log, copyPause: copyPause}).play(players)
		}
	}()
	people := make(chan struct{})
	go func() {
		defer close(people)
		if !c.Quiet {
			(&demoDesk{&desk{e}, demoPace}).play(players)
		}
	}()
	waitCanary, err := c.canaryFlags.start(players, a, e, ln, secure, !c.Quiet, s.canaryRound)
	if err != nil {
		e.log.Warn("no canary", slog.String("error", err.Error()))
		waitCanary = func() {}
	}
	followErr := s.follow(a.ctx, ended)
	stopPlayers()
	<-crowd
	<-people
	waitCanary()
	stopServing()
	var serveErr error
	if s.ended == nil {
		serveErr = <-ended
	} else {
		serveErr = *s.ended
	}
	if a.ctx.Err() == nil {
		return errors.Join(followErr, serveErr)
	}
	all.Wait()
	return errors.Join(followErr, serveErr, s.farewell())
}

// listenAnywhere opens the address or, when its port is taken, any free port beside it.
func listenAnywhere(at string, listen func() (net.Listener, error)) (ln net.Listener, taken bool, err error) {
	ln, err = listen()
	if err == nil || !isTaken(err) {
		return ln, false, err
	}
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return nil, false, err
	}
	ln, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	return ln, true, err
}

// stage is the screen of the demonstration. Every figure on it is counted from the journal of this run.
type stage struct {
	engine *engine
	show   *lines
	data   string
	from   uint64 // first entry of this run
	next   uint64
	count  tally
	ended  *error
	hidden map[uint64]bool // messages that were not shown

	link         string      // the console's, once
	linkTaken    bool        // the address asked for was taken
	publicTaken  bool        // likewise, of the public pages
	figures      string      // address of metrics, health and readiness, "" for none
	figuresTaken bool        // the address asked for was taken
	rounds       chan *round // of the canary, to be shown
}

// tally counts judged sales of this run.
type tally struct{ sales, approved, bank, security, messages int }

func (t *tally) add(x *journal.Exchange) {
	if ofCanary(x) {
		return
	}
	t.messages++
	if whatOf(x) != "sale" || x.Flags&journal.FlagRepeat != 0 {
		return
	}
	t.sales++
	switch {
	case x.Effect == journal.Sold:
		t.approved++
	case x.Reason.OfIssuer():
		t.bank++
	default:
		t.security++
	}
}

func (s *stage) banner(tcp, tls string, taken, tlsTaken bool, c *demoCmd) error {
	l := s.show
	own, guests := len(staffTerminals()), len(visitors())
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %s   %s               %s\n", "TOUCHSTONE 试金石", l.two("POS security authentication", "POS 安全认证系统"), l.two("中文: make run LANG=zh", "English: make run LANG=en"))
	fmt.Fprintf(&b, "  %s tcp %s%s\n", pad(l.two("terminals", "终端接入"), 11), tcp, l.taken(taken, c.TCP))
	fmt.Fprintf(&b, "  %s tls %s%s\n", pad("", 11), tls, l.taken(tlsTaken, c.TLS))
	fmt.Fprintf(&b, "  %s https://%s\n", pad(l.two("reports", "健康上报"), 11), c.HTTPS)
	fmt.Fprintf(&b, "  %s %s%s\n", pad(l.two("console", "控制台"), 11), fmt.Sprintf(l.two("%s   (this link works once)", "%s   (此链接仅可使用一次)"), s.link), l.taken(s.linkTaken, c.HTTP))
	fmt.Fprintf(&b, "  %s %s%s\n", pad(l.two("check page", "核验页"), 11), s.engine.checkURL(), l.taken(s.publicTaken, c.Public))
	l.showroomOn(&b)
	fmt.Fprintf(&b, "  %s %s\n", pad(l.two("in here", "此处"), 11), fmt.Sprintf(l.two("%d shops, %d terminals, %d visitors for your own client", "%d 家商户, %d 台终端, %d 台访客终端供您自己的客户端使用"), sampleShops, own, guests))
	fmt.Fprintf(&b, "  %s %s\n", pad(l.two("keys", "密钥"), 11), l.two("published, for tests only; single DES is accepted here", "已公开, 仅供测试; 此处接受单倍长 DES"))
	s.figuresLine(&b, c)
	if at := s.engine.mailbox; at != "" {
		fmt.Fprintf(&b, "  %s %s%s\n", pad(l.two("mail", "邮件"), 11), fmt.Sprintf(l.two("caught on %s, sent to nobody: %s mail list --dir %s", "由 %s 收存, 不外发: %s mail list --dir %s"), at, program(), filepath.Join(s.data, mailDirectory)), l.taken(s.engine.mailboxTaken, c.Mail))
	}
	fmt.Fprintf(&b, "  %s %s demo --print-fixture%s%s\n\n", pad(l.two("yours", "您的终端"), 11), program(), addressFlag(tcp, tls)+publicFlag(s.engine.checkURL()), l.two("          stop: Ctrl-C", "          停止: Ctrl-C"))
	if _, err := io.WriteString(l.w, b.String()); err != nil {
		return err
	}
	return l.head()
}

// program is how this program was called, for a command that a reader can copy.
func program() string {
	if name := os.Args[0]; strings.Contains(name, "/") && !filepath.IsAbs(name) {
		return name
	}
	return "touchstone"
}

// addressFlag makes the fixture name the address that is served, also where a taken port was replaced.
func addressFlag(tcp, tls string) (flags string) {
	if tcp != "127.0.0.1:8583" {
		flags = " --tcp " + tcp
	}
	if tls != demoTLS {
		flags += " --tls " + tls
	}
	return flags
}

// publicFlag makes the fixture name the check page that is served, where its address is not the usual one.
func publicFlag(base string) string {
	if at, plain := strings.CutPrefix(base, "http://"); plain && at != demoPublic {
		return " --public " + at
	}
	return ""
}

func (l *lines) taken(taken bool, wanted string) string {
	if !taken {
		return ""
	}
	return fmt.Sprintf(l.two("   (%s is taken)", "   (%s 已被占用)"), wanted)
}

// summaryEvery is how often the counts are shown.
const summaryEvery = 20 * time.Second

// follow prints the journal as it grows until ctx ends or the host does.
func (s *stage) follow(ctx context.Context, ended <-chan error) error {
	s.next = s.from
	look, sum := time.NewTicker(followEvery), time.NewTicker(summaryEvery)
	defer look.Stop()
	defer sum.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			s.ended = &err
			return nil
		case <-look.C:
			if err := s.read(ctx); err != nil {
				return notCancelled(ctx, err)
			}
		case r := <-s.rounds:
			if err := s.showRound(r); err != nil {
				return err
			}
		case <-sum.C:
			if err := s.summary(); err != nil {
				return err
			}
		}
	}
}

func (s *stage) read(ctx context.Context) error {
	return eachEntry(ctx, s.engine.store.Reader, &s.next, func(e journal.Entry) error {
		var x journal.Exchange
		if e.Kind == journal.KindExchange {
			if err := x.Parse(e); err != nil {
				return err
			}
			s.count.add(&x)
			if ofCanary(&x) {
				s.hide(e.Seq)
				return nil
			}
		}
		if healthTaken(e) || s.causeHidden(e) {
			return nil
		}
		return s.show.entry(e)
	})
}

func (s *stage) counts() string {
	c := s.count
	return fmt.Sprintf(s.show.two("%d sales   %d approved   %d refused by the card's bank   %d by security", "%d 笔消费   %d 笔通过   %d 笔被发卡行拒绝   %d 笔被安全认证拒绝"),
		c.sales, c.approved, c.bank, c.security)
}

func (s *stage) summary() error {
	at := time.Now().In(s.show.zone).Format("15:04:05")
	_, err := fmt.Fprintf(s.show.w, " %s  ── %s\n", at, s.counts())
	if report, _ := s.engine.watch.report(effectiveness.Range{}); err == nil && report.Approvals > 0 {
		_, err = fmt.Fprintf(s.show.w, " %s  ── %s\n", at, s.show.sentence(&report))
	}
	return err
}

// farewell reads the last entries and says how to check the counts.
func (s *stage) farewell() error {
	if err := s.read(context.Background()); err != nil {
		return err
	}
	l := s.show
	_, err := fmt.Fprintf(l.w, "\n  %s: %s\n  %s: %s journal verify --data %s\n", l.two("this run", "本次运行"), s.counts(),
		fmt.Sprintf(l.two("journal entries %d to %d; check them", "日志第 %d 至 %d 条; 校验"), s.from, s.next-1), program(), s.data)
	return err
}

// flushing writes line by line, so that a reader behind a pipe sees each at once.
type flushing struct{ w io.Writer }

func (f *flushing) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if s, ok := f.w.(interface{ Sync() error }); ok && err == nil {
		_ = s.Sync() // a pipe cannot be synced and need not be
	}
	return n, err
}
