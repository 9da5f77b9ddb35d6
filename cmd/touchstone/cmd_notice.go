package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"touchstone/notify"
	"touchstone/redress"
)

// noticeCmd tells others about an incident.
type noticeCmd struct {
	Draft noticeDraftCmd `cmd:"" help:"Make the notices of an incident: issuers, shops, public, regulator, our own people. Nothing leaves."`
	Show  noticeShowCmd  `cmd:"" help:"One notice: what it says, what it carries, its attempts and its proof."`
	Send  noticeSendCmd  `cmd:"" help:"Send what is drafted about an incident: two people."`
	List  noticeListCmd  `cmd:"" help:"All notices, or those about an incident, and where each stands."`
	Retry noticeRetryCmd `cmd:"" help:"Try again what failed, was given up or is in doubt."`
}

// Help is shown by touchstone notice --help.
func (noticeCmd) Help() string {
	return `To whom, by which server and how often it is tried stands in a TOML file: see docs/operating/notices.md. Of a card only an issuer is told
more than the last four digits, in a file that only it can open. A drill's notices go to drill recipients only.

  touchstone notice draft --data shop --incident INC-1 --as chen
  touchstone notice show NTC-1 --data shop
  touchstone notice send --data shop --incident INC-1 --as chen --with wang --wait 30s
  touchstone notice list --data shop --incident INC-1`
}

type noticeDraftCmd struct {
	actFlags
	Incident    string   `name:"incident" required:"" help:"Such as INC-1." placeholder:"ID"`
	Information []string `name:"information" help:"Kinds of information exposed: card_number, expiry, track, receipt, pin, person. Default the first four." placeholder:"KIND"`
	Measures    []string `name:"measure" help:"What was done, beside the actions of the incident: English|Chinese." placeholder:"TEXT"`
	Cause       string   `name:"cause" help:"The cause in words for the public: English|Chinese. Default the incident's." placeholder:"TEXT"`
}

// twoLanguages reads "English|中文"; without a bar it is one text for both.
func twoLanguages(s string) notify.Text {
	en, zh, both := strings.Cut(s, "|")
	if !both {
		zh = en
	}
	return notify.Text{EN: strings.TrimSpace(en), ZH: strings.TrimSpace(zh)}
}

// Run makes the notices.
func (c *noticeDraftCmd) Run(a *app) error {
	request := &noticeDraftChange{Incident: c.Incident, Kinds: c.Information, Cause: twoLanguages(c.Cause)}
	for _, m := range c.Measures {
		request.Measures = append(request.Measures, twoLanguages(m))
	}
	_, err := c.perform(a, change{NoticeDraft: request})
	return err
}

type noticeSendCmd struct {
	actFlags
	Incident string        `name:"incident" required:"" help:"Such as INC-1." placeholder:"ID"`
	Wait     time.Duration `name:"wait" help:"Wait so long for all of them to be sent; the exit code is 1 when one is not."`
	Lang     string        `name:"lang" default:"en" help:"en or zh."`
}

// Run asks for the drafts to be sent. What is agreed to is what is drafted at this moment.
func (c *noticeSendCmd) Run(a *app) error {
	var seen noticesAnswer
	if err := c.question(a, change{Notices: &noticesQuery{Incident: c.Incident}}, &seen); err != nil {
		return err
	}
	told, err := c.performIn(a, change{NoticeSend: &noticeSendChange{c.Incident, seen.Set}}, c.Lang)
	if err != nil || told.Proposal != "" || c.Wait == 0 {
		return err
	}
	if told.Facts["waits"] != "" {
		return exitError{1} // nobody sends them now, and that was said
	}
	return (&noticeListCmd{directoryFlags: c.directoryFlags, Incident: c.Incident, Wait: c.Wait, Lang: c.Lang}).Run(a)
}

type noticeRetryCmd struct {
	actFlags
	IDs      []string `arg:"" optional:"" help:"Such as NTC-3; none: all that failed, was given up or is in doubt."`
	Incident string   `name:"incident" help:"Of this incident only." placeholder:"ID"`
}

// Run tries again.
func (c *noticeRetryCmd) Run(a *app) error {
	_, err := c.perform(a, change{NoticeRetry: &noticeRetryChange{c.IDs, c.Incident}})
	return err
}

type noticeListCmd struct {
	directoryFlags
	Incident string        `name:"incident" help:"Of this incident only." placeholder:"ID"`
	Wait     time.Duration `name:"wait" help:"Wait so long for all to be sent; the exit code is 1 when one is not."`
	JSON     bool          `name:"json" help:"One JSON object."`
	Lang     string        `name:"lang" default:"en" help:"en or zh."`
}

// waitLook is the pace of --wait.
const waitLook = 100 * time.Millisecond

// Run lists them.
func (c *noticeListCmd) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	var p noticesAnswer
	until := time.Now().Add(c.Wait)
	for {
		if err := c.question(a, change{Notices: &noticesQuery{Incident: c.Incident}}, &p); err != nil {
			return err
		}
		if c.Wait == 0 || !moving(p.Notices) || time.Now().After(until) {
			break
		}
		select {
		case <-a.ctx.Done():
			return a.ctx.Err()
		case <-time.After(waitLook):
		}
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(p)
	} else {
		err = writeNotices(a.stdout, l, p.Notices)
	}
	if err == nil && c.Wait > 0 && !allSent(p.Notices) {
		return exitError{1}
	}
	return err
}

// moving tells whether one may still be sent without anybody's help.
func moving(list []redress.Notice) bool {
	for i := range list {
		if s := list[i].State; s == redress.NoticeQueued || s == redress.NoticeSending {
			return true
		}
	}
	return false
}

func allSent(list []redress.Notice) bool {
	for i := range list {
		if s := list[i].State; s != redress.NoticeSent && s != redress.NoticeSuperseded {
			return false
		}
	}
	return true
}

func writeNotices(w io.Writer, l *lines, list []redress.Notice) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, l.two("no notices: touchstone notice draft --incident ID makes them", "没有通知: 用 touchstone notice draft --incident ID 拟制"))
		return err
	}
	sent := 0
	for i := range list {
		n := &list[i]
		if n.State == redress.NoticeSent {
			sent++
		}
		drill := ""
		if n.Drill {
			drill = "  DRILL 演练"
		}
		if _, err := fmt.Fprintf(w, "%s  %s  %s  %s  %s  %s%s\n", pad(n.ID, 7), pad(l.noticeKind(n.Kind), 22), pad(l.noticeState(n), 10), pad(string(n.To.Channel), 7),
			pad(n.To.Address, 30), l.lastAttempt(n), drill); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, l.two("%d of %d sent\n", "已送出 %d, 共 %d\n"), sent, len(list))
	return err
}

func (l *lines) lastAttempt(n *redress.Notice) string {
	if len(n.Attempts) == 0 {
		return ""
	}
	a := &n.Attempts[len(n.Attempts)-1]
	text := answered(a.Code, a.Text)
	if a.N > 1 {
		text += fmt.Sprintf(l.two(" (attempt %d)", " (第 %d 次)"), a.N)
	}
	return text
}

// answered is what the other side said: its code, where it has one, and its words.
func answered(code int, text string) string {
	if code == 0 || strings.HasPrefix(text, fmt.Sprint(code)) {
		return text
	}
	return fmt.Sprintf("%d %s", code, text)
}

func (l *lines) attemptResult(r redress.AttemptResult) string {
	switch r {
	case redress.Accepted:
		return l.two("accepted", "已接收")
	case redress.Refused:
		return l.two("refused for good", "拒收")
	case redress.RefusedNow:
		return l.two("refused for now", "暂时拒收")
	case redress.Unreachable:
		return l.two("unreachable", "无法连接")
	case redress.Doubtful:
		return l.two("in doubt", "存疑")
	}
	return l.two("interrupted", "中断")
}

func (l *lines) noticeKind(k redress.NoticeKind) string {
	switch k {
	case redress.IssuerFile:
		return l.two("file to issuer", "发卡机构清单")
	case redress.MerchantKit:
		return l.two("merchant's kit", "商户告示包")
	case redress.ConsumerNotice:
		return l.two("notice to cardholders", "持卡人告知")
	case redress.RegulatorNote:
		return l.two("note to regulator", "监管报告")
	}
	return l.two("internal", "内部通报")
}

// noticeState is where a notice stands. A file that was written reached nobody yet: somebody has to carry it.
func (l *lines) noticeState(n *redress.Notice) string {
	switch n.State {
	case redress.NoticeDrafted:
		return l.two("drafted", "已拟制")
	case redress.NoticeSuperseded:
		return l.two("superseded", "已取代")
	case redress.NoticeQueued:
		return l.two("queued", "待发送")
	case redress.NoticeSending:
		return l.two("sending", "发送中")
	case redress.NoticeSent:
		if n.To.Channel == redress.ByFile {
			return l.two("written", "已生成")
		}
		return l.two("sent", "已送达")
	case redress.NoticeFailed:
		return l.two("failed", "被拒收")
	case redress.NoticeGivenUp:
		return l.two("given up", "已放弃")
	}
	return l.two("in doubt", "存疑")
}

type noticeShowCmd struct {
	directoryFlags
	ID           string `arg:"" help:"Such as NTC-1."`
	Conversation bool   `name:"conversation" help:"What was said with the server at each attempt."`
	Content      string `name:"content" help:"Write one of its contents to standard output, such as counter-notice.zh.pdf." placeholder:"NAME"`
	JSON         bool   `name:"json" help:"One JSON object."`
	Lang         string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows one notice.
func (c *noticeShowCmd) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	var p noticesAnswer
	if err := c.question(a, change{Notices: &noticesQuery{ID: c.ID, Texts: true}}, &p); err != nil {
		return err
	}
	n := &p.Notices[0]
	switch {
	case c.Content != "":
		return c.content(a, n)
	case c.JSON:
		return json.NewEncoder(a.stdout).Encode(p)
	}
	fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s <%s>\n%s: %s\n", n.ID, n.Incident, l.noticeKind(n.Kind), l.noticeState(n), n.To.Channel, n.To.Address, l.two("subject", "主题"), n.Subject)
	for _, f := range n.Contents {
		fmt.Fprintf(a.stdout, "  %s %8d %s  SHA-256 %s\n", pad(f.Name, 26), f.Bytes, l.two("bytes", "字节"), f.Digest)
	}
	for i := range n.Attempts {
		at := &n.Attempts[i]
		fmt.Fprintf(a.stdout, "  %s %d  %s  %s  %s\n", l.two("attempt", "尝试"), at.N, at.Began.Time().In(l.zone).Format(time.DateTime), l.attemptResult(at.Result), answered(at.Code, at.Text))
		if c.Conversation && at.Talk != "" {
			fmt.Fprintln(a.stdout, "    "+strings.ReplaceAll(strings.TrimSpace(p.Talks[at.Talk]), "\n", "\n    "))
		}
	}
	if n.Proof != nil {
		fmt.Fprintf(a.stdout, "%s: %s  %s  %s  SHA-256 %s\n", l.two("proof", "送达证明"), n.Proof.Notice, n.Proof.At.Time().In(l.zone).Format(time.DateTime), answered(n.Proof.Code, n.Proof.Text), n.Proof.Digest)
	}
	if c.Conversation {
		return nil
	}
	_, err = fmt.Fprintf(a.stdout, "\n%s", p.Texts[n.ID])
	return err
}

// content writes one of the contents; the kept file is read here and proven to be the one that the journal names.
func (c *noticeShowCmd) content(a *app, n *redress.Notice) error {
	for _, f := range n.Contents {
		if f.Name != c.Content {
			continue
		}
		content, err := (&engine{dir: c.Data}).keptFile(f.Digest)
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(content)
		return err
	}
	return fmt.Errorf("%s carries no %q", n.ID, c.Content)
}

// mailCmd is the built-in mail catcher.
type mailCmd struct {
	Catch mailCatch `cmd:"" help:"A mail server that keeps what it is given in a directory and forwards nothing."`
	List  mailList  `cmd:"" help:"What it kept."`
	Show  mailShow  `cmd:"" help:"One message, or the conversation in which it came."`
}

// Help is shown by touchstone mail --help.
func (mailCmd) Help() string {
	return `For trying things out: the demonstration runs one, in the directory mail of its data directory.

  touchstone mail catch --smtp 127.0.0.1:2525 --dir caught
  touchstone mail list --dir touchstone-data/demo/mail
  touchstone mail show 1 --dir touchstone-data/demo/mail --conversation`
}

// mailDirectory is where the demonstration's catcher keeps its mail, in the data directory.
const mailDirectory = "mail"

type mailCatch struct {
	SMTP     string `name:"smtp" default:"127.0.0.1:2525" help:"Address to hear on." placeholder:"HOST:PORT"`
	Dir      string `name:"dir" required:"" help:"Directory of what it keeps." placeholder:"DIR"`
	Answer   int    `name:"answer" help:"For tests: answer every message with this code, such as 451, and keep none."`
	DropData int    `name:"drop-in-data" help:"For tests: cut the connection after so many bytes of a message." placeholder:"BYTES"`
}

// Run catches until it is told to end.
func (c *mailCatch) Run(a *app) error {
	if c.Answer != 0 && (c.Answer < 400 || c.Answer > 599) {
		return errors.New("answer: want a code of 400 to 599")
	}
	catcher := &notify.Catcher{Dir: c.Dir, Answer: c.Answer, DropData: c.DropData}
	wait, at, _, err := startCatcher(a, catcher, c.SMTP)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "catching mail on %s, in %s; Ctrl-C ends it\n", at, c.Dir)
	<-a.ctx.Done()
	return wait()
}

type mailList struct {
	Dir  string `name:"dir" default:"touchstone-data/demo/mail" help:"The catcher's directory." placeholder:"DIR"`
	JSON bool   `name:"json" help:"One JSON object."`
}

// Run lists what was kept.
func (c *mailList) Run(a *app) error {
	all, err := notify.Mailbox(c.Dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no mail in", c.Dir)
		return err
	}
	for i := range all {
		m := &all[i]
		message, err := notify.CaughtMessage(c.Dir, m.N)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%04d  %s  %s  %s\n", m.N, pad(strings.Join(m.To, ", "), 32), mailWords(m), notify.Subject(message))
	}
	return nil
}

func mailWords(m *notify.Caught) string {
	if m.Offered == 1 {
		return fmt.Sprintf("%7d bytes", m.Bytes)
	}
	return fmt.Sprintf("%7d bytes, offered %d times, kept once", m.Bytes, m.Offered)
}

type mailShow struct {
	N            int    `arg:"" help:"Its number."`
	Dir          string `name:"dir" default:"touchstone-data/demo/mail" help:"The catcher's directory." placeholder:"DIR"`
	Conversation bool   `name:"conversation" help:"The SMTP conversation instead of the message."`
	Raw          bool   `name:"raw" help:"The message as it came, byte by byte."`
}

// Run shows one.
func (c *mailShow) Run(a *app) error {
	all, err := notify.Mailbox(c.Dir)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].N != c.N {
			continue
		}
		if c.Conversation {
			for _, s := range all[i].Sessions {
				talk, err := notify.Conversation(c.Dir, s)
				if err != nil {
					return err
				}
				if _, err := a.stdout.Write(talk); err != nil {
					return err
				}
			}
			return nil
		}
		message, err := notify.CaughtMessage(c.Dir, c.N)
		if err != nil {
			return err
		}
		if c.Raw {
			_, err = a.stdout.Write(message)
			return err
		}
		return notify.WriteMessage(a.stdout, message)
	}
	return fmt.Errorf("no message %d in %s: %w", c.N, c.Dir, os.ErrNotExist)
}
