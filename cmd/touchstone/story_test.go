package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storyTime bounds one telling, which takes some seconds; under the race detector, or beside other tests, longer.
const storyTime = 4 * time.Minute

// TestStory: the whole circle, in both languages, each step checked by the story itself.
func TestStory(t *testing.T) {
	skipInShort(t)
	for _, lang := range []string{"en", "zh"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			out := tellStory(t, filepath.Join(t.TempDir(), "story"), lang)
			for i := range storySteps() {
				if !strings.Contains(out, fmt.Sprintf("── %d  %s", i, map[string]string{"en": "holds", "zh": "成立"}[lang])) {
					t.Errorf("step %d is not told to its end", i)
				}
			}
		})
	}
}

// TestReceiptDay: the date on a receipt is the host's, also while it is still the day before where the reader is.
func TestReceiptDay(t *testing.T) {
	for _, c := range []struct{ now, want string }{{"2026-11-28T15:59:59Z", "2026-11-28"}, {"2026-11-28T16:00:00Z", "2026-11-29"}, {"2026-11-29T00:30:00+08:00", "2026-11-29"}, {"2026-11-28T20:00:00-08:00", "2026-11-29"}} {
		now, err := time.Parse(time.RFC3339, c.now)
		if got := receiptDay(now); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %s", c.now, got, err, c.want)
		}
	}
}

// tellStory runs the story to its end in a process of its own.
func tellStory(t *testing.T, dir, lang string) string {
	t.Helper()
	c := exec.Command(storyProgram(t), "story", "--fast", "--dir", dir, "--lang", lang)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("touchstone story: %v\n%s", err, out)
	}
	return string(out)
}

// TestStoryKilled: a story killed with -9 after each of its steps, and continued, comes to the same end as one
// that was not: the same money, the same notices, nothing sent or paid twice.
func TestStoryKilled(t *testing.T) {
	skipInShort(t)
	t.Parallel()
	whole, killed := filepath.Join(t.TempDir(), "story"), filepath.Join(t.TempDir(), "story")
	tellStory(t, whole, "en")
	for i := range len(storySteps()) - 1 {
		killStoryAfter(t, killed, i)
	}
	tellStory(t, killed, "en")
	if a, b := storyEnd(t, whole), storyEnd(t, killed); a != b {
		t.Errorf("a story killed after each step ends otherwise:\n%s\nwithout:\n%s", b, a)
	}
}

// TestStoryKilledAnywhere kills a story at random instants, in the middle of commands, until one telling comes to
// the end: it is the same end. Kill -9 leaves no command half done, or done twice.
func TestStoryKilledAnywhere(t *testing.T) {
	if !inLongForm() {
		t.Skip("NOT RUN: a minute of killed stories, with TOUCHSTONE_LONG=1")
	}
	skipInShort(t)
	whole, killed := filepath.Join(t.TempDir(), "story"), filepath.Join(t.TempDir(), "story")
	tellStory(t, whole, "en")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for kills := 0; ; kills++ {
		if kills == 100 {
			t.Fatal("a hundred kills, and no end")
		}
		c := exec.Command(storyProgram(t), "story", "--fast", "--dir", killed)
		var told strings.Builder
		c.Stdout, c.Stderr = &told, &told
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(400+random.IntN(900)+100*kills)*time.Millisecond, func() { _ = c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			t.Logf("%d kills", kills)
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("after %d kills: %v\n%s", kills, err, told.String())
		}
	}
	if a, b := storyEnd(t, whole), storyEnd(t, killed); a != b {
		t.Errorf("a story killed at random ends otherwise:\n%s\nwithout:\n%s", b, a)
	}
}

// killStoryAfter goes on with a story and kills it when a step has been told: it waits there for Enter.
func killStoryAfter(t *testing.T, dir string, step int) {
	t.Helper()
	c := exec.Command(storyProgram(t), "story", "--step", "--dir", dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	c.Stderr = &told
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(storyTime, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	reached := false
	for lines := bufio.NewScanner(io.TeeReader(out, &told)); !reached && lines.Scan(); {
		reached = strings.HasPrefix(lines.Text(), fmt.Sprintf("── %d  holds", step))
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if !reached {
		t.Fatalf("the story did not come to the end of step %d:\n%s", step, told.String())
	}
}

// storyEnd is what counts at the end of a story, as commands tell it of its data directory: the books, every
// notice, every mail that was caught, every incident with its clocks, the permits. Instants and drawn numbers are left out.
func storyEnd(t *testing.T, dir string) string {
	t.Helper()
	var books, permits any
	var notices struct {
		Notices []struct {
			ID, Kind, State string
			Tries           int
		}
	}
	var mails []struct {
		N  int      `json:"n"`
		To []string `json:"to"`
	}
	var incidents []struct {
		ID, Kind, State string
		Clocks          []struct{ Rule, State string }
	}
	data := filepath.Join(dir, "data")
	for _, q := range []struct {
		answer any
		args   []string
	}{{&books, []string{"money", "--data", data}}, {&notices, []string{"notice", "list", "--data", data}}, {&mails, []string{"mail", "list", "--dir", filepath.Join(data, "mail")}},
		{&incidents, []string{"incident", "list", "--all", "--data", data}}, {&permits, []string{"permit", "list", "--data", data}}} {
		c := exec.Command(storyProgram(t), append(q.args, "--json")...)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("touchstone %s: %v", q.args, err)
		}
		if err := json.Unmarshal(out, q.answer); err != nil {
			t.Fatalf("touchstone %s: %v", q.args, err)
		}
	}
	if b, ok := books.(map[string]any); ok {
		delete(b, "through") // the number of the last entry
	}
	return fmt.Sprintf("books %v\nnotices %v\nmails %v\nincidents %v\npermits %v", books, notices, mails, incidents, permits)
}

func storyProgram(t *testing.T) string {
	t.Helper()
	path, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
