package main

import (
	"context"
	"net/http"
	"strings"

	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/check"
)

var _ api.Stickers = (*desk)(nil)

// Sticker implements api.Stickers.
func (d *desk) Sticker(_ context.Context, who *web.Caller, id string) (api.Sticker, error) {
	number, ok := strings.CutPrefix(id, "dev_")
	if !ok || who.Merchant() {
		return api.Sticker{}, api.NotFound()
	}
	device, err := d.ledger.Device(pos.Serial(number))
	if err != nil {
		return api.Sticker{}, api.NotFound()
	}
	base := d.checkURL()
	if base == "" {
		return api.Sticker{}, api.Refuse(http.StatusConflict, "no_check_page", "this host serves no check page: start it with public and public-url")
	}
	return api.Sticker{Serial: string(device.Serial), Model: device.Model, URL: check.TerminalURL(base, device.Serial), Base: base, Code: len(device.Key) > 0, Proof: device.Certificate != "" && !device.CertificateVoid}, nil
}
