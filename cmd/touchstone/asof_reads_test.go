package main

import (
	"encoding/json"
	"testing"
)

// noPast are the reads that take no as_of, each with why: a read that is neither here nor takes one is a mistake.
var noPast = map[string]string{
	"list-acts":                 "what this version can do",
	"list-incident-terms":       "words of this version",
	"get-checklist":             "a file of the host, which no entry has",
	"get-device-label":          "a sticker to print, by the key that the device has",
	"get-terminal-repair":       "what is to be done now",
	"get-journal-entry":         "an entry never changes",
	"get-journal-proof":         "an entry never changes",
	"get-journal-verification":  "a run of this process over the whole journal",
	"list-witnesses":            "kept outside the journal, to be compared with it",
	"list-exposed-sales":        "a set that was frozen never changes; /exposures tells since when there is one",
	"get-training-paper":        "a test never changes once it is marked, and is drawn anew until then",
	"get-device-authority":      "a certificate never changes",
	"get-laboratory-plan":       "what this version examines, by the configuration of this host",
	"get-laboratory-operations": "what the host looks at now; what it looked at then is in the runs",
	"get-laboratory-keys":       "files of the host, which no entry has; what was revoked by then is in the certificates",
	"list-old-pins":             "reminders that are due now, by the records of cards, which have no past",
	"watch-live":                "a stream of now",
	"follow":                    "a stream; Last-Event-ID is how it is asked for the past",
}

// TestEveryReadTakesAsOf: a read of what changes in time can be asked for a past moment.
func TestEveryReadTakesAsOf(t *testing.T) {
	raw, err := openAPI()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]struct {
			Get *struct {
				ID         string `json:"operationId"`
				Parameters []struct {
					Name string `json:"name"`
				} `json:"parameters"`
			} `json:"get"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path, at := range document.Paths {
		if at.Get == nil {
			continue
		}
		takes := false
		for _, p := range at.Get.Parameters {
			takes = takes || p.Name == "as_of"
		}
		why := noPast[at.Get.ID]
		if takes == (why != "") {
			t.Errorf("%s (%s): takes as_of is %v, and why it would not is %q", path, at.Get.ID, takes, why)
		}
		seen[at.Get.ID] = true
	}
	for id := range noPast {
		if !seen[id] {
			t.Errorf("%s: no such read", id)
		}
	}
}
