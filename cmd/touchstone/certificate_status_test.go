package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"touchstone/lab"
)

// TestCertificateStatus: what the public is told of a certificate that is valid, suspended, expired, and of one that was
// never given out; for how long it may be kept; and that it names nobody.
func TestCertificateStatus(t *testing.T) {
	d := newLabDesk(t)
	mux := http.NewServeMux()
	d.e.mountCertificates(mux.Handle)
	ask := func(method, path string, want int, into any) string {
		t.Helper()
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Fatalf("%s %s: %d, want %d", method, path, w.Code, want)
		}
		if into != nil {
			if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Header().Get("Cache-Control") != "max-age=300" {
				t.Fatalf("%s: %v, %v", path, err, w.Header())
			}
		}
		return w.Body.String()
	}
	var list publicList
	if ask("GET", "/certificates", 200, &list); len(list.Certificates) != 0 {
		t.Fatalf("%+v", list)
	}
	d.examine(t, labSample{Model: "Sample S10", Application: sampleApp}, "SCP-1")
	d.do(t, &scIssue{actFlags: d.as("wu", "zheng"), Run_: "RUN-1"})
	stands := func(id string, code int, want lab.CertificateState) publicCertificate {
		t.Helper()
		var c publicCertificate
		said := ask("GET", "/certificates/"+id, code, &c)
		if c.State != want {
			t.Errorf("%s is %s, want %s", id, c.State, want)
		}
		for _, a := range samplePeople {
			if strings.Contains(said, a.FullName) || strings.Contains(said, `"`+a.Name+`"`) {
				t.Errorf("%s names %s", id, a.Name)
			}
		}
		return c
	}
	c := stands("CRT-1", 200, lab.Valid)
	envelope, err := d.e.keptFile(c.Envelope)
	if err != nil || digestOf(envelope) != c.Envelope || c.Model != "Sample S10" || len(c.Notice) == 0 {
		t.Errorf("%+v, %v", c, err)
	}
	stands("CRT-2", 404, unknownCertificate)
	stands(strings.Repeat("9", 300), 404, unknownCertificate)
	ask("POST", "/certificates/CRT-1", 405, nil)
	d.do(t, &scSuspend{scStep{actFlags: d.as("wu", "zheng"), ID: "CRT-1", Reason: "a test"}})
	stands("CRT-1", 200, lab.Suspended)
	if ask("GET", "/certificates", 200, &list); len(list.Certificates) != 1 || list.Certificates[0].State != lab.Suspended {
		t.Errorf("%+v", list)
	}
}
