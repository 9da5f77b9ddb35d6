package listener

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// selfSigned is a certificate for a test's pipe.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// chopped gives what it reads in pieces of random length, as networks do.
type chopped struct {
	net.Conn
	random *mathrand.Rand
	most   int
}

func (c *chopped) Read(b []byte) (int, error) {
	return c.Conn.Read(b[:min(len(b), 1+c.random.IntN(c.most))])
}

// TestRecordsAreForgottenAndNeverHarmed sends messages of all sizes over TLS 1.2 and 1.3, cut anywhere and many
// at once: every byte arrives as it was sent, and once a message is read and the next awaited, no buffer that
// was lent to crypto/tls holds it any more.
func TestRecordsAreForgottenAndNeverHarmed(t *testing.T) {
	certificate := selfSigned(t)
	for seed := range uint64(12) {
		random := mathrand.New(mathrand.NewPCG(seed, 1))
		version := []uint16{tls.VersionTLS12, tls.VersionTLS13}[seed%2]
		near, far := pipe(t)
		m := newMetered(&chopped{near, random, []int{1, 7, 100, 4000}[seed/2%4]})
		m.free.Store(true)
		server := tls.Server(m, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: version, MaxVersion: version})
		client := tls.Client(far, &tls.Config{InsecureSkipVerify: true}) // of a certificate made for this test a line above
		sent := make([]byte, 0, 200<<10)
		for len(sent) < 150<<10 {
			sent = append(sent, bytes.Repeat([]byte{byte(random.IntN(256))}, random.IntN(40)+1)...)
		}
		var writing sync.WaitGroup
		writing.Go(func() {
			for rest := sent; len(rest) > 0; {
				n := min(1+random2(seed, len(rest)), len(rest))
				if _, err := client.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		})
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(server, got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		writing.Wait()
		if !bytes.Equal(got, sent) {
			t.Fatalf("seed %d: what was read is not what was sent", seed)
		}
		secret := bytes.Repeat([]byte("6299991234567894"), 20)
		writing.Go(func() { _, _ = client.Write(secret) })
		if _, err := io.ReadFull(server, got[:len(secret)]); err != nil || !bytes.Equal(got[:len(secret)], secret) {
			t.Fatalf("seed %d: the last message: %v", seed, err)
		}
		writing.Wait()
		lent := append([][]byte(nil), m.records.read...)
		if !holds(lent, secret[:16]) && m.records.read != nil && seed/2%4 == 3 {
			t.Errorf("seed %d: the message was not in the buffer before: this test looks at the wrong bytes", seed)
		}
		client.Close()
		_, _ = server.Read(make([]byte, 1)) // awaits the next: the end
		if holds(lent, secret[:16]) {
			t.Errorf("seed %d: crypto/tls's buffer still holds the message", seed)
		}
		near.Close()
	}
}

func random2(seed uint64, n int) int {
	return mathrand.New(mathrand.NewPCG(seed, uint64(n))).IntN(20_000)
}

func holds(list [][]byte, what []byte) bool {
	for _, b := range list {
		if bytes.Contains(b, what) {
			return true
		}
	}
	return false
}

// pipe is a TCP connection over loopback.
func pipe(t *testing.T) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if near, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// TestHalfARecordIsKept: nothing is overwritten that crypto/tls may still need.
func TestHalfARecordIsKept(t *testing.T) {
	record := []byte{23, 3, 3, 0, 4, 'd', 'a', 't', 'a'}
	for cut := 1; cut < len(record); cut++ {
		var r records
		buf := append(bytes.Clone(record), make([]byte, 100)...)
		r.took(buf[:cut])
		r.forget()
		if !bytes.Equal(buf[:cut], record[:cut]) {
			t.Errorf("cut at %d: half a record was overwritten", cut)
		}
		r.took(buf[cut:len(record)])
		if len(r.read) != 1 {
			t.Errorf("cut at %d: %d stretches of one buffer", cut, len(r.read))
		}
		r.forget()
		if !bytes.Equal(buf[:len(record)], make([]byte, len(record))) || len(r.read) != 0 {
			t.Errorf("cut at %d: a whole record was kept", cut)
		}
	}
}
