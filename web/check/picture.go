package check

import (
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
)

// Picture is what a model looks like. The zero value is none.
type Picture struct {
	Name             string // of its address: 64 hexadecimal digits; "" none
	Width, Height    int    // pixels
	Drawing          bool   // drawn, and no photograph
	Credit, CreditZH string // whose it is
}

// Words is whose it is, in a language.
func (p Picture) Words(lang string) string {
	if lang == "zh" && p.CreditZH != "" {
		return p.CreditZH
	}
	return p.Credit
}

func (p *Pages) mountPicture() { p.get("/picture/{name}", p.picture) }

// picture is the picture of a model, and of nothing else that the host keeps. Its name is its digest: it never changes.
func (p *Pages) picture(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(r.PathValue("name"), ".jpg")
	if raw, err := hex.DecodeString(name); !ok || err != nil || len(raw) != 32 || hex.EncodeToString(raw) != name {
		p.refused(w, r, http.StatusNotFound, "")
		return
	}
	body, ok, err := p.Devices.Picture(r.Context(), name)
	switch {
	case err != nil:
		p.Log.Error("the picture of a model could not be read", slog.String("error", err.Error()))
		p.refused(w, r, http.StatusServiceUnavailable, "")
		return
	case !ok:
		p.refused(w, r, http.StatusNotFound, "")
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(body) // who asked is gone when this fails
}
