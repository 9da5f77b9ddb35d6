package main

import (
	"context"
	"slices"

	"touchstone/redress"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Notices = (*desk)(nil)

// stuck tells whether a notice waits for people: trying again is their decision.
func stuck(n *redress.Notice) bool {
	return n.State == redress.NoticeFailed || n.State == redress.NoticeGivenUp || n.State == redress.NoticeInDoubt
}

// Notices implements api.Notices.
func (d *desk) Notices(ctx context.Context, _ *web.Caller, q *api.NoticeQuery) (api.Page[api.CaseNotice], error) {
	view, _, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.Page[api.CaseNotice]{}, err
	}
	var list []*redress.Notice
	view(func(r *rooms) { list = r.redress.Notices(q.Incident) })
	slices.Reverse(list)
	list = slices.DeleteFunc(list, func(n *redress.Notice) bool {
		return q.Pick == "stuck" && !stuck(n) || q.Pick != "" && q.Pick != "stuck" && q.Pick != string(n.State) || q.Kind != "" && q.Kind != string(n.Kind)
	})
	page := api.Page[api.CaseNotice]{Data: []api.CaseNotice{}}
	list, page.Next = pageAfter(list, q.Paging, func(n *redress.Notice) string { return n.ID })
	for _, n := range list {
		page.Data = append(page.Data, noticeOf(n))
	}
	return page, nil
}

func noticeOf(n *redress.Notice) api.CaseNotice {
	a := api.CaseNotice{ID: n.ID, Incident: n.Incident, Kind: string(n.Kind), To: n.To.Name, Group: string(n.To.Group), Channel: string(n.To.Channel), Address: n.To.Address, Drill: n.Drill, Subject: n.Subject,
		Exposed: n.Exposed, State: string(n.State), Tries: n.Tries, Drafted: timeOf(n.Drafted), Queued: timeOf(n.Queued), Next: timeOf(n.Next), By: n.By, Proposal: n.Proposal,
		Contents: []api.NoticeContent{}}
	for _, c := range n.Contents {
		a.Contents = append(a.Contents, api.NoticeContent{Name: c.Name, Type: c.Type, Bytes: c.Bytes, Digest: c.Digest})
	}
	for _, t := range n.Attempts {
		a.Attempts = append(a.Attempts, api.NoticeAttempt{N: t.N, Began: timeOf(t.Began), Ended: timeOf(t.Ended), Result: string(t.Result), Code: t.Code, Said: t.Text})
	}
	if p := n.Proof; p != nil {
		a.Proof = &api.NoticeProof{At: timeOf(p.At), Code: p.Code, Said: p.Text, Digest: p.Digest}
	}
	return a
}

// Notice implements api.Notices.
func (d *desk) Notice(ctx context.Context, _ *web.Caller, q *api.NoticeInput) (api.CaseNotice, error) {
	view, _, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.CaseNotice{}, err
	}
	var n *redress.Notice
	if view(func(r *rooms) { n = r.redress.Notice(q.ID) }); n == nil {
		return api.CaseNotice{}, api.NotFound()
	}
	a := noticeOf(n)
	text, err := d.keptFile(n.Contents[0].Digest)
	a.Text = string(text)
	return a, err
}
