package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// memberKinds says what each member of an act's body names, for the acts that a shop's people may do: "" is a text or a
// choice that names no object. A member that is not here fails the test: who adds one to such an act says what it names.
var memberKinds = map[string]string{
	"merchant": "merchant", "terminal": "terminal", "serial": "serial", "incident": "incident", "account": "account", "id": "training", "operator": "operator",
	"photos": "upload", "contact": "upload",
	"wrong": "", "name": "", "do": "", "topic": "", "course": "", "answers": "", "kind": "", "text": "", "last4": "", "reason": "",
}

// shopBodies are bodies of the acts that a shop's people may do, about their own things. An act that comes to them
// needs one here, or the test fails.
func (r *attackRig) shopBodies(shop string) map[string][]map[string]any {
	x := r.thingsOf(shop)
	return map[string][]map[string]any{
		"glance":  {{"terminal": x["terminal"], "operator": "001"}, {"terminal": x["terminal"], "operator": "001", "wrong": "a loose bezel"}},
		"cashier": {{"merchant": shop, "operator": "88", "name": "Chen"}, {"merchant": shop, "operator": x["operator"], "leave": true}},
		"training": {{"do": "confirm", "merchant": shop}, {"do": "begin", "merchant": shop, "operator": x["operator"]}, {"do": "end", "merchant": shop, "operator": x["operator"], "id": x["training"], "answers": map[string]string{}},
			{"do": "begin", "account": r.caller(staff.Merchant, shop).Account}},
		"report": {{"kind": "skimmer", "terminal": x["terminal"], "text": "a loose bezel"}, {"kind": "skimmer", "serial": x["serial"], "text": "a loose bezel", "merchant": shop},
			{"kind": "skimmer", "terminal": x["terminal"], "text": "a loose bezel", "photos": []any{x["upload"]}}},
		"claim": {{"date": x["date"], "amount": 8800, "last4": "3157", "terminal": x["terminal"], "incident": x["incident"], "reason": "twice"}, {"date": x["date"], "amount": 8800, "last4": "3157", "terminal": x["terminal"], "rrn": 1}},
	}
}

// thingsOf are names of a shop's own objects, by kind. Each call that makes something makes it anew.
func (r *attackRig) thingsOf(shop string) map[string]any {
	things := map[string]any{"merchant": shop, "incident": r.inc, "account": nameOf(staff.Merchant, shop)}
	for _, s := range staffTerminals() {
		if s.merchant.String() == shop && things["terminal"] == nil {
			things["terminal"] = s.id.String()
			if t, err := r.e.ledger.Terminal(s.id); err == nil {
				things["serial"] = string(t.Serial)
			}
		}
	}
	day, err := parseDay(r.e.clock(), r.e.line.Zone)
	if err != nil {
		panic(err)
	}
	things["date"] = day
	before := r.who
	defer func() { r.who = before }()
	r.who = r.caller(staff.Merchant, shop)
	r.call(http.MethodPost, "/api/v1/cashiers", "application/json", fmt.Sprintf(`{"merchant":%q,"operator":"55","name":"Chen"}`, shop)) // the second time it is there
	things["operator"] = "55"
	var done api.Done
	_ = json.Unmarshal(r.call(http.MethodPost, "/api/v1/training", "application/json", fmt.Sprintf(`{"do":"begin","merchant":%q,"operator":"55"}`, shop)).Body.Bytes(), &done)
	things["training"] = done.Facts["training"]
	var file api.File
	_ = json.Unmarshal(r.call(http.MethodPost, "/api/v1/files", "text/plain", "a file of "+shop).Body.Bytes(), &file)
	things["upload"] = file.ID
	return things
}

// unknownThings are names of the same form that nothing has.
var unknownThings = map[string]any{"merchant": "898310058129999", "terminal": "99999999", "serial": "00000304TS0009999999", "incident": "INC-999999", "account": "nobody", "training": "TRN-999999", "operator": "",
	"upload": "file_AAAAAAAAAAAAAAAAAAAAAAAAAA"}

// membersOf are the members of a body that take texts, by path, with the last member's name.
func membersOf(t reflect.Type, path string) map[string]string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	all := map[string]string{}
	if t.Kind() != reflect.Struct {
		return all
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("hidden") == "true" || name == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && name == "" {
			maps.Copy(all, membersOf(f.Type, path))
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		switch inner.Kind() {
		case reflect.String, reflect.Map:
			all[at] = name
		case reflect.Struct:
			maps.Copy(all, membersOf(inner, at))
		}
	}
	return all
}

var madeIDs = regexp.MustCompile(`(RPT|CLM|TRN)-[0-9]+(-[A-Z0-9]+)?|"seed":"[0-9a-f]+"`)

// TestS02ForeignBodies: an act of a shop's people that names another shop's object in its body is answered as one that
// names none, to the byte, by the interface and by the console's form; and nothing of another's changes. The acts and the
// members of their bodies come from the table of acts itself, so that a new one cannot escape.
func TestS02ForeignBodies(t *testing.T) {
	r := newAttackRig(t)
	tried := map[string]int{}
	for i, shop := range r.shops {
		theirs := r.thingsOf(r.shops[1-i])
		for _, act := range newDesk(r.e).Acts.Catalogue() {
			if act.Own || !act.Rule.Shop {
				continue
			}
			members := membersOf(act.Type, "")
			for at, name := range members {
				if _, said := memberKinds[name]; !said {
					t.Errorf("%s: say in memberKinds what %s names", act.Name, at)
				}
			}
			bodies := r.shopBodies(shop)[act.Name]
			if len(bodies) == 0 && len(members) > 0 {
				t.Errorf("a shop's people may do %s: say in shopBodies how", act.Name)
			}
			for _, body := range bodies {
				for at, name := range members {
					if kind := memberKinds[name]; kind != "" && kind != "operator" { // a number within the shop: the shop beside it is asked for
						tried[act.Name+"."+at]++
						r.foreignMember(t, &act, shop, body, at, theirs[kind], unknownThings[kind])
					}
				}
			}
		}
	}
	for _, must := range []string{"glance.terminal", "cashier.merchant", "training.merchant", "training.id", "training.account", "report.terminal", "report.serial", "report.merchant", "report.photos", "claim.terminal", "claim.incident"} {
		if tried[must] == 0 {
			t.Errorf("no foreign object was named in %s", must)
		}
	}
	t.Logf("foreign objects named in bodies: %v", tried)
}

// foreignMember asks for an act with another shop's object in one member, and with none's.
func (r *attackRig) foreignMember(t *testing.T, act *api.Act, shop string, body map[string]any, at string, foreign, unknown any) {
	t.Helper()
	if foreign == nil || foreign == "" {
		t.Fatalf("%s: nothing foreign stands for %s", act.Name, at)
	}
	r.who = r.caller(staff.Merchant, shop)
	with := func(v any) (*httptest.ResponseRecorder, uint64) {
		b := maps.Clone(body)
		if b[at] = v; at == "photos" {
			b[at] = []any{v}
		}
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r.quiet(t)
		from := r.e.ledger.Durable()
		w := r.call(http.MethodPost, "/api/v1"+act.Path, "application/json", string(raw))
		r.quiet(t)
		return w, r.e.ledger.Durable() - from
	}
	one, wrote := with(foreign)
	two, wroteToo := with(unknown)
	a := madeIDs.ReplaceAllString(plainAnswer(one, fmt.Sprint(foreign)), "MADE")
	b := madeIDs.ReplaceAllString(plainAnswer(two, fmt.Sprint(unknown)), "MADE")
	if one.Code != two.Code || a != b || wrote != wroteToo {
		t.Errorf("%s with %s: another shop's %v: %d, %d entries\n%.1000s\n%v, which is not there: %d, %d entries\n%.1000s", act.Name, at, foreign, one.Code, wrote, a, unknown, two.Code, wroteToo, b)
	}
	r.foreignField(t, act, body, at, foreign, unknown)
	if kind := memberKinds[at]; one.Code/100 == 2 && kind != "serial" && kind != "incident" { // a serial number on a strange device's label is what a report is for
		t.Errorf("%s takes another shop's %s: %s", act.Name, at, one.Body)
	}
}

// foreignField is foreignMember by the console's form, which takes texts.
func (r *attackRig) foreignField(t *testing.T, act *api.Act, body map[string]any, at string, foreign, unknown any) {
	t.Helper()
	with := func(v any) *httptest.ResponseRecorder {
		form := url.Values{}
		for name, x := range body {
			if name == at {
				x = v
			}
			switch x := x.(type) {
			case []any:
				form.Set(name, fmt.Sprint(x...))
			case map[string]string:
			default:
				form.Set(name, fmt.Sprint(x))
			}
		}
		if form.Get(at) == "" {
			form.Set(at, fmt.Sprint(v))
		}
		return r.call(http.MethodPost, "/acts/"+act.Name, "application/x-www-form-urlencoded", form.Encode())
	}
	one, two := with(foreign), with(unknown)
	plain := func(w *httptest.ResponseRecorder) string { // both names: a help text may have one as its example
		text := strings.ReplaceAll(plainAnswer(w, fmt.Sprint(foreign)), fmt.Sprint(unknown), "ID")
		return outcomeIDs.ReplaceAllString(madeIDs.ReplaceAllString(text, "MADE"), "OUTCOME")
	}
	if a, b := plain(one), plain(two); one.Code != two.Code || a != b {
		t.Errorf("the form of %s with %s: another shop's %v: %d\n%.1500s\n%v, which is not there: %d\n%.1500s", act.Name, at, foreign, one.Code, a, unknown, two.Code, b)
	}
}

var outcomeIDs = regexp.MustCompile(`outcome=[A-Z2-7]{26}`)

// TestS02Roles: an act that its caller's role is not for is refused with a whole body as with none: for every act and
// every role, a shop's people among them. Where the duty is by what the body asks, each of its forms is asked for; what
// was proposed is approved by nobody who might not propose it.
func TestS02Roles(t *testing.T) {
	r := newAttackRig(t)
	forms := 0
	for _, act := range newDesk(r.e).Acts.Catalogue() {
		if act.Own {
			continue
		}
		for _, role := range staff.Roles {
			who := r.caller(role, r.shops[0])
			body := act.Example
			if body == nil {
				body = json.RawMessage(`{}`)
			}
			if !act.Rule.Allows(who) {
				forms++
				r.refusedWith(t, &act, who, body, "role_not_allowed")
			}
			for _, c := range actRows[act.Name].variants {
				duty, _ := c.duty()
				if act.Rule.Allows(who) && len(duty.roles) > 0 && !slices.Contains(duty.roles, role) {
					forms++
					body := string(variantBody(t, act.Name, &c))
					if strings.Contains(body, `"components":["x"]`) { // of an upload of one's own: another's is not found
						r.who = who
						body = strings.Replace(body, `"x"]`, fmt.Sprintf(`%q]`, r.upload(t, "text/plain", ageFileBegins+"-> X25519 x")), 1)
					}
					r.refusedWith(t, &act, who, json.RawMessage(body), "act_not_allowed")
				}
			}
		}
	}
	if forms < 250 {
		t.Errorf("only %d requests", forms)
	}
	r.who = r.caller(staff.Security, r.shops[0])
	w := r.call(http.MethodPost, "/api/v1/device-releases", "application/json", string(actRows["release"].example))
	var done api.Done
	if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil || done.Proposal == "" {
		t.Fatalf("no proposal: %d %s", w.Code, w.Body)
	}
	for _, role := range staff.Roles {
		if role == staff.Security || role == staff.KeyCustodian {
			continue
		}
		r.who = r.caller(role, r.shops[0])
		if w := r.call(http.MethodPost, "/api/v1/approvals", "application/json", fmt.Sprintf(`{"id":%q}`, done.Proposal)); w.Code != http.StatusForbidden {
			t.Errorf("%s approves what it might not propose: %d %s", role, w.Code, w.Body)
		}
	}
}

// variantBody is a form of an act as its caller would send it: the members that are set.
func variantBody(t *testing.T, name string, c *change) json.RawMessage {
	t.Helper()
	field := reflect.ValueOf(c).Elem().Field(acts[name])
	raw, err := json.Marshal(field.Interface())
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(withMoments(v, field.Type())); err != nil {
		t.Fatal(err)
	}
	return raw
}

// withMoments writes the moments of a body as its schema has them.
func withMoments(v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[pos.Instant]() {
		return "2026-11-28T09:00:00+08:00"
	}
	members, ok := v.(map[string]any)
	if !ok || t.Kind() != reflect.Struct {
		return v
	}
	for name, inner := range members {
		if f, known := jsonField(t, name); known && f.Tag.Get("hidden") == "true" {
			delete(members, name)
		} else if known {
			members[name] = withMoments(inner, f.Type)
		}
	}
	return members
}

func (r *attackRig) refusedWith(t *testing.T, act *api.Act, who *web.Caller, body json.RawMessage, codes ...string) {
	t.Helper()
	r.who = who
	before := r.stateOf(t)
	w := r.call(http.MethodPost, "/api/v1"+act.Path, "application/json", string(body))
	if code := problemCode(w); !slices.Contains(codes, code) || w.Code/100 != 4 {
		t.Errorf("%s by %s: %d %s", act.Name, who.Account, w.Code, w.Body)
	}
	if after := r.stateOf(t); before != after {
		t.Errorf("%s by %s changed something: %s, then %s", act.Name, who.Account, before, after)
	}
}

// stateOf counts what acts make: a refusal may add an entry, and nothing else.
func (r *attackRig) stateOf(t *testing.T) (counts string) {
	t.Helper()
	r.e.office.view(func(x *rooms) {
		counts = fmt.Sprint(len(x.staff.Accounts()), len(x.incident.Incidents()), len(x.redress.Exposures()), x.incident.NextReport())
	})
	return counts
}

// TestS02SaleOfAFormerShop: a shop whose terminal stood in another shop when a sale was made does not come to that sale by
// a claim: it is refused as a receipt that nobody has.
func TestS02SaleOfAFormerShop(t *testing.T) {
	r := newAttackRig(t)
	last4 := cards()[7].pan()
	day, err := parseDay(r.e.clock(), r.e.line.Zone)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(amount pos.Amount, shop string) error {
		c := &claimChange{Date: pos.Date(day), Amount: amount, Last4: last4[len(last4)-4:], Terminal: staffTerminals()[0].id.String(), Incident: r.inc}
		copy(c.shop[:], shop)
		_, err := r.e.makeClaim(t.Context(), c, []string{"one"})
		return err
	}
	own, former, none := ask(r.sales[0], r.shops[0]), ask(r.sales[0], r.shops[1]), ask(7777, r.shops[1])
	if own == nil || strings.Contains(own.Error(), "no approved sale") {
		t.Errorf("of the shop of the sale, which is claimed already: %v", own)
	}
	if former == nil || none == nil || former.Error() != none.Error() {
		t.Errorf("of another shop: %v; a receipt that nobody has: %v", former, none)
	}
}
