package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkCodeOut runs touchstone terminal check-code beside a fixture.
func checkCodeOut(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(makeFixture("127.0.0.1:1", "127.0.0.1:2"))
	if err != nil {
		t.Fatal(err)
	}
	fixture := filepath.Join(dir, "fixture.json")
	if err := os.WriteFile(fixture, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code = run(&app{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }},
		append([]string{"terminal", "--fixture", fixture, "--state", filepath.Join(dir, "state")}, append(args, "check-code")...))
	return stdout.String() + stderr.String(), code
}

// TestCheckCodeCommand: the terminal computes by itself the code that the host expects, and names the page.
func TestCheckCodeCommand(t *testing.T) {
	own := visitors()[0]
	before := own.shownCode(time.Now())
	out, code := checkCodeOut(t, "--json")
	var shown shownCheckCode
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 {
		t.Fatalf("%d %v: %s", code, err, out)
	}
	if shown.Code != before && shown.Code != own.shownCode(time.Now()) || shown.Serial != string(own.serial) || shown.URL != "http://127.0.0.1:8081/t/"+shown.Serial || shown.Left < 0 || shown.Left > 60 {
		t.Errorf("shown %+v, want code %s", shown, before)
	}
	if out, code := checkCodeOut(t, "--terminal", "90000007"); code != 1 || !strings.Contains(out, "no check code") {
		t.Errorf("a terminal without a serial-number key: %d %s", code, out)
	}
}

// TestCheckCodeQRIsReadByAnother: zbar reads the half blocks of a screen, as a photograph of it would be read.
func TestCheckCodeQRIsReadByAnother(t *testing.T) {
	tool, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("no zbarimg here: apt-get install zbar-tools")
	}
	out, _ := checkCodeOut(t, "--check-url", "https://check.example")
	var rows []string
	for _, line := range strings.Split(out, "\n") {
		if strings.ContainsAny(line, "█▀▄") {
			rows = append(rows, line)
		}
	}
	const scale = 8
	m := image.NewGray(image.Rect(0, 0, len([]rune(rows[0]))*scale, len(rows)*2*scale))
	for y, row := range rows {
		for x, r := range []rune(row) {
			for half := range 2 {
				if r != '█' && (half == 0 && r != '▀' || half == 1 && r != '▄') {
					continue
				}
				for d := range scale * scale {
					m.SetGray(x*scale+d%scale, (2*y+half)*scale+d/scale, color.Gray{Y: 255})
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "screen.png")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := exec.Command(tool, "--quiet", "--raw", path).Output()
	if want := "https://check.example/t/" + string(visitors()[0].serial); err != nil || strings.TrimSpace(string(read)) != want {
		t.Errorf("read %q, %v; want %q", read, err, want)
	}
}
