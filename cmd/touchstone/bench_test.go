package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/secret"
	"touchstone/terminal"
)

// How the benchmarks are run. TMPDIR says which disk; it must not be one in memory.
var (
	benchTerminals   = flag.Int("bench-terminals", 1000, "terminals of the whole-line benchmarks")
	benchConnections = flag.Int("bench-connections", 256, "connections of BenchmarkWholeLine")
	benchNoPIN       = flag.Bool("bench-no-pin", false, "sales of BenchmarkWholeLine without a PIN")
)

// verifyOneIn is how many answers there are to one whose MAC the client verifies.
const verifyOneIn = 64

// BenchmarkWholeLine is sales over loopback TCP against a whole host: SQLite with synchronous FULL, the
// security module in software, one bank, one view for queries. Four terminals of five sign in with code
// 003 (UnionPay ECB, DES MAC) and one with 005 (SM4); each sale has track 2, a PIN and the proof of the
// serial number (tag A2), every one is approved, and its answer is durable before it leaves. Each
// connection has one message in flight and its own share of the terminals. The client is in the same
// process: cpu-us/tx is of both and of the kernel on their behalf.
func BenchmarkWholeLine(b *testing.B) {
	rig := newBenchRig(b, false)
	conns := rig.dial(b, *benchConnections)
	b.Run("sales", func(b *testing.B) {
		m := startMeter()
		var left atomic.Int64
		left.Store(int64(b.N))
		took := make([][]time.Duration, len(conns))
		b.ResetTimer()
		asClient(len(conns), func(i int) {
			for left.Add(-1) >= 0 {
				d, err := conns[i].sale()
				if err != nil {
					left.Store(0)
					b.Error(err)
					return
				}
				took[i] = append(took[i], d)
			}
		})
		b.StopTimer()
		m.report(b, took)
	})
	b.Run("echo", benchmarkEcho)
	b.Run("fdatasync", benchmarkSync)
}

// BenchmarkLedger256 is the line without network, MACs and PINs: 256 submitters parse a sale, have it
// judged by a module that agrees with every proof, committed by ledger, committer and SQLite, and render
// the answer when it is durable; alone, and with the checkpoints and the projection of a running host.
func BenchmarkLedger256(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkLedger(b, newBenchRig(b, true)) })
	b.Run("with-checkpoints-and-view", func(b *testing.B) { benchmarkLedger(b, newBenchRig(b, false)) })
}

func benchmarkLedger(b *testing.B, rig *benchRig) {
	line := *rig.engine.line
	agrees := yes{line.Keys, line.Hasher}
	line.Prover, line.Sealer, line.Vault = agrees, agrees, agrees
	const submitters = 256
	b.Run("sales", func(b *testing.B) {
		m := startMeter()
		var left atomic.Int64
		left.Store(int64(b.N))
		took := make([][]time.Duration, submitters)
		b.ResetTimer()
		asClient(submitters, func(i int) {
			done := make(chan struct{}, 1)
			x := line.NewExchange(func(*host.Exchange) { done <- struct{}{} })
			peer := host.Peer{Conn: uint64(i + 1), Address: pos.IPv4(127, 0, 0, 1)}
			own := rig.share(i, submitters)
			for n := 0; left.Add(-1) >= 0; n++ {
				begin := time.Now()
				frame := own[n%len(own)].next(false)
				line.Begin(x.Buffer()[:copy(x.Buffer(), frame[iso8583.LengthSize:])], peer, x)
				<-done
				if answer, shut := line.Finish(x); shut || len(answer) == 0 {
					left.Store(0)
					b.Error("no answer")
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
		b.StopTimer()
		m.report(b, took)
	})
}

// asClient runs f for each of n clients and waits; a CPU profile tells them by the label side=client.
func asClient(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			pprof.Do(context.Background(), pprof.Labels("side", "client"), func(context.Context) { f(i) })
		})
	}
	all.Wait()
}

// meter measures one run.
type meter struct {
	begin time.Time
	cpu   time.Duration
}

func startMeter() meter { return meter{time.Now(), processCPU()} }

// processCPU is user and system time of this process.
func processCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (m meter) report(b *testing.B, took [][]time.Duration) {
	elapsed, cpu := time.Since(m.begin), processCPU()-m.cpu
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(float64(len(all))/elapsed.Seconds(), "tx/s")
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(ms(all[len(all)-1]), "max-ms")
	b.ReportMetric(float64(cpu.Microseconds())/float64(len(all)), "cpu-us/tx")
	b.ReportMetric(0, "ns/op")
}

// benchRig is a host with registered and signed-in terminals.
type benchRig struct {
	engine *engine
	addr   string
	all    []*benchTerminal
}

func newBenchRig(b *testing.B, alone bool) *benchRig {
	dir := filepath.Join(b.TempDir(), "shop")
	refuseMemory(b, filepath.Dir(dir))
	quiet := slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, quiet); err != nil {
		b.Fatal(err)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		b.Fatal(err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(),
		zone: zone, acquirerID: "48021000", issuerID: "01020000", log: quiet, withoutView: alone, checkpointEvery: checkpointOf(alone)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.close(); err != nil {
			b.Error(err)
		}
	})
	rig := &benchRig{engine: e}
	rig.register(b)
	rig.listen(b)
	rig.signIn(b)
	return rig
}

// checkpointOf is the pace of checkpoints: the usual one, or only at the end for the ledger alone.
func checkpointOf(alone bool) time.Duration {
	if alone {
		return time.Hour
	}
	return 0
}

// refuseMemory refuses a directory on a file system in memory: nothing is durable there.
func refuseMemory(b *testing.B, dir string) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		b.Fatal(err)
	}
	if s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC {
		b.Skipf("%s is in memory: set TMPDIR to a directory on a disk", dir)
	}
}

func (r *benchRig) register(b *testing.B) {
	records := r.engine.seedShops()
	for i := range *benchTerminals {
		code := keys.SignInTDES
		if i%5 == 4 {
			code = keys.SignInSM4
		}
		t := sampleTerminal{id: sampleID(10_000_000 + i), merchant: sampleMerchant(1 + i%sampleShops), code: code, serial: sampleSerial(10_000_000 + i)}
		more, err := r.engine.seedTerminal(b.Context(), t)
		if err != nil {
			b.Fatal(err)
		}
		c := sampleCard{label: fmt.Sprintf("bench %d", i), service: "101", expiry: "4912", balance: 999_999_999_999, state: "active"}
		c.pin = publishedDigits("pin/"+c.label, 6)
		opening, err := r.engine.seedCard(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		records = append(append(records, more...), opening)
		r.all = append(r.all, &benchTerminal{sampleTerminal: t, card: c})
	}
	if err := r.engine.ledger.Register(b.Context(), r.engine.clock(), records...); err != nil {
		b.Fatal(err)
	}
}

func (r *benchRig) listen(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	server := listener.New(r.engine.line, listener.DefaultLimits(), slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	b.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
}

// signIn signs every terminal in over the wire, many at once.
func (r *benchRig) signIn(b *testing.B) {
	const at = 32
	var all sync.WaitGroup
	for i, c := range r.dial(b, at) {
		own := r.share(i, at)
		all.Go(func() {
			for _, t := range own {
				if err := t.signIn(c); err != nil {
					b.Errorf("sign-in of %s: %v", t.id, err)
					return
				}
			}
		})
	}
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// share is every n-th terminal from the i-th.
func (r *benchRig) share(i, n int) (own []*benchTerminal) {
	for ; i < len(r.all); i += n {
		own = append(own, r.all[i])
	}
	return own
}

// benchTerminal is a terminal with its sale as a template: only trace and MAC change.
type benchTerminal struct {
	sampleTerminal
	card  sampleCard
	trace uint64
	mak   *mac.Key
	frame []byte // LEN to DE64
	de39  int    // where it lies in an answer
	seen  int
}

// Where things lie in a sale without DE2, LEN included: docs/protocol/unionpay-pos.md, sections 1 and 2.
const (
	mtiAt   = iso8583.LengthSize + iso8583.EnvelopeSize
	traceAt = mtiAt + 2 + 8 + 3 + 6 // after MTI, bitmap, DE3, DE4
	macSize = 8
)

// next is the next sale's frame, authenticated if it has to be.
func (t *benchTerminal) next(authenticate bool) []byte {
	t.trace = t.trace%999_999 + 1
	n := t.trace
	for i := 2; i >= 0; i-- {
		t.frame[traceAt+i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
	if authenticate {
		mab := len(t.frame) - macSize
		de64 := t.mak.Sum8(t.frame[mtiAt:mab])
		copy(t.frame[mab:], de64[:])
	}
	return t.frame
}

func (t *benchTerminal) signIn(c *benchConn) error {
	w := iso8583.NewBuilder(&iso8583.UnionPay)
	w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, 0x0800)
	w.PutNumber(11, 1)
	w.PutText(41, t.id[:])
	w.PutText(42, t.merchant[:])
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Management, Network: t.code, Digits: iso8583.ManagementDigits})
	if err != nil {
		return err
	}
	w.PutDigits(60, de60)
	w.PutText(63, []byte("001"))
	frame, err := w.Frame()
	if err != nil {
		return err
	}
	answer, err := c.exchange(frame)
	if err != nil {
		return err
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		return err
	}
	if string(m.Raw(39)) != "00" {
		return fmt.Errorf("answered %s", m.Raw(39))
	}
	opened, err := m.DE60()
	if err != nil {
		return err
	}
	return t.takeKeys(m.Raw(62), opened.Batch)
}

// takeKeys opens DE62 and makes the template under the new keys.
func (t *benchTerminal) takeKeys(de62 []byte, batch pos.BatchNo) error {
	code := paycrypto.SignInCode(t.code)
	tmk, err := paycrypto.NewCipher(code.Algorithm(), t.masterKey())
	if err != nil {
		return err
	}
	k, err := paycrypto.ParseWorkingKeys(code, tmk, de62)
	if err != nil {
		return err
	}
	defer k.Wipe()
	algorithm := mac.UnionPayECBDES
	if code.Algorithm() == paycrypto.SM4 {
		algorithm = mac.UnionPayECBSM4
	}
	k.MAK.Use(func(key []byte) { t.mak, err = mac.New(algorithm, 0, key) })
	if err != nil {
		return err
	}
	var pik *paycrypto.Cipher
	k.PIK.Use(func(key []byte) { pik, err = paycrypto.NewCipher(code.Algorithm(), key) })
	if err != nil {
		return err
	}
	return t.template(pik, batch)
}

// template packs a sale: track 2, PIN, serial number proof; sections 2, 5 and 6.1.
func (t *benchTerminal) template(pik *paycrypto.Cipher, batch pos.BatchNo) error {
	w := iso8583.NewBuilder(&iso8583.UnionPay)
	w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, 0x0200)
	w.PutNumber(3, 0)
	w.PutNumber(4, 1850)
	w.PutNumber(11, 1)
	entry := uint64(21)
	if *benchNoPIN {
		entry = 22
	}
	w.PutNumber(22, entry)
	w.PutNumber(25, 0)
	if !*benchNoPIN {
		w.PutNumber(26, iso8583.MaxPIN)
	}
	w.PutDigits(35, []byte(t.card.track2()))
	w.PutText(41, t.id[:])
	w.PutText(42, t.merchant[:])
	w.PutText(49, pos.CNY[:])
	de59, err := t.putPIN(w, pik)
	if err != nil {
		return err
	}
	serialKey, err := mac.New(mac.UnionPayECBSM4, 0, t.serialKey())
	if err != nil {
		return err
	}
	factor := []byte(t.card.pan()[10:])
	cipher := mac.SerialCiphertext(serialKey, t.serial, factor)
	if de59, err = iso8583.AppendA2(de59, iso8583.A2Values{iso8583.A2DeviceType: []byte(sampleDeviceType), iso8583.A2Serial: []byte(t.serial),
		iso8583.A2Factor: factor, iso8583.A2Cipher: cipher[:], iso8583.A2Version: []byte(sampleApp + "   ")}); err != nil {
		return err
	}
	w.PutText(59, de59)
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Sale, Batch: batch, Reading: 5, Digits: 14})
	if err != nil {
		return err
	}
	w.PutDigits(60, de60)
	w.ReserveMAC()
	w.SetMAC(t.mak.Sum8(w.MAB()))
	t.frame, err = w.Frame()
	return err
}

// putPIN packs DE52 and DE53 and returns what DE59 has of the PIN: tag A1 under SM4.
func (t *benchTerminal) putPIN(w iso8583.Builder, pik *paycrypto.Cipher) (de59 []byte, err error) {
	if *benchNoPIN {
		return nil, nil
	}
	form, s := pinblock.ISO0, iso8583.Security{Format: iso8583.PINWithPAN, Algorithm: iso8583.TripleDES}
	if pik.Algorithm() == paycrypto.SM4 {
		form, s.Algorithm = pinblock.SM4PAN1, iso8583.SM4
	}
	block := make([]byte, form.Size())
	if err := pinblock.Encipher(block, pik, form, pinblock.Parts{PIN: []byte(t.card.pin), PAN: []byte(t.card.pan())}); err != nil {
		return nil, err
	}
	if form == pinblock.SM4PAN1 {
		if de59, err = iso8583.AppendTag(nil, "A1", block); err != nil {
			return nil, err
		}
		block = make([]byte, 8)
	}
	w.PutRaw(52, block)
	de53, err := iso8583.AppendDE53(nil, s)
	w.PutDigits(53, de53)
	return de59, err
}

// judge looks at an answer: DE39 of every one, all of one in verifyOneIn.
func (t *benchTerminal) judge(answer []byte) error {
	t.seen++
	if t.de39 != 0 && t.seen%verifyOneIn != 0 {
		if len(answer) < t.de39+2 || string(answer[t.de39:t.de39+2]) != "00" {
			return fmt.Errorf("a sale was not approved")
		}
		return nil
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		return err
	}
	code := m.Raw(39)
	if trace, _ := m.Number(11); m.MTI() != 0x0210 || string(code) != "00" || trace != t.trace {
		return fmt.Errorf("a sale was answered %s %s", m.MTI(), code)
	}
	if !t.mak.Verify(m.MAB(), m.Raw(64)) {
		return fmt.Errorf("an answer's MAC is wrong")
	}
	before := slices.Concat(m.Raw(37), m.Raw(38))
	t.de39 = bytes.Index(answer, slices.Concat(before, code)) + len(before)
	return nil
}

// benchConn is one connection of the client.
type benchConn struct {
	net net.Conn
	r   *bufio.Reader
	own []*benchTerminal
	at  int
	buf [iso8583.MaxFrame]byte
}

func (r *benchRig) dial(b *testing.B, n int) []*benchConn {
	all := make([]*benchConn, n)
	for i := range all {
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { nc.Close() })
		all[i] = &benchConn{net: nc, r: bufio.NewReaderSize(nc, iso8583.MaxFrame), own: r.share(i, n)}
		if len(all[i].own) == 0 {
			b.Fatal("fewer terminals than connections")
		}
	}
	return all
}

// exchange sends a frame, LEN included, and lends the answer's, without.
func (c *benchConn) exchange(frame []byte) ([]byte, error) {
	if _, err := c.net.Write(frame); err != nil {
		return nil, err
	}
	head, err := c.r.Peek(iso8583.LengthSize)
	if err != nil {
		return nil, err
	}
	answer := c.buf[:min(int(binary.BigEndian.Uint16(head)), len(c.buf))]
	if _, err := c.r.Discard(iso8583.LengthSize); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(c.r, answer)
	return answer, err
}

func (c *benchConn) sale() (time.Duration, error) {
	t := c.own[c.at]
	c.at = (c.at + 1) % len(c.own)
	frame := t.next(true)
	begin := time.Now()
	answer, err := c.exchange(frame)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	return took, t.judge(answer)
}

// yes is a module that agrees with every proof; it still makes keys and hashes.
type yes struct {
	keys.Module
	host.PANHasher
}

func (yes) Prove(c *proof.Claims, e *proof.Evidence) {
	used := 0
	if c.Sets[0] == nil {
		used = 1
	}
	*e = proof.Evidence{MAC: proof.Passed, Used: used, Serial: proof.Passed, Factor: proof.Passed, Track: proof.Passed, TrackPAN: proof.Passed}
}

func (yes) Seal(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) ([8]byte, error) {
	return [8]byte{'0'}, nil
}

func (yes) VerifyPIN(*issuer.PINQuestion) issuer.PINResult { return issuer.PINRight }

func (yes) MakePIN(context.Context, pos.PAN, secret.Bytes) ([16]byte, error) {
	return [16]byte{}, keys.ErrUnavailable
}

// benchmarkEcho is the kernel's part: 252 bytes there and back over 64 connections, one message in flight
// on each, client and server in this process.
func benchmarkEcho(b *testing.B) {
	const clients, size = 64, 252
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				var buf [size]byte
				for {
					if _, err := io.ReadFull(c, buf[:]); err != nil {
						return
					}
					if _, err := c.Write(buf[:]); err != nil {
						return
					}
				}
			})
		}
	})
	conns := make([]net.Conn, clients)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", ln.Addr().String()); err != nil {
			b.Fatal(err)
		}
	}
	m := startMeter()
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, clients)
	b.ResetTimer()
	asClient(clients, func(i int) {
		var buf [size]byte
		for left.Add(-1) >= 0 {
			begin := time.Now()
			if _, err := conns[i].Write(buf[:]); err != nil {
				b.Error(err)
				return
			}
			if _, err := io.ReadFull(conns[i], buf[:]); err != nil {
				b.Error(err)
				return
			}
			took[i] = append(took[i], time.Since(begin))
		}
	})
	b.StopTimer()
	m.report(b, took)
	for _, c := range conns {
		c.Close()
	}
	ln.Close()
	served.Wait()
}

// benchmarkSync is the disk's part: 4 KiB over an allocated file and fdatasync.
func benchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const size, page = 16 << 20, 4096
	if _, err := f.Write(make([]byte, size)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, page)
	took := make([]time.Duration, 0, b.N)
	m := startMeter()
	b.ResetTimer()
	for i := range b.N {
		begin := time.Now()
		buf[0] = byte(i)
		if _, err := f.WriteAt(buf, int64(i)*page%size); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	b.StopTimer()
	m.report(b, [][]time.Duration{took})
}
