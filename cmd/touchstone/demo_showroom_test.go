package main

import (
	"image/jpeg"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/web/check"
)

// TestShowroom: the people of the demonstration make, by their own acts, every answer that its screen promises; a picture of a
// model is seen by anybody, and a photograph that is kept besides by nobody.
func TestShowroom(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	dir, log := filepath.Join(t.TempDir(), "data"), slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, log); err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC, acquirerID: "48021000", log: log,
		clock: func() pos.Instant { return pos.Instant(time.Now().UnixNano()) }, withoutView: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEngine(t, e) })
	if err := e.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.seedPast(t.Context()); err != nil {
		t.Fatal(err)
	}
	people := &demoDesk{&desk{e}, time.Millisecond}
	for range 2 { // the second time nothing is left to do
		for _, step := range []func() error{func() error { return people.hangPictures(t.Context()) }, func() error { return people.fillShowroom(t.Context()) }} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	decoy, err := decoyCertificate()
	if err != nil {
		t.Fatal(err)
	}
	d := &publicDesk{e, e.module, decoy}
	for name, c := range map[string]struct {
		number int
		want   func(r check.Record) bool
	}{
		"stolen":   {showStolen, func(r check.Record) bool { return r.Announced && r.Lost && r.Stopped && !r.Retired }},
		"retired":  {showRetired, func(r check.Record) bool { return r.Announced && r.Retired && !r.Lost && !r.Stopped }},
		"in stock": {showStock, func(r check.Record) bool { return r.Announced && r.Unversioned && !r.Stopped && !r.Retired }},
		"advisory": {showWeak, func(r check.Record) bool { return len(r.Advisories) == 1 && r.Fixed == fixedApp && !r.Unversioned }},
		"unknown":  {showUnknown, func(r check.Record) bool { return !r.Known }},
	} {
		if r, err := d.Record(t.Context(), sampleSerial(c.number)); err != nil || !c.want(r) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	e.office.view(func(r *rooms) {
		steps := r.fleet.Life(sampleSerial(showStolen)).Steps
		if last := steps[len(steps)-1]; last.Verb != "device_lost" || strings.Join(last.By, " ") != "li" || strings.Join(steps[0].By, " ") != "li zhou" {
			t.Errorf("steps %+v: want two people's, and one's word that it is gone", steps)
		}
	})
	seesPictures(t, e, d)
}

// seesPictures: the page serves the drawing of a model, and no other kept file.
func seesPictures(t *testing.T, e *engine, d *publicDesk) {
	pages, err := e.publicPages(&publicFlags{}, "http://127.0.0.1:8081")
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:8081/picture/"+name+".jpg", nil))
		return w
	}
	r, err := d.Record(t.Context(), visitors()[0].serial)
	if err != nil || r.Looks.Name == "" || !r.Looks.Drawing {
		t.Fatalf("looks %+v, %v", r.Looks, err)
	}
	w := get(r.Looks.Name)
	if shape, err := jpeg.DecodeConfig(w.Body); w.Code != 200 || err != nil || shape.Width != r.Looks.Width || shape.Height != r.Looks.Height {
		t.Errorf("picture: %d, %v", w.Code, err)
	}
	private, err := e.keepFile([]byte("a photograph of an inspection"))
	if err != nil {
		t.Fatal(err)
	}
	if w := get(private); w.Code != 404 || strings.Contains(w.Body.String(), "inspection") {
		t.Errorf("another kept file: %d", w.Code)
	}
	if _, err := e.changeModelPicture(t.Context(), &modelPictureChange{Model: visitorModel, Remove: true}, []string{"li"}); err != nil {
		t.Fatal(err)
	}
	if w := get(r.Looks.Name); w.Code != 404 {
		t.Errorf("a removed picture: %d", w.Code)
	}
	torn := filepath.Join(t.TempDir(), "torn.png")
	if err := os.WriteFile(torn, []byte("\x89PNG\r\n\x1a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := e.ledger.Durable()
	if _, err := e.changeModelPicture(t.Context(), &modelPictureChange{Model: visitorModel, File: torn}, []string{"li"}); err == nil || e.ledger.Durable() != before+1 {
		t.Errorf("a torn picture: %v, %d entries; want a refusal that is journaled", err, e.ledger.Durable()-before)
	}
	var list []*fleet.ModelPicture
	if e.office.view(func(r *rooms) { list = r.fleet.Pictures() }); len(list) != len(sampleLooks)-1 {
		t.Errorf("%d pictures", len(list))
	}
}
