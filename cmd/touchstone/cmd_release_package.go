package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/releases"
)

// signerFlags are those of a person who signs on a machine of their own.
type signerFlags struct {
	SigningKeys map[string]string `name:"signing-key" required:"" help:"Whose key for targets, and where it is; may be given again." placeholder:"NAME=FILE"`
	Out         string            `name:"out" required:"" help:"New file: the package." placeholder:"FILE"`
}

func (f *signerFlags) people() (people []releases.Person, err error) {
	for name, path := range f.SigningKeys {
		key, err := releases.ReadKey(path)
		if err != nil {
			return nil, err
		}
		people = append(people, releases.Person{Name: name, Key: key})
	}
	slices.SortFunc(people, func(a, b releases.Person) int { return strings.Compare(a.Name, b.Name) })
	return people, nil
}

// into writes the package; what is half written is removed.
func (f *signerFlags) into(fill func(io.Writer) error) error {
	out, err := os.OpenFile(f.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err = errors.Join(fill(out), out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Out))
	}
	return nil
}

// releaseSign signs what a release would make of a repository, on any machine.
type releaseSign struct {
	signerFlags
	Repository string `name:"repository" required:"" help:"The host's repository: https://HOST:PORT/releases, or a copy of its directory." placeholder:"URL"`
	Root       string `name:"trusted-root" required:"" help:"The root of trust, as terminals are given it: 1.root.json." placeholder:"FILE"`
	File       string `arg:"" optional:"" help:"The application file; without it an older release is withdrawn, or its state changed."`
	Model      string `name:"model" required:"" help:"Of the devices it is for, as they are registered."`
	Hardware   string `name:"hardware" help:"Hardware versions it runs on: 2.0, 1.0-1.9, '>=2.0|<3.0', or '*' for all." placeholder:"RANGE"`
	Version    string `name:"version" required:"" help:"Application version as tag A2 presents it, such as 1.0.3; at most 8 characters."`
	State      string `name:"state" default:"current" enum:"current,supported,withdrawn" help:"current, supported, or, of one that is published, withdrawn."`
	Notes      string `name:"notes" help:"What is new, English."`
	NotesZH    string `name:"notes-zh" help:"What is new, Chinese."`
}

// Help is shown by touchstone release sign --help.
func (releaseSign) Help() string {
	return `A key that signs releases need not be on the host. Each of two people signs on a machine of their own, and either sends the package by the
console (Acts, Publish a signed package), by POST /api/v1/release-packages, or by touchstone release import:

  touchstone release sign app-1.0.4.bin --repository https://host:8585/releases --trusted-root 1.root.json \
      --model 'Sample S20' --hardware '>=2.0' --version 1.0.4 --signing-key qian=qian.pem --out one.zip
  touchstone release countersign one.zip --signing-key sun=sun.pem --out both.zip`
}

// Run signs.
func (c *releaseSign) Run(a *app) error {
	root, err := readBounded(c.Root, 1<<20)
	if err != nil {
		return err
	}
	people, err := c.people()
	if err != nil {
		return err
	}
	session, err := releases.Look(a.ctx, c.Repository, root, time.Now())
	if err != nil {
		return err
	}
	list, added, err := c.next(session)
	if err != nil {
		return err
	}
	err = c.into(func(to io.Writer) error {
		return releases.WritePackage(to, session.NextVersion(), list, added, people, releases.DefaultLives(), time.Now())
	})
	if err != nil {
		return err
	}
	return showPackage(a, c.Out)
}

// next is the list of targets that would be, by the rules of the host, and the file that it adds.
func (c *releaseSign) next(session *releases.Session) (list []releases.Target, added []releases.Added, err error) {
	release := fleet.Release{Model: c.Model, Hardware: c.Hardware, Version: c.Version, Target: fleet.TargetPath(c.Model, c.Version), State: fleet.ReleaseState(c.State), Notes: c.Notes, NotesZH: c.NotesZH}
	decide := func(s *fleet.State) ([]journal.Draft, error) {
		return fleet.SetRelease(s, fleet.ReleaseChange{Model: c.Model, Version: c.Version, State: release.State}, nil)
	}
	if c.File != "" {
		if release.Digest, release.Length, err = digestOfFile(c.File, fleet.MaxRelease); err != nil {
			return nil, nil, err
		}
		decide = func(s *fleet.State) ([]journal.Draft, error) { return fleet.Publish(s, &release, nil, pos.Instant(1)) }
		added = []releases.Added{{Target: targetOf(&release), Open: func() (io.ReadCloser, error) { return os.Open(c.File) }}}
	}
	next, err := fleet.NextReleases(signedReleases(session.Offers()), decide)
	for _, r := range next {
		list = append(list, targetOf(r))
	}
	return list, added, err
}

// releaseCountersign adds the second person's signature.
type releaseCountersign struct {
	signerFlags
	Package string `arg:"" help:"The package, as the first person signed it." placeholder:"FILE"`
}

// Run shows what is signed, and signs it.
func (c *releaseCountersign) Run(a *app) error {
	people, err := c.people()
	if err != nil {
		return err
	}
	p, err := releases.OpenPackage(c.Package)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := c.into(func(to io.Writer) error { return p.Countersign(to, people) }); err != nil {
		return err
	}
	return showPackage(a, c.Out)
}

// releaseImport publishes a package that people signed elsewhere.
type releaseImport struct {
	actFlags
	Package string `arg:"" help:"The package: touchstone release sign." placeholder:"FILE"`
	Why     string `name:"why" help:"Why, where it withdraws a release."`
}

// Run publishes it.
func (c *releaseImport) Run(a *app) error {
	digest, _, err := digestOfFile(c.Package, releases.MaxPackage)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(c.Package)
	if err != nil {
		return err
	}
	_, err = c.perform(a, change{Package: &packageChange{File: path, Digest: digest, Why: c.Why}})
	return err
}

// showPackage says what a package says of itself.
func showPackage(a *app, path string) error {
	p, err := releases.OpenPackage(path)
	if err != nil {
		return err
	}
	defer p.Close()
	sum, _, err := digestOfFile(path, releases.MaxPackage)
	if err != nil {
		return err
	}
	l := a.words()
	fmt.Fprintf(a.stdout, l.two("%s: targets version %d, believed until %s, signed by %d keys\nsha-256 %s\n", "%s：targets 第 %d 版，有效至 %s，%d 把密钥已签署\nsha-256 %s\n"),
		path, p.Version(), p.Expires().UTC().Format(time.DateOnly), len(p.Signers()), sum)
	for _, o := range p.Offers() {
		fmt.Fprintf(a.stdout, "  %s %s %s %s %s\n", pad(o.About.Model, 20), pad(o.About.Version, 9), pad(o.About.Hardware, 14), pad(o.About.State, 10), o.Digest)
	}
	return nil
}
