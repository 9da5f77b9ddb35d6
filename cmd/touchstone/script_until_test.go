package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptUntil does a command again and again until its output matches: what it waits for happens beside it.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "touchstone" {
		ts.Fatalf("usage: until REGEXP touchstone ARG...")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	program, err := lookTouchstone([]string{"PATH=" + ts.Getenv("PATH")})
	ts.Check(err)
	var out []byte
	for end := time.Now().Add(hostSays); time.Now().Before(end); {
		cmd := exec.Command(program, args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "XDG_CACHE_HOME=" + ts.Getenv("XDG_CACHE_HOME"), "HOME=" + ts.Getenv("HOME")}
		out, _ = cmd.CombinedOutput()
		if re.Match(out) {
			return
		}
	}
	ts.Fatalf("it never said %s; at last: %s", re, bytes.TrimSpace(out))
}
