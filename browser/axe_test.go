package browser

import (
	"encoding/json"
	"os"
	"sync"

	"github.com/chromedp/chromedp"
)

// axeSource is axe-core, of Deque Systems.
var axeSource = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("../testdata/axe/axe.min.js")
	return string(text), err
})

// fault is what axe-core found.
type fault struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// accessible fails the test for every serious or critical fault on the page that the window shows.
func (w *window) accessible() {
	w.t.Helper()
	source, err := axeSource()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](source+";0")); err != nil {
		w.t.Fatal(err)
	}
	said, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatal(err)
	}
	var faults []fault
	if err := json.Unmarshal([]byte(said), &faults); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range faults {
		if f.Impact != "serious" && f.Impact != "critical" {
			continue
		}
		for i, n := range f.Nodes {
			if i < 3 {
				w.t.Errorf("%s: %s %s: %s\n  %s\n  %s", w.where(), f.Impact, f.ID, f.Help, n.HTML, n.Summary)
			}
		}
	}
}
