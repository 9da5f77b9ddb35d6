package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/releases"
)

// packageChange publishes what people signed on machines of their own. Whether it came from a file of the machine or was sent, the same is proven.
type packageChange struct {
	File     string   `json:"file" file:"upload" doc:"The package, as touchstone release sign writes it: a ZIP file, uploaded before."`
	Digest   string   `json:"digest,omitempty" maxLength:"64" doc:"SHA-256 of the package, hexadecimal, where you know it: another file is refused. The second person agrees to it."`
	Why      string   `json:"why,omitempty" maxLength:"1000" doc:"Why, where the package withdraws a release or ends its support."`
	Contents []string `json:"contents,omitempty" hidden:"true"` // what it changes, for the second person to read
}

// openPackage opens the file and proves that it is the one that was proposed; digest is then its own.
func openPackage(c *packageChange) (*releases.Package, error) {
	digest, _, err := digestOfFile(c.File, releases.MaxPackage)
	if err != nil {
		return nil, err
	}
	if c.Digest != "" && c.Digest != digest {
		return nil, fmt.Errorf("%w: %s is another file than was proposed", fleet.ErrRelease, c.File)
	}
	c.Digest = digest
	return releases.OpenPackage(c.File)
}

// digestOfFile reads a file of at most most bytes piece by piece.
func digestOfFile(path string, most int64) (digest string, length int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(f, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("%s: longer than %d bytes", path, most)
	}
	return hex.EncodeToString(sum.Sum(nil)), n, err
}

// provenPackage is what a package would do, proven: of its signatures, files and version, and by the rules of releases.
func (e *engine) provenPackage(c *packageChange, p *releases.Package, actors []string) (fresh []releases.Offer, done bool, err error) {
	repository := e.repository(releases.DefaultLives())
	if err := e.notRolledBack(repository); err != nil {
		return nil, false, err
	}
	if fresh, done, err = repository.Verify(p, e.clock().Time()); err != nil {
		return nil, false, err
	}
	e.office.view(func(r *rooms) {
		_, err = fleet.PublishSigned(r.fleet, signedReleases(p.Offers()), c.Why, actors, e.clock())
	})
	return fresh, done, err
}

// signedReleases are the targets of metadata as releases.
func signedReleases(offers []releases.Offer) (list []fleet.Release) {
	for _, o := range offers {
		list = append(list, fleet.Release{Model: o.About.Model, Hardware: o.About.Hardware, Version: o.About.Version, Target: o.Path, Digest: o.Digest, Length: o.Length,
			State: fleet.ReleaseState(o.About.State), Notes: o.About.Notes, NotesZH: o.About.NotesZH})
	}
	return list
}

// publishPackage publishes a package: its files, then the entry, then its metadata, as publishRelease does and for the same
// reason. Carried out again after a crash, it goes on where it was.
func (e *engine) publishPackage(ctx context.Context, c *packageChange, actors []string) (changed, error) {
	const verb = "release_package"
	e.publishing.Lock()
	defer e.publishing.Unlock()
	p, err := openPackage(c)
	if err != nil {
		return changed{}, e.refuseFleet(ctx, verb, actors, err)
	}
	defer p.Close()
	repository := e.repository(releases.DefaultLives())
	fresh, done, err := e.provenPackage(c, p, actors)
	if err == nil && !done {
		err = repository.KeepPackage(p, fresh)
	}
	if err != nil {
		return changed{}, e.refuseFleet(ctx, verb, actors, err)
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.PublishSigned(r.fleet, signedReleases(p.Offers()), c.Why, actors, now)
	})
	if err != nil {
		return changed{}, err
	}
	machine, err := e.machineKeys()
	if err == nil {
		err = repository.PublishPackage(p, machine, e.clock().Time())
	}
	if err != nil {
		return changed{}, fmt.Errorf("the releases are on the list, and not yet in the repository; do the same again: %w", err)
	}
	told, err := e.noteRepository(ctx, repository, "release_repository_written", actors)
	told.What, told.ZH = "package "+c.Digest[:12]+": version "+strconv.FormatInt(p.Version(), 10), "发布包 "+c.Digest[:12]+"：第 "+strconv.FormatInt(p.Version(), 10)+" 版"
	told.Facts["sha256"] = c.Digest
	return told, err
}

// beforeProposal looks at what one person asks for before a second is asked: a package that would be refused is refused at
// once, and what the second person agrees to is said in full.
func (e *engine) beforeProposal(ctx context.Context, c *change) error {
	switch {
	case c.Package != nil && len(c.actors) == 1:
		if err := e.describePackage(c.Package, c.actors); err != nil {
			return e.refuseFleet(ctx, "release_package", c.actors, err)
		}
	case c.Publish != nil && len(c.actors) == 1:
		digest, length, err := digestOfFile(c.Publish.File, fleet.MaxRelease)
		if err == nil && (c.Publish.Digest != "" && c.Publish.Digest != digest || c.Publish.Length != 0 && c.Publish.Length != length) {
			err = fmt.Errorf("%w: %s is another file than was proposed", fleet.ErrRelease, c.Publish.File)
		}
		if err != nil {
			return e.refuseFleet(ctx, "release_published", c.actors, err)
		}
		c.Publish.Digest, c.Publish.Length = digest, length
	}
	if c.caller == nil {
		return nil
	}
	return e.holdUploads(c)
}

// describePackage proves a package and says what it changes, one line each.
func (e *engine) describePackage(c *packageChange, actors []string) error {
	p, err := openPackage(c)
	if err != nil {
		return err
	}
	defer p.Close()
	e.publishing.Lock()
	defer e.publishing.Unlock()
	_, done, err := e.provenPackage(c, p, actors)
	if err == nil && done {
		err = errors.New("this package is in force already")
	}
	if err != nil {
		return err
	}
	c.Contents = nil
	e.office.view(func(r *rooms) {
		for _, x := range signedReleases(p.Offers()) {
			old := r.fleet.Release(x.Model, x.Version)
			switch {
			case old == nil:
				c.Contents = append(c.Contents, fmt.Sprintf("%s %s, hardware %s: %s; %d bytes, SHA-256 %s", x.Model, x.Version, x.Hardware, x.State, x.Length, x.Digest))
			case old.State != x.State:
				c.Contents = append(c.Contents, fmt.Sprintf("%s %s: %s -> %s", x.Model, x.Version, old.State, x.State))
			}
		}
	})
	if len(c.Contents) > maxContents {
		c.Contents = append(c.Contents[:maxContents], fmt.Sprintf("and %d more", len(c.Contents)-maxContents))
	}
	return nil
}

// maxContents is how many lines of a package a proposal says; the package has 16 files at most, and may restate many releases.
const maxContents = 24
