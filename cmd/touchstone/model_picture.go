package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/web/check"
)

// modelPictureChange shows people what a model looks like, or takes its picture away.
type modelPictureChange struct {
	Model   string `json:"model" minLength:"1" maxLength:"40" example:"Sample S10"`
	File    string `json:"file,omitempty" file:"upload" doc:"The picture, JPEG, PNG or WebP of at most 8 MB, uploaded before."`
	Drawing bool   `json:"drawing,omitempty" doc:"It is drawn, and no photograph."`
	Credit  string `json:"whose,omitempty" maxLength:"120" doc:"Whose picture it is, as people are told." example:"Sample Maker"`
	ZH      string `json:"whose_zh,omitempty" maxLength:"120" doc:"The same in Chinese."`
	Remove  bool   `json:"remove,omitempty" doc:"The model has no picture any more."`
}

// errPicture is told of a file that is no picture; nothing of the file is in it.
var errPicture = errors.New("picture: want a JPEG, PNG or WebP of at most 8 MB and 25 million pixels, PNG and WebP of 12 million")

// changeModelPicture draws a picture anew, as the photographs of strangers are, keeps it, and shows it from then on.
func (e *engine) changeModelPicture(ctx context.Context, c *modelPictureChange, actors []string) (changed, error) {
	p := fleet.ModelPicture{Model: c.Model, Drawing: c.Drawing, Credit: c.Credit, ZH: c.ZH}
	if c.Remove == (c.File != "") {
		return changed{}, e.refuseFleet(ctx, "model_picture_set", actors, errors.New("picture: give a file, or say that it is removed"))
	}
	if !c.Remove {
		raw, err := readBounded(c.File, check.MaxPhoto)
		if err != nil {
			return changed{}, e.refuseFleet(ctx, "model_picture_set", actors, errPicture)
		}
		shown, err := check.DrawAnew(raw, check.PictureSide)
		if err != nil || len(shown.JPEG) > fleet.MaxPictureBytes {
			return changed{}, e.refuseFleet(ctx, "model_picture_set", actors, errPicture)
		}
		if p.Digest, err = e.keepFile(shown.JPEG); err != nil {
			return changed{}, err
		}
		p.Bytes, p.Width, p.Height = len(shown.JPEG), shown.Width, shown.Height
	}
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return fleet.SetPicture(r.fleet, p, actors, now)
	})
	if c.Remove {
		return changed{What: "no picture of " + c.Model, Facts: map[string]string{"model": c.Model}}, err
	}
	return changed{What: fmt.Sprintf("picture of %s: %d by %d pixels", c.Model, p.Width, p.Height), Facts: map[string]string{"model": c.Model, "picture": p.Digest}}, err
}

// pictureOf is what the check page shows of a model's looks.
func pictureOf(s *fleet.State, model string) check.Picture {
	p := s.Picture(model)
	if p == nil {
		return check.Picture{}
	}
	return check.Picture{Name: p.Digest, Width: p.Width, Height: p.Height, Drawing: p.Drawing, Credit: p.Credit, CreditZH: p.ZH}
}

// Picture implements check.Devices. What is kept besides, photographs of inspections and reports among it, is nobody's.
func (d *publicDesk) Picture(_ context.Context, name string) (jpeg []byte, ok bool, err error) {
	if d.office.view(func(r *rooms) { ok = r.fleet.ShowsPicture(name) }); !ok {
		return nil, false, nil
	}
	jpeg, err = d.keptFile(name)
	return jpeg, err == nil, err
}

// devicePicture sets or removes the picture of a model.
type devicePicture struct {
	actFlags
	Model   string `arg:"" help:"The model, such as \"Sample S10\"."`
	File    string `name:"file" help:"JPEG, PNG or WebP." placeholder:"FILE" xor:"what" required:""`
	Remove  bool   `name:"remove" help:"It has no picture any more." xor:"what" required:""`
	Drawing bool   `name:"drawing" help:"It is drawn, and no photograph."`
	Credit  string `name:"credit" help:"Whose picture it is." placeholder:"WORDS"`
	ZH      string `name:"credit-zh" help:"The same in Chinese." placeholder:"WORDS"`
}

// Run sets the picture.
func (c *devicePicture) Run(a *app) error {
	request := modelPictureChange{Model: c.Model, Drawing: c.Drawing, Credit: c.Credit, ZH: c.ZH, Remove: c.Remove}
	if c.File != "" {
		path, err := filepath.Abs(c.File)
		if err != nil {
			return err
		}
		request.File = path
	}
	_, err := c.perform(a, change{Picture: &request})
	return err
}
