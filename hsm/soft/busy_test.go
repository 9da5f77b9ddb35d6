package soft_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"touchstone/hsm/soft"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
)

// TestBusy has many goroutines use few cached keys of many terminals while the master key is rotated
// and the module is sealed and opened: an answer is right or it is a refusal for being sealed.
func TestBusy(t *testing.T) {
	r := sealedRig(t, soft.Options{CacheKeys: 64}) // one a shard: evictions all the time
	if err := r.Unseal(r.path, r.lock); err != nil {
		t.Fatal(err)
	}
	const terminals, rounds = 24, 150
	type one struct {
		c *proof.Claims
		q *issuer.PINQuestion
	}
	list := make([]one, terminals)
	v := vector(t, "ansi98-derived")
	for i := range list {
		id, _ := pos.ParseTerminalID(fmt.Sprintf("%08d", i))
		set := r.set(t, id, keys.SignInTDESTrack, v["key"].(string), demoMAK, demoTDK)
		c := fullClaims(t, r, set)
		c.Terminal = id
		q := question(t, r, set, issuer.PINFormat0, v["block"].(string), v["pan"].(string), v["pin"].(string))
		q.Terminal = id
		list[i] = one{c, q}
	}
	hash, err := r.HashPAN(card(t, "6225885916163157"))
	if err != nil {
		t.Fatal(err)
	}
	var work, admin sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			pan := card(t, "6225885916163157")
			for i := range rounds {
				l := list[(i*7+g)%terminals]
				c := *l.c
				c.PAN = pos.NewPAN()
				e := r.prove(&c)
				right := e.MAC == proof.Passed && e.Serial == proof.Passed && e.Track == proof.Passed && e.Factor == proof.Passed
				if !right && !errors.Is(e.Err, keys.ErrSealed) {
					t.Errorf("Prove: %+v", e)
				}
				if got := r.VerifyPIN(l.q); got != issuer.PINRight && got != issuer.PINUnavailable {
					t.Errorf("VerifyPIN: %d", got)
				}
				if h, err := r.HashPAN(pan); h != hash && !errors.Is(err, keys.ErrSealed) {
					t.Errorf("HashPAN: %v", err)
				}
				if _, err := r.Seal(c.Terminal, c.Sets[0], mac.UnionPayECBDES, mabA); err != nil && !errors.Is(err, keys.ErrSealed) {
					t.Errorf("Seal: %v", err)
				}
				if _, _, err := r.IssueSet(context.Background(), c.Terminal, nil, keys.SignInTDES, false); !errors.Is(err, keys.ErrOwner) && !errors.Is(err, keys.ErrSealed) {
					t.Errorf("IssueSet: %v", err)
				}
			}
		})
	}
	admin.Go(func() {
		for range 10 {
			if _, err := r.RotateMaster(r.path, r.lock); err != nil {
				t.Errorf("RotateMaster: %v", err)
			}
			r.Wipe()
			runtime.Gosched()
			if err := r.Unseal(r.path, r.lock); err != nil {
				t.Errorf("Unseal: %v", err)
			}
		}
	})
	work.Wait()
	admin.Wait()
	for _, l := range list {
		c := *l.c
		c.PAN = pos.NewPAN()
		if e := r.prove(&c); e.MAC != proof.Passed || r.VerifyPIN(l.q) != issuer.PINRight {
			t.Errorf("afterwards: %+v", e)
		}
	}
}

// workloads are the operations of the hot path on cached keys.
func workloads(t testing.TB) map[string]func() {
	r := newRig(t)
	v := vector(t, "ansi98-derived")
	tdes := r.set(t, terminalA, keys.SignInTDESTrack, v["key"].(string), demoMAK, demoTDK)
	young := r.set(t, terminalA, keys.SignInTDESTrack, demoPIK, demoDES, demoTDK)
	sm4 := r.set(t, terminalA, keys.SignInSM4Track, demoPIK, demoLong, demoTDK)
	plain, both, unknown, full := claims(t, tdes), claims(t, tdes), claims(t, nil), fullClaims(t, r, tdes)
	both.Sets = [2]*keys.Set{young, tdes}
	serial := fullClaims(t, r, tdes)
	serial.TrackSealed = false
	if err := serial.PAN.Set([]byte("6225885916163157")); err != nil {
		t.Fatal(err)
	}
	wide := claims(t, sm4)
	wide.Algorithms[0], wide.DE64 = mac.UnionPayECBSM4, macOf(t, mac.UnionPayECBSM4, demoLong, mabA)
	q := question(t, r, tdes, issuer.PINFormat0, v["block"].(string), v["pan"].(string), v["pin"].(string))
	pan := card(t, "6225885916163157")
	prove := func(c *proof.Claims, want proof.Outcome) func() {
		e := new(proof.Evidence)
		return func() {
			if r.Prove(c, e); e.MAC != want || c.CheckSerial && e.Factor != proof.Passed || c.TrackSealed && e.Track != proof.Passed {
				panic("Prove")
			}
		}
	}
	track := prove(full, proof.Passed)
	return map[string]func(){
		"ProveDES": prove(plain, proof.Passed), "ProveTwoSets": prove(both, proof.Passed), "ProveSM4": prove(wide, proof.Passed),
		"ProveUnknownTerminal": prove(unknown, proof.Failed), "ProveSerial": prove(serial, proof.Passed),
		"ProveSerialTrack": func() { full.PAN.Clear(); track() },
		"Seal": func() {
			if _, err := r.Seal(terminalA, tdes, mac.UnionPayECBDES, mabA); err != nil {
				panic(err)
			}
		},
		"HashPAN": func() {
			if _, err := r.HashPAN(pan); err != nil {
				panic(err)
			}
		},
		"Fingerprint": func() {
			if _, err := r.Fingerprint(mabA); err != nil {
				panic(err)
			}
		},
		"VerifyPIN": func() {
			if r.VerifyPIN(q) != issuer.PINRight {
				panic("VerifyPIN")
			}
		},
	}
}

func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	list := workloads(t)
	list["ProveDES"]()
	for name, work := range list {
		work()
		if n := testing.AllocsPerRun(200, work); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkModule(b *testing.B) {
	list := workloads(b)
	list["ProveDES"]()
	for _, name := range []string{"ProveDES", "ProveTwoSets", "ProveSM4", "ProveUnknownTerminal", "ProveSerial", "ProveSerialTrack", "Seal", "HashPAN", "Fingerprint", "VerifyPIN"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				list[name]()
			}
		})
	}
}

// BenchmarkMiss is Prove when no key is in the cache: open and expand.
func BenchmarkMiss(b *testing.B) {
	r := sealedRig(b, soft.Options{CacheKeys: 64})
	if err := r.Unseal(r.path, r.lock); err != nil {
		b.Fatal(err)
	}
	var list []*proof.Claims
	for range 512 {
		list = append(list, claims(b, r.set(b, terminalA, keys.SignInTDES, demoPIK, demoMAK)))
	}
	var e proof.Evidence
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Prove(list[i%len(list)], &e)
	}
}

func BenchmarkIssueSet(b *testing.B) {
	r := newRig(b)
	master := r.master(b, terminalA, keys.TDES)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.IssueSet(context.Background(), terminalA, master, keys.SignInTDES, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParallel is Prove by all cores on different terminals.
func BenchmarkParallel(b *testing.B) {
	r := newRig(b)
	var mu sync.Mutex
	next := 0
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		mu.Lock()
		next++
		id, _ := pos.ParseTerminalID(fmt.Sprintf("%08d", next))
		c := claims(b, r.set(b, id, keys.SignInTDES, demoPIK, demoMAK))
		c.Terminal = id
		mu.Unlock()
		var e proof.Evidence
		for p.Next() {
			r.Prove(c, &e)
		}
	})
}

// TestCacheMemory says what a cached pair of keys weighs.
func TestCacheMemory(t *testing.T) {
	r := newRig(t)
	const n = 2000
	var list []*proof.Claims
	for range n {
		c := claims(t, r.set(t, terminalA, keys.SignInTDES, demoPIK, demoMAK))
		c.CheckSerial, c.Registered, c.SerialKey = true, serialA, r.form(t, keys.OfSerial(serialA), keys.SerialKey, keys.SM4, demoDouble)
		c.Serial, c.Factor, c.FactorTail = []byte(serialA), []byte("163157"), []byte("163157")
		c.Cipher = mac.SerialCiphertext(serialKey(t), serialA, "163157")
		list = append(list, c)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, c := range list {
		if e := r.prove(c); e.Factor != proof.Passed {
			t.Fatalf("%+v", e)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n
	t.Logf("%d bytes for a working key set and a serial-number key", each)
	if each > 4096 {
		t.Errorf("a terminal's keys weigh %d bytes", each)
	}
	runtime.KeepAlive(list)
	runtime.KeepAlive(r)
}
