package main

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"touchstone/web/api"
)

var (
	docsHan     = regexp.MustCompile(`\p{Han}`)
	docsHeading = regexp.MustCompile(`<h1>([^<]*)</h1>`)
	docsLink    = regexp.MustCompile(`href="(/docs[^"#]*)`)
)

// TestDocsPages: the reference has every operation, each with a page of its own, and the page of errors an anchor for each
// code; all of them in both languages, chosen by a link or by the browser, with a link to the other.
func TestDocsPages(t *testing.T) {
	h := newAPIHouse(t)
	paths := []string{"/docs", "/docs/errors"}
	for _, x := range h.programs.References() {
		paths = append(paths, "/docs/operations/"+x.ID)
	}
	index := h.ask("", "GET", "/docs", "").Body.String()
	for _, path := range paths {
		if path != "/docs" && !strings.Contains(index, `href="`+path+`"`) {
			t.Errorf("the reference lacks %s", path)
		}
		headings := map[string]string{}
		for lang, other := range map[string]string{"zh": "en", "en": "zh"} {
			byLink := h.ask("", "GET", path+"?lang="+lang, "", "Accept-Language", other)
			byBrowser := h.ask("", "GET", path, "", "Accept-Language", lang)
			for how, w := range map[string]*httptest.ResponseRecorder{"link": byLink, "browser": byBrowser} {
				page := w.Body.String()
				title := docsHeading.FindStringSubmatch(page)
				if w.Code != 200 || !strings.Contains(page, `<html lang="`+lang) || title == nil {
					t.Fatalf("%s, %s by the %s: %d, heading %q", path, lang, how, w.Code, title)
				}
				headings[lang] = title[1]
				if !strings.Contains(page, `href="`+path+"?lang="+other+`" lang="`+other+`"`) {
					t.Errorf("%s, %s by the %s: no link to the other language", path, lang, how)
				}
				for _, link := range docsLink.FindAllStringSubmatch(page, -1) { // a language that a link chose stays
					if how == "link" && link[1] != path+"?lang="+other && !strings.HasSuffix(link[1], "?lang="+lang) {
						t.Errorf("%s, %s: the link to %s forgets the language", path, lang, link[1])
					}
				}
			}
		}
		if !docsHan.MatchString(headings["zh"]) || headings["zh"] == headings["en"] {
			t.Errorf("%s is called %q in Chinese: add it to operationChinese of web/console", path, headings["zh"])
		}
	}
	for _, name := range regexp.MustCompile(`<h2>([^<]*)</h2>`).FindAllStringSubmatch(h.ask("", "GET", "/docs?lang=zh", "").Body.String(), -1) {
		if !docsHan.MatchString(name[1]) {
			t.Errorf("a resource is called %q in Chinese: add it to tagChinese of web/console", name[1])
		}
	}
	for lang, want := range map[string]func(api.Code) string{"en": func(c api.Code) string { return c.DoEN }, "zh": func(c api.Code) string { return c.DoZH }} {
		page := h.ask("", "GET", "/docs/errors?lang="+lang, "").Body.String()
		for _, c := range api.Codes() {
			if !strings.Contains(page, `id="`+c.Code+`"`) || want(c) == "" || !docsHan.MatchString(c.ZH+c.DoZH) || c.EN == "" {
				t.Errorf("%s, %s: no anchor, or not told in both languages", c.Code, lang)
			}
		}
	}
	// Who is signed in and reads one language may look at a page of the interface in the other.
	if page := h.ask("qian", "GET", "/docs?lang=zh", "", "Accept-Language", "en").Body.String(); !strings.Contains(page, `<html lang="zh`) {
		t.Error("a link does not choose the language of who is signed in")
	}
}
