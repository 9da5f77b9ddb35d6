package check

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	_ "image/png" // photographs of screens
)

// Bounds of the one photograph. A progressive JPEG of so many pixels takes some 200 MB while it is decoded, so one is
// at a time.
const (
	maxPhoto     = 8 << 20 // bytes as sent
	maxPixels    = 25_000_000
	maxPNGPixels = 12_000_000
	maxSide      = 12_000
	photoQuality = 82
)

var errPhoto = errors.New("photograph")

// retake decodes a photograph and encodes what is to be seen anew: place, time, device and whatever else the file
// carried stays behind. Only the new picture is ever kept.
func retake(sent []byte) ([]byte, error) {
	shape, kind, err := image.DecodeConfig(bytes.NewReader(sent))
	most := maxPixels
	if kind != "jpeg" {
		most = maxPNGPixels
	}
	if err != nil || shape.Width < 1 || shape.Height < 1 || shape.Width > maxSide || shape.Height > maxSide || shape.Width*shape.Height > most {
		return nil, errPhoto
	}
	picture, _, err := image.Decode(bytes.NewReader(sent))
	if err != nil {
		return nil, errPhoto
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: photoQuality}); err != nil {
		return nil, errPhoto
	}
	return out.Bytes(), nil
}
