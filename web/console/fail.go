package console

import (
	"errors"
	"log/slog"
	"net/http"

	"touchstone/web/api"
)

// fail shows why a page cannot be shown.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *api.Problem
	if errors.As(err, &p) && p.Code == api.BeingCounted().Code {
		w.Header().Set("Retry-After", "5")
		c.showAs(w, r, http.StatusServiceUnavailable, "fleet-counting", view{Title: two(r, "Being counted", "正在统计"), Sheets: fleetSheets, Data: fleetView{}})
		return
	}
	if errors.As(err, &p) {
		c.refused(w, r, p.Status, p.Code)
		return
	}
	c.Log.Error("a page failed", slog.String("pattern", r.Pattern), slog.String("error", err.Error()))
	c.refused(w, r, http.StatusInternalServerError, "internal")
}
