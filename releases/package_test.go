package releases_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/releases"
)

// signed is a package of the shop's next version with one more release, signed by people.
func (s *shop) signed(version string, people ...releases.Person) []byte {
	s.t.Helper()
	x := target(version)
	return s.packageOf(int64(len(s.list)+2), append(append([]releases.Target{}, s.list...), x), []releases.Added{added(x, content(version))}, people)
}

func added(x releases.Target, file []byte) releases.Added {
	return releases.Added{Target: x, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }}
}

func (s *shop) packageOf(version int64, list []releases.Target, files []releases.Added, people []releases.Person) []byte {
	s.t.Helper()
	var b bytes.Buffer
	s.must(releases.WritePackage(&b, version, list, files, people, releases.DefaultLives(), start))
	return b.Bytes()
}

// open opens a package that was sent, and verifies it.
func (s *shop) open(raw []byte, now time.Time) (fresh []releases.Offer, done bool, p *releases.Package, err error) {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "sent")
	s.must(os.WriteFile(path, raw, 0o600))
	if p, err = releases.OpenPackage(path); err != nil {
		return nil, false, nil, err
	}
	s.t.Cleanup(func() { p.Close() })
	fresh, done, err = s.repo.Verify(p, now)
	return fresh, done, p, err
}

// TestPackage: two people sign on machines of their own what they believe of the repository; the package is published as it was
// signed, a terminal fetches it, and the same once more changes nothing.
func TestPackage(t *testing.T) {
	s := newShop(t)
	root, err := os.ReadFile(s.repo.RootFile())
	s.must(err)
	session, err := releases.Look(t.Context(), s.dir, root, start)
	s.must(err)
	if session.NextVersion() != 3 || len(session.Offers()) != 1 {
		t.Fatalf("a signer would sign version %d of %d", session.NextVersion(), len(session.Offers()))
	}
	one := s.signed("1.0.1", s.people[0])
	if _, _, _, err := s.open(one, start); !errors.Is(err, releases.ErrUnsigned) {
		t.Errorf("one signature is enough: %v", err)
	}
	path := filepath.Join(t.TempDir(), "one")
	s.must(os.WriteFile(path, one, 0o600))
	p, err := releases.OpenPackage(path)
	s.must(err)
	defer p.Close()
	var both bytes.Buffer
	if err := p.Countersign(io.Discard, s.people[:1]); !errors.Is(err, releases.ErrPackage) {
		t.Errorf("the same key signs twice: %v", err)
	}
	s.must(p.Countersign(&both, s.people[1:]))
	fresh, done, p2, err := s.open(both.Bytes(), start)
	if err != nil || done || len(fresh) != 1 || fresh[0].About != target("1.0.1").About {
		t.Fatalf("%v %v %v", fresh, done, err)
	}
	if err := s.repo.PublishPackage(p2, s.machine, start); !errors.Is(err, releases.ErrRepository) {
		t.Errorf("published without its file: %v", err)
	}
	s.must(s.repo.KeepPackage(p2, fresh))
	s.must(s.repo.PublishPackage(p2, s.machine, start))
	if got, err := s.update("1.0.1"); err != nil || !bytes.Equal(got, content("1.0.1")) {
		t.Errorf("a terminal gets %q, %v", got, err)
	}
	if fresh, done, _, err = s.open(both.Bytes(), start); err != nil || !done || fresh != nil {
		t.Errorf("the same once more: %v %v %v", fresh, done, err)
	}
	s.must(s.repo.PublishPackage(p2, s.machine, start))
}

// zipped is a ZIP file of these entries, in order.
func zipped(t *testing.T, method uint16, entries ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e[0], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped is what a package has.
func unzipped(t *testing.T, raw []byte) (entries [][2]string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, [2]string{f.Name, string(text)})
	}
	return entries
}

// directoryOf is where a ZIP file's central directory begins.
func directoryOf(raw []byte) int { return int(binary.LittleEndian.Uint32(raw[len(raw)-6:])) }

// TestS27Packages: what is no package, or hides something in one, is refused before it is unpacked or written anywhere.
func TestS27Packages(t *testing.T) {
	s := newShop(t)
	good := s.signed("1.0.1", s.people...)
	parts := unzipped(t, good)
	meta, file := parts[0], parts[1]
	edited := func(edit func(raw []byte)) []byte {
		raw := bytes.Clone(good)
		edit(raw)
		return raw
	}
	many := [][2]string{meta}
	for i := range releases.MaxPackageFiles + 1 {
		many = append(many, [2]string{strings.Replace(file[0], ".s20", fmt.Sprintf(".s20-%d", i), 1), "x"})
	}
	crowd := [][2]string{meta}
	for i := range 70_000 {
		crowd = append(crowd, [2]string{fmt.Sprint(i), ""})
	}
	named := func(name string) []byte { return zipped(t, zip.Store, meta, [2]string{name, file[1]}) }
	bomb := strings.Repeat("\x00", 12<<20)
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing": {nil, releases.ErrPackage}, "a text": {[]byte(strings.Repeat("not a package\n", 10)), releases.ErrPackage}, "an application itself": {content("1.0.1"), releases.ErrPackage},
		"a gzip file": {append([]byte{0x1f, 0x8b, 8}, good...)[:200], releases.ErrPackage}, "cut off": {good[:len(good)-30], releases.ErrPackage}, "cut in the middle": {good[:len(good)/2], releases.ErrPackage},
		"something behind": {append(bytes.Clone(good), 'x'), releases.ErrPackage}, "something before": {append([]byte("x"), good...), releases.ErrPackage},
		"a comment": {edited(func(raw []byte) { raw[len(raw)-2] = 1 }), releases.ErrPackage}, "two volumes": {edited(func(raw []byte) { raw[len(raw)-18] = 1 }), releases.ErrPackage},
		"a directory elsewhere": {edited(func(raw []byte) { raw[len(raw)-6]++ }), releases.ErrPackage}, "ZIP64's marks": {edited(func(raw []byte) { copy(raw[len(raw)-14:], bytes.Repeat([]byte{0xff}, 12)) }), releases.ErrPackage},
		"encrypted":     {edited(func(raw []byte) { raw[directoryOf(raw)+8] |= 1 }), releases.ErrPackage},
		"another way":   {edited(func(raw []byte) { raw[directoryOf(raw)+10] = 12 }), releases.ErrPackage},
		"a link":        {edited(func(raw []byte) { d := directoryOf(raw); raw[d+5] = 3; raw[d+41] = 0xa0 }), releases.ErrPackage},
		"no metadata":   {zipped(t, zip.Store, file), releases.ErrPackage},
		"metadata only": {zipped(t, zip.Store, meta), releases.ErrPackage},
		"17 files":      {zipped(t, zip.Store, many...), releases.ErrPackage}, "70,001 files": {zipped(t, zip.Store, crowd...), releases.ErrPackage},
		"metadata twice": {zipped(t, zip.Store, meta, meta, file), releases.ErrPackage}, "a file twice": {zipped(t, zip.Store, meta, file, file), releases.ErrPackage},
		"a file that it does not add": {zipped(t, zip.Store, meta, file, [2]string{strings.Replace(file[0], ".s20", ".s21", 1), "x"}), releases.ErrPackage},
		"out of the directory":        {named("../" + file[0]), releases.ErrPackage}, "out below targets": {named("targets/../../" + file[0][8:]), releases.ErrPackage}, "an absolute name": {named("/" + file[0]), releases.ErrPackage},
		"a backslash": {named(strings.Replace(file[0], "/", `\`, 1)), releases.ErrPackage}, "a drive": {named("c:" + file[0]), releases.ErrPackage}, "deeper": {named("targets/x/" + file[0][8:]), releases.ErrPackage},
		"another case": {named(strings.ToUpper(file[0])), releases.ErrPackage}, "a zero byte": {named(file[0] + "\x00"), releases.ErrPackage}, "a line end": {named(file[0] + "\n"), releases.ErrPackage}, "no UTF-8": {named(file[0] + "\xff"), releases.ErrPackage},
		"a directory": {zipped(t, zip.Store, meta, [2]string{"targets/", ""}, file), releases.ErrPackage}, "a root of its own": {zipped(t, zip.Store, meta, [2]string{"1.root.json", string(s.read("metadata/1.root.json"))}, file), releases.ErrPackage},
		"metadata that grows": {zipped(t, zip.Deflate, [2]string{meta[0], meta[1] + bomb}, file), releases.ErrPackage}, "metadata that is none": {zipped(t, zip.Store, [2]string{meta[0], "{}"}, file), releases.ErrPackage},
		"metadata that is deep":       {zipped(t, zip.Deflate, [2]string{meta[0], strings.Repeat(`{"a":`, 1<<20)}, file), releases.ErrPackage},
		"another role's":              {zipped(t, zip.Store, [2]string{meta[0], string(s.read("metadata/timestamp.json"))}, file), releases.ErrPackage},
		"a file that grows":           {zipped(t, zip.Deflate, meta, [2]string{file[0], bomb}), releases.ErrAltered},
		"a shorter file":              {zipped(t, zip.Store, meta, [2]string{file[0], file[1][1:]}), releases.ErrAltered},
		"another file":                {zipped(t, zip.Store, meta, [2]string{file[0], strings.ToUpper(file[1])}), releases.ErrAltered},
		"a file under another digest": {zipped(t, zip.Store, meta, [2]string{strings.Replace(file[0], file[0][8:12], "0000", 1), file[1]}), releases.ErrAbsent},
	} {
		if _, _, _, err := s.open(c.raw, start); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, _, err := s.open(good, start); err != nil {
		t.Errorf("as it should be: %v", err)
	}
	if _, _, _, err := s.open(zipped(t, zip.Deflate, meta, file), start); err != nil {
		t.Errorf("packed by another program: %v", err)
	}
	// A size that lies in the directory: the bytes that come are more than were signed.
	lying := edited(func(raw []byte) {
		last := bytes.LastIndex(raw, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(raw[last+20:], uint32(len(file[1])-1)) // packed
	})
	if _, _, _, err := s.open(lying, start); err == nil {
		t.Error("a file whose packed length lies is taken")
	}
}

// TestPackageRefused: signatures, versions and times that are not what the repository in force wants.
func TestPackageRefused(t *testing.T) {
	s := newShop(t)
	before := s.read("metadata/timestamp.json")
	x := target("1.0.1")
	list := append(append([]releases.Target{}, s.list...), x)
	files := []releases.Added{added(x, content("1.0.1"))}
	strangers := []releases.Person{person(t, "x"), person(t, "y")}
	far := releases.Lives{Targets: 200 * 24 * time.Hour}
	var long bytes.Buffer
	s.must(releases.WritePackage(&long, 3, list, files, s.people, far, start))
	evil := x
	evil.Length = 1 << 40
	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"strangers": {s.packageOf(3, list, files, strangers), start, releases.ErrUnsigned}, "one of two": {s.packageOf(3, list, files, []releases.Person{s.people[0], strangers[0]}), start, releases.ErrUnsigned},
		"one person twice": {s.packageOf(3, list, files, []releases.Person{s.people[0], s.people[0]}), start, releases.ErrPackage}, "the roots' keys": {s.packageOf(3, list, files, s.roots), start, releases.ErrUnsigned},
		"the version before": {s.packageOf(2, list, files, s.people), start, releases.ErrOlder}, "version 1": {s.packageOf(1, list, files, s.people), start, releases.ErrOlder}, "a version ahead": {s.packageOf(4, list, files, s.people), start, releases.ErrPackage},
		"expired": {s.packageOf(3, list, files, s.people), start.Add(91 * 24 * time.Hour), releases.ErrExpired}, "for too long": {long.Bytes(), start, releases.ErrPackage},
		"longer than any": {s.packageOf(3, []releases.Target{evil}, files, s.people), start, releases.ErrMalformed},
	} {
		if _, _, p, err := s.open(c.raw, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		} else if p != nil {
			if err := s.repo.PublishPackage(p, s.machine, c.now); !errors.Is(err, c.want) {
				t.Errorf("%s is published: %v", name, err)
			}
		}
	}
	if !bytes.Equal(before, s.read("metadata/timestamp.json")) {
		t.Error("a refusal changed the repository")
	}
}
