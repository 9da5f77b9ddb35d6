package console

import (
	"bytes"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

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

// TestLabelPage: the label in both languages, with the address in letters; a device without a key says so.
func TestLabelPage(t *testing.T) {
	for _, lang := range languages {
		for _, code := range []bool{true, false} {
			drawn, err := drawQR("https://check.example/t/A1", "code")
			if err != nil {
				t.Fatal(err)
			}
			set, err := template.New("").Funcs(funcs(lang, time.UTC)).ParseFS(templates, "templates/*.html")
			if err != nil {
				t.Fatal(err)
			}
			var page bytes.Buffer
			err = set.ExecuteTemplate(&page, "label", view{Lang: lang, Data: labelShown{api.DeviceLabel{Serial: "A1", URL: "https://check.example/t/A1", Base: "https://check.example", Code: code}, drawn}})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"https://check.example<", "A1", "<svg class=\"qr\""} {
				if !strings.Contains(page.String(), want) {
					t.Errorf("%s: %q is missing", lang, want)
				}
			}
			if warned := strings.Contains(page.String(), `class="failed"`); warned == code {
				t.Errorf("%s: a device with a key %v is warned of: %v", lang, code, warned)
			}
		}
	}
}
