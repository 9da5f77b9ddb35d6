package console

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// paint draws the modules of an SVG of drawQR, eight pixels each.
func paint(t *testing.T, svg string) image.Image {
	t.Helper()
	const scale = 8
	side := regexp.MustCompile(`viewBox="0 0 (\d+) \d+"`).FindStringSubmatch(svg)
	if side == nil {
		t.Fatal("no viewBox")
	}
	n, _ := strconv.Atoi(side[1])
	m := image.NewGray(image.Rect(0, 0, n*scale, n*scale))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for _, at := range regexp.MustCompile(`M(\d+) (\d+)h1v1h-1z`).FindAllStringSubmatch(svg, -1) {
		x, _ := strconv.Atoi(at[1])
		y, _ := strconv.Atoi(at[2])
		for dy := range scale {
			for dx := range scale {
				m.SetGray(x*scale+dx, y*scale+dy, color.Gray{})
			}
		}
	}
	return m
}

// TestQRIsReadByAnother: zbar, which is none of ours, reads what a label says.
func TestQRIsReadByAnother(t *testing.T) {
	tool, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("no zbarimg here: apt-get install zbar-tools")
	}
	for _, says := range []string{"https://check.example/t/00000304TS0090000001", "http://127.0.0.1:8081/t/A", "https://a-rather-long-name-of-an-acquirer.example/t/" + strings.Repeat("9", 50)} {
		drawn, err := drawQR(says, `code "for" A`)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(drawn), `"for"`) || strings.Contains(string(drawn), "style=") {
			t.Error("a quotation mark stands bare, or a style is inline")
		}
		var b bytes.Buffer
		if err := png.Encode(&b, paint(t, string(drawn))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "label.png")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "--quiet", "--raw", path).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != says {
			t.Errorf("read %q, %v; want %q", got, err, says)
		}
	}
}

// stickers is a host with one device.
type stickers struct{ code bool }

func (s stickers) Sticker(_ context.Context, _ *web.Caller, id string) (api.Sticker, error) {
	if id != "dev_A1" {
		return api.Sticker{}, api.NotFound()
	}
	return api.Sticker{Serial: "A1", URL: "https://check.example/t/A1", Base: "https://check.example", Code: s.code}, nil
}

// TestLabelPage: the label in both languages, with the address in letters; a device without a key says so; a shop's own
// people have none.
func TestLabelPage(t *testing.T) {
	for _, lang := range languages {
		for _, code := range []bool{true, false} {
			who := &web.Caller{Account: "li", Roles: []staff.Role{staff.Field}, Lang: lang}
			router := web.NewRouter(slog.New(slog.DiscardHandler))
			router.Identify = func(*http.Request) (*web.Caller, error) { return who, nil }
			if _, err := New(router, Options{Desk: &api.Desk{Stickers: stickers{code}}, Zone: time.UTC, Log: slog.New(slog.DiscardHandler)}); err != nil {
				t.Fatal(err)
			}
			get := func(path string) (int, string) {
				w := httptest.NewRecorder()
				router.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				return w.Code, w.Body.String()
			}
			status, page := get("/devices/A1/label")
			for _, want := range []string{"https://check.example<", "A1", "<svg class=\"qr\""} {
				if status != 200 || !strings.Contains(page, want) {
					t.Errorf("%s: %d, %q is missing", lang, status, want)
				}
			}
			if warned := strings.Contains(page, `class="failed"`); warned == code {
				t.Errorf("%s: a device with a key %v is warned of: %v", lang, code, warned)
			}
			if status, _ := get("/devices/B2/label"); status != 404 {
				t.Errorf("an unknown device: %d", status)
			}
			who.Roles = []staff.Role{staff.Merchant}
			if status, _ := get("/devices/A1/label"); status != 403 {
				t.Errorf("a shop's own people: %d", status)
			}
		}
	}
}
