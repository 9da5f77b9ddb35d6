package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// TestWebhookPages: what each role sees of an endpoint, in both languages, and never its secret.
func TestWebhookPages(t *testing.T) {
	b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
	defer b.close()
	router, err := b.e.consoleRouter([]string{"127.0.0.1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	who := &web.Caller{Account: "zhao", FullName: "Zhao", Roles: []staff.Role{staff.Administrator}, Via: web.BySession, Token: "x", Lang: "en"}
	router.Identify = func(*http.Request) (*web.Caller, error) { return who, nil }
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
		if strings.Contains(w.Body.String(), "whsec_") {
			t.Errorf("%s shows a secret", path)
		}
		return w.Code, w.Body.String()
	}
	if code, page := get("/webhooks"); code != http.StatusOK || !strings.Contains(page, "Nobody is told yet") {
		t.Errorf("without endpoints: %d", code)
	}
	id := b.add(r, "event."+eventOldPINs)
	r.status = []int{500}
	b.happen(1)
	b.delivered(id, 1)
	for _, c := range []struct {
		name, lang string
		role       staff.Role
		path       string
		code       int
		has, lacks string
	}{
		{"list", "en", staff.Administrator, "/webhooks", 200, "Add a webhook", "Nobody is told"},
		{"list, auditor", "zh", staff.Auditor, "/webhooks", 200, "落后记录数", "添加回调"},
		{"list, support", "en", staff.Support, "/webhooks", 403, "", id},
		{"one", "en", staff.Administrator, "/webhooks/" + id, 200, "/acts/webhook_replay?id=WHK-1&amp;first=evt_", "Nothing was told"},
		{"one, in Chinese", "zh", staff.Administrator, "/webhooks/" + id, 200, "已送达", ""},
		{"one, auditor", "en", staff.Auditor, "/webhooks/" + id, 200, "delivered", "Change its secret"},
		{"none such", "en", staff.Administrator, "/webhooks/WHK-9", 404, "", ""},
		{"a wrong cursor", "en", staff.Administrator, "/webhooks/" + id + "?cursor=x", 400, "", ""},
		{"deliveries", "en", staff.Security, api.Root + "/webhooks/" + id + "/deliveries", 200, `"attempts":2`, ""},
		{"deliveries of none", "en", staff.Security, api.Root + "/webhooks/WHK-9/deliveries", 404, "", ""},
		{"a merchant", "en", staff.Merchant, api.Root + "/webhooks", 403, "", id},
	} {
		who = &web.Caller{Account: "zhao", FullName: "Zhao", Roles: []staff.Role{c.role}, Via: web.BySession, Token: "x", Lang: c.lang}
		if code, page := get(c.path); code != c.code || !strings.Contains(page, c.has) || c.lacks != "" && strings.Contains(page, c.lacks) {
			t.Errorf("%s: %d\n%.3000s", c.name, code, page)
		}
	}
	if _, err := json.Marshal(b.state(id)); err != nil {
		t.Error(err)
	}
}
