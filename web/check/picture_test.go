package check_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"touchstone/web/check"
)

// webpOnePixel is one pixel, lossless: the smallest VP8L file, 3.4 of the WebP container specification.
const webpOnePixel = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

// TestDrawAnew: what is shown was made here: JPEG, no longer than it may be, without what the file carried; what is too
// large, torn or no picture is refused.
func TestDrawAnew(t *testing.T) {
	drawn := func(w, h int, as string) []byte {
		m := image.NewNRGBA(image.Rect(0, 0, w, h))
		m.Set(0, 0, color.NRGBA{200, 0, 0, 255}) // all else is seen through
		var b bytes.Buffer
		err := png.Encode(&b, m)
		if as == "jpeg" {
			b.Reset()
			err = jpeg.Encode(&b, m, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	webp, err := base64.StdEncoding.DecodeString(webpOnePixel)
	if err != nil {
		t.Fatal(err)
	}
	marked := drawn(30, 20, "jpeg")
	marked = append(append(bytes.Clone(marked[:2]), "\xFF\xFE\x00\x0Ewhere I live"...), marked[2:]...) // a comment segment
	for name, c := range map[string]struct {
		sent []byte
		side int
		w, h int // 0: refused
	}{
		"jpeg":                     {drawn(30, 20, "jpeg"), 0, 30, 20},
		"jpeg with a comment":      {marked, 0, 30, 20},
		"png":                      {drawn(30, 20, "png"), 0, 30, 20},
		"webp":                     {webp, 0, 1, 1},
		"as long as it may be":     {drawn(720, 10, "png"), 720, 720, 10},
		"one longer":               {drawn(721, 10, "png"), 720, 720, 9},
		"high":                     {drawn(10, 1440, "jpeg"), 720, 5, 720},
		"a hair":                   {drawn(1, 2000, "png"), 720, 1, 720},
		"a side over the most":     {drawn(12_001, 1, "png"), 720, 0, 0},
		"pixels over the most":     {drawn(4000, 3001, "png"), 720, 0, 0},
		"torn":                     {drawn(30, 20, "jpeg")[:300], 0, 0, 0},
		"text":                     {[]byte("<svg onload=alert(1)>"), 0, 0, 0},
		"nothing":                  {nil, 0, 0, 0},
		"webp torn after its head": {webp[:30], 0, 0, 0},
	} {
		made, err := check.DrawAnew(c.sent, c.side)
		if (err == nil) != (c.w > 0) || made.Width != c.w || made.Height != c.h {
			t.Errorf("%s: %d by %d, %v", name, made.Width, made.Height, err)
			continue
		}
		if err != nil {
			continue
		}
		back, kind, err := image.Decode(bytes.NewReader(made.JPEG))
		if err != nil || kind != "jpeg" || back.Bounds().Dx() != c.w || bytes.Contains(made.JPEG, []byte("where I live")) {
			t.Errorf("%s: %s, %v", name, kind, err)
		}
		if name == "png" {
			if r, g, b, _ := back.At(29, 19).RGBA(); r>>8 < 240 || g>>8 < 240 || b>>8 < 240 {
				t.Error("what was seen through is not white")
			}
		}
	}
}

// TestPictureOfModel: the picture stands with the answer where the model has one, says whether it is drawn, and its address
// serves the pictures of models and nothing else.
func TestPictureOfModel(t *testing.T) {
	name := strings.Repeat("a", 64)
	r := newRig(t)
	if a := r.post("/t", "serial", serial, "code", code); strings.Contains(a.body, "/picture/") {
		t.Error("a picture of a model that has none")
	}
	looks := check.Picture{Name: name, Width: 480, Height: 440, Drawing: true, Credit: "Sample Maker", CreditZH: "示例厂商"}
	r.place.Looks, r.record.Looks = looks, looks
	for _, c := range []struct{ path, lang, says string }{{"/t", "en", "Drawing of the model Sample V1"}, {"/t", "zh", "示例厂商"}, {"/device", "en", "Sample Maker."}, {"/device", "zh", "型号 Sample V1 的绘图"}} {
		if a := r.post(c.path, "serial", serial, "code", code, "lang", c.lang); !strings.Contains(a.body, `src="/picture/`+name+`.jpg" width="480" height="440"`) || !strings.Contains(a.body, c.says) {
			t.Errorf("%s %s: no picture, or it does not say %q", c.path, c.lang, c.says)
		}
	}
	if a := r.post("/t", "serial", serial, "code", "00000000"); strings.Contains(a.body, "/picture/") {
		t.Error("a wrong code is told what the model looks like")
	}
	for path, want := range map[string]int{"/picture/" + name + ".jpg": 200, "/picture/" + strings.Repeat("b", 64) + ".jpg": 404, "/picture/" + name: 404, "/picture/" + strings.Repeat("A", 64) + ".jpg": 404,
		"/picture/" + name[:63] + ".jpg": 404, "/picture/..%2f..%2fmodule.age.jpg": 404} {
		a := r.get(path)
		if a.status != want || (a.header.Get("Content-Type") == "image/jpeg") != (want == 200) || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
		}
	}
}
