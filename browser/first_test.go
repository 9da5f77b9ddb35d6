package browser

import "testing"

// TestFirstPage: the one-time link leads in.
func TestFirstPage(t *testing.T) {
	d := startDemo(t, "--quiet")
	w := newChrome(t).person("en", 1280)
	w.open(d.link)
	w.reads("Sample Noodles")
	w.accessible()
	w.clean()
}
