package releases

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// A package is what people signed on machines of their own: a ZIP file of targets.json, the whole next targets metadata,
// and targets/DIGEST.PATH for each file that it adds, named as in the repository. Nothing else is in it, so a name that
// leads elsewhere is never written anywhere: it is refused.
const (
	MaxPackage      = maxTarget + maxTargets + 1<<16 // bytes of the ZIP file
	MaxPackageFiles = 16                             // that one package adds

	packageMetadata = "targets.json"
	packageTargets  = "targets/"
	maxDirectory    = 16 << 10 // bytes of the ZIP file's central directory
	expirySlack     = 24 * time.Hour
)

// ErrPackage is returned for a package that is none, or is not what it says.
var ErrPackage = errors.New("package of releases")

// Package is an opened package: well formed, of which nothing is believed yet.
type Package struct {
	raw    []byte
	signed *metadata.Metadata[metadata.TargetsType]
	offers []Offer
	files  map[string]*zip.File // by the name in the repository
	file   *os.File
}

// OpenPackage reads the directory and the metadata of a package, within bounds that hold before anything is unpacked.
func OpenPackage(path string) (*Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &Package{file: f, files: map[string]*zip.File{}}
	if err := p.read(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

// Close closes it.
func (p *Package) Close() error { return p.file.Close() }

// Offers are all targets of the metadata by path, as it says: not proven before Verify.
func (p *Package) Offers() []Offer { return p.offers }

// Version and Expires are the metadata's.
func (p *Package) Version() int64 { return p.signed.Signed.Version }

// Expires is until when the metadata would be believed.
func (p *Package) Expires() time.Time { return p.signed.Signed.Expires }

// Signers are the ids of the keys that signed, true or not.
func (p *Package) Signers() (ids []string) {
	for _, s := range p.signed.Signatures {
		ids = append(ids, s.KeyID)
	}
	return ids
}

func (p *Package) read() error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxPackage {
		return fmt.Errorf("%w: %d bytes, the most is %d", ErrPackage, info.Size(), int64(MaxPackage))
	}
	if err := boundedDirectory(p.file, info.Size()); err != nil {
		return err
	}
	z, err := zip.NewReader(p.file, info.Size())
	if err != nil {
		return fmt.Errorf("%w: not a whole ZIP file: %w", ErrPackage, err)
	}
	var about *zip.File
	for _, f := range z.File {
		switch name, inside := strings.CutPrefix(f.Name, packageTargets); {
		case f.Method != zip.Store && f.Method != zip.Deflate, f.Flags&1 != 0, !f.Mode().IsRegular():
			return fmt.Errorf("%w: %.80q is encrypted, packed in another way than deflate, or no file", ErrPackage, f.Name)
		case f.Name == packageMetadata && about == nil:
			about = f
		case !inside || !packedName(name):
			return fmt.Errorf("%w: %.80q: want targets.json and targets/SHA-256.NAME, of letters, digits, dots and dashes, each once", ErrPackage, f.Name)
		case p.files[name] != nil:
			return fmt.Errorf("%w: %.80q is in it twice", ErrPackage, f.Name)
		default:
			p.files[name] = f
		}
	}
	if about == nil {
		return fmt.Errorf("%w: it has no targets.json", ErrPackage)
	}
	return p.readMetadata(about)
}

// boundedDirectory looks at the ZIP file's last 22 bytes before a library reads a directory of any length: no comment,
// no ZIP64, one volume, few files, and a directory that is short and ends where those bytes begin (APPNOTE.TXT 6.3.10, 4.3.16).
func boundedDirectory(r io.ReaderAt, size int64) error {
	var end [22]byte
	if size < int64(len(end)) {
		return fmt.Errorf("%w: %d bytes are no ZIP file", ErrPackage, size)
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil {
		return err
	}
	le := binary.LittleEndian
	entries, length, from := le.Uint16(end[10:]), le.Uint32(end[12:]), le.Uint32(end[16:])
	switch {
	case string(end[:4]) != "PK\x05\x06" || le.Uint16(end[20:]) != 0:
		return fmt.Errorf("%w: it does not end as a ZIP file without comment: another kind of file, or not whole", ErrPackage)
	case le.Uint32(end[4:]) != 0 || le.Uint16(end[8:]) != entries:
		return fmt.Errorf("%w: a ZIP file of several volumes", ErrPackage)
	case entries > MaxPackageFiles+1:
		return fmt.Errorf("%w: %d files, the most is %d beside targets.json", ErrPackage, entries, MaxPackageFiles)
	case length > maxDirectory || int64(from)+int64(length) != size-int64(len(end)):
		return fmt.Errorf("%w: its directory is longer than %d bytes, or not at its end", ErrPackage, maxDirectory)
	}
	return nil
}

// packedName tells whether a name is DIGEST.PATH.
func packedName(name string) bool {
	digest, path, ok := strings.Cut(name, ".")
	raw, err := hex.DecodeString(digest)
	return ok && err == nil && len(raw) == sha256.Size && strings.ToLower(digest) == digest && validPath(path)
}

func (p *Package) readMetadata(f *zip.File) (err error) {
	if f.UncompressedSize64 > maxTargets {
		return fmt.Errorf("%w: targets.json of %d bytes, the most is %d", ErrPackage, f.UncompressedSize64, maxTargets)
	}
	packed, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: targets.json: %w", ErrPackage, err)
	}
	defer packed.Close()
	if p.raw, err = io.ReadAll(io.LimitReader(packed, maxTargets+1)); err != nil || len(p.raw) > maxTargets {
		return fmt.Errorf("%w: targets.json is not whole, or longer than it says: %w", ErrPackage, cmp.Or(err, ErrTooLong))
	}
	if p.signed, err = new(metadata.Metadata[metadata.TargetsType]).FromBytes(p.raw); err != nil {
		return fmt.Errorf("%w: targets.json: %w", ErrPackage, refusal(err))
	}
	if p.signed.Signed.Delegations != nil {
		return fmt.Errorf("%w: targets.json delegates to other roles, which nobody here looks at", ErrPackage)
	}
	for path, file := range p.signed.Signed.Targets {
		offer, err := offerOf(path, file)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPackage, err)
		}
		p.offers = append(p.offers, offer)
	}
	slices.SortFunc(p.offers, func(a, b Offer) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// Verify proves a package against a repository: signed by Threshold people of the root in force, the very next version,
// believed no longer than such metadata is, and with exactly the files that it adds, each with the length and digest that was
// signed. fresh are those. done tells that the repository has this package already: nothing is left to do.
func (r *Repository) Verify(p *Package, now time.Time) (fresh []Offer, done bool, err error) {
	was, _, err := r.newestTargets()
	if err != nil {
		return nil, false, err
	}
	root, err := r.root()
	if err != nil {
		return nil, false, err
	}
	if err := root.VerifyDelegate(metadata.TARGETS, p.signed); err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	current, err := os.ReadFile(r.versioned(was.Signed.Version))
	if err != nil {
		return nil, false, err
	}
	if bytes.Equal(current, p.raw) {
		return nil, true, nil
	}
	switch at := p.signed.Signed.Expires; {
	case p.Version() <= was.Signed.Version:
		return nil, false, fmt.Errorf("%w: it is version %d, and version %d is in force", ErrOlder, p.Version(), was.Signed.Version)
	case p.Version() != was.Signed.Version+1:
		return nil, false, fmt.Errorf("%w: it is version %d, and %d is the next: sign what is in force now", ErrPackage, p.Version(), was.Signed.Version+1)
	case !at.After(now):
		return nil, false, fmt.Errorf("%w: it expired at %s", ErrExpired, at.Format(time.RFC3339))
	case at.After(now.Add(r.lives.Targets + expirySlack)):
		return nil, false, fmt.Errorf("%w: it would be believed until %s, longer than %d days", ErrPackage, at.Format(time.RFC3339), r.lives.Targets/(24*time.Hour))
	}
	for _, o := range p.offers {
		if known := was.Signed.Targets[o.Path]; known != nil && known.Length == o.Length && known.Hashes.Equal(o.file.Hashes) {
			continue
		}
		fresh = append(fresh, o)
	}
	return fresh, false, p.verifyFiles(fresh)
}

// verifyFiles reads each file of the package once. What a packed file grows to is known before: its signed length.
func (p *Package) verifyFiles(fresh []Offer) error {
	if len(p.files) != len(fresh) {
		return fmt.Errorf("%w: it has %d files and adds %d", ErrPackage, len(p.files), len(fresh))
	}
	total := int64(0)
	for _, o := range fresh {
		f := p.files[o.name()]
		if f == nil {
			return fmt.Errorf("%w: the file of %s is not in it", ErrAbsent, o.Path)
		}
		if f.UncompressedSize64 != uint64(o.Length) {
			return fmt.Errorf("%w: %s has %d bytes, and %d were signed", ErrAltered, o.Path, f.UncompressedSize64, o.Length)
		}
		if total += o.Length; total > maxTarget {
			return fmt.Errorf("%w: its files have more than %d bytes together", ErrPackage, int64(maxTarget))
		}
	}
	for _, o := range fresh {
		if err := p.copy(&o, io.Discard); err != nil {
			return err
		}
	}
	return nil
}

// copy unpacks a file, as many bytes as were signed at most, and proves them.
func (p *Package) copy(o *Offer, to io.Writer) error {
	packed, err := p.files[o.name()].Open()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrPackage, o.Path, err)
	}
	defer packed.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(packed, o.Length+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s is not whole: %w", ErrPackage, o.Path, err)
	case n > o.Length:
		return fmt.Errorf("%w: %s", ErrTooLong, o.Path)
	case n != o.Length || hex.EncodeToString(sum.Sum(nil)) != o.Digest:
		return fmt.Errorf("%w: %s", ErrAltered, o.Path)
	}
	return nil
}

func (o *Offer) name() string { return o.Digest + "." + o.Path }

// KeepPackage puts the files that a verified package adds into the repository; what is not published is never asked for.
func (r *Repository) KeepPackage(p *Package, fresh []Offer) error {
	for _, o := range fresh {
		if err := writeFrom(filepath.Join(r.Targets(), o.name()), func(to io.Writer) error { return p.copy(&o, to) }); err != nil {
			return err
		}
	}
	return nil
}

// PublishPackage makes the metadata of a package, which Verify proved and whose files were kept, the repository's: its very
// bytes, since they are what was signed. Until the last file, timestamp.json, is in place, a client sees what was before.
func (r *Repository) PublishPackage(p *Package, machine Machine, now time.Time) error {
	fresh, done, err := r.Verify(p, now)
	if err != nil || done {
		return err
	}
	for _, o := range fresh {
		if _, err := os.Stat(filepath.Join(r.Targets(), o.name())); err != nil {
			return fmt.Errorf("%w: the file of %s is not here", ErrRepository, o.Path)
		}
	}
	_, stamp, err := r.newestTargets()
	if err != nil {
		return err
	}
	if err := write(r.versioned(p.Version()), p.raw); err != nil {
		return err
	}
	return r.stamp(metaOf(p.Version(), p.raw), machine, snapshotVersion(stamp)+1, stamp.Signed.Version+1, now)
}

func (r *Repository) versioned(version int64) string {
	return filepath.Join(r.Metadata(), strconv.FormatInt(version, 10)+".targets.json")
}
