package probe

import (
	"crypto/tls"
	"net"
	"testing"
	"testing/synctest"
)

// TestSilenceIsNoRefusal: a peer that does not answer in time has refused no version, as it has for the versions that must not
// be spoken; one that ends the connection has.
func TestSilenceIsNoRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		ends bool
		want string
	}{"silent": {false, GotNothing}, "ends": {true, gotFailed}} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			go func() {
				_, _ = there.Read(make([]byte, 1)) // the beginning of a ClientHello
				if c.ends {
					there.Close()
				}
			}()
			if answer, got := shaken(t.Context(), here, tls.VersionTLS13); got != c.want {
				t.Errorf("%s: %q, %q, want %q", name, answer, got, c.want)
			}
		})
	}
}
