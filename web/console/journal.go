package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"touchstone/web"
	"touchstone/web/api"
)

// mountJournal is the list of entries, one entry, and the proof of the chain.
func (c *Console) mountJournal() {
	page := func(method, pattern string, h http.HandlerFunc) {
		c.router.Handle(web.Route{Method: method, Pattern: pattern, Rule: web.Staff}, h)
	}
	page(http.MethodGet, "/journal", c.journal)
	page(http.MethodGet, "/journal/{n}", c.journalEntry)
	page(http.MethodPost, "/journal/{n}/verify", c.journalVerify)
}

// journalLimit is how many entries the page lists.
const journalLimit = 50

// kindWords are the kinds of entries for a person, in the order in which a filter offers them.
var kindWords = []struct{ Name, EN, ZH string }{
	{"exchange", "messages", "报文"}, {"cause", "causes found", "成因"}, {"event", "events", "事件通知"}, {"flood", "floods", "洪泛汇总"}, {"staff", "acts: staff", "操作：人员"},
	{"fleet", "acts: fleet", "操作：终端群"}, {"lab", "acts: laboratory", "操作：实验室"}, {"incident", "acts: incidents", "操作：事件"}, {"redress", "acts: claims", "操作：索赔"},
	{"permit", "permits", "许可"}, {"merchant", "register: merchants", "登记：商户"}, {"terminal", "register: terminals", "登记：终端"}, {"device", "register: devices", "登记：设备"},
	{"card", "register: cards", "登记：卡"}, {"key", "register: keys", "登记：密钥"}, {"certificate", "certificates", "证书"}, {"loss", "losses accepted", "已接受的丢失"}, {"opened", "the beginning", "起始"}}

// journalPage is what the template is given.
type journalPage struct {
	api.JournalList
	Q         api.JournalQuery
	Kinds     []struct{ Name, EN, ZH string }
	Older     string // address of the next piece
	Newest    string // of the first
	Witnesses []api.Witness
	Check     api.Verification
	Percent   int
}

func (c *Console) journal(w http.ResponseWriter, r *http.Request) {
	get, who := r.URL.Query(), web.CallerOf(r.Context())
	q := api.JournalQuery{Paging: api.Paging{Limit: journalLimit, Cursor: get.Get("cursor")}, Kind: get.Get("kind"), Terminal: strings.TrimSpace(get.Get("terminal")),
		Account: strings.TrimSpace(get.Get("account")), AsOf: get.Get("as_of")}
	list, err := c.Desk.Journal.Entries(r.Context(), who, &q)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	page := journalPage{JournalList: list, Q: q, Kinds: kindWords}
	if page.Witnesses, err = c.Desk.Journal.Witnesses(r.Context(), who); err != nil {
		c.fail(w, r, err)
		return
	}
	if page.Check, err = c.Desk.Journal.Verification(r.Context(), who); err != nil {
		c.fail(w, r, err)
		return
	}
	filters := url.Values{}
	for name, value := range map[string]string{"kind": q.Kind, "terminal": q.Terminal, "account": q.Account, "as_of": q.AsOf} {
		if value != "" {
			filters.Set(name, value)
		}
	}
	page.Newest = "/journal?" + filters.Encode()
	if list.Next != "" {
		filters.Set("cursor", list.Next)
		page.Older = "/journal?" + filters.Encode()
	}
	page.Percent = percentOf(&page.Check)
	if page.Check.State == "running" {
		w.Header().Set("Refresh", "2")
	}
	c.show(w, r, "journal", view{Title: two(r, "Journal", "日志"), Active: "journal", Sheets: []string{"journal.css"}, Data: &page})
}

func percentOf(v *api.Verification) int {
	if v.To <= v.From || v.At < v.From {
		return 0
	}
	return int(100 * (v.At - v.From + 1) / (v.To - v.From + 1))
}

// entryPage is one entry.
type entryPage struct {
	api.JournalEntry
	Pretty  string // the record, indented
	Dump    []hexLine
	Check   api.Verification
	Percent int
	Kind    struct{ EN, ZH string }
}

// hexLine is 16 bytes.
type hexLine struct{ At, Bytes, Text string }

func (c *Console) journalEntry(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 63)
	if err != nil || n == 0 {
		c.fail(w, r, api.NotFound())
		return
	}
	who := web.CallerOf(r.Context())
	e, err := c.Desk.Journal.Entry(r.Context(), who, n)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	page := entryPage{JournalEntry: e, Dump: dump(e.Hex)}
	var pretty bytes.Buffer
	if json.Indent(&pretty, e.Record, "", "  ") == nil {
		page.Pretty = pretty.String()
	}
	if page.Check, err = c.Desk.Journal.Verification(r.Context(), who); err != nil {
		c.fail(w, r, err)
		return
	}
	for _, k := range kindWords {
		if k.Name == e.JournalLine.Kind {
			page.Kind.EN, page.Kind.ZH = k.EN, k.ZH
		}
	}
	if page.Percent = percentOf(&page.Check); page.Check.State == "running" {
		w.Header().Set("Refresh", "2")
	}
	title := fmt.Sprintf(two(r, "Entry %d", "第 %d 条记录"), n)
	c.show(w, r, "entry_whole", view{Title: title, Active: "journal", Sheets: []string{"journal.css"}, Data: &page})
}

// dump is hexadecimal text as lines of 16 bytes with what is printable beside.
func dump(text string) (lines []hexLine) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil
	}
	for at := 0; at < len(raw); at += 16 {
		piece := raw[at:min(at+16, len(raw))]
		line := hexLine{At: fmt.Sprintf("%04x", at)}
		for i, b := range piece {
			if i == 8 {
				line.Bytes += " "
			}
			line.Bytes += fmt.Sprintf("%02x ", b)
			if b < 0x20 || b > 0x7e {
				b = '.'
			}
			line.Text += string(rune(b))
		}
		lines = append(lines, line)
	}
	return lines
}

// journalVerify begins the proof of the chain, and goes back to the entry, where its progress is shown.
func (c *Console) journalVerify(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 63)
	if err != nil {
		c.fail(w, r, api.NotFound())
		return
	}
	if _, err := c.Desk.Journal.Verify(r.Context(), web.CallerOf(r.Context()), n); err != nil {
		c.fail(w, r, err)
		return
	}
	back := fmt.Sprintf("/journal/%d#verify", n)
	if n == 1 {
		back = "/journal#verify"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
