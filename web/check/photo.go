package check

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // photographs of screens

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // what messengers make of photographs
)

// Bounds of a picture. A progressive JPEG of so many pixels takes some 200 MB while it is decoded, so one is at a time.
const (
	MaxPhoto     = 8 << 20 // bytes as sent
	maxPixels    = 25_000_000
	maxSmall     = 12_000_000 // pixels of PNG and WebP, which take four bytes each
	maxSide      = 12_000
	photoQuality = 82
	// PictureSide is the longest side of a model's picture as it is shown, in pixels.
	PictureSide = 720
)

// ErrPhoto is returned for what is no picture that can be shown.
var ErrPhoto = errors.New("photograph")

// Drawn is a picture that was made here.
type Drawn struct {
	JPEG          []byte
	Width, Height int // pixels
}

// DrawAnew decodes a JPEG, PNG or WebP and encodes what is to be seen anew, with no side longer than side, 0 for as it is:
// place, time, device and whatever else the file carried stays behind. Only the new picture is ever kept. What is seen
// through is white.
func DrawAnew(sent []byte, side int) (Drawn, error) {
	shape, kind, err := image.DecodeConfig(bytes.NewReader(sent))
	most := maxPixels
	if kind != "jpeg" {
		most = maxSmall
	}
	if err != nil || shape.Width < 1 || shape.Height < 1 || shape.Width > maxSide || shape.Height > maxSide || shape.Width*shape.Height > most {
		return Drawn{}, ErrPhoto
	}
	picture, _, err := image.Decode(bytes.NewReader(sent))
	if err != nil {
		return Drawn{}, ErrPhoto
	}
	if kind != "jpeg" || side > 0 && max(shape.Width, shape.Height) > side {
		picture = flat(picture, side)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: photoQuality}); err != nil {
		return Drawn{}, ErrPhoto
	}
	size := picture.Bounds().Size()
	return Drawn{JPEG: out.Bytes(), Width: size.X, Height: size.Y}, nil
}

// flat is a picture on white, scaled down to a longest side where it has one; 0 for none.
func flat(picture image.Image, side int) image.Image {
	from := picture.Bounds()
	to := image.Rect(0, 0, from.Dx(), from.Dy())
	if longest := max(from.Dx(), from.Dy()); side > 0 && longest > side {
		to = image.Rect(0, 0, max(1, from.Dx()*side/longest), max(1, from.Dy()*side/longest))
	}
	made := image.NewRGBA(to)
	draw.Draw(made, to, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(made, to, picture, from, draw.Over, nil)
	return made
}

// retake makes a stranger's photograph anew, as large as it is.
func retake(sent []byte) ([]byte, error) {
	made, err := DrawAnew(sent, 0)
	return made.JPEG, err
}
