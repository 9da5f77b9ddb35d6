package sqlite_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"touchstone/sqlite"
)

// TestRequests: what was begun and what was answered is there after the process is gone, without a close: a copy of the
// files as they lie on the disk says so. After a day it is forgotten.
func TestRequests(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	r, err := sqlite.OpenRequests(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	begin := func(r *sqlite.Requests, caller, key string, at time.Time) *sqlite.Request {
		t.Helper()
		known, err := r.Begin(t.Context(), caller, key, sha256.Sum256([]byte("body")), at)
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	for _, c := range [][2]string{{"qian", "answered"}, {"qian", "begun"}, {"qian", "taken back"}, {"chen", "answered"}} {
		if known := begin(r, c[0], c[1], now); known != nil {
			t.Errorf("%v was known before", c)
		}
	}
	if err := errors.Join(r.End(t.Context(), "qian", "answered", 200, []byte(`{"what":"x"}`)), r.Forget(t.Context(), "qian", "taken back")); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	again, err := sqlite.OpenRequests(t.Context(), killed)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if known := begin(again, "qian", "answered", now); known == nil || known.Status != 200 || string(known.Body) != `{"what":"x"}` || known.Digest != sha256.Sum256([]byte("body")) {
		t.Errorf("answered: %+v", known)
	}
	if known := begin(again, "qian", "begun", now); known == nil || known.Status != 0 {
		t.Errorf("begun: %+v", known)
	}
	if known := begin(again, "qian", "taken back", now); known != nil {
		t.Errorf("taken back: %+v", known)
	}
	if known := begin(again, "qianan", "swered", now); known != nil {
		t.Error("a caller and a key run together")
	}
	if known := begin(again, "qian", "answered", now.Add(sqlite.RequestLife)); known == nil {
		t.Error("forgotten before its time")
	}
	if known := begin(again, "qian", "answered", now.Add(sqlite.RequestLife+time.Nanosecond)); known != nil {
		t.Error("not forgotten after a day")
	}
	if info, err := os.Stat(filepath.Join(dir, "requests.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}
