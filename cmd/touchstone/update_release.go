package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/releases"
)

// The repository of releases in a data directory, and the keys that sign it.
const (
	releasesDirectory = "releases"
	repositoryName    = "repository" // below it: what terminals fetch
	releaseKeys       = "keys"       // below it: one file a key, mode 0600
)

// repositoryChange makes the repository or signs its short-lived metadata anew.
type repositoryChange struct {
	Do            string `json:"do" enum:"init,refresh,renew" example:"refresh"`
	TimestampLife int64  `json:"timestamp_life,omitempty" doc:"Seconds."`
	SnapshotLife  int64  `json:"snapshot_life,omitempty" doc:"Seconds."`
}

// publishChange publishes a release. The digest is of the file that the first person saw.
type publishChange struct {
	File     string            `json:"file" file:"upload" doc:"The application's file, uploaded before."`
	Digest   string            `json:"digest,omitempty" doc:"SHA-256 of the file, hexadecimal, where you know it: another file is refused. The second person agrees to it."`
	Length   int64             `json:"length,omitempty" doc:"Bytes of the file, where you know them."`
	Model    string            `json:"model"`
	Hardware string            `json:"hardware"`
	Version  string            `json:"version"`
	State    string            `json:"state" enum:"current,supported,withdrawn"`
	Notes    string            `json:"notes,omitempty"`
	NotesZH  string            `json:"notes_zh,omitempty"`
	Keys     map[string]string `json:"keys,omitempty" file:"machine" hidden:"true"` // of an account: absolute path of its key for targets
}

// releaseStateChange withdraws a release, or says until when it is supported.
type releaseStateChange struct {
	Model   string            `json:"model"`
	Version string            `json:"version"`
	State   string            `json:"state" enum:"withdrawn,supported"`
	Until   pos.Instant       `json:"until,omitempty"`
	Why     string            `json:"why,omitempty"`
	Keys    map[string]string `json:"keys,omitempty" file:"machine" hidden:"true"`
}

// repository is the repository of the data directory.
func (e *engine) repository(lives releases.Lives) *releases.Repository {
	return releases.Open(filepath.Join(e.dir, releasesDirectory, repositoryName), lives)
}

func (e *engine) releaseKey(name string) string {
	return filepath.Join(e.dir, releasesDirectory, releaseKeys, name+".pem")
}

// machineKeys reads the keys of snapshot and timestamp.
func (e *engine) machineKeys() (m releases.Machine, err error) {
	if m.Snapshot, err = releases.ReadKey(e.releaseKey("snapshot")); err != nil {
		return releases.Machine{}, err
	}
	m.Timestamp, err = releases.ReadKey(e.releaseKey("timestamp"))
	return m, err
}

// targetKeys reads the keys with which people sign targets.
func (e *engine) targetKeys(actors []string, elsewhere map[string]string) (people []releases.Person, err error) {
	for _, name := range actors {
		path := elsewhere[name]
		if path == "" {
			path = e.releaseKey("targets." + name)
		}
		key, err := releases.ReadKey(path)
		if err != nil {
			return nil, err
		}
		people = append(people, releases.Person{Name: name, Key: key})
	}
	return people, nil
}

// refuseFleet keeps in the journal that an act of the fleet was refused.
func (e *engine) refuseFleet(ctx context.Context, verb string, actors []string, why error) error {
	return e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: verb, Actors: actors, Why: why.Error(), Err: why}
	})
}

// changeRepository makes the repository, or refreshes it.
func (e *engine) changeRepository(ctx context.Context, c *repositoryChange, actors []string) (changed, error) {
	lives := releases.DefaultLives()
	if c.TimestampLife > 0 {
		lives.Timestamp = time.Duration(c.TimestampLife) * time.Second
	}
	if c.SnapshotLife > 0 {
		lives.Snapshot = time.Duration(c.SnapshotLife) * time.Second
	}
	e.publishing.Lock()
	defer e.publishing.Unlock()
	r, verb := e.repository(lives), "release_repository_made"
	var err error
	switch c.Do {
	case "init":
		err = e.makeRepository(r, actors)
	case "refresh":
		verb = "release_repository_refreshed"
		var machine releases.Machine
		if machine, err = e.machineKeys(); err == nil {
			err = e.notRolledBack(r)
		}
		if err == nil {
			err = r.Refresh(machine, e.clock().Time())
		}
	case "renew":
		verb, err = "release_repository_renewed", e.renewRepository(r, actors)
	default:
		return changed{}, errRequest
	}
	if err != nil {
		return changed{}, e.refuseFleet(ctx, verb, actors, err)
	}
	told, err := e.noteRepository(ctx, r, verb, actors)
	told.What = "repository of releases: " + c.Do
	return told, err
}

// makeRepository draws the keys that are not there yet and makes the repository. One that is there already, after
// a crash between its making and its entry, is left.
func (e *engine) makeRepository(r *releases.Repository, actors []string) error {
	known := false
	e.office.view(func(rooms *rooms) { known = rooms.fleet.Repository() != nil })
	if r.Exists() && !known {
		return nil
	}
	if r.Exists() {
		return fmt.Errorf("%w: it was made already", releases.ErrRepository)
	}
	people := func(role string) (list []releases.Person, err error) {
		for _, name := range actors {
			key, err := e.keyOrNew(role + "." + name)
			if err != nil {
				return nil, err
			}
			list = append(list, releases.Person{Name: name, Key: key})
		}
		return list, nil
	}
	roots, err1 := people("root")
	targets, err2 := people("targets")
	snapshot, err3 := e.keyOrNew("snapshot")
	timestamp, err4 := e.keyOrNew("timestamp")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	return r.Create(roots, targets, releases.Machine{Snapshot: snapshot, Timestamp: timestamp}, e.clock().Time())
}

// renewRepository signs root and targets anew.
func (e *engine) renewRepository(r *releases.Repository, actors []string) error {
	if err := e.notRolledBack(r); err != nil {
		return err
	}
	var roots []releases.Person
	for _, name := range actors {
		key, err := releases.ReadKey(e.releaseKey("root." + name))
		if err != nil {
			return err
		}
		roots = append(roots, releases.Person{Name: name, Key: key})
	}
	people, err := e.targetKeys(actors, nil)
	if err != nil {
		return err
	}
	machine, err := e.machineKeys()
	if err != nil {
		return err
	}
	return r.Renew(e.targets(), roots, people, machine, e.clock().Time())
}

// notRolledBack refuses a repository that is older than what was written, from a backup perhaps: terminals that saw
// more would believe nothing that is made of it.
func (e *engine) notRolledBack(r *releases.Repository) error {
	x, err := r.Expiries()
	if err != nil {
		return err
	}
	var known *fleet.Repository
	e.office.view(func(rooms *rooms) { known = rooms.fleet.Repository() })
	if known != nil && (x.TimestampVersion < known.TimestampVersion || x.TargetsVersion < known.TargetsVersion) {
		return fmt.Errorf("%w: it is older than what was written (targets %d, timestamp %d, and %d and %d were written): bring back the newest", releases.ErrRepository,
			x.TargetsVersion, x.TimestampVersion, known.TargetsVersion, known.TimestampVersion)
	}
	return nil
}

// targets are the targets of the list of releases.
func (e *engine) targets() (list []releases.Target) {
	e.office.view(func(r *rooms) {
		for _, x := range r.fleet.Releases() {
			list = append(list, targetOf(x))
		}
	})
	return list
}

// keyOrNew reads a key of the directory, or draws it where there is none.
func (e *engine) keyOrNew(name string) (ed25519.PrivateKey, error) {
	path := e.releaseKey(name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return releases.NewKey(path)
	}
	return releases.ReadKey(path)
}

// noteRepository writes down what the repository is now.
func (e *engine) noteRepository(ctx context.Context, r *releases.Repository, verb string, actors []string) (changed, error) {
	x, err := r.Expiries()
	if err != nil {
		return changed{}, err
	}
	root, err := os.ReadFile(filepath.Join(r.Metadata(), "1.root.json"))
	if err != nil {
		return changed{}, err
	}
	sum := sha256.Sum256(root)
	record := fleet.Repository{TargetsVersion: x.TargetsVersion, TimestampVersion: x.TimestampVersion, TimestampExpires: pos.Instant(x.Timestamp.UnixNano()),
		Root: hex.EncodeToString(sum[:]), At: e.clock()}
	facts := map[string]string{"root": filepath.Join(r.Metadata(), "1.root.json"), "root_sha256": record.Root, "timestamp_expires": x.Timestamp.Format(time.RFC3339)}
	return changed{Facts: facts}, e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return fleet.RepositoryWritten(&record, verb, actors), nil
	})
}

// publishRelease publishes a file. The entry comes before the repository, so that the host knows what a terminal
// may install before one can; a publication that a crash cut short is made good by carrying it out again.
func (e *engine) publishRelease(ctx context.Context, c *publishChange, actors []string) (changed, error) {
	const verb = "release_published"
	e.publishing.Lock()
	defer e.publishing.Unlock()
	repository := e.repository(releases.DefaultLives())
	content, err := readRelease(c)
	var people []releases.Person
	if err == nil {
		people, err = e.targetKeys(actors, c.Keys)
	}
	if err == nil {
		err = errors.Join(repository.MayPublish(people), e.notRolledBack(repository))
	}
	if err != nil {
		return changed{}, e.refuseFleet(ctx, verb, actors, err)
	}
	release := fleet.Release{Model: c.Model, Hardware: c.Hardware, Version: c.Version, Target: fleet.TargetPath(c.Model, c.Version), Digest: c.Digest,
		Length: c.Length, State: fleet.ReleaseState(c.State), Notes: c.Notes, NotesZH: c.NotesZH}
	if err := repository.Keep(targetOf(&release), content); err != nil {
		return changed{}, e.refuseFleet(ctx, verb, actors, err)
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.Publish(r.fleet, &release, actors, now)
	})
	if err != nil {
		return changed{}, err
	}
	told, err := e.writeTargets(ctx, repository, people, actors)
	told.What = fmt.Sprintf("release %s %s", c.Model, c.Version)
	return told, err
}

// readRelease reads the file and proves that it is the one that was proposed.
func readRelease(c *publishChange) ([]byte, error) {
	content, err := readBounded(c.File, fleet.MaxRelease)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != c.Digest || int64(len(content)) != c.Length {
		return nil, fmt.Errorf("%w: %s is another file than was proposed", fleet.ErrRelease, c.File)
	}
	return content, nil
}

// readBounded reads a file of at most most bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("%s: longer than %d bytes", path, most)
	}
	return content, err
}

// changeRelease withdraws a release, or changes its support, in the list and in the repository.
func (e *engine) changeRelease(ctx context.Context, c *releaseStateChange, actors []string) (changed, error) {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	repository := e.repository(releases.DefaultLives())
	people, err := e.targetKeys(actors, c.Keys)
	if err == nil {
		err = errors.Join(repository.MayPublish(people), e.notRolledBack(repository))
	}
	if err != nil {
		return changed{}, e.refuseFleet(ctx, "release_changed", actors, err)
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.SetRelease(r.fleet, fleet.ReleaseChange{Model: c.Model, Version: c.Version, State: fleet.ReleaseState(c.State), Until: c.Until, Why: c.Why}, actors)
	})
	if err != nil {
		return changed{}, err
	}
	told, err := e.writeTargets(ctx, repository, people, actors)
	told.What = fmt.Sprintf("release %s %s: %s", c.Model, c.Version, c.State)
	return told, err
}

// writeTargets makes the repository what the list of releases says, where it is not.
func (e *engine) writeTargets(ctx context.Context, repository *releases.Repository, people []releases.Person, actors []string) (changed, error) {
	list := e.targets()
	same, err := repository.Contains(list)
	if err != nil || same {
		return changed{}, err
	}
	machine, err := e.machineKeys()
	if err == nil {
		err = repository.Publish(list, people, machine, e.clock().Time())
	}
	if err != nil {
		return changed{}, fmt.Errorf("the release is on the list, and not yet in the repository; do the same again: %w", err)
	}
	return e.noteRepository(ctx, repository, "release_repository_written", actors)
}

func targetOf(r *fleet.Release) releases.Target {
	return releases.Target{Path: r.Target, Digest: r.Digest, Length: r.Length,
		About: releases.About{Model: r.Model, Hardware: r.Hardware, Version: r.Version, State: string(r.State), Notes: r.Notes, NotesZH: r.NotesZH}}
}

// releaseLookEvery is how often a host looks whether its repository's metadata is about to expire.
const releaseLookEvery = 10 * time.Minute

// keepReleasesFresh signs snapshot and timestamp anew when half of the timestamp's life is over, until ctx ends.
func (e *engine) keepReleasesFresh(ctx context.Context) {
	look := time.NewTicker(releaseLookEvery)
	defer look.Stop()
	for {
		if err := e.refreshIfDue(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("the repository of releases was not refreshed", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (e *engine) refreshIfDue(ctx context.Context) error {
	lives := releases.DefaultLives()
	r := e.repository(lives)
	if !r.Exists() {
		return nil
	}
	x, err := r.Expiries()
	if err != nil {
		return err
	}
	if now := e.clock().Time(); x.Timestamp.Sub(now) > lives.Timestamp/2 && x.Snapshot.Sub(now) > lives.Snapshot/2 {
		return nil
	}
	e.publishing.Lock()
	defer e.publishing.Unlock()
	if err := e.notRolledBack(r); err != nil {
		return err
	}
	machine, err := e.machineKeys()
	if err == nil {
		err = r.Refresh(machine, e.clock().Time())
	}
	if err != nil {
		return err
	}
	_, err = e.noteRepository(ctx, r, "release_repository_refreshed", []string{"rule:refresh"})
	return err
}
