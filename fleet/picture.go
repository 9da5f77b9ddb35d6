package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// NounModelPicture is the picture of a model, by the model's name.
const NounModelPicture = "model_picture"

// ModelPicture is what a model looks like, for whoever stands before one of its devices. The picture itself is a kept
// file; a record without a digest says that the model has none any more.
type ModelPicture struct {
	Model   string      `json:"model"`
	Digest  string      `json:"digest,omitempty"` // SHA-256 of the JPEG, hexadecimal
	Bytes   int         `json:"bytes,omitempty"`
	Width   int         `json:"width,omitempty"` // pixels
	Height  int         `json:"height,omitempty"`
	Drawing bool        `json:"drawing,omitempty"`   // drawn, and no photograph
	Credit  string      `json:"credit,omitempty"`    // whose it is, in English
	ZH      string      `json:"credit_zh,omitempty"` // the same in Chinese
	At      pos.Instant `json:"at"`
	By      []string    `json:"by"`
}

// Bounds of pictures.
const (
	MaxModelPictures = 500
	MaxCredit        = 120 // bytes
	MaxPictureBytes  = 300 << 10
)

// SetPicture is the decision to show a picture of a model; with an empty digest, to show it none. A model of which
// nothing is registered may have one: its devices are yet to come.
func SetPicture(s *State, p ModelPicture, by []string, now pos.Instant) ([]journal.Draft, error) {
	verb := "model_picture_set"
	if p.Digest == "" {
		verb = "model_picture_removed"
	}
	refuse := func(format string, args ...any) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: verb, Actors: by, Why: fmt.Sprintf(format, args...)}
	}
	old := s.pictures[p.Model]
	switch {
	case p.Model == "" || len(p.Model) > registry.MaxModel || !utf8.ValidString(p.Model):
		return refuse("model of %d bytes, want 1 to %d", len(p.Model), registry.MaxModel)
	case len(p.Credit) > MaxCredit || len(p.ZH) > MaxCredit || !utf8.ValidString(p.Credit+p.ZH) || strings.ContainsFunc(p.Credit+p.ZH, control):
		return refuse("whose the picture is: want at most %d bytes of text", MaxCredit)
	case p.Digest == "" && old == nil:
		return refuse("model %.40q has no picture", p.Model)
	case p.Digest != "" && (len(p.Digest) != 64 || p.Bytes < 1 || p.Bytes > MaxPictureBytes || p.Width < 1 || p.Height < 1):
		return refuse("the picture's digest, bytes or sides are not those of a kept picture")
	case p.Digest != "" && old == nil && len(s.pictures) >= MaxModelPictures:
		return refuse("%d pictures are the most", MaxModelPictures)
	}
	if p.Digest == "" {
		p = ModelPicture{Model: p.Model}
	}
	p.At, p.By = now, by
	c, err := journal.NewChange(NounModelPicture, p.Model, &p)
	if err != nil {
		return nil, err
	}
	return []journal.Draft{{Kind: journal.KindFleet, Act: journal.Act{Verb: verb, Actors: by, Changes: []journal.Change{c}}}}, nil
}

func control(r rune) bool {
	return r < ' ' || r >= 0x7F && r < 0xA0 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

func (s *updateState) foldPicture(c journal.Change) error {
	p := new(ModelPicture)
	if err := json.Unmarshal(c.Record, p); err != nil {
		return err
	}
	if p.Digest == "" {
		delete(s.pictures, c.ID)
		return nil
	}
	s.pictures[c.ID] = p
	return nil
}

// Picture is the picture of a model, nil where it has none. The record is shared: it is not changed.
func (s *State) Picture(model string) *ModelPicture { return s.pictures[model] }

// ShowsPicture tells whether a kept file is the picture of some model: nothing else that is kept is anybody's to see.
func (s *State) ShowsPicture(digest string) bool {
	for _, p := range s.pictures {
		if p.Digest == digest {
			return true
		}
	}
	return false
}

// Pictures lists the pictures by model.
func (s *State) Pictures() []*ModelPicture {
	list := make([]*ModelPicture, 0, len(s.pictures))
	for _, p := range s.pictures {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *ModelPicture) int { return strings.Compare(a.Model, b.Model) })
	return list
}
