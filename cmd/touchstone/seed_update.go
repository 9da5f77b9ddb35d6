package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/releases"
)

// sampleSigners are the people whose keys sign the releases of a test data directory.
var sampleSigners = []string{"qian", "sun"}

// sampleModels are the models of the sample terminals.
func sampleModels() (models []string) {
	seen := map[string]bool{}
	for _, t := range append(staffTerminals(), visitors()...) {
		if !seen[t.model] {
			seen[t.model] = true
			models = append(models, t.model)
		}
	}
	return models
}

// seedReleases makes the repository of releases of a test data directory, with the version that every sample
// terminal runs.
func (e *engine) seedReleases(ctx context.Context) error {
	known := false
	e.office.view(func(r *rooms) { known = r.fleet.Repository() != nil })
	if known {
		return nil
	}
	e.publishing.Lock()
	defer e.publishing.Unlock()
	repository := e.repository(releases.DefaultLives())
	if err := e.makeRepository(repository, sampleSigners); err != nil {
		return err
	}
	for _, model := range sampleModels() {
		content := fmt.Appendf(nil, "sample application of %s, version %s: it stands for the bytes that a device runs\n", model, sampleApp)
		sum := sha256.Sum256(content)
		r := fleet.Release{Model: model, Hardware: fleet.Everything, Version: sampleApp, Target: fleet.TargetPath(model, sampleApp), Digest: hex.EncodeToString(sum[:]),
			Length: int64(len(content)), State: fleet.Current, Notes: "Sample.", NotesZH: "示例."}
		if err := repository.Keep(targetOf(&r), content); err != nil {
			return err
		}
		if err := e.act(ctx, func(rooms *rooms, now pos.Instant) ([]journal.Draft, error) {
			return fleet.Publish(rooms.fleet, &r, []string{"setup"}, now)
		}); err != nil {
			return fmt.Errorf("sample release of %s: %w", model, err)
		}
	}
	people, err := e.targetKeys(sampleSigners, nil)
	if err != nil {
		return err
	}
	_, err = e.writeTargets(ctx, repository, people, []string{"setup"})
	return err
}
