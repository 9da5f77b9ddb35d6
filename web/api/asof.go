package api

import (
	"net/http"
	"time"

	"touchstone/pos"
)

// AsOf is the input of an operation that can tell a past moment. Embed it.
type AsOf struct {
	AsOf string `query:"as_of" maxLength:"40" doc:"as it was then: an instant (RFC 3339), or a day, of which the end counts; absent: now" example:"2026-11-01T10:00:00+08:00"`
}

// Instant reads it; 0 is now. A day is one of zone, and of today counts what is.
func (a *AsOf) Instant(zone *time.Location, now pos.Instant) (pos.Instant, error) {
	if a.AsOf == "" {
		return 0, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, a.AsOf, zone); err == nil {
		end := pos.Instant(day.AddDate(0, 0, 1).UnixNano())
		if pos.Instant(day.UnixNano()) <= now && end > now {
			return 0, nil
		}
		return end - 1, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, a.AsOf, zone); err == nil && at.Year() > 1970 && at.Year() < 2200 {
			return pos.Instant(at.UnixNano()), nil
		}
	}
	p := Refuse(http.StatusBadRequest, "as_of_invalid", "as_of wants a day such as 2026-11-01, or an instant such as 2026-11-01T10:00:00+08:00")
	p.Param = "as_of"
	return 0, p
}
