package listener_test

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"
	"time"

	"touchstone/authority"
	"touchstone/listener"
)

// BenchmarkHandshake is client and server of a connection in one process: a handshake, one echo answered, the
// end. The server's share is about half of a full one with a certificate.
func BenchmarkHandshake(b *testing.B) {
	for _, c := range []struct {
		name             string
		certified, again bool
	}{{"full", false, false}, {"full with a certificate", true, false}, {"resumed with a certificate", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			o := newOffice(b)
			config := (&tlsRig{office: o}).client(nil)
			if c.certified {
				config.Certificates = []tls.Certificate{*o.device(b, serialText, -time.Hour, time.Hour)}
			}
			if c.again {
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			door := listener.Secure{Listener: ln, Certificate: func() (*tls.Certificate, error) { return &o.server, nil },
				Gate: &authority.Gate{Root: o.root, Standing: o.standing, Epoch: o.epoch.Load}}
			r := overTCP(b, short(), func(r *rig) { r.doors = []listener.Secure{door} })
			frame := echo(b, id(1), 1)
			began := processorTime(b)
			for b.Loop() {
				conn, err := tls.Dial("tcp", ln.Addr().String(), config)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := (&client{conn}).answer(); err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
			b.StopTimer()
			b.ReportMetric(float64((processorTime(b)-began).Microseconds())/float64(b.N), "cpu-us/op")
			r.stop(b)
		})
	}
}

// processorTime is what this process has had of the processors, client and server together; the clock says
// little on a busy machine.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
