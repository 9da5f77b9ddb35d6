package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"slices"

	"touchstone/incident"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Reports = (*desk)(nil)

// Reports implements api.Reports.
func (d *desk) Reports(ctx context.Context, who *web.Caller, q *api.ReportQuery) (api.Page[api.Report], error) {
	view, _, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.Page[api.Report]{}, err
	}
	var list []*incident.Report
	view(func(r *rooms) { list = r.incident.Reports() })
	slices.Reverse(list)
	list = slices.DeleteFunc(list, func(r *incident.Report) bool {
		return q.Pick != "" && q.Pick != string(r.State) || q.Kind != "" && q.Kind != r.Kind || q.Incident != "" && q.Incident != r.Incident || q.Terminal != "" && q.Terminal != r.Terminal
	})
	page := api.Page[api.Report]{Data: []api.Report{}}
	list, page.Next = pageAfter(list, q.Paging, func(r *incident.Report) string { return r.ID })
	for _, r := range list {
		page.Data = append(page.Data, reportOf(r, who))
	}
	return page, nil
}

// reportOf is a report as a caller may see it: what was said, and how to reach who said it, are for those who work on it.
func reportOf(r *incident.Report, who *web.Caller) api.Report {
	a := api.Report{ID: r.ID, Kind: r.Kind, Terminal: r.Terminal, Serial: r.Serial, TextBytes: len(r.Text), Photographs: r.PhotosLeft(), HasContact: r.Contact != "", From: r.From, At: timeOf(r.At),
		State: string(r.State), Incident: r.Incident, Answer: r.Answer, Decided: r.Decided, DecidedAt: timeOf(r.DecidedAt)}
	if api.Confidant(who) {
		a.Text, a.Contact = r.Text, r.Contact
	}
	return a
}

func (d *desk) report(id string) (found *incident.Report) {
	d.office.view(func(r *rooms) { found = r.incident.Report(id) })
	return found
}

// Report implements api.Reports.
func (d *desk) Report(ctx context.Context, who *web.Caller, q *api.ReportInput) (api.Report, error) {
	view, _, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.Report{}, err
	}
	var r *incident.Report
	if view(func(rooms *rooms) { r = rooms.incident.Report(q.ID) }); r == nil {
		return api.Report{}, api.NotFound()
	}
	return reportOf(r, who), nil
}

// Bounds of drawing a photograph anew. One is drawn at a time: it takes four bytes a pixel.
const (
	maxDrawnPixels = 24 << 20
	drawnQuality   = 85
)

// Photograph implements api.Reports. What was sent may carry a place, a name or a script: nothing of it is handed on but
// the pixels.
func (d *desk) Photograph(ctx context.Context, who *web.Caller, id string, n int) (api.KeptContent, error) {
	r := d.report(id)
	if r == nil || !api.Confidant(who) || n < 1 || n > len(r.PhotosLeft()) {
		return api.KeptContent{}, api.NotFound()
	}
	content, err := d.keptFile(r.Photos[n-1])
	if err != nil {
		return api.KeptContent{}, err
	}
	shape, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || shape.Width < 1 || shape.Height < 1 || shape.Width > maxDrawnPixels/shape.Height {
		return api.KeptContent{}, api.Refuse(http.StatusUnprocessableEntity, "photograph_too_large", fmt.Sprintf("the photograph has more than %d million pixels: look at the kept file %.12s on a machine of its own", maxDrawnPixels>>20, r.Photos[n-1]))
	}
	select {
	case d.bench.drawn <- struct{}{}:
		defer func() { <-d.bench.drawn }()
	case <-ctx.Done():
		return api.KeptContent{}, ctx.Err()
	}
	picture, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return api.KeptContent{}, api.Refuse(http.StatusUnprocessableEntity, "photograph_unreadable", "the kept file cannot be drawn")
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: drawnQuality}); err != nil {
		return api.KeptContent{}, err
	}
	return api.KeptContent{Name: fmt.Sprintf("%s-%d.jpg", r.ID, n), Type: "image/jpeg", Body: out.Bytes()}, nil
}

// ReportContact implements api.Reports.
func (d *desk) ReportContact(_ context.Context, who *web.Caller, id string) (api.KeptContent, error) {
	r := d.report(id)
	if r == nil || !api.Confidant(who) || r.Contact == "" {
		return api.KeptContent{}, api.NotFound()
	}
	content, err := d.keptFile(r.Contact)
	return api.KeptContent{Name: r.ID + "-contact.age", Type: "application/octet-stream", Body: content}, err
}
