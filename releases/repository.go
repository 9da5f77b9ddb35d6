package releases

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Threshold is how many people's keys root and targets need.
const Threshold = 2

// Lives are how long each role's metadata is believed. Timestamp and snapshot are short: who holds back newer
// ones is noticed when they end.
type Lives struct{ Root, Targets, Snapshot, Timestamp time.Duration }

// DefaultLives are a year, 90 days, a week and a day.
func DefaultLives() Lives {
	const day = 24 * time.Hour
	return Lives{Root: 365 * day, Targets: 90 * day, Snapshot: 7 * day, Timestamp: day}
}

// ErrRepository is returned for a repository that cannot be made, read or written.
var ErrRepository = errors.New("repository of releases")

// About is what a target says of itself: its custom member. It is signed with it.
type About struct {
	Model    string `json:"model"`
	Hardware string `json:"hardware"` // the hardware versions it runs on, as fleet.ParseRange reads them
	Version  string `json:"version"`
	State    string `json:"state"` // current, supported or withdrawn
	Notes    string `json:"notes,omitempty"`
	NotesZH  string `json:"notes_zh,omitempty"`
}

// Target is one file of the repository.
type Target struct {
	Path   string // letters, digits, dots and dashes
	Digest string // SHA-256, hexadecimal
	Length int64
	About  About
}

// Person is somebody whose keys the root names.
type Person struct {
	Name string
	Key  ed25519.PrivateKey
}

// Machine are the two keys that need nobody: they say which metadata is the newest.
type Machine struct{ Snapshot, Timestamp ed25519.PrivateKey }

// Repository is a directory of metadata and targets. It is for one owner at a time.
type Repository struct {
	dir   string
	lives Lives
}

// Open is a repository in a directory, made or not.
func Open(dir string, lives Lives) *Repository { return &Repository{dir, lives} }

// Metadata and Targets are where its files are.
func (r *Repository) Metadata() string { return filepath.Join(r.dir, "metadata") }

// Targets is where the files of releases are.
func (r *Repository) Targets() string { return filepath.Join(r.dir, "targets") }

// Exists tells whether the repository was made.
func (r *Repository) Exists() bool {
	_, err := os.Stat(filepath.Join(r.Metadata(), "timestamp.json"))
	return err == nil
}

// Create makes the repository: a root that names the people's keys for root and targets, both with Threshold, and
// the machine's for the others; and empty targets. roots and targets are the same people's, in the same order.
func (r *Repository) Create(roots, targets []Person, machine Machine, now time.Time) error {
	switch {
	case r.Exists():
		return fmt.Errorf("%w: %s has one already", ErrRepository, r.dir)
	case len(roots) < Threshold || len(targets) < Threshold:
		return fmt.Errorf("%w: want %d people's keys", ErrRepository, Threshold)
	}
	root := metadata.Root(r.until(now, r.lives.Root))
	add := func(role string, key ed25519.PrivateKey) error {
		public, err := metadata.KeyFromPublicKey(key.Public())
		if err != nil {
			return err
		}
		return root.Signed.AddKey(public, role)
	}
	for _, p := range roots {
		if err := add(metadata.ROOT, p.Key); err != nil {
			return err
		}
	}
	for _, p := range targets {
		if err := add(metadata.TARGETS, p.Key); err != nil {
			return err
		}
	}
	if err := errors.Join(add(metadata.SNAPSHOT, machine.Snapshot), add(metadata.TIMESTAMP, machine.Timestamp)); err != nil {
		return err
	}
	root.Signed.Roles[metadata.ROOT].Threshold, root.Signed.Roles[metadata.TARGETS].Threshold = Threshold, Threshold
	raw, err := seal(root, roots)
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(r.Metadata(), 0o755), os.MkdirAll(r.Targets(), 0o755)); err != nil {
		return err
	}
	if err := write(filepath.Join(r.Metadata(), rootName(1)), raw); err != nil {
		return err
	}
	return r.publish(1, nil, targets, machine, 0, 0, now)
}

// Contains tells whether the newest targets metadata names exactly these targets.
func (r *Repository) Contains(list []Target) (bool, error) {
	was, _, err := r.newestTargets()
	if err != nil || len(was.Signed.Targets) != len(list) {
		return false, err
	}
	for _, t := range list {
		file, err := t.file()
		if err != nil {
			return false, err
		}
		known := was.Signed.Targets[t.Path]
		if known == nil || known.Length != file.Length || !known.Hashes.Equal(file.Hashes) || known.Custom == nil || !sameAbout(*known.Custom, &t.About) {
			return false, nil
		}
	}
	return true, nil
}

func sameAbout(raw json.RawMessage, about *About) bool {
	var known About
	return json.Unmarshal(raw, &known) == nil && known == *about
}

// Publish makes these targets the repository's, all of them, signed by Threshold people. Every target's file has
// been kept with Keep. Until the last file, timestamp.json, is in place, a client sees what was before.
func (r *Repository) Publish(list []Target, people []Person, machine Machine, now time.Time) error {
	was, stamp, err := r.newestTargets()
	if err != nil {
		return err
	}
	if err := r.MayPublish(people); err != nil {
		return err
	}
	for _, t := range list {
		if _, err := os.Stat(r.fileOf(t)); err != nil {
			return fmt.Errorf("%w: the file of %s is not here", ErrRepository, t.Path)
		}
	}
	return r.publish(was.Signed.Version+1, list, people, machine, snapshotVersion(stamp), stamp.Signed.Version, now)
}

// MayPublish proves, before anything is written, that the people are enough for the root.
func (r *Repository) MayPublish(people []Person) error {
	root, err := r.root()
	if err != nil {
		return err
	}
	trial := metadata.Targets(time.Unix(1, 0).UTC())
	if _, err := seal(trial, people); err != nil {
		return err
	}
	if err := root.VerifyDelegate(metadata.TARGETS, trial); err != nil {
		var names []string
		for _, p := range people {
			names = append(names, p.Name)
		}
		return fmt.Errorf("%w: the keys of %s are not %d of those that the root names for targets", ErrRepository, strings.Join(names, " and "), Threshold)
	}
	return nil
}

// publish writes targets, snapshot and timestamp, in that order.
func (r *Repository) publish(version int64, list []Target, people []Person, machine Machine, snapshotWas, timestampWas int64, now time.Time) error {
	raw, err := signTargets(version, list, people, r.until(now, r.lives.Targets))
	if err != nil {
		return err
	}
	if err := write(filepath.Join(r.Metadata(), strconv.FormatInt(version, 10)+".targets.json"), raw); err != nil {
		return err
	}
	return r.stamp(metaOf(version, raw), machine, snapshotWas+1, timestampWas+1, now)
}

// Refresh signs snapshot and timestamp anew, so that they do not expire.
func (r *Repository) Refresh(machine Machine, now time.Time) error {
	was, stamp, err := r.newestTargets()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(r.Metadata(), strconv.FormatInt(was.Signed.Version, 10)+".targets.json"))
	if err != nil {
		return err
	}
	return r.stamp(metaOf(was.Signed.Version, raw), machine, snapshotVersion(stamp)+1, stamp.Signed.Version+1, now)
}

// stamp writes snapshot and timestamp for one version of targets.
func (r *Repository) stamp(targets *metadata.MetaFiles, machine Machine, snapshotVersion, timestampVersion int64, now time.Time) error {
	snapshot := metadata.Snapshot(r.until(now, r.lives.Snapshot))
	snapshot.Signed.Version = snapshotVersion
	snapshot.Signed.Meta["targets.json"] = targets
	raw, err := seal(snapshot, []Person{{"snapshot", machine.Snapshot}})
	if err != nil {
		return err
	}
	if err := write(filepath.Join(r.Metadata(), strconv.FormatInt(snapshotVersion, 10)+".snapshot.json"), raw); err != nil {
		return err
	}
	timestamp := metadata.Timestamp(r.until(now, r.lives.Timestamp))
	timestamp.Signed.Version = timestampVersion
	timestamp.Signed.Meta["snapshot.json"] = metaOf(snapshotVersion, raw)
	if raw, err = seal(timestamp, []Person{{"timestamp", machine.Timestamp}}); err != nil {
		return err
	}
	return write(filepath.Join(r.Metadata(), "timestamp.json"), raw)
}

// Expiries are when the newest metadata of each role ends, and the versions of targets and timestamp.
type Expiries struct {
	Root      time.Time `json:"root"`
	Targets   time.Time `json:"targets"`
	Snapshot  time.Time `json:"snapshot"`
	Timestamp time.Time `json:"timestamp"`

	TargetsVersion   int64 `json:"targets_version"`
	TimestampVersion int64 `json:"timestamp_version"`
}

// Expiries reads them.
func (r *Repository) Expiries() (e Expiries, err error) {
	targets, stamp, err := r.newestTargets()
	if err != nil {
		return Expiries{}, err
	}
	root, err := r.root()
	if err != nil {
		return Expiries{}, err
	}
	snapshot, err := new(metadata.Metadata[metadata.SnapshotType]).FromFile(filepath.Join(r.Metadata(), strconv.FormatInt(snapshotVersion(stamp), 10)+".snapshot.json"))
	if err != nil {
		return Expiries{}, fmt.Errorf("%w: snapshot: %w", ErrRepository, err)
	}
	return Expiries{root.Signed.Expires, targets.Signed.Expires, snapshot.Signed.Expires, stamp.Signed.Expires, targets.Signed.Version, stamp.Signed.Version}, nil
}

// root is the newest root, the one with the highest number.
func (r *Repository) root() (root *metadata.Metadata[metadata.RootType], err error) {
	for version := int64(1); version <= maxRoots; version++ {
		next, err := new(metadata.Metadata[metadata.RootType]).FromFile(filepath.Join(r.Metadata(), rootName(version)))
		if errors.Is(err, fs.ErrNotExist) && root != nil {
			return root, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: root: %w", ErrRepository, err)
		}
		root = next
	}
	return root, nil
}

// maxRoots is how many roots there may be: a terminal that has the first follows so many.
const maxRoots = 32

func rootName(version int64) string { return strconv.FormatInt(version, 10) + ".root.json" }

// Renew signs root and targets anew, so that they do not expire: the same keys, and another year and 90 days. The
// roots' people are enough for the root that is in force, and the people for targets.
func (r *Repository) Renew(list []Target, roots, people []Person, machine Machine, now time.Time) error {
	root, err := r.root()
	if err != nil {
		return err
	}
	if err := r.MayPublish(people); err != nil {
		return err
	}
	if root.Signed.Version >= maxRoots {
		return fmt.Errorf("%w: %d roots is the most: make a new repository, and give terminals its root", ErrRepository, maxRoots)
	}
	next := *root
	next.Signatures = nil
	next.Signed.Version, next.Signed.Expires = root.Signed.Version+1, r.until(now, r.lives.Root)
	raw, err := seal(&next, roots)
	if err != nil {
		return err
	}
	if err := root.VerifyDelegate(metadata.ROOT, &next); err != nil {
		return fmt.Errorf("%w: these keys are not %d of those that the root names for itself", ErrRepository, Threshold)
	}
	if err := write(filepath.Join(r.Metadata(), rootName(next.Signed.Version)), raw); err != nil {
		return err
	}
	return r.Publish(list, people, machine, now)
}

// newestTargets follows timestamp and snapshot to the targets that are in force.
func (r *Repository) newestTargets() (*metadata.Metadata[metadata.TargetsType], *metadata.Metadata[metadata.TimestampType], error) {
	stamp, err := r.stampNow()
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := new(metadata.Metadata[metadata.SnapshotType]).FromFile(filepath.Join(r.Metadata(), strconv.FormatInt(snapshotVersion(stamp), 10)+".snapshot.json"))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: snapshot: %w", ErrRepository, err)
	}
	meta := snapshot.Signed.Meta["targets.json"]
	if meta == nil {
		return nil, nil, fmt.Errorf("%w: the snapshot names no targets", ErrRepository)
	}
	targets, err := new(metadata.Metadata[metadata.TargetsType]).FromFile(filepath.Join(r.Metadata(), strconv.FormatInt(meta.Version, 10)+".targets.json"))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: targets: %w", ErrRepository, err)
	}
	return targets, stamp, nil
}

func (r *Repository) stampNow() (*metadata.Metadata[metadata.TimestampType], error) {
	stamp, err := new(metadata.Metadata[metadata.TimestampType]).FromFile(filepath.Join(r.Metadata(), "timestamp.json"))
	if err != nil {
		return nil, fmt.Errorf("%w: there is none, or its timestamp cannot be read: make it with touchstone release init: %w", ErrRepository, err)
	}
	return stamp, nil
}

func snapshotVersion(stamp *metadata.Metadata[metadata.TimestampType]) int64 {
	if meta := stamp.Signed.Meta["snapshot.json"]; meta != nil {
		return meta.Version
	}
	return 0
}

// Keep puts a target's file into the repository, under its digest; what is not published is never asked for.
func (r *Repository) Keep(t Target, content []byte) error {
	if !validPath(t.Path) {
		return fmt.Errorf("%w: target %.60q: want letters, digits, dots and dashes", ErrRepository, t.Path)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != t.Digest || int64(len(content)) != t.Length {
		return fmt.Errorf("%w: the file of %s is another than was said", ErrRepository, t.Path)
	}
	return write(r.fileOf(t), content)
}

func (r *Repository) fileOf(t Target) string { return filepath.Join(r.Targets(), t.Digest+"."+t.Path) }

// validPath: one name, so that no target can leave the directory it is kept in.
func validPath(path string) bool {
	for _, c := range []byte(path) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return len(path) > 0 && len(path) <= 100 && path[0] != '.'
}

// file is a target as the metadata has it.
func (t *Target) file() (*metadata.TargetFiles, error) {
	sum, err := hex.DecodeString(t.Digest)
	if err != nil || len(sum) != sha256.Size || !validPath(t.Path) {
		return nil, fmt.Errorf("%w: target %.60q: malformed digest or path", ErrRepository, t.Path)
	}
	custom, err := json.Marshal(&t.About)
	if err != nil {
		return nil, err
	}
	file := metadata.TargetFile()
	file.Length, file.Hashes, file.Custom = t.Length, metadata.Hashes{"sha256": sum}, (*json.RawMessage)(&custom)
	return file, nil
}

// metaOf names a version of metadata and binds its bytes, so that no mixture of versions passes.
func metaOf(version int64, raw []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(raw)
	m := metadata.MetaFile(version)
	m.Length, m.Hashes = int64(len(raw)), metadata.Hashes{"sha256": sum[:]}
	return m
}

func (r *Repository) until(now time.Time, life time.Duration) time.Time {
	return now.Add(life).UTC().Truncate(time.Second)
}

// seal signs metadata by everyone given, and gives its bytes.
func seal[T metadata.Roles](m *metadata.Metadata[T], people []Person) ([]byte, error) {
	for _, p := range people {
		signer, err := signature.LoadED25519Signer(p.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrKey, p.Name, err)
		}
		if _, err := m.Sign(signer); err != nil {
			return nil, fmt.Errorf("sign as %s: %w", p.Name, err)
		}
	}
	return m.ToBytes(true)
}

// write replaces a file: temporary file, sync, rename, sync of the directory.
func write(path string, content []byte) error {
	return writeFrom(path, func(to io.Writer) error {
		_, err := to.Write(content)
		return err
	})
}

// writeFrom is write for what somebody writes piece by piece; an error of theirs leaves what was there.
func writeFrom(path string, fill func(io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return err
	}
	err = fill(f)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Directory is where the repository is, RootFile the root of trust that a terminal is given.
func (r *Repository) Directory() string { return r.dir }

// RootFile is the first root: a terminal that has it follows every later one.
func (r *Repository) RootFile() string { return filepath.Join(r.Metadata(), rootName(1)) }
