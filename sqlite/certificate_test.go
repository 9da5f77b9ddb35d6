package sqlite_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"touchstone/journal"
	"touchstone/registry"
	"touchstone/sqlite"
)

// TestCertificateRows: the newest act on each certificate is a row; a file of the schema before it had a table
// gains one and keeps what it has.
func TestCertificateRows(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, filepath.Join(dir, "touchstone.db"), "DROP TABLE certificate")
	alter(t, filepath.Join(dir, "touchstone.db"), "DROP TABLE event") // of the schemas after it
	alter(t, filepath.Join(dir, "touchstone.db"), "DROP TABLE act_record")
	alter(t, filepath.Join(dir, "touchstone.db"), "UPDATE schema SET version = 1")
	s = openStore(t, dir)
	w := newWriter(t, s)
	w.cold(journal.KindCertificate, registry.Certificate{Fingerprint: "aa", Act: registry.CertificateIssued})
	w.cold(journal.KindCertificate, registry.Certificate{Fingerprint: "bb", Act: registry.CertificateIssued})
	w.flush()
	w.cold(journal.KindCertificate, registry.Certificate{Fingerprint: "aa", Act: registry.CertificateVoid})
	w.flush()
	var got []string
	err := s.Cold(t.Context(), sqlite.Cold{Certificate: func(seq uint64, c registry.Certificate) error {
		got = append(got, fmt.Sprintf("%d %s %s", seq, c.Fingerprint, c.Act))
		return nil
	}})
	if want := []string{"9 aa revoked", "8 bb issued"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if err := s.Verify(t.Context(), 0, nil); err != nil {
		t.Error(err)
	}
}
