package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"touchstone/paycrypto/mac"
)

// TestLeakOfTime compares how long the host takes to answer A0, and A7, for each cause that may be behind it. It is a
// report and no gate: of many comparisons some are unlucky. TOUCHSTONE_LEAK=N sends N messages of each cause to a host
// process that examines every one; make bench ONLY=leak runs it. That codes and sizes are identical is tested always:
// TestNothingOfACauseOnTheWire.
func TestLeakOfTime(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("TOUCHSTONE_LEAK"))
	if n <= 0 {
		t.Skip("NOT RUN (minutes: TOUCHSTONE_LEAK=2000)")
	}
	h := abuse(t, "--refusal-burst", "100000", "--refusal-every", "1ms", "--diagnose-second", "10000", "--diagnose-terminal-minute", "10000", "--diagnose-share", "50")
	own, sibling, former := h.shopMates(t)
	for code, messages := range map[string]map[string]func() []byte{"A0": behindA0(own, sibling, former), "A7": behindA7(t, own, sibling)} {
		took, sizes := map[string][]float64{}, map[int]bool{}
		names := slices.Sorted(maps.Keys(messages))
		for range n {
			rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			for _, name := range names {
				frame := messages[name]()
				time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // at any phase of the tick on which refusals leave
				began := time.Now()
				answer := own.answer(t, frame)
				took[name] = append(took[name], float64(time.Since(began).Microseconds())/1000)
				sizes[len(answer)] = true
				if got := codeOf(t, answer); got != code {
					t.Fatalf("%s is answered %s, not %s", name, got, code)
				}
			}
		}
		if len(sizes) != 1 {
			t.Errorf("%s: answers of %d sizes", code, len(sizes))
		}
		slices.Sort(names)
		for _, name := range names {
			var others []float64
			for other, list := range took {
				if other != name {
					others = append(others, list...)
				}
			}
			d, p := kolmogorovSmirnov(took[name], others)
			fmt.Printf("leak: %s %s: %d messages, median %.3f ms, 95th %.3f ms; against all others D = %.4f, p = %.3f; rank test p = %.3f\n", code, name, len(took[name]),
				percentile(took[name], 50), percentile(took[name], 95), d, p, rankTest(took[name], others))
		}
	}
}

// shopMates are as canaryRig.shopMates, against a host process.
func (h *abusedHost) shopMates(t *testing.T) (own, sibling *lane, former *mac.Key) {
	t.Helper()
	lanes := make([]*lane, 2)
	for i, one := range shopPair(t) {
		nc, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		lanes[i] = &lane{nc, bufio.NewReader(nc), one}
		lanes[i].own.trace = 100_000 // the demonstration's own traffic may have used the first ones
		lanes[i].signIn(t)
		lanes[i].sell(t)
	}
	own, sibling = lanes[0], lanes[1]
	former = own.own.mak
	own.signIn(t)
	own.sell(t)
	return own, sibling, former
}

// behindA7 are ways to a serial number that is not proven, each another cause; the MAC is right.
func behindA7(t *testing.T, own, sibling *lane) map[string]func() []byte {
	t.Helper()
	serial := []byte(own.own.serial)
	at := bytes.Index(own.own.frame, serial)
	if at < 0 {
		t.Fatal("the sale does not carry its serial number")
	}
	// A2: ... 02 LLL serial, 03 LLL factor of 6, 04 LLL ciphertext of 8; docs/protocol/unionpay-pos.md, section 6.1.
	factorAt := at + len(serial) + 5
	cipherAt := factorAt + 6 + 5
	right := bytes.Clone(own.own.frame[cipherAt : cipherAt+8])
	factor := bytes.Clone(own.own.frame[factorAt : factorAt+6])
	under := func(key []byte, factor []byte) [8]byte {
		k, err := mac.New(mac.UnionPayECBSM4, 0, key)
		if err != nil {
			t.Fatal(err)
		}
		return mac.SerialCiphertext(k, serial, factor)
	}
	if got := under(own.own.serialKey(), factor); !bytes.Equal(got[:], right) {
		t.Fatal("the ciphertext is not where it is looked for")
	}
	message := func(factor []byte, cipher [8]byte) func() []byte {
		return func() []byte {
			return own.wrong(func(frame []byte, end int) {
				copy(frame[factorAt:], factor)
				copy(frame[cipherAt:], cipher[:])
				remade(own.own.mak, mtiAt)(frame, end)
			})
		}
	}
	other := []byte("000000")
	return map[string]func() []byte{
		"unknown":       message(factor, [8]byte([]byte("0123ABCD"))),
		"other device":  message(factor, under(sibling.own.serialKey(), factor)),
		"other factor":  message(factor, under(own.own.serialKey(), other)),
		"factor stayed": message(other, under(own.own.serialKey(), other)),
	}
}

// percentile is of values in any order.
func percentile(values []float64, percent int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// kolmogorovSmirnov is the two-sample statistic and its asymptotic probability under one distribution.
func kolmogorovSmirnov(a, b []float64) (d, p float64) {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := min(a[i], b[j])
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		d = max(d, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	n := math.Sqrt(float64(len(a)) * float64(len(b)) / float64(len(a)+len(b)))
	lambda := (n + 0.12 + 0.11/n) * d
	if lambda < 0.2 {
		return d, 1
	}
	for k := 1; k <= 100; k++ {
		p += 2 * math.Pow(-1, float64(k-1)) * math.Exp(-2*lambda*lambda*float64(k*k))
	}
	return d, min(max(p, 0), 1)
}

// rankTest is the two-sided probability of the Mann-Whitney test by its normal approximation, ties at their mean rank.
func rankTest(a, b []float64) float64 {
	type value struct {
		v   float64
		own bool
	}
	var all []value
	for _, v := range a {
		all = append(all, value{v, true})
	}
	for _, v := range b {
		all = append(all, value{v, false})
	}
	slices.SortFunc(all, func(x, y value) int { return int(math.Copysign(1, x.v-y.v)) * boolInt(x.v != y.v) })
	ranks, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		n := float64(j - i)
		ties += n*n*n - n
		for k := i; k < j; k++ {
			if all[k].own {
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	na, nb := float64(len(a)), float64(len(b))
	n := na + nb
	u := ranks - na*(na+1)/2
	sigma := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	if sigma == 0 {
		return 1
	}
	return math.Erfc(math.Abs(u-na*nb/2) / sigma / math.Sqrt2)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestStatisticsOfTheLeak: the tests tell two distributions apart and one from itself not. The figures of the small
// sample are by hand: of 100 pairs 28 are greater and 8 equal, U = 32, of the variance 173.95 eight ties take their part.
func TestStatisticsOfTheLeak(t *testing.T) {
	a, b := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []float64{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if d, _ := kolmogorovSmirnov(a, b); math.Abs(d-0.2) > 1e-9 {
		t.Errorf("D = %f", d)
	}
	if p := rankTest(a, b); math.Abs(p-0.1723) > 0.001 {
		t.Errorf("rank test p = %f", p)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var x, y, z []float64
	for range 2000 {
		x, y, z = append(x, r.NormFloat64()), append(y, r.NormFloat64()), append(z, r.NormFloat64()+0.3)
	}
	if _, p := kolmogorovSmirnov(x, y); p < 0.01 {
		t.Errorf("one distribution: p = %g", p)
	}
	if _, p := kolmogorovSmirnov(x, z); p > 1e-9 {
		t.Errorf("two distributions: p = %g", p)
	}
	if p := rankTest(x, z); p > 1e-9 {
		t.Errorf("two distributions: rank test p = %g", p)
	}
}
