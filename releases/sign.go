package releases

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// NextVersion is the version of targets metadata that would follow what the session believes.
func (s *Session) NextVersion() int64 {
	return s.updater.GetTrustedMetadataSet().Targets[metadata.TARGETS].Signed.Version + 1
}

// Added is a file that a package adds, where its signer has it.
type Added struct {
	Target Target
	Open   func() (io.ReadCloser, error)
}

// WritePackage signs the whole next targets metadata with one person's key, or several, and writes it with the files that it
// adds. It needs no repository: version and list come from a Session, which believed them.
func WritePackage(to io.Writer, version int64, list []Target, added []Added, people []Person, lives Lives, now time.Time) error {
	raw, err := signTargets(version, list, people, now.Add(lives.Targets).UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	return pack(to, raw, added)
}

// signTargets is the whole targets metadata of a version, signed by people.
func signTargets(version int64, list []Target, people []Person, until time.Time) ([]byte, error) {
	targets := metadata.Targets(until)
	targets.Signed.Version = version
	for _, t := range list {
		file, err := t.file()
		if err != nil {
			return nil, err
		}
		targets.Signed.Targets[t.Path] = file
	}
	return seal(targets, people)
}

// Countersign adds signatures to a package. What is signed is what Offers showed.
func (p *Package) Countersign(to io.Writer, people []Person) error {
	for _, person := range people {
		public, err := metadata.KeyFromPublicKey(person.Key.Public())
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrKey, person.Name, err)
		}
		id, err := public.ID()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrKey, person.Name, err)
		}
		if slices.Contains(p.Signers(), id) {
			return fmt.Errorf("%w: the key of %s has signed it already: another person's is needed", ErrPackage, person.Name)
		}
	}
	raw, err := seal(p.signed, people)
	if err != nil {
		return err
	}
	var added []Added
	for _, o := range p.offers {
		if f := p.files[o.name()]; f != nil {
			added = append(added, Added{Target{Path: o.Path, Digest: o.Digest, Length: o.Length}, func() (io.ReadCloser, error) { return f.Open() }})
		}
	}
	return pack(to, raw, added)
}

func pack(to io.Writer, raw []byte, added []Added) error {
	z := zip.NewWriter(to)
	add := func(name string, from io.Reader) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}) // applications are packed already
		if err != nil {
			return err
		}
		_, err = io.Copy(w, from)
		return err
	}
	if err := add(packageMetadata, bytes.NewReader(raw)); err != nil {
		return err
	}
	for _, a := range added {
		f, err := a.Open()
		if err != nil {
			return err
		}
		err = add(packageTargets+a.Target.Digest+"."+a.Target.Path, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return z.Close()
}

// Look is a session that keeps nothing: what a signer believes of a repository, from the root of trust alone.
func Look(ctx context.Context, source string, root []byte, now time.Time) (*Session, error) {
	dir, err := os.MkdirTemp("", "touchstone-releases-")
	if err != nil {
		return nil, err
	}
	s, err := (&Client{Source: source, Dir: dir, Root: root, Now: now}).Refresh(ctx)
	return s, errors.Join(err, os.RemoveAll(dir))
}
