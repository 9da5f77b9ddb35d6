package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"touchstone/pos"
)

// TestLeakScannerFindsEveryEncoding plants one secret of each kind in each encoding, made here by other
// means than the scanner's, in the middle of noise and across the boundary of two chunks.
func TestLeakScannerFindsEveryEncoding(t *testing.T) {
	key := []byte{0x3B, 0x9F, 0xC4, 0x01, 0xEE, 0x7A, 0x52, 0xD8, 0x66, 0x0D, 0xB1, 0x23, 0xFA, 0x94, 0x4C, 0x87}
	const pan, track = "6299991234567894", "6299991234567894=49121010000000001"
	var forms leakForms
	forms.bytes(canary{ofMaster, "k"}, key)
	forms.digits(canary{ofPAN, "p"}, pan)
	forms.digits(canary{ofTrack, "t"}, track)
	forms.phrase(canary{ofPassphrase, "w"}, "correct horse battery")
	s := newLeakScanner(forms.all)
	must := func(h string) string {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	wide := func(s string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	for name, planted := range map[string]string{
		"key raw": string(key), "key hex": fmt.Sprintf("%x", key), "key HEX": fmt.Sprintf("%X", key), "key % x": fmt.Sprintf("% x", key),
		"key %v": fmt.Sprint(key), "key %d": strings.Trim(strings.ReplaceAll(fmt.Sprint(key), " ", ", "), "[]"), "key json": base64.StdEncoding.EncodeToString(key),
		"key base64 behind one byte": base64.StdEncoding.EncodeToString(append([]byte("x"), key...)), "key base64url behind two": base64.URLEncoding.EncodeToString(append([]byte("xy"), key...)),
		"key base64 of hex": base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(key))), "key hex in UTF-16": wide(fmt.Sprintf("%X", key)),
		"pan text": pan, "pan spaces": "6299 9912 3456 7894", "pan dashes": "6299-9912-3456-7894", "pan BCD": must(pan), "pan BCD at odd nibble": must("0" + pan + "F"),
		"pan nibbles swapped": must("26999921436587" + "49"), "pan unpacked": must("06020909090901020304050607080904"), "pan ASCII in hex": hex.EncodeToString([]byte(pan)),
		"pan UTF-16": wide(pan), "pan base64": base64.StdEncoding.EncodeToString([]byte("pan=" + pan)), "pan BCD base64": base64.StdEncoding.EncodeToString([]byte(must("00" + pan))),
		"pan %v": fmt.Sprint([]byte(pan)), "track text": track, "track D": strings.Replace(track, "=", "D", 1), "track BCD": must(strings.Replace(track, "=", "D", 1)),
		"track BCD at odd nibble": must("0" + strings.Replace(track, "=", "D", 1) + "F"), "track JSON": fmt.Sprintf("%q", track), "passphrase": "correct horse battery",
		"passphrase hex": hex.EncodeToString([]byte("correct horse battery")),
	} {
		for _, before := range []int{1000, scanChunk - 3, scanChunk + s.most - 5} {
			noise := bytes.Repeat([]byte("log line 6299990000 with nothing in it: \x00\xff"), before/42+1)[:before]
			text := append(append(noise, " "+planted+" "...), noise[:min(before, 2000)]...)
			found, n, err := s.scan(bytes.NewReader(text), name)
			if err != nil || n != int64(len(text)) {
				t.Fatalf("%s: read %d of %d: %v", name, n, len(text), err)
			}
			if len(found) == 0 {
				t.Errorf("%s behind %d bytes is not found", name, before)
			}
		}
	}
	// What must not be taken for a secret: its masked form, its neighbours, its parts.
	for name, innocent := range map[string]string{"masked": "629999******7894", "first ten": "6299991234", "another number": "6299991234567895 ",
		"half a key": fmt.Sprintf("%x", key[:5]), "bytes inside others": "1" + strings.Trim(fmt.Sprint(key), "[]") + "9"} {
		if found, _, err := s.scan(strings.NewReader(innocent), name); err != nil || len(found) != 0 {
			t.Errorf("%s is taken for %v (%v)", name, found, err)
		}
	}
	for i := range key { // every form is exact: a byte changed is no finding
		other := bytes.Clone(key)
		other[i] ^= 1
		if found, _, _ := s.scan(bytes.NewReader(other), "changed"); len(found) != 0 {
			t.Errorf("byte %d of the key is not compared", i)
		}
	}
}

// TestMemoryScanFindsAPlantedSecret looks through this process: the scanner's own copy of the secret is in
// its memory, on a page that only /proc shows.
func TestMemoryScanFindsAPlantedSecret(t *testing.T) {
	var forms leakForms
	forms.add(canary{ofMaster, "planted"}, "raw", draw(t, 32))
	found, total, err := newLeakScanner(forms.all).scanMemory(os.Getpid())
	if errors.Is(err, errNoMemory) {
		t.Skipf("NOT RUN: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 || total == 0 {
		t.Errorf("%d bytes were searched and the planted secret was not found", total)
	}
}

// publishedNumbers are the card numbers that files of the repository may show: each is published by
// somebody else as an example, or obviously made up. Sample cards begin with 629999.
var publishedNumbers = []string{
	"4111111111111111", "4012345678909", "5555555555554444", "378282246310005", "3530111333300000", "4222222222222", "30569309025904", // payment networks' test numbers
	"6225885916163157", "4439444138304137", // vectors of testdata/vectors/cup.json, and the first with a digit less
	"622588591616315", "553000839061363973", "4939003441725852", "5598058732498006", "3833520979420357", // and pin_blocks.json
	"6200000000000005", "6205500000000000004", "6222021234567890128", "3568570110000056", // made up: zeros, or digits in a row
}

// vendored are files of others in which digits look like card numbers by chance, with their SHA-256: another file under
// the name is looked at.
var vendored = map[string]string{"axe.min.js": "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"}

// TestRepositoryHasNoCardNumbers looks at every file here, artefacts of test runs included, for what may
// be a card number: 13 to 19 digits alone that begin as networks' numbers do, with a right check digit. What
// fuzzing made of sample numbers is left out: one in ten has a right check digit by chance.
func TestRepositoryHasNoCardNumbers(t *testing.T) {
	root := filepath.Join("..", "..")
	number := regexp.MustCompile(`\b(?:62|4|5[1-5]|3[0-9])[0-9]{10,17}(?:\b|[Dd=])`)
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "fuzz" || d.Name() == "bin" || d.Name() == "touchstone-data") {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		files++
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if sum, known := vendored[d.Name()]; known {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if fmt.Sprintf("%x", sha256.Sum256(text)) == sum {
				return nil
			}
		}
		r := bufio.NewReader(f)
		if head, _ := r.Peek(4); string(head) == "\x7fELF" {
			return nil // a program: its tables have digits by chance
		}
		in := bufio.NewScanner(r)
		in.Buffer(nil, 64<<20)
		for line := 1; in.Scan(); line++ {
			for _, s := range number.FindAllString(in.Text(), -1) {
				s = strings.TrimRight(s, "Dd=")
				p, err := pos.ParsePAN(s)
				if len(s) < 13 || err != nil || !p.Luhn() || strings.HasPrefix(s, "629999") || slices.Contains(publishedNumbers, s) {
					continue
				}
				t.Errorf("%s:%d: %s... may be a card number that nobody published", path, line, s[:6])
			}
		}
		return in.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 300 {
		t.Errorf("only %d files were looked at", files)
	}
}
