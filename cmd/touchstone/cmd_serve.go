package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"touchstone/hsm/soft"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/proof"
)

// hostFlags are the flags, and configuration keys, of every command that runs a host.
type hostFlags struct {
	Data           string `name:"data" help:"Data directory." placeholder:"DIR"`
	TCP            string `name:"tcp" help:"Address to hear terminals on, plain TCP." default:"127.0.0.1:8583" placeholder:"HOST:PORT"`
	PlainBeyond    bool   `name:"plain-tcp-beyond-loopback" help:"Hear plain TCP on an address that is not loopback."`
	PassphraseFile string `name:"passphrase-file" help:"File that holds the passphrase of the keyring." placeholder:"FILE"`
	IdentityFile   string `name:"identity-file" help:"age identity that opens the keyring." placeholder:"FILE"`
	TimeZone       string `name:"time-zone" help:"Time zone of DE12 and DE13." default:"Asia/Shanghai"`
	AcquirerID     string `name:"acquirer-id" help:"DE32 of answers, up to 11 digits." default:"48021000"`
	IssuerID       string `name:"issuer-id" help:"Issuer part of DE44, up to 11 characters." default:"01020000"`

	SignInLifetime   time.Duration `name:"sign-in-lifetime" help:"How long a sign-in is valid." default:"24h"`
	ReversalLifetime time.Duration `name:"reversal-lifetime" help:"How much longer reversals are accepted." default:"24h"`
	RepeatWindow     time.Duration `name:"repeat-window" help:"How long a repeated request gets the recorded answer." default:"180s"`
	AllowSingleDES   bool          `name:"allow-single-des" help:"Issue and accept single-DES keys (sign-in code 001). Always allowed in a test data directory."`
	RefuseWeakMAC    bool          `name:"refuse-weak-mac" help:"Refuse messages whose MAC algorithm is graded weak."`
	RefusePlace      bool          `name:"refuse-place" help:"Refuse a terminal outside its registered circle; else it is recorded."`
	PlaceMetres      uint32        `name:"place-metres" help:"Uncertainty of a reported place." default:"500"`
	RefuseTail       bool          `name:"refuse-sequence" help:"Refuse a sign-in whose DE62 disagrees with the registered serial number."`
	OnClone          string        `name:"on-clone" help:"observe: two devices with one identity open an incident; refuse: and both are refused until two people clear them (touchstone clone clear)." default:"observe" enum:"observe,refuse"`
	SignInBurst      int           `name:"sign-in-burst" help:"Sign-ins of one terminal at once." default:"30"`
	SignInEvery      time.Duration `name:"sign-in-every" help:"Then one sign-in each." default:"2s"`
	MaxConnections   int           `name:"max-connections" help:"Connections in all." default:"20000"`
	MaxFromAddress   int           `name:"max-connections-from-address" help:"Connections from one address." default:"20000"`
	Idle             time.Duration `name:"idle" help:"Silence after which a connection is closed; at least 60s." default:"10m"`
	FrameTime        time.Duration `name:"frame-time" help:"From the first byte of a frame to its last." default:"10s"`
	PINAge           int           `name:"pin-age-days" help:"How old a card's PIN is when its holder is reminded, days; 0 never." default:"365"`
	tlsFlags
	gradeFlags
	httpsFlags
	consoleFlags
	publicFlags
	canaryFlags
	boundFlags
	guardFlags
	noticeFlags
	webhookFlags
	labFlags
	traceFlags
	diagnoseFlags
	keptFlags
	LogLevel string `name:"log-level" help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error"`

	LogFormat     string `name:"log-format" help:"text or json, to standard error." default:"text" enum:"text,json"`
	Observe       string `name:"observe" help:"Address of metrics, health and readiness (/metrics, /healthz, /readyz); empty for none." default:"127.0.0.1:9584" placeholder:"HOST:PORT"`
	ObserveBeyond bool   `name:"observe-beyond-loopback" help:"Show them on an address that is not loopback."`
}

// check refuses what may not be configured, by the key's name.
func (f *hostFlags) check() error {
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{
		{"sign-in-lifetime", f.SignInLifetime, time.Minute}, {"reversal-lifetime", f.ReversalLifetime, 0},
		{"repeat-window", f.RepeatWindow, 0}, {"sign-in-every", f.SignInEvery, time.Millisecond},
		{"idle", f.Idle, time.Minute}, {"frame-time", f.FrameTime, time.Second},
	} {
		if d.value < d.least {
			return fmt.Errorf("%s: %s is under %s", d.key, d.value, d.least)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"sign-in-burst", f.SignInBurst}, {"max-connections", f.MaxConnections}, {"max-connections-from-address", f.MaxFromAddress}} {
		if n.value < 1 {
			return fmt.Errorf("%s: %d is under 1", n.key, n.value)
		}
	}
	if err := f.guardFlags.check(); err != nil {
		return err
	}
	if err := f.gradeFlags.check(); err != nil {
		return err
	}
	if err := f.tlsFlags.check(); err != nil {
		return err
	}
	if err := f.consoleFlags.check(); err != nil {
		return err
	}
	if err := f.canaryFlags.check(); err != nil {
		return err
	}
	if err := f.diagnoseFlags.check(); err != nil {
		return err
	}
	if err := f.keptFlags.check(); err != nil {
		return err
	}
	if len(f.AcquirerID) == 0 || len(f.AcquirerID) > 11 || strings.Trim(f.AcquirerID, "0123456789") != "" {
		return fmt.Errorf("acquirer-id: want 1 to 11 digits")
	}
	if len(f.IssuerID) > 11 {
		return fmt.Errorf("issuer-id: want at most 11 characters")
	}
	return f.boundFlags.check()
}

func (f *hostFlags) policy(test bool) proof.Policy {
	p := proof.DefaultPolicy()
	p.SignInLifetime, p.ReversalLifetime, p.RepeatWindow = f.SignInLifetime, f.ReversalLifetime, f.RepeatWindow
	p.AllowSingleDES = f.AllowSingleDES || test
	f.gradeFlags.into(&p)
	p.RefuseWeakMAC, p.RefusePlace, p.PlaceMetres, p.RefuseTail = f.RefuseWeakMAC, f.RefusePlace, f.PlaceMetres, f.RefuseTail
	p.RefuseClones = f.OnClone == "refuse"
	return p
}

// open opens the data directory as the flags say.
func (f *hostFlags) open(log *slog.Logger) (*engine, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(f.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time-zone: %w", err)
	}
	if f.Data == "" {
		return nil, errors.New("data: no data directory given")
	}
	test := isTestDirectory(f.Data)
	lock := soft.Lock{PassphraseFile: f.PassphraseFile, IdentityFile: f.IdentityFile}
	if test && f.PassphraseFile == "" && f.IdentityFile == "" {
		lock = testLock(f.Data)
	}
	opts := ledger.DefaultOptions()
	opts.SignInBurst, opts.SignInEvery = f.SignInBurst, f.SignInEvery
	e, err := openEngine(engineOptions{dir: f.Data, guard: f.guard(log), lock: lock, policy: f.policy(test), ledger: opts, zone: zone, acquirerID: f.AcquirerID, issuerID: f.IssuerID, log: log, gate: f.gate(), rates: f.rates(), pinAge: f.PINAge, diagnosis: f.budget(), kept: f.kept()})
	if err == nil {
		e.stopIneffective = f.OnIneffective == "stop"
		if err = e.startTraces(&f.traceFlags); err != nil {
			return nil, errors.Join(err, e.close())
		}
		if e.hooks.guard.Inside, err = f.inside(); err != nil {
			return nil, errors.Join(err, e.close())
		}
		if e.bench.host, err = f.labFlags.host(test); err != nil {
			return nil, errors.Join(err, e.close())
		}
		if bad := e.loadNotices(f.Notify); bad != nil && f.Notify != "" {
			return nil, errors.Join(bad, e.close())
		}
	}
	return e, err
}

func (f *hostFlags) limits() listener.Limits {
	l := listener.DefaultLimits()
	l.Connections, l.FromAddress, l.Idle, l.FrameTime, l.Shared = f.MaxConnections, f.MaxFromAddress, f.Idle, f.FrameTime, f.MaxInFlight
	f.bound(&l)
	return l
}

// listen opens the address, which must be loopback for a test data directory, and otherwise unless
// plain TCP beyond it was asked for by name.
func (f *hostFlags) listen(test bool) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(f.TCP)
	if err != nil {
		return nil, fmt.Errorf("tcp: %q: want an address and a port, such as 127.0.0.1:8583", f.TCP)
	}
	if !ap.Addr().IsLoopback() {
		if test {
			return nil, fmt.Errorf("tcp: %s is not loopback: a test data directory has published keys and is served on loopback only", f.TCP)
		}
		if !f.PlainBeyond {
			return nil, fmt.Errorf("tcp: %s is not loopback: plain TCP there must be asked for with plain-tcp-beyond-loopback", f.TCP)
		}
	}
	return net.Listen("tcp", f.TCP)
}

func (f *hostFlags) logger(a *app) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	return newLog(a.stderr, f.LogFormat, level)
}

// serveCmd is the host without the demonstration.
type serveCmd struct {
	Config kong.ConfigFlag `name:"config" help:"TOML file; its keys are the flags below without the dashes before them." placeholder:"FILE"`
	Verify bool            `name:"verify" help:"Prove the whole journal intact before serving."`
	hostFlags
}

// Help is shown by touchstone serve --help.
func (serveCmd) Help() string {
	return `The authentication host: it proves every message, records it durably, and answers. Ctrl-C ends it when what was
read has been answered. A flag prevails over the configuration file.

  touchstone init --data shop --passphrase-file pass.txt
  touchstone serve --data shop --passphrase-file pass.txt`
}

// Run serves until the process is told to end.
func (c *serveCmd) Run(a *app) error {
	log := c.logger(a)
	c.proveFirst = c.Verify
	e, err := c.open(log)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(a, e, log), e.close())
}

func (c *serveCmd) serve(a *app, e *engine, log *slog.Logger) error {
	limits, err := c.confine(log)
	if err != nil {
		return err
	}
	ln, err := c.listen(e.test)
	if err != nil {
		return err
	}
	figures, err := c.listenObserve()
	if err != nil {
		ln.Close()
		return err
	}
	defer e.observeOn(figures)()
	if e.noticesErr != nil && !errors.Is(e.noticesErr, errNoNotices) {
		log.Warn("nobody can be told of an incident", slog.String("error", e.noticesErr.Error()))
	}
	if e.line.Policy.AllowSingleDES {
		log.Warn("single DES is accepted", slog.Bool("test_data_directory", e.test))
	}
	c.gradeFlags.announce(log)
	tlsLn, err := c.tlsFlags.listen(e.test)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	e.bench.host.hears(ln, tlsLn)
	httpsLn, err := c.listenHTTPS(e.test)
	if err != nil {
		return errors.Join(err, ln.Close(), closeListener(tlsLn))
	}
	endHTTPS, err := e.serveHTTPS(&c.tlsFlags, httpsLn)
	if err != nil {
		return errors.Join(err, ln.Close(), closeListener(tlsLn))
	}
	defer endHTTPS()
	consoleLn, err := c.listenHTTP(e.test)
	if err != nil {
		return errors.Join(err, ln.Close(), closeListener(tlsLn))
	}
	c.consoleFlags.ListURL = c.TLSListURL
	link, endConsole, err := e.serveHTTP(&c.consoleFlags, consoleLn)
	if err != nil {
		return errors.Join(err, ln.Close(), closeListener(tlsLn))
	}
	defer endConsole()
	publicLn, err := c.listenPublic(e.test)
	if err != nil {
		return errors.Join(err, ln.Close(), closeListener(tlsLn))
	}
	endPublic, err := e.servePublic(&c.publicFlags, &c.tlsFlags, publicLn)
	if err != nil {
		return errors.Join(err, ln.Close(), closeListener(tlsLn))
	}
	defer endPublic()
	if link != "" { // to the terminal, and never to the log
		fmt.Fprintf(a.stderr, a.words().two("console: open this link once, within an hour: %s\n", "控制台: 请在一小时内打开此链接 (仅可使用一次): %s\n"), link)
	}
	secureCtx, endSecure := context.WithCancel(a.ctx)
	doors, wait, err := e.secure(secureCtx, &c.tlsFlags, tlsLn)
	if err != nil {
		endSecure()
		return errors.Join(err, ln.Close(), tlsLn.Close())
	}
	defer wait()
	defer endSecure()
	n := e.ledger.Counts()
	log.Info("serving", slog.String("tcp", ln.Addr().String()), slog.String("tls", addressOrNone(tlsLn)), slog.String("https", addressOrNone(httpsLn)), slog.String("http", addressOrNone(consoleLn)), slog.String("public", addressOrNone(publicLn)), slog.String("data", c.Data), slog.Bool("test", e.test),
		slog.Int("terminals", n.Terminals), slog.Int("merchants", n.Merchants), slog.Uint64("journal", e.ledger.Durable()), slog.String("observe", e.address))
	canaryCtx, endCanary := context.WithCancel(a.ctx)
	defer endCanary()
	waitCanary, err := c.canaryFlags.start(canaryCtx, a, e, ln, tlsLn, false, nil)
	if err != nil {
		if tlsLn != nil {
			err = errors.Join(err, tlsLn.Close())
		}
		return errors.Join(err, ln.Close())
	}
	err = e.serve(a.ctx, ln, limits, doors...)
	endCanary()
	waitCanary()
	log.Info("ended", slog.Uint64("journal", e.ledger.Durable()))
	return err
}

// serve runs listener and control socket until ctx ends or the journal fails, which is final: nothing
// more is answered.
func (e *engine) serve(ctx context.Context, ln net.Listener, limits listener.Limits, doors ...listener.Secure) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	server := listener.New(e.line, limits, e.log)
	defer e.observeServer(server, ln, doors)()
	control, err := e.listenControl(ctx)
	if err != nil {
		ln.Close()
		for _, d := range doors {
			d.Listener.Close()
		}
		return err
	}
	defer control()
	e.wait.Go(func() { e.keepReleasesFresh(ctx) })
	defer e.startOutbox(ctx)()
	defer e.startHooks(ctx)()
	go func() {
		select {
		case err := <-e.failed:
			err = fatal(err)
			e.log.Error("ending at once", slog.String("error", err.Error()))
			cancel(err)
			dieSoon(err)
		case <-ctx.Done():
		}
	}()
	if err := server.Serve(ctx, ln, doors...); err != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// hostZone is the time zone of DE12 and DE13 of a host that was not told another.
func hostZone() *time.Location {
	zone, err := time.LoadLocation(hostDefaults().TimeZone)
	if err != nil {
		panic("the default time zone is none") // the zones are built in
	}
	return zone
}

// hostDefaults are the flags of a command that opens a data directory without serving.
func hostDefaults() hostFlags {
	return hostFlags{TimeZone: "Asia/Shanghai", AcquirerID: "48021000", IssuerID: "01020000", SignInLifetime: 24 * time.Hour,
		ReversalLifetime: 24 * time.Hour, RepeatWindow: 180 * time.Second, PlaceMetres: 500, SignInBurst: 30, SignInEvery: 2 * time.Second,
		MaxConnections: 1, MaxFromAddress: 1, Idle: time.Minute, FrameTime: time.Second, tlsFlags: tlsDefaults(),
		canaryFlags: canaryFlags{Canary: "off", CanaryEvery: canaryEvery, CanaryDeadline: canaryDeadline}, boundFlags: defaultBounds(), guardFlags: guardDefaults(), diagnoseFlags: diagnoseFlags{DiagnoseMinute: 1, DiagnoseShare: 1}, keptFlags: keptFlags{MessageMiB: 1, untouched: true}}
}
