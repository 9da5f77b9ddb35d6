package releases_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"touchstone/releases"
)

func TestFetch(t *testing.T) {
	s := newShop(t)
	if got, err := s.update("1.0.0"); err != nil || !bytes.Equal(got, content("1.0.0")) {
		t.Fatalf("fetched %q, %v", got, err)
	}
	s.publish("1.0.3")
	s.client.Root = nil // it keeps what it trusts
	if got, err := s.update("1.0.3"); err != nil || !bytes.Equal(got, content("1.0.3")) {
		t.Fatalf("fetched %q, %v", got, err)
	}
	if same, err := s.repo.Contains(s.list); err != nil || !same {
		t.Errorf("the repository is what was published: %t, %v", same, err)
	}
	if same, _ := s.repo.Contains(s.list[:1]); same {
		t.Error("the repository is said to be what it was before")
	}
	server := httptest.NewServer(http.StripPrefix("/releases", s.repo))
	defer server.Close()
	s.client.Source = server.URL + "/releases/"
	if got, err := s.update("1.0.3"); err != nil || !bytes.Equal(got, content("1.0.3")) {
		t.Fatalf("over HTTP %q, %v", got, err)
	}
	for _, path := range []string{"/releases/", "/releases/metadata/", "/releases/metadata/../../x", "/releases/metadata/..%2f..%2fx", "/releases/keys/snapshot.pem", "/releases/metadata/.hidden", "/releases/metadata/new-1/../timestamp.json/x"} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, answer.StatusCode)
		}
	}
}

// TestAttacks are the attacks of TUF's specification, section 1.5.2, and mistakes of ours, each with its words.
func TestAttacks(t *testing.T) {
	const stamp, snapshot, targets = "metadata/timestamp.json", "metadata/3.snapshot.json", "metadata/3.targets.json"
	for name, c := range map[string]struct {
		attack func(s *shop)
		want   error
	}{
		"arbitrary software: the file is altered": {func(s *shop) {
			x := target("1.0.3")
			s.write("targets/"+x.Digest+"."+x.Path, []byte("application 6.6.6\n"))
		}, releases.ErrAltered},
		"endless data: the file goes on": {func(s *shop) {
			x := target("1.0.3")
			s.write("targets/"+x.Digest+"."+x.Path, append(content("1.0.3"), bytes.Repeat([]byte("x"), 1<<20)...))
		}, releases.ErrTooLong},
		"the file is cut short": {func(s *shop) {
			x := target("1.0.3")
			s.write("targets/"+x.Digest+"."+x.Path, content("1.0.3")[:5])
		}, releases.ErrAltered},
		"the file is not there": {func(s *shop) {
			x := target("1.0.3")
			s.must(os.Remove(filepath.Join(s.dir, "targets", x.Digest+"."+x.Path)))
		}, releases.ErrAbsent},
		"targets altered": {func(s *shop) { s.write(targets, bytes.Replace(s.read(targets), []byte("1.0.3"), []byte("1.0.9"), 1)) }, releases.ErrAltered},
		"snapshot altered": {func(s *shop) {
			s.write(snapshot, bytes.Replace(s.read(snapshot), []byte(`"version": 3`), []byte(`"version": 4`), 1))
		}, releases.ErrAltered},
		"timestamp altered": {func(s *shop) {
			s.write(stamp, bytes.Replace(s.read(stamp), []byte(`"version": 3`), []byte(`"version": 9`), 1))
		}, releases.ErrUnsigned},
		"timestamp without signatures": {func(s *shop) { s.write(stamp, edit(s, stamp, func(d map[string]any) { d["signatures"] = []any{} })) }, releases.ErrUnsigned},
		"timestamp signed by a stranger": {func(s *shop) {
			s.machine.Timestamp = key(s.t)
			s.must(s.repo.Refresh(s.machine, start))
		}, releases.ErrUnsigned},
		"endless timestamp":                 {func(s *shop) { s.write(stamp, bytes.Repeat([]byte(" "), 17<<10)) }, releases.ErrTooLong},
		"timestamp is no JSON":              {func(s *shop) { s.write(stamp, []byte("<html>")) }, releases.ErrMalformed},
		"timestamp is not there":            {func(s *shop) { s.must(os.Remove(filepath.Join(s.dir, stamp))) }, releases.ErrAbsent},
		"snapshot in its place":             {func(s *shop) { s.write(stamp, s.read(snapshot)) }, releases.ErrMalformed},
		"mix and match: targets of before":  {func(s *shop) { s.write(targets, s.read("metadata/2.targets.json")) }, releases.ErrAltered},
		"mix and match: snapshot of before": {func(s *shop) { s.write(snapshot, s.read("metadata/2.snapshot.json")) }, releases.ErrAltered},
		"freeze: nobody refreshed":          {func(s *shop) { s.client.Now = start.Add(25 * time.Hour) }, releases.ErrExpired},
		"freeze: the root has ended":        {func(s *shop) { s.client.Now = start.Add(366 * 24 * time.Hour) }, releases.ErrExpired},
		"a second root that the first did not sign": {func(s *shop) {
			other := newShop(s.t)
			raw := bytes.Replace(other.read("metadata/1.root.json"), []byte(`"version": 1`), []byte(`"version": 2`), 1)
			s.write("metadata/2.root.json", raw)
		}, releases.ErrUnsigned},
		"one person's signature on targets": {func(s *shop) { resign(s, s.people[:1]) }, releases.ErrUnsigned},
		"one person's signature twice":      {func(s *shop) { resign(s, []releases.Person{s.people[0], s.people[0]}) }, releases.ErrMalformed},
		"targets signed by strangers":       {func(s *shop) { resign(s, []releases.Person{person(s.t, "x"), person(s.t, "y")}) }, releases.ErrUnsigned},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			if _, err := s.update("1.0.0"); err != nil {
				t.Fatal(err)
			}
			s.publish("1.0.3")
			c.attack(s)
			got, err := s.update("1.0.3")
			if !errors.Is(err, c.want) || got != nil {
				t.Fatalf("%q, %v: want %v", got, err, c.want)
			}
			if len(err.Error()) > 600 || strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("the refusal is %q", err)
			}
		})
	}
}

// edit changes a document without signing it.
func edit(s *shop, name string, f func(map[string]any)) []byte {
	s.t.Helper()
	var d map[string]any
	s.must(json.Unmarshal(s.read(name), &d))
	f(d)
	raw, err := json.Marshal(d)
	s.must(err)
	return raw
}

// resign replaces the signatures of the newest targets, and makes snapshot and timestamp fit.
func resign(s *shop, people []releases.Person) {
	s.t.Helper()
	m, err := new(metadata.Metadata[metadata.TargetsType]).FromFile(filepath.Join(s.dir, "metadata/3.targets.json"))
	s.must(err)
	m.ClearSignatures()
	for _, p := range people {
		signer, err := signature.LoadED25519Signer(p.Key)
		s.must(err)
		_, err = m.Sign(signer)
		s.must(err)
	}
	raw, err := json.Marshal(m) // also two signatures of one key, which the library writes and does not read
	s.must(err)
	s.write("metadata/3.targets.json", raw)
	s.must(s.repo.Restamp("targets.json", 3, raw, s.machine, start))
}

// TestRollback offers what was true before to a terminal that saw more.
func TestRollback(t *testing.T) {
	s := newShop(t)
	before := map[string][]byte{}
	for _, name := range []string{"metadata/timestamp.json", "metadata/2.snapshot.json", "metadata/2.targets.json"} {
		before[name] = s.read(name)
	}
	s.publish("1.0.3")
	if _, err := s.update("1.0.3"); err != nil {
		t.Fatal(err)
	}
	for name, raw := range before {
		s.write(name, raw)
	}
	if _, err := s.update("1.0.0"); !errors.Is(err, releases.ErrOlder) {
		t.Errorf("a repository of before: %v, want %v", err, releases.ErrOlder)
	}
	fresh := *s.client
	fresh.Dir = filepath.Join(t.TempDir(), "fresh")
	if _, err := fresh.Refresh(context.Background()); err != nil {
		t.Errorf("a terminal that saw nothing newer: %v", err)
	}
	// A newer timestamp over an older snapshot is a rollback too.
	s.must(s.repo.Refresh(s.machine, start))
	s.must(s.repo.Refresh(s.machine, start))
	if _, err := s.update("1.0.0"); !errors.Is(err, releases.ErrOlder) {
		t.Errorf("newer timestamps over what was before: %v, want %v", err, releases.ErrOlder)
	}
}

// TestSignedMistakes are targets that two people signed and no terminal may take.
func TestSignedMistakes(t *testing.T) {
	for name, change := range map[string]func(path string, f *metadata.TargetFiles) string{
		"path traversal":      func(string, *metadata.TargetFiles) string { return "../../etc/passwd" },
		"an absolute path":    func(string, *metadata.TargetFiles) string { return "/etc/passwd" },
		"a path with a slash": func(string, *metadata.TargetFiles) string { return "a/b.bin" },
		"no word on what it is": func(path string, f *metadata.TargetFiles) string {
			f.Custom = nil
			return path
		},
		"as long as a disk": func(path string, f *metadata.TargetFiles) string {
			f.Length = 1 << 40
			return path
		},
		"another digest": func(path string, f *metadata.TargetFiles) string {
			f.Hashes = metadata.Hashes{"md5": f.Hashes["sha256"][:16]}
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			m, err := new(metadata.Metadata[metadata.TargetsType]).FromFile(filepath.Join(s.dir, "metadata/2.targets.json"))
			s.must(err)
			for path, f := range m.Signed.Targets {
				delete(m.Signed.Targets, path)
				m.Signed.Targets[change(path, f)] = f
			}
			m.ClearSignatures()
			for _, p := range s.people {
				signer, err := signature.LoadED25519Signer(p.Key)
				s.must(err)
				_, err = m.Sign(signer)
				s.must(err)
			}
			raw, err := m.ToBytes(false)
			s.must(err)
			s.write("metadata/2.targets.json", raw)
			s.must(s.repo.Restamp("targets.json", 2, raw, s.machine, start))
			if session, err := s.client.Refresh(context.Background()); !errors.Is(err, releases.ErrMalformed) {
				t.Errorf("%v, %v: want %v", session, err, releases.ErrMalformed)
			}
		})
	}
}

// TestServers are servers that misbehave below the metadata.
func TestServers(t *testing.T) {
	s := newShop(t)
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }))
	defer broken.Close()
	for name, c := range map[string]struct {
		source string
		want   error
	}{"endless": {endless.URL, releases.ErrTooLong}, "broken": {broken.URL, releases.ErrAbsent}} {
		s.client.Source = c.source
		if _, err := s.client.Refresh(context.Background()); !errors.Is(err, c.want) {
			t.Errorf("%s server: %v, want %v", name, err, c.want)
		}
	}
	for _, source := range []string{"http://example.com/releases", "ftp://127.0.0.1/", "/nowhere/at/all"} {
		s.client.Source = source
		if _, err := s.client.Refresh(context.Background()); err == nil {
			t.Errorf("source %s was taken", source)
		}
	}
	s.client.Source = s.dir
	s.client.Root = nil
	if _, err := s.client.Refresh(context.Background()); err == nil {
		t.Log("the root of trust was kept by an earlier refresh")
	}
	stranger := &releases.Client{Source: s.dir, Dir: t.TempDir()}
	if _, err := stranger.Refresh(context.Background()); !errors.Is(err, releases.ErrTrust) {
		t.Errorf("without a root of trust: %v, want %v", err, releases.ErrTrust)
	}
}

func TestWriterRefuses(t *testing.T) {
	s := newShop(t)
	before := s.read("metadata/timestamp.json")
	for name, people := range map[string][]releases.Person{"one person": s.people[:1], "nobody": nil, "strangers": {person(t, "x"), person(t, "y")}, "one and a stranger": {s.people[0], person(t, "y")}} {
		if err := s.repo.Publish(s.list, people, s.machine, start); !errors.Is(err, releases.ErrRepository) {
			t.Errorf("%s: %v, want %v", name, err, releases.ErrRepository)
		}
	}
	if err := s.repo.Keep(target("1.0.3"), []byte("another")); !errors.Is(err, releases.ErrRepository) {
		t.Errorf("another file: %v", err)
	}
	bad := target("1.0.3")
	bad.Path = "../x"
	if err := s.repo.Keep(bad, content("1.0.3")); !errors.Is(err, releases.ErrRepository) {
		t.Errorf("a path outside: %v", err)
	}
	if err := s.repo.Publish(append(s.list, target("1.0.3")), s.people, s.machine, start); !errors.Is(err, releases.ErrRepository) {
		t.Errorf("a target whose file is not here: %v", err)
	}
	if err := s.repo.Create(s.roots, s.people, s.machine, start); !errors.Is(err, releases.ErrRepository) {
		t.Errorf("made twice: %v", err)
	}
	if !bytes.Equal(before, s.read("metadata/timestamp.json")) {
		t.Error("a refusal changed the repository")
	}
	s.must(s.repo.Refresh(s.machine, start.Add(20*time.Hour)))
	s.client.Now = start.Add(40 * time.Hour)
	if _, err := s.update("1.0.0"); err != nil {
		t.Errorf("refreshed in time: %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k.pem")
	made, err := releases.NewKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := releases.ReadKey(path); err != nil || !read.Equal(made) {
		t.Errorf("read back: %v", err)
	}
	if _, err := releases.NewKey(path); !errors.Is(err, releases.ErrKey) {
		t.Errorf("a key over a key: %v", err)
	}
	os.Chmod(path, 0o640)
	if _, err := releases.ReadKey(path); !errors.Is(err, releases.ErrKey) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("open to others: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "x.pem"), []byte("no key"), 0o600)
	for _, name := range []string{"x.pem", "none.pem"} {
		if _, err := releases.ReadKey(filepath.Join(dir, name)); !errors.Is(err, releases.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRenew: a terminal follows a new root that the old one's people signed, and none that others signed.
func TestRenew(t *testing.T) {
	s := newShop(t)
	if _, err := s.update("1.0.0"); err != nil {
		t.Fatal(err)
	}
	later := start.Add(360 * 24 * time.Hour)
	for name, c := range map[string]struct{ roots, people []releases.Person }{
		"one person's root key": {s.roots[:1], s.people}, "strangers' root keys": {[]releases.Person{person(t, "x"), person(t, "y")}, s.people}, "one person for targets": {s.roots, s.people[:1]},
	} {
		if err := s.repo.Renew(s.list, c.roots, c.people, s.machine, later); !errors.Is(err, releases.ErrRepository) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.must(s.repo.Renew(s.list, s.roots, s.people, s.machine, later))
	s.client.Now, s.client.Root = later.Add(time.Hour), nil
	if _, err := s.update("1.0.0"); err != nil {
		t.Errorf("after a year, renewed: %v", err)
	}
	if x, err := s.repo.Expiries(); err != nil || !x.Root.Equal(later.Add(365*24*time.Hour)) {
		t.Errorf("the root ends %s, %v", x.Root, err)
	}
	if err := os.Remove(filepath.Join(s.dir, "metadata/2.root.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.update("1.0.0"); err != nil {
		t.Errorf("a root that was seen is kept: %v", err)
	}
}
