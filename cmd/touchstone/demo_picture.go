package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	imagedraw "image/draw"
	"image/png"
	"os"
	"path/filepath"

	scaling "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// sampleLooks are the drawings of the demonstration's made-up models: each of its own colour and proportions, and each says
// on itself that it is a sample.
var sampleLooks = []struct {
	model   string
	body    color.RGBA
	width   int  // of the body, pixels of 480
	screen  int  // height of its screen
	rows    int  // of its keypad; 0: it is all screen
	printer bool // paper comes out at its top
}{
	{commonModel, color.RGBA{44, 52, 56, 255}, 190, 84, 4, true},
	{"Sample S15", color.RGBA{38, 62, 92, 255}, 190, 84, 4, true},
	{oldModel, color.RGBA{120, 112, 98, 255}, 220, 58, 4, true},
	{badModel, color.RGBA{92, 40, 44, 255}, 180, 96, 3, true},
	{"Sample S30", color.RGBA{24, 26, 30, 255}, 170, 236, 0, false},
	{visitorModel, color.RGBA{20, 92, 96, 255}, 200, 110, 4, false},
}

// hangPictures has field service show what each sample model looks like.
func (p *demoDesk) hangPictures(ctx context.Context) error {
	for n := range sampleLooks {
		l := &sampleLooks[n]
		var known bool
		if p.office.view(func(r *rooms) { known = r.fleet.Picture(l.model) != nil }); known {
			continue
		}
		var out bytes.Buffer
		if err := png.Encode(&out, sampleLook(l.body, l.width, l.screen, l.rows, l.printer, l.model)); err != nil {
			return err
		}
		path := filepath.Join(p.dir, "sample-drawing.png")
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			return err
		}
		_, err := p.apply(ctx, change{Picture: &modelPictureChange{Model: l.model, File: path, Drawing: true, Credit: "Made up for the demonstration", ZH: "为演示而绘制"}, caller: person("li")})
		if err = errors.Join(err, os.Remove(path)); err != nil {
			return err
		}
	}
	return nil
}

// sampleLook draws a terminal from the front, 480 by 440 pixels.
func sampleLook(body color.RGBA, width, screen, rows int, printer bool, model string) image.Image {
	const w, h = 480, 440
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	imagedraw.Draw(picture, picture.Bounds(), image.NewUniform(color.RGBA{236, 238, 233, 255}), image.Point{}, imagedraw.Src)
	left, top, inner := (w-width)/2, 56, width-32
	if printer {
		plate(picture, left+26, 22, width-52, 50, 2, color.RGBA{252, 252, 248, 255})
		plate(picture, left+10, 44, width-20, 30, 8, shade(body))
	}
	plate(picture, left, top, width, 340, 22, body)
	plate(picture, left+16, top+20, inner, screen, 6, color.RGBA{158, 196, 178, 255})
	const columns = 3
	key := (inner - 2*8) / columns
	for row := range rows {
		for column := range columns {
			c := color.RGBA{206, 212, 214, 255}
			if row == rows-1 {
				c = []color.RGBA{{196, 72, 64, 255}, {214, 172, 60, 255}, {74, 150, 92, 255}}[column]
			}
			plate(picture, left+16+column*(key+8), top+40+screen+row*38, key, 28, 6, c)
		}
	}
	plate(picture, left+36, top+318, width-72, 8, 4, color.RGBA{10, 10, 12, 255}) // the slot
	lettered(picture, model, top+30, 2)
	lettered(picture, "SAMPLE DRAWING", h-34, 2)
	return picture
}

func shade(c color.RGBA) color.RGBA { return color.RGBA{c.R / 2, c.G / 2, c.B / 2, 255} }

// plate fills a rectangle with round corners.
func plate(into *image.RGBA, x, y, w, h, r int, c color.RGBA) {
	v := vector.NewRasterizer(w, h)
	fw, fh, fr := float32(w), float32(h), float32(r)
	v.MoveTo(fr, 0)
	v.LineTo(fw-fr, 0)
	v.QuadTo(fw, 0, fw, fr)
	v.LineTo(fw, fh-fr)
	v.QuadTo(fw, fh, fw-fr, fh)
	v.LineTo(fr, fh)
	v.QuadTo(0, fh, 0, fh-fr)
	v.LineTo(0, fr)
	v.QuadTo(0, 0, fr, 0)
	v.ClosePath()
	v.Draw(into, image.Rect(x, y, x+w, y+h), image.NewUniform(c), image.Point{})
}

// lettered writes a line in the middle, as many times as large as the font is.
func lettered(into *image.RGBA, text string, y, times int) {
	face := basicfont.Face7x13
	line := image.NewRGBA(image.Rect(0, 0, font.MeasureString(face, text).Ceil(), face.Height))
	(&font.Drawer{Dst: line, Src: image.NewUniform(color.RGBA{30, 42, 44, 255}), Face: face, Dot: fixed.P(0, face.Ascent)}).DrawString(text)
	w, h := line.Bounds().Dx()*times, line.Bounds().Dy()*times
	x := (into.Bounds().Dx() - w) / 2
	scaling.NearestNeighbor.Scale(into, image.Rect(x, y, x+w, y+h), line, line.Bounds(), scaling.Over, nil)
}
