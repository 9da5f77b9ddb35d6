package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPicture is the command picture of the scripts: picture FILE WIDTH HEIGHT.
func scriptPicture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: picture FILE WIDTH HEIGHT")
	}
	w, err := strconv.Atoi(args[1])
	ts.Check(err)
	h, err := strconv.Atoi(args[2])
	ts.Check(err)
	var b bytes.Buffer
	ts.Check(png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// scriptCard is the command card of the scripts: card FIXTURE FILE writes the fixture's first card.
func scriptCard(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: card FIXTURE FILE")
	}
	var f printedFixture
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &f))
	raw, err := json.Marshal(f.Cards[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
}
