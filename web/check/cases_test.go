package check_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"touchstone/web/check"
)

const pan = "6299990000000017" // a sample card, of nobody

// aPhoto is a JPEG with a marker that tells where it was taken.
func aPhoto(t testing.TB) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	m.Set(3, 3, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	told := "Exif\x00\x00GPS 31.2304,121.4737"
	app1 := append([]byte{0xFF, 0xE1, 0, byte(len(told) + 2)}, told...)
	return string(b.Bytes()[:2]) + string(app1) + string(b.Bytes()[2:])
}

func aPNG(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 5, 5))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// aBomb is a PNG of some hundred bytes that says that it is 100,000 pixels wide and high.
func aBomb() string {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, 100_000)
	b = binary.BigEndian.AppendUint32(b, 100_000)
	b = append(b, 8, 6, 0, 0, 0)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:])))
}

// TestReport: what is taken, and what is refused before it costs an entry.
func TestReport(t *testing.T) {
	ok := []string{"kind", "skimmer", "terminal", "00000023", "text", "a loose bezel\r\non the slot"}
	with := func(more ...string) []string { return append(append([]string{}, ok...), more...) }
	for name, c := range map[string]struct {
		form   []string
		taken  bool
		status int
		says   string
	}{
		"plain":                      {ok, true, 200, "7KQ2M9XD"},
		"serial alone":               {[]string{"kind", "other", "serial", serial, "text", "x", "terminal", ""}, true, 200, "RPT-7"},
		"photograph and contact":     {with("photo", aPhoto(t), "contact", "021 5555 0100"), true, 200, "RPT-7"},
		"PNG":                        {with("photo", aPNG(t)), true, 200, "RPT-7"},
		"no file chosen":             {with("photo", ""), true, 200, "RPT-7"},
		"no kind":                    {[]string{"terminal", "00000023", "text", "x"}, false, 422, "Choose"},
		"a kind that is none":        {[]string{"kind", "praise", "terminal", "00000023", "text", "x"}, false, 422, "Choose"},
		"no text":                    {[]string{"kind", "other", "terminal", "00000023", "text", " \n"}, false, 422, "Say what happened"},
		"text of 2,001 bytes":        {[]string{"kind", "other", "terminal", "00000023", "text", strings.Repeat("x", 2001)}, false, 422, "Say what happened"},
		"no terminal":                {[]string{"kind", "other", "text", "x"}, false, 422, "Name the terminal"},
		"terminal of seven":          {[]string{"kind", "other", "text", "x", "terminal", "0000023"}, false, 422, "8 characters"},
		"card number":                {[]string{"kind", "other", "text", "my card " + pan, "terminal", "00000023"}, false, 422, "card number"},
		"card number with spaces":    {[]string{"kind", "other", "text", "6222 0202 0011 2230", "terminal", "00000023"}, false, 422, "card number"},
		"card number as contact":     {with("contact", pan), false, 422, "card number"},
		"card number as serial":      {[]string{"kind", "other", "text", "x", "serial", pan}, false, 422, "card number"},
		"not a photograph":           {with("photo", "<svg onload=alert(1)>"), false, 422, "could not be read"},
		"half a photograph":          {with("photo", aPhoto(t)[:200]), false, 422, "could not be read"},
		"a picture of 10^10 pixels":  {with("photo", aBomb()), false, 422, "could not be read"},
		"photograph of 8 MB and one": {with("photo", strings.Repeat("x", 8<<20+1)), false, 400, "could not be read"},
		"a field that is none":       {with("admin", "1"), false, 400, "could not be read"},
		"a field twice":              {with("text", "again"), false, 400, "could not be read"},
		"ANSI":                       {[]string{"kind", "other", "terminal", "00000023", "text", "\x1b[2Jx"}, false, 400, "could not be read"},
		"direction marks":            {[]string{"kind", "other", "terminal", "00000023", "text", "a\u202eb"}, false, 400, "could not be read"},
		"not UTF-8":                  {[]string{"kind", "other", "terminal", "00000023", "text", "a\xffb"}, false, 400, "could not be read"},
		"text of a mebibyte":         {[]string{"kind", "other", "terminal", "00000023", "text", strings.Repeat("x", 1<<20)}, false, 400, "could not be read"},
	} {
		r := newRig(t)
		a := r.upload(customer, c.form...)
		if a.status != c.status || !strings.Contains(a.body, c.says) || len(r.reports) == 1 != c.taken {
			t.Errorf("%s: %d, taken %d, says %q: %v", name, a.status, len(r.reports), c.says, strings.Contains(a.body, c.says))
		}
		if strings.Contains(a.body, pan) || strings.Contains(a.body, "6222 0202") {
			t.Errorf("%s: a card number is shown again", name)
		}
	}
}

// TestPhotographIsTakenAnew: nothing of the file that was sent is kept but what is to be seen.
func TestPhotographIsTakenAnew(t *testing.T) {
	r := newRig(t)
	sent := aPhoto(t)
	if !strings.Contains(sent, "GPS") {
		t.Fatal("the test's photograph tells no place")
	}
	r.upload(customer, "kind", "skimmer", "terminal", "00000023", "text", "x", "photo", sent)
	if len(r.reports) != 1 {
		t.Fatal("not taken")
	}
	kept := r.reports[0].Photo
	shape, kind, err := image.DecodeConfig(bytes.NewReader(kept))
	if err != nil || kind != "jpeg" || shape.Width != 40 || shape.Height != 30 || bytes.Contains(kept, []byte("GPS")) || bytes.Contains(kept, []byte("Exif")) {
		t.Errorf("kept %s %dx%d, %v; tells a place: %v", kind, shape.Width, shape.Height, err, bytes.Contains(kept, []byte("GPS")))
	}
}

// TestReportsAreBounded: strangers together cannot fill the journal, and one address cannot fill the queue.
func TestReportsAreBounded(t *testing.T) {
	r := newRig(t)
	file := func(from string) answer { return r.upload(from, "kind", "other", "terminal", "00000023", "text", "x") }
	for i := range 8 {
		if a := file(customer); (a.status == 200) != (i < 5) {
			t.Errorf("report %d of one address: %d", i+1, a.status)
		}
	}
	for i := range 100 {
		file(fmt.Sprintf("198.51.100.%d:1", i))
	}
	if len(r.reports) != 15 {
		t.Errorf("%d reports at once, want 15", len(r.reports))
	}
	for range 60 {
		r.now = r.now.Add(time.Minute)
		file(fmt.Sprintf("192.0.2.%d:1", r.now.Minute()))
	}
	if n := len(r.reports); n != 45 {
		t.Errorf("%d reports after an hour, want 15 and 30", n)
	}
	r.refuse = check.ErrFull
	r.now = r.now.Add(time.Hour)
	if a := file("192.0.2.99:1"); a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "telephone the acquirer") {
		t.Errorf("the queue is full: %d", a.status)
	}
	r.refuse, r.now = errors.New("disk"), r.now.Add(time.Hour)
	if a := file("192.0.2.98:1"); a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "disk") {
		t.Errorf("the host fails: %d", a.status)
	}
}

// TestContact: where nobody could read one, none is asked for.
func TestContact(t *testing.T) {
	r := newRig(t)
	if a := r.get("/report"); !strings.Contains(a.body, `name="contact"`) || !strings.Contains(a.body, "Deleted 30 days") {
		t.Error("the page does not say how long a contact is kept")
	}
	r.contact = false
	if a := r.get("/report"); strings.Contains(a.body, `name="contact"`) {
		t.Error("a contact is asked for that nobody can encrypt")
	}
}

// TestClaim: what a receipt has to say; nobody learns which part of a guess was right.
func TestClaim(t *testing.T) {
	ok := map[string]string{"date": "2026-11-27", "amount": "88.00", "last4": "3157", "terminal": "00000023", "rrn": "", "reason": "double"}
	for name, c := range map[string]struct {
		change map[string]string
		taken  bool
		says   string
	}{
		"plain":                     {nil, true, "K3QXW7ZD2M5T"},
		"slashes":                   {map[string]string{"date": "2026/11/27"}, true, "CLM-3"},
		"reference number":          {map[string]string{"rrn": "000000000042"}, true, "CLM-3"},
		"tomorrow":                  {map[string]string{"date": "2026-11-29"}, false, "The date"},
		"no date":                   {map[string]string{"date": ""}, false, "The date"},
		"no amount":                 {map[string]string{"amount": "0.00"}, false, "The amount"},
		"negative":                  {map[string]string{"amount": "-1.00"}, false, "The amount"},
		"three digits":              {map[string]string{"last4": "315"}, false, "last four digits"},
		"letters":                   {map[string]string{"last4": "31x7"}, false, "last four digits"},
		"the whole card number":     {map[string]string{"last4": pan}, false, "looks like a whole card number"},
		"card number in the reason": {map[string]string{"reason": "it was " + pan}, false, "looks like a whole card number"},
		"card number as reference":  {map[string]string{"rrn": pan}, false, "looks like a whole card number"},
		"terminal of nine":          {map[string]string{"terminal": "000000231"}, false, "8 characters"},
		"reference of letters":      {map[string]string{"rrn": "12x"}, false, "12 digits"},
		"reason of 301 bytes":       {map[string]string{"reason": strings.Repeat("x", 301)}, false, "300 characters"},
	} {
		r := newRig(t)
		var pairs []string
		for k, v := range ok {
			if changed, there := c.change[k]; there {
				v = changed
			}
			pairs = append(pairs, k, v)
		}
		a := r.post("/claim", pairs...)
		if (len(r.claims) == 1) != c.taken || !strings.Contains(a.body, c.says) || strings.Contains(a.body, pan) {
			t.Errorf("%s: %d, taken %v, says %q: %v, shows a card number: %v", name, a.status, len(r.claims) == 1, c.says, strings.Contains(a.body, c.says), strings.Contains(a.body, pan))
		}
	}
	r := newRig(t)
	r.refuse = check.ErrNoMatch
	for i := range 7 {
		a := r.post("/claim", "date", "2026-11-27", "amount", "88.00", "last4", fmt.Sprintf("%04d", i), "terminal", "00000023")
		if (a.status == http.StatusUnprocessableEntity) != (i < 5) {
			t.Errorf("guess %d at four digits: %d", i+1, a.status)
		}
	}
}

// TestCase: a number that is none and a wrong code are the same answer; no other case's state is shown.
func TestCase(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		number, code string
		says         string
		status       int
	}{
		"report":               {"RPT-7", "7KQ2M9XD", "thank you", 200},
		"in one field":         {" rpt-7-7kq2m9xd ", "", "thank you", 200},
		"code with a hyphen":   {"RPT-7", "7kq2-m9xd", "thank you", 200},
		"claim":                {"CLM-3", "K3QXW7ZD2M5T", "000000000042", 200},
		"code of another kind": {"CLM-3", "7KQ2M9XD", "no case", 404},
		"wrong code":           {"RPT-7", "7KQ2M9XE", "no case", 404},
		"no such number":       {"RPT-8", "7KQ2M9XD", "no case", 404},
		"no code":              {"RPT-7", "", "Type the number", 422},
		"an incident":          {"INC-1", "7KQ2M9XD", "Type the number", 422},
		"number of ten digits": {"RPT-1234567890", "7KQ2M9XD", "Type the number", 422},
		"nothing":              {"", "", "Type the number", 422},
		"a path":               {"../../etc", "passwd", "Type the number", 422},
	} {
		if a := r.post("/case", "number", c.number, "code", c.code); a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %d, says %q: %v", name, a.status, c.says, strings.Contains(a.body, c.says))
		}
	}
	if a, b := r.post("/case", "number", "RPT-7", "code", "7KQ2M9XE"), r.post("/case", "number", "RPT-8", "code", "7KQ2M9XD"); a.body != b.body {
		t.Error("a number that is none is told from a wrong code")
	}
}

// FuzzSent: whatever is sent to a form or to the interface is answered, and nothing but a right code is a yes.
func FuzzSent(f *testing.F) {
	f.Add("/t", "application/x-www-form-urlencoded", []byte("serial="+serial+"&code="+code))
	f.Add("/device", "application/x-www-form-urlencoded", []byte("serial=%FF&code=1234-5678&next="))
	f.Add("/case", "application/x-www-form-urlencoded", []byte("number=RPT-7-7KQ2M9XD"))
	f.Add("/claim", "application/x-www-form-urlencoded", []byte("date=2026-11-27&amount=88.00&last4=3157&terminal=00000023"))
	f.Add("/api/v1/checks", "application/json", []byte(`{"serial":"`+serial+`","code":"`+code+`"}`))
	f.Add("/report", "multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\nother\r\n--x--\r\n"))
	r := newRig(f, func(o *check.Options) {
		wide := check.Pace{Burst: 1 << 30, Every: time.Nanosecond}
		o.Limits = check.Limits{All: wide, Address: wide, Records: wide, Wrong: wide, Device: 1 << 15, Reports: wide, Claims: wide, Filings: wide}
	})
	f.Fuzz(func(t *testing.T, path, kind string, body []byte) {
		switch path {
		case "/t", "/device", "/case", "/claim", "/api/v1/checks", "/report":
		default:
			return
		}
		for _, c := range kind {
			if c < ' ' || c > '~' {
				return // no header
			}
		}
		r.reports, r.claims = nil, nil
		a := r.ask("POST", path, customer, bytes.NewReader(body), "Content-Type", kind)
		if a.status == 0 || a.status >= 500 || a.body == "" {
			t.Fatalf("%d", a.status)
		}
		if (a.shape() == "yes" || strings.Contains(a.body, `"answer":"yes"`)) && !bytes.Contains(bytes.ToUpper(body), []byte("TS0090000001")) && !bytes.Contains(body, []byte("%")) && !bytes.Contains(body, []byte(`\u`)) {
			t.Fatal("a yes for another number")
		}
		for _, taken := range r.reports {
			if strings.ContainsAny(taken.Text, "\x00\x1b") {
				t.Fatal("a control character was taken")
			}
		}
	})
}

// TestCorpus: the corpus of the fuzz target is committed.
func TestCorpus(t *testing.T) {
	if list, err := os.ReadDir("testdata/fuzz/FuzzSent"); err != nil || len(list) == 0 {
		t.Error("no corpus", err)
	}
}
