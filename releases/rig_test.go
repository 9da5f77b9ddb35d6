package releases_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"touchstone/releases"
)

// start is the instant of the tests' repositories.
var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// shop is a repository, its people and the client of one terminal.
type shop struct {
	t       testing.TB
	repo    *releases.Repository
	dir     string
	roots   []releases.Person
	people  []releases.Person
	machine releases.Machine
	client  *releases.Client
	list    []releases.Target
}

func key(t testing.TB) ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func person(t testing.TB, name string) releases.Person {
	return releases.Person{Name: name, Key: key(t)}
}

func newShop(t testing.TB) *shop {
	s := &shop{t: t, dir: t.TempDir(), roots: []releases.Person{person(t, "qian"), person(t, "sun")}, people: []releases.Person{person(t, "qian"), person(t, "sun")},
		machine: releases.Machine{Snapshot: key(t), Timestamp: key(t)}}
	s.repo = releases.Open(s.dir, releases.DefaultLives())
	s.must(s.repo.Create(s.roots, s.people, s.machine, start))
	root, err := os.ReadFile(s.repo.RootFile())
	s.must(err)
	s.client = &releases.Client{Source: s.dir, Dir: filepath.Join(t.TempDir(), "trusted"), Root: root, Now: start.Add(time.Hour)}
	s.publish("1.0.0")
	return s
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func content(version string) []byte { return []byte("application " + version + "\n") }

func target(version string) releases.Target {
	sum := sha256.Sum256(content(version))
	return releases.Target{Path: "s20-" + version + ".bin", Digest: hex.EncodeToString(sum[:]), Length: int64(len(content(version))),
		About: releases.About{Model: "S20", Hardware: "*", Version: version, State: "current", Notes: "n <&>", NotesZH: "说明"}}
}

// publish adds a version to what is there.
func (s *shop) publish(version string) {
	s.t.Helper()
	x := target(version)
	s.must(s.repo.Keep(x, content(version)))
	s.list = append(s.list, x)
	s.must(s.repo.Publish(s.list, s.people, s.machine, start))
}

// update is what a terminal does: refresh, and fetch one version.
func (s *shop) update(version string) ([]byte, error) {
	session, err := s.client.Refresh(context.Background())
	if err != nil {
		return nil, err
	}
	for _, o := range session.Offers() {
		if o.About.Version == version {
			return session.Fetch(context.Background(), &o)
		}
	}
	return nil, releases.ErrNothing
}

func (s *shop) read(name string) []byte {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	s.must(err)
	return raw
}

func (s *shop) write(name string, raw []byte) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, name), raw, 0o644))
}
