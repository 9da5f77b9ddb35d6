package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// document is the OpenAPI document as a JSON Schema library reads it.
func document(t *testing.T) map[string]any {
	t.Helper()
	raw, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)
}

// TestOpenAPIValid: the document is one of OpenAPI 3.1 by the schema that the specification's keepers publish, each
// schema in it is one of JSON Schema 2020-12, and each operation has an id of its own.
func TestOpenAPIValid(t *testing.T) {
	c := jsonschema.NewCompiler()
	f, err := os.Open("testdata/openapi/3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	published, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t)
	if err := c.AddResource("https://spec.openapis.org/oas/3.1/schema/2022-10-07", published); err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("mem:openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://spec.openapis.org/oas/3.1/schema/2022-10-07")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%v", err)
	}
	broken := document(t)
	broken["info"] = map[string]any{"title": 1}
	if schema.Validate(broken) == nil {
		t.Error("a document without a version is let through: the schema tells nothing")
	}
	for name := range doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if _, err := c.Compile("mem:openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			id, _ := op.(map[string]any)["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: its id %q", method, path, id)
			}
			ids[id] = true
		}
	}
}

// TestOpenAPIExamples sends every example of the document to a seeded host: each act's body, and each read with the
// examples of its path. What comes back is held against the document's own schema of that status.
func TestOpenAPIExamples(t *testing.T) {
	h := newAPIHouse(t)
	c := jsonschema.NewCompiler()
	doc := document(t)
	if err := c.AddResource("mem:openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			op := op.(map[string]any)
			if path == api.StreamPath || strings.HasSuffix(path, "/live") || path == api.Root+"/files" {
				continue // streams have tests of their own, as files
			}
			body, whole := exampleBody(op)
			address, known := examplePath(path, op)
			if !whole || !known {
				continue
			}
			method := strings.ToUpper(method)
			w := h.asAllowed(method, path, address, body)
			sent++
			if fine := w.Code == 200 || w.Code == 202; !fine && !(method == http.MethodGet && (w.Code == 404 && strings.Contains(path, "{") || problemCode(w) == "no_check_page")) {
				t.Errorf("%s %s: %d %s", method, address, w.Code, w.Body)
			}
			h.holdAgainst(c, doc, method, path, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
		}
	}
	if sent < 60 {
		t.Errorf("only %d examples", sent)
	}
}

// exampleBody is the example of an operation's body; whole is false for a body without one.
func exampleBody(op map[string]any) (body string, whole bool) {
	request, has := op["requestBody"].(map[string]any)
	if !has {
		return "", true
	}
	media, _ := request["content"].(map[string]any)["application/json"].(map[string]any)
	example, ok := media["example"]
	if !ok {
		return "", false
	}
	raw, err := json.Marshal(example)
	return string(raw), err == nil
}

// examplePath fills the examples of path and required query parameters in.
func examplePath(path string, op map[string]any) (address string, known bool) {
	list, _ := op["parameters"].([]any)
	query := ""
	for _, p := range list {
		p := p.(map[string]any)
		example := exampleOfParameter(p)
		switch {
		case p["in"] == "path" && example == "":
			return "", false
		case p["in"] == "path":
			path = strings.ReplaceAll(path, "{"+p["name"].(string)+"}", example)
		case p["in"] == "query" && p["required"] == true && example == "":
			return "", false
		case p["in"] == "query" && p["required"] == true:
			query += "&" + p["name"].(string) + "=" + example
		}
	}
	if query != "" {
		path += "?" + query[1:]
	}
	return path, true
}

func exampleOfParameter(p map[string]any) string {
	if text, ok := p["example"].(string); ok {
		return text
	}
	schema, _ := p["schema"].(map[string]any)
	list, _ := schema["examples"].([]any)
	if len(list) == 0 {
		return ""
	}
	text, _ := list[0].(string)
	return text
}

// asAllowed sends a request as a sample account whose roles the route, and the act, let in. What is answered from an
// index waits for it.
func (h *apiHouse) asAllowed(method, path, address, body string) (w *httptest.ResponseRecorder) {
	h.t.Helper()
	for _, route := range h.router.Routes() {
		if route.Method != method || route.Pattern != path {
			continue
		}
		for _, name := range []string{"qian", "chen", "li", "zhao", "wu", "sun", "feng"} {
			var a *staff.Account
			h.office.view(func(r *rooms) { a = r.staff.Account(name) })
			if a == nil || !route.Rule.Allows(&web.Caller{Account: name, Roles: a.Roles}) {
				continue
			}
			w = h.ask(name, method, address, body)
			for deadline := time.Now().Add(5 * time.Second); w.Code == http.StatusServiceUnavailable && time.Now().Before(deadline); {
				w = h.ask(name, method, address, body)
			}
			if problemCode(w) != "act_not_allowed" {
				return w
			}
		}
	}
	if w == nil {
		h.t.Fatalf("nobody may %s %s", method, path)
	}
	return w
}

// holdAgainst validates an answer by the schema of its status, or of every other one.
func (h *apiHouse) holdAgainst(c *jsonschema.Compiler, doc map[string]any, method, path string, status int, kind string, body []byte) {
	h.t.Helper()
	answers := doc["paths"].(map[string]any)[path].(map[string]any)[strings.ToLower(method)].(map[string]any)["responses"].(map[string]any)
	key := jsonNumber(status)
	if answers[key] == nil {
		key = "default"
	}
	if !strings.HasPrefix(kind, "application/json") {
		return
	}
	pointer := "mem:openapi.json#/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/" + strings.ToLower(method) + "/responses/" + key + "/content/application~1json/schema"
	schema, err := c.Compile(pointer)
	if err != nil {
		h.t.Errorf("%s %s: %d has no schema: %v", method, path, status, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		h.t.Errorf("%s %s: %v", method, path, err)
		return
	}
	if err := schema.Validate(value); err != nil {
		h.t.Errorf("%s %s: %d: %v", method, path, status, err)
	}
}

func jsonNumber(n int) string {
	raw, _ := json.Marshal(n)
	return string(raw)
}
