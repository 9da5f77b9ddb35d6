package browser

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// sends: a file of an act's form goes to the host before the form does; what is no package is refused with the reason in the reader's language,
// and what is too long is refused before a byte of it was sent.
func sends(t *testing.T, d *demo, _ *chrome, w, zh *window, _ *shop) {
	none, long := filepath.Join(t.TempDir(), "package.zip"), filepath.Join(t.TempDir(), "long.zip")
	if err := os.WriteFile(none, []byte(strings.Repeat("no package\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(long)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(266 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	sent := func(w *window) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.seen, func(address string) bool { return strings.HasSuffix(address, "/api/v1/files") })
	}
	for _, x := range []struct {
		w                  *window
		tooLong, noPackage string
	}{{w, "at most 265 MiB", "another kind of file, or not whole"}, {zh, "不得超过 265 MiB", "文件类型不对或不完整"}} {
		x.w.open(d.console + "/acts/release_package")
		x.w.accessible()
		x.w.do(chromedp.SetUploadFiles(chromedp.CSS("#f-file"), []string{long}), chromedp.Click(chromedp.CSS("form.act > button")))
		x.w.reads(x.tooLong)
		x.w.accessible()
		if sent(x.w) {
			t.Error("what is too long was sent")
		}
		x.w.do(chromedp.SetUploadFiles(chromedp.CSS("#f-file"), []string{none}), chromedp.Click(chromedp.CSS("form.act > button")))
		x.w.reads(x.noPackage, "file_")
		if !sent(x.w) {
			t.Error("the file came with the form")
		}
		x.w.accessible()
		x.w.forget() // the browser notes every answer that refuses
	}
}
