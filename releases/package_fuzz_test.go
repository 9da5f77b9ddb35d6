package releases_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"touchstone/releases"
)

// FuzzPackage: whatever is sent as a package, it is refused with an error, or it adds what two people signed and nothing
// else, whole.
func FuzzPackage(f *testing.F) {
	s := newShop(f)
	both := s.signed("1.0.1", s.people...)
	f.Add(both)
	f.Add(both[:len(both)/2])
	f.Add(s.signed("1.0.1", s.people[0]))
	f.Add(s.packageOf(9, s.list, nil, s.people))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "sent")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := releases.OpenPackage(path)
		if err != nil {
			return
		}
		defer p.Close()
		var again bytes.Buffer
		if err := p.Countersign(&again, []releases.Person{person(t, "nobody")}); err == nil && again.Len() > releases.MaxPackage+1<<20 {
			t.Errorf("%d bytes became %d", len(raw), again.Len())
		}
		fresh, done, err := s.repo.Verify(p, start)
		if err != nil {
			return
		}
		if done || len(fresh) != 1 || fresh[0].About != target("1.0.1").About || fresh[0].Digest != target("1.0.1").Digest {
			t.Errorf("verified, and is not what was signed: %v %+v", done, fresh)
		}
	})
}
