package listener

import (
	"bufio"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatienceGrows: a peer whose message verifies while the reader waits already is waited for as long as it has
// earned by then; one whose does not, is not.
func TestPatienceGrows(t *testing.T) {
	for _, proves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			far, near := net.Pipe()
			defer far.Close()
			defer near.Close()
			s := &Server{limits: Limits{Idle: 10 * time.Minute, FirstByte: 60 * time.Second, Unproven: 90 * time.Second}}
			c := newConn(s, near, nil)
			c.heard = true
			if proves {
				go func() {
					time.Sleep(s.limits.Unproven - 1)
					c.proven.Store(true)
				}()
			}
			want := map[bool]time.Duration{false: s.limits.Unproven, true: s.limits.Idle}[proves]
			began := time.Now()
			if c.await(bufio.NewReader(near)) {
				t.Error("a byte came")
			}
			if d := time.Since(began); d != want {
				t.Errorf("proves %t: waited %s, want %s", proves, d, want)
			}
		})
	}
}
