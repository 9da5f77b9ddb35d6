package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/web/api"
)

// webhookCmd keeps the endpoints that are told of what happens.
type webhookCmd struct {
	Add        webhookAdd        `cmd:"" help:"Tell an endpoint of yours; its secret is shown once."`
	List       webhookList       `cmd:"" help:"Every endpoint: what it is told, how far behind it is, what fails."`
	Show       webhookShow       `cmd:"" help:"One endpoint: since when, by whom, what is due, which secrets sign."`
	Deliveries webhookDeliveries `cmd:"" help:"What an endpoint was told, the newest first."`
	Disable    webhookDisable    `cmd:"" help:"Tell an endpoint nothing more."`
	Enable     webhookEnable     `cmd:"" help:"Go on where a disabled endpoint was left."`
	Rotate     webhookRotate     `cmd:"" help:"Draw another secret; the former may sign too for a while."`
	Replay     webhookReplayCmd  `cmd:"" help:"Tell an endpoint again of one message, or of a range."`
}

// Help is shown by touchstone webhook --help.
func (webhookCmd) Help() string {
	return `A message is a POST of JSON with Touchstone-Signature: t=SECONDS,v1=HEX, where HEX is HMAC-SHA-256 under the secret over the
digits of t, a full stop and the body. Refuse what is older than five minutes, and answer 2xx within ten seconds. A message
that is not taken is tried again for three days, in the journal's order, with the same id.

  touchstone webhook add https://hooks.example.com/touchstone --name "incident desk" --type incident.opened --type clone.suspected \
      --data shop --as zhao --as-passphrase-file zhao.pass
  touchstone webhook list --data shop
  touchstone webhook replay WHK-1 --first evt_120 --last evt_140 --data shop --as zhao --as-passphrase-file zhao.pass

Kinds of messages, and a receiver to copy: docs/operating/webhooks.md.`
}

type webhookAdd struct {
	actFlags
	URL   string   `arg:"" help:"HTTPS; in a test data directory this machine too, without TLS."`
	Name  string   `name:"name" required:"" help:"Whose it is, and what for."`
	Types []string `name:"type" required:"" help:"What it is told; may be given again." placeholder:"TYPE"`
}

// Run makes the endpoint.
func (c *webhookAdd) Run(a *app) error {
	return c.secretOf(a, change{Webhook: &webhookChange{Name: c.Name, URL: c.URL, Types: c.Types}})
}

// secretOf carries an act out and prints the secret that it made.
func (f *actFlags) secretOf(a *app, c change) error {
	told, err := f.perform(a, c)
	if err != nil || told.Secret == "" {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n", told.Secret)
	_, err = fmt.Fprintln(a.stderr, a.words().two("keep it now: it is shown this once", "请立即保存: 仅显示一次"))
	return err
}

type webhookList struct {
	directoryFlags
	AsOf string `name:"as-of" help:"As they were on a day (its end), or at an instant (RFC 3339)." placeholder:"DATE"`
	JSON bool   `name:"json" help:"One JSON object."`
}

// hookStateChinese are the states of endpoints and deliveries.
var hookStateChinese = map[string]string{"delivering": "正常", "failing": "失败重试中", "disabled": "已停用", "enabled": "已启用", "delivered": "已送达", "waiting": "待重试"}

// Run lists the endpoints.
func (c *webhookList) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var list []api.Webhook
	if err := c.question(a, change{Webhooks: &webhooksQuery{AsOf: at}}, &list); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(list)
	}
	l := a.words()
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.stdout, l.two("no webhooks yet: touchstone webhook add --help", "尚无回调: touchstone webhook add --help"))
		return err
	}
	for _, w := range list {
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s  %s\n", pad(w.ID, 7), pad(w.Name, 20), pad(l.two(w.State, hookStateChinese[w.State]), 10),
			pad(l.hookBehind(&w), 14), w.URL, strings.Join(w.Types, " "))
	}
	return nil
}

// hookBehind is how far an endpoint is behind; as of a past moment nothing is kept of it.
func (l *lines) hookBehind(w *api.Webhook) string {
	if len(w.NotKept) > 0 {
		return l.two("not kept", "未保留")
	}
	return fmt.Sprintf(l.two("%d behind", "落后 %d"), w.Behind)
}

type webhookShow struct {
	directoryFlags
	ID   string `arg:"" help:"The endpoint's number, such as WHK-1."`
	AsOf string `name:"as-of" help:"As it was on a day (its end), or at an instant (RFC 3339)." placeholder:"DATE"`
	JSON bool   `name:"json" help:"One JSON object."`
}

// Run prints one endpoint.
func (c *webhookShow) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var list []api.Webhook
	if err := c.question(a, change{Webhooks: &webhooksQuery{AsOf: at}}, &list); err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(w api.Webhook) bool { return w.ID == strings.ToUpper(c.ID) })
	if i < 0 {
		return fmt.Errorf("there is no webhook %.20s: touchstone webhook list shows them all", c.ID)
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(list[i])
	}
	w, l := &list[i], a.words()
	rows := [][2]string{
		{l.two("endpoint", "接口"), w.ID + "  " + w.Name}, {"URL", w.URL}, {l.two("is told", "通知内容"), strings.Join(w.Types, " ")},
		{l.two("made", "建立"), w.Since.Format(time.DateTime) + "  " + w.By}, {l.two("state", "状态"), l.two(w.State, hookStateChinese[w.State])},
	}
	if len(w.NotKept) == 0 {
		rows = append(rows, [2]string{l.two("told up to", "已通知至"), fmt.Sprintf("evt_%d  %s", w.Told, l.hookBehind(w))})
	}
	if w.Failing != nil {
		rows = append(rows, [2]string{l.two("failing since", "失败起始"), w.Failing.Format(time.DateTime) + "  " + fmt.Sprintf(l.two("%d attempts", "尝试 %d 次"), w.Tries)})
	}
	if w.Next != nil {
		rows = append(rows, [2]string{l.two("next attempt", "下次尝试"), w.Next.Format(time.DateTime)})
	}
	if w.Former != nil {
		rows = append(rows, [2]string{l.two("former secret signs until", "旧密钥有效至"), w.Former.Format(time.DateTime)})
	}
	if w.Replayed != "" {
		rows = append(rows, [2]string{l.two("told again", "重发"), w.Replayed})
	}
	if w.Disabled != nil {
		rows = append(rows, [2]string{l.two("disabled", "停用"), w.Disabled.Format(time.DateTime) + "  " + w.Ended})
	}
	for _, r := range rows {
		fmt.Fprintf(a.stdout, "%s  %s\n", pad(r[0], 26), r[1])
	}
	return nil
}

type webhookDeliveries struct {
	directoryFlags
	ID    string `arg:"" help:"The endpoint's number, such as WHK-1."`
	Lines int    `name:"lines" short:"n" default:"50" help:"How many, at most 200."`
	AsOf  string `name:"as-of" help:"Those whose newest attempt was made by a day (its end), or an instant (RFC 3339)." placeholder:"DATE"`
	JSON  bool   `name:"json" help:"One JSON object."`
}

// Run lists deliveries.
func (c *webhookDeliveries) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var page api.Page[api.WebhookDelivery]
	if err := c.question(a, change{Webhooks: &webhooksQuery{Deliveries: strings.ToUpper(c.ID), Limit: c.Lines, AsOf: at}}, &page); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(page.Data)
	}
	l := a.words()
	if len(page.Data) == 0 {
		_, err := fmt.Fprintln(a.stdout, l.two("nothing was told yet", "尚未发送任何消息"))
		return err
	}
	for _, d := range page.Data {
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s  %s\n", d.At.Format("2006-01-02 15:04:05"), pad(d.ID, 12), pad(d.Type, 22), pad(l.two(d.State, hookStateChinese[d.State]), 10),
			pad(fmt.Sprintf(l.two("%d attempts", "尝试 %d 次"), d.Attempts), 12), strings.TrimSpace(fmt.Sprintf("%s %d", d.Error, d.Code)))
	}
	return nil
}

type webhookDisable struct {
	actFlags
	ID string `arg:"" help:"The endpoint's number, such as WHK-1."`
}

// Run disables the endpoint.
func (c *webhookDisable) Run(a *app) error {
	_, err := c.perform(a, change{WebhookSet: &webhookState{ID: strings.ToUpper(c.ID)}})
	return err
}

type webhookEnable struct {
	actFlags
	ID string `arg:"" help:"The endpoint's number, such as WHK-1."`
}

// Run lets the endpoint go on.
func (c *webhookEnable) Run(a *app) error {
	_, err := c.perform(a, change{WebhookSet: &webhookState{ID: strings.ToUpper(c.ID), Enable: true}})
	return err
}

type webhookRotate struct {
	actFlags
	ID    string `arg:"" help:"The endpoint's number, such as WHK-1."`
	Hours int    `name:"hours" default:"24" help:"How long the former secret signs too, 0 to 168; 0 when others know it."`
}

// Run draws another secret.
func (c *webhookRotate) Run(a *app) error {
	return c.secretOf(a, change{WebhookRotate: &webhookRotation{ID: strings.ToUpper(c.ID), Hours: c.Hours}})
}

type webhookReplayCmd struct {
	actFlags
	ID    string `arg:"" help:"The endpoint's number, such as WHK-1."`
	First string `name:"first" required:"" help:"The first message." placeholder:"evt_N"`
	Last  string `name:"last" help:"The last; the first alone, when not given." placeholder:"evt_N"`
}

// Run asks for the replay.
func (c *webhookReplayCmd) Run(a *app) error {
	_, err := c.perform(a, change{WebhookReplay: &webhookReplay{ID: strings.ToUpper(c.ID), First: c.First, Last: c.Last}})
	return err
}
