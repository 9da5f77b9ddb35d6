package main

import (
	"bytes"
	"crypto/tls"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// readFixture reads a printed fixture and refuses a member that is not of its form.
func readFixture(raw []byte) (f printedFixture, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return f, dec.Decode(&f)
}

// scriptFixtureFormat checks what a client of one's own may rely on: seven visitors whose sign-in codes
// are 003, 003, 001, 004, 005, 006, 003, the last without a serial-number key, and two cards first that
// nothing limits.
func scriptFixtureFormat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fixture-format FILE")
	}
	raw := []byte(ts.ReadFile(args[0]))
	ts.Check(checkMembers(raw))
	f, err := readFixture(raw)
	ts.Check(err)
	if !regexp.MustCompile(`^127\.0\.0\.1:\d+$`).MatchString(f.Listen.TCP) {
		ts.Fatalf("listen.tcp is %q", f.Listen.TCP)
	}
	var codes []string
	for i, t := range f.Terminals {
		codes = append(codes, t.SignInCode)
		tmk, serial := 32, 32
		if t.SignInCode == "001" {
			tmk = 16
		}
		if i == 6 {
			serial = 0
		}
		switch {
		case !t.Visitor, len(t.TerminalID) != 8, len(t.MerchantID) != 15, len(t.Serial) != 20, len(t.NetworkLicence) != 5, len(t.DeviceType) != 2:
			ts.Fatalf("terminal %d: a member has another form", i)
		case !upperHexOf(t.TMK, tmk), !upperHexOf(t.SerialKey, serial):
			ts.Fatalf("terminal %d: a key is not upper-case hexadecimal of its length", i)
		}
	}
	if got, want := strings.Join(codes, " "), "003 003 001 004 005 006 003"; got != want {
		ts.Fatalf("sign-in codes %s, want %s", got, want)
	}
	if !strings.HasPrefix(f.TLSCA, "-----BEGIN CERTIFICATE-----\n") || !regexp.MustCompile(`^127\.0\.0\.1:\d+$`).MatchString(f.Listen.TLS) || len(f.TLSTerminals) != 1 {
		ts.Fatalf("listen.tls is %q, %d terminals speak TLS, or tls_ca has another form", f.Listen.TLS, len(f.TLSTerminals))
	}
	for _, t := range f.TLSTerminals {
		if _, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.CertificateKey)); err != nil || t.SignInCode != "003" || !t.Visitor {
			ts.Fatalf("terminal %s speaks TLS: %v", t.TerminalID, err)
		}
	}
	if len(f.Cards) < 2 {
		ts.Fatalf("%d cards, want at least 2", len(f.Cards))
	}
	for i, c := range f.Cards {
		track := regexp.MustCompile(`^` + c.PAN + `=` + c.Expiry + `(1\d\d)\d*$`)
		switch {
		case !regexp.MustCompile(`^\d{4}$`).MatchString(c.Expiry), !track.MatchString(c.Track2), len(c.Track2) > 37:
			ts.Fatalf("card %d: expiry or track has another form", i)
		case i < 2 && (c.Balance < 100_000_000 || !regexp.MustCompile(`^\d{6}$`).MatchString(c.PIN)):
			ts.Fatalf("card %d: balance or PIN has another form", i)
		}
	}
}

func upperHexOf(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789ABCDEF") == ""
}

// checkMembers wants every member present, under its published name.
func checkMembers(raw []byte) error {
	var f struct {
		Listen    map[string]any
		Terminals []map[string]any
		Cards     []map[string]any
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	for _, want := range []struct {
		in    []map[string]any
		names string
	}{
		{[]map[string]any{f.Listen}, "tcp tls"},
		{f.Terminals, "terminal_id merchant_id sign_in_code tmk serial serial_key network_licence device_type app_version visitor"},
		{f.Cards, "pan expiry track2 pin balance"},
	} {
		for i, object := range want.in {
			for _, name := range strings.Fields(want.names) {
				if _, ok := object[name]; !ok {
					return fmt.Errorf("object %d lacks %q", i, name)
				}
			}
		}
	}
	return nil
}

// needle is one form of a secret. It is told by its name alone.
type needle struct {
	name  string
	bytes []byte
	alone bool // counts only where no letter or digit is beside it: a PIN is six digits
}

// needlesOf are all forms of all secrets of a fixture: text, hexadecimal in either case, raw and BCD.
func needlesOf(f printedFixture) (all []needle, err error) {
	key := func(name, digits string) {
		raw, bad := hex.DecodeString(digits)
		if bad != nil {
			err = fmt.Errorf("%s: %w", name, bad)
		}
		if len(raw) > 0 {
			all = append(all, needle{name, raw, false}, needle{name, []byte(digits), false}, needle{name, []byte(strings.ToLower(digits)), false})
		}
	}
	for i, t := range append(f.Terminals, f.TLSTerminals...) {
		if block, _ := pem.Decode([]byte(t.CertificateKey)); block != nil {
			key(fmt.Sprintf("private key of terminal %d", i), upperHex(block.Bytes[36:68])) // RFC 5958, 5915: the scalar
		}
		key(fmt.Sprintf("master key of terminal %d", i), t.TMK)
		key(fmt.Sprintf("serial-number key of terminal %d", i), t.SerialKey)
	}
	for i, c := range f.Cards {
		pan := fmt.Sprintf("number of card %d", i)
		key(pan, c.PAN) // as BCD and as text
		track := strings.Replace(c.Track2, "=", "D", 1)
		key(fmt.Sprintf("track of card %d", i), track+strings.Repeat("0", len(track)%2))
		all = append(all, needle{fmt.Sprintf("track of card %d", i), []byte(c.Track2), false},
			needle{fmt.Sprintf("PIN of card %d", i), []byte(c.PIN), true})
		// Most digits of a number are in its track too, from any nibble on.
		key(pan+", shifted", "0"+c.PAN[:15])
	}
	return all, err
}

// in tells whether the needle is in b.
func (n needle) in(b []byte) bool {
	for from := 0; ; {
		i := bytes.Index(b[from:], n.bytes)
		if i < 0 {
			return false
		}
		at := from + i
		if !n.alone || !wordByte(b, at-1) && !wordByte(b, at+len(n.bytes)) {
			return true
		}
		from = at + 1
	}
}

func wordByte(b []byte, i int) bool {
	return i >= 0 && i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i]|0x20 >= 'a' && b[i]|0x20 <= 'z')
}

// scriptNoSecrets searches files, and every file of directories.
func scriptNoSecrets(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: no-secrets FIXTURE PATH...")
	}
	f, err := readFixture([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	needles, err := needlesOf(f)
	ts.Check(err)
	files, found := 0, ""
	for _, root := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			for _, n := range needles {
				if n.in(b) && found == "" {
					found = n.name + " in " + path
				}
			}
			return nil
		}))
	}
	switch {
	case files == 0:
		ts.Fatalf("no file searched")
	case neg && found == "":
		ts.Fatalf("no secret found in %d files", files)
	case !neg && found != "":
		ts.Fatalf("found the %s", found)
	}
	ts.Logf("searched %d files for %d forms", files, len(needles))
}

// scriptAgree compares the JSON lines of a terminal with those of journal tail: every sale that the
// terminal saw approved is sold there, with its amount and reference.
func scriptAgree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: agree TERMINAL JOURNAL")
	}
	sold := map[string]string{}
	for _, line := range textLines(ts, args[1]) {
		var e shownExchange
		ts.Check(json.Unmarshal([]byte(line), &e))
		if e.Effect == "sold" {
			sold[e.Batch+" "+e.Trace] = e.Amount + " " + e.RRN
		}
	}
	approved := 0
	for _, line := range textLines(ts, args[0]) {
		var m terminalMessage
		ts.Check(json.Unmarshal([]byte(line), &m))
		if m.Operation != "sale" || !m.Approved {
			continue
		}
		approved++
		if sold[m.Batch+" "+m.Trace] != m.Amount+" "+m.RRN {
			ts.Fatalf("the approved sale of trace %s is not in the journal", m.Trace)
		}
	}
	if approved == 0 {
		ts.Fatalf("no approved sale to compare")
	}
	ts.Logf("%d approved sales are all in the journal", approved)
}

// scriptFlip changes the last bit of a column of the block that holds an entry.
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || (args[2] != "body" && args[2] != "prev" && args[2] != "head") {
		ts.Fatalf("usage: flip DATA ENTRY body|prev|head")
	}
	db, err := sql.Open("sqlite", filepath.Join(ts.MkAbs(args[0]), "touchstone.db"))
	ts.Check(err)
	defer db.Close()
	var first int64
	var value []byte
	ts.Check(db.QueryRow("SELECT first, "+args[2]+" FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", args[1]).Scan(&first, &value))
	if len(value) == 0 {
		ts.Fatalf("the %s of the block is empty", args[2])
	}
	value[len(value)-1] ^= 1
	_, err = db.Exec("UPDATE block SET "+args[2]+" = ? WHERE first = ?", value, first)
	ts.Check(err)
}

func textLines(ts *testscript.TestScript, file string) (list []string) {
	for line := range strings.Lines(ts.ReadFile(file)) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// TestNeedles keeps the search for secrets from finding nothing for want of looking.
func TestNeedles(t *testing.T) {
	f := makeFixture("127.0.0.1:1", "127.0.0.1:2")
	needles, err := needlesOf(f)
	if err != nil {
		t.Fatal(err)
	}
	pan := f.Cards[0].PAN
	bcd, err := hex.DecodeString(pan)
	if err != nil {
		t.Fatal(err)
	}
	tmk, err := hex.DecodeString(f.Terminals[4].TMK)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"a number in text", []byte(`x"` + pan + `"`), true},
		{"a number in BCD", append([]byte{1, 2}, bcd...), true},
		{"a PIN by itself", []byte(`"` + f.Cards[1].PIN + `"`), true},
		{"a PIN inside other digits", []byte("1" + f.Cards[1].PIN), false},
		{"a key, raw", append([]byte{0}, tmk...), true},
		{"a key in lower case", []byte(strings.ToLower(f.Terminals[4].TMK)), true},
		{"a truncated number", []byte(pan[:6] + "******" + pan[12:]), false},
	} {
		found := false
		for _, n := range needles {
			found = found || n.in(c.in)
		}
		if found != c.want {
			t.Errorf("%s: found %t, want %t", c.name, found, c.want)
		}
	}
}
