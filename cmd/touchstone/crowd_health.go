package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"touchstone/authority"
	"touchstone/journal"
	"touchstone/terminal"
)

// healthEvery is how often a terminal of the demonstration reports its health: within any day there is one.
const healthEvery = 12 * time.Hour

// crowdHealth sends the health reports of one of the demonstration's own terminals, as touchstone terminal health does.
type crowdHealth struct {
	crowd  *crowdOf
	sample sampleTerminal
	reader *terminal.Terminal
	next   time.Time
}

// healthOf is nil for a terminal without a device certificate: it has no key to sign a report by.
func (c *crowdOf) healthOf(t sampleTerminal, reader *terminal.Terminal) *crowdHealth {
	if c.https == "" || !t.tls {
		return nil
	}
	return &crowdHealth{crowd: c, sample: t, reader: reader}
}

// due sends a report when the last one is healthEvery old. One that failed is sent again at the next sale.
func (h *crowdHealth) due(ctx context.Context) {
	if h == nil || time.Now().Before(h.next) {
		return
	}
	own := terminalOwn{version: h.reader.Version(), locked: h.reader.Locked()}
	if err := h.crowd.reportHealth(ctx, h.sample, own); err != nil {
		if ctx.Err() == nil {
			h.crowd.log.Warn("a demonstration terminal could not report its health", slog.String("terminal", h.sample.id.String()), slog.String("error", err.Error()))
		}
		return
	}
	h.next = time.Now().Add(healthEvery)
}

// reportHealth makes, signs and sends one report.
func (c *crowdOf) reportHealth(ctx context.Context, t sampleTerminal, own terminalOwn) error {
	config := c.config(t)
	defer config.TLS.Key.Wipe()
	report := healthCmd{HTTPS: c.https, Hardware: t.hardware(), Firmware: "1.0", Network: "ethernet:private"}
	body, err := report.bodyOf(&config, c.state, own)
	if err != nil {
		return err
	}
	key, err := deviceKey(config.TLS.Key)
	if err != nil {
		return err
	}
	signature, err := authority.SignReport(rand.Reader, key, body)
	if err != nil {
		return err
	}
	status, err := report.post(ctx, config.TLS, body, base64.StdEncoding.EncodeToString(signature))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("health report: status %d", status)
	}
	return err
}

// healthTaken tells of a health report that changed nothing but the report: the screen of the demonstration is for
// what somebody should see.
func healthTaken(e journal.Entry) bool {
	var act journal.Act
	return e.Kind == journal.KindFleet && json.Unmarshal(e.Body, &act) == nil && act.Verb == "health_reported" && act.Refused == "" && len(act.Changes) == 1
}
