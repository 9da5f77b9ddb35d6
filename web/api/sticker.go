package api

import (
	"context"
	"net/http"

	"touchstone/web"
)

// Sticker is what the label of a device says: its number, and the address that its QR code leads to.
type Sticker struct {
	Serial string `json:"serial" example:"00000304TS0000000013"`
	Model  string `json:"model,omitempty"`
	URL    string `json:"url" doc:"what the QR code says: the check page of this number" example:"https://check.example/t/00000304TS0000000013"`
	Base   string `json:"base" doc:"the check page's address, printed beside it in letters" example:"https://check.example"`
	Code   bool   `json:"shows_code" doc:"the device has a serial-number key, so that its screen can show a check code"`
	Proof  bool   `json:"shows_proof" doc:"the device has a device certificate, so that its screen can show a signed QR code"`
}

// Stickers is what the host knows of labels. A device that is not registered, and a host without public pages, is refused.
type Stickers interface {
	Sticker(ctx context.Context, who *web.Caller, id string) (Sticker, error)
}

type labelInput struct {
	ID string `path:"id" maxLength:"60" example:"dev_00000304TS0000000013"`
}

func (a *API) stickers(d *Desk) {
	Add(a, Operation{ID: "get-device-label", Method: http.MethodGet, Path: "/devices/{id}/label", Summary: "What a device's label says", Tag: "devices", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, in *labelInput) (Sticker, error) {
			return d.Stickers.Sticker(ctx, who, in.ID)
		})
}
