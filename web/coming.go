package web

import (
	"io"
	"net/http"
	"time"
)

// A file of some hundred megabytes takes longer than a request may on most lines. It gets more time while it keeps coming.
const (
	comingStep = 4 << 20          // bytes, each within routerRead of those before
	comingTime = 30 * time.Minute // all of it
)

// coming is a large body of somebody known. Strangers send none: what is slow of theirs ends with routerRead.
type coming struct {
	io.ReadCloser
	to    *http.ResponseController
	begun time.Time
	step  int // bytes since the time was last given
}

// Read implements io.Reader.
func (c *coming) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.step += n; c.step >= comingStep {
		c.step = 0
		if now := time.Now(); now.Sub(c.begun) < comingTime-routerRead {
			_ = c.to.SetReadDeadline(now.Add(routerRead)) // where it cannot be set the request has the time it had
			_ = c.to.SetWriteDeadline(now.Add(routerRead + writeTime))
		}
	}
	return n, err
}
