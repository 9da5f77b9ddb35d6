package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"touchstone/notify"
)

// counted waits until so many attempts ended in a kind of failure.
func (b *hookBed) counted(kind string, n uint64) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		b.e.hooks.mu.Lock()
		have := b.e.hooks.sent[kind]
		b.e.hooks.mu.Unlock()
		if have >= n {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d of %d attempts ended as %s", have, n, kind)
		}
	}
}

// inOrder are the counts of the events that a receiver took, which happen numbered from 1.
func inOrder(t *testing.T, got []hookMessage, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d messages, want %d", len(got), n)
	}
	for i, m := range got {
		if m.Data.Facts["count"] != strconv.Itoa(i+1) {
			t.Errorf("message %d is of event %s", i+1, m.Data.Facts["count"])
		}
	}
}

// TestWebhookReceiverThatNeverAnswers: it takes the request in and says nothing. Each attempt ends at the bound, the
// message that is due keeps the next waiting, and both come once the receiver answers.
func TestWebhookReceiverThatNeverAnswers(t *testing.T) {
	b, r := newHookBed(t, filepath.Join(t.TempDir(), "data")), newHookReceiver(t)
	defer b.close()
	b.end()
	b.e.hooks.guard.Patience = 50 * time.Millisecond
	b.end = b.e.startHooks(t.Context())
	var mu sync.Mutex
	answers, asked := false, map[string]int{}
	gone := make(chan struct{})
	defer close(gone)
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		asked[q.Header.Get("Touchstone-Event-Id")]++
		speak := answers
		mu.Unlock()
		if !speak {
			_, _ = io.Copy(io.Discard, q.Body)
			select {
			case <-gone:
			case <-q.Context().Done(): // the host hung up
			}
			return
		}
		r.ServeHTTP(w, q)
	})
	id := b.add(r, "event."+eventOldPINs)
	b.happen(2)
	b.counted(notify.HookTimeout, 3)
	w := b.state(id)
	if w.State != "failing" || w.Tries < 3 || w.Failing == nil || w.Next == nil {
		t.Errorf("while it says nothing: %+v", w)
	}
	mu.Lock()
	if len(asked) != 1 {
		t.Errorf("%v were sent: the second may not overtake the first", asked)
	}
	mu.Unlock()
	b.end() // the bound of an attempt is as long as any machine takes from now on, and none is under way meanwhile
	b.e.hooks.guard.Patience, answers = patience, true
	b.end = b.e.startHooks(t.Context())
	list := b.delivered(id, 2)
	inOrder(t, r.await(t, 2), 2)
	if first := list[len(list)-1]; first.Attempts < 4 || first.Error != "" || list[0].Attempts != 1 {
		t.Errorf("deliveries: %+v", list)
	}
	if w := b.state(id); w.State != "delivering" || w.Tries != 0 || w.Failing != nil {
		t.Errorf("afterwards: %+v", w)
	}
}

// TestWebhookReceiverThatIsDown: nobody hears at its address, then somebody does.
func TestWebhookReceiverThatIsDown(t *testing.T) {
	b := newHookBed(t, filepath.Join(t.TempDir(), "data"))
	defer b.close()
	r := &hookReceiver{came: make(chan struct{}, 1000)}
	door := newClosedDoor(t)
	r.Server = &httptest.Server{URL: "http://" + door.at}
	id := b.add(r, "event."+eventOldPINs)
	b.happen(3)
	b.counted(notify.HookNoConnection, 3)
	if list, err := (webhookDesk{b.e}).hooksAt(t.Context(), 0); err != nil || list[0].State != "failing" {
		t.Errorf("while it is down: %+v, %v", list, err)
	}
	again := door.open(t)
	server := &http.Server{Handler: r}
	go func() { _ = server.Serve(again) }()
	defer server.Close()
	b.delivered(id, 3)
	inOrder(t, r.await(t, 3), 3)
}

// TestWebhookHostKilledBeforeItsRecord kills the shipped binary with SIGKILL after its receiver's answer was sent and
// before it wrote that down: the host stands still while the answer goes out. After the next start that message comes
// again under its id, those behind it come once, and the order is the journal's.
func TestWebhookHostKilledBeforeItsRecord(t *testing.T) {
	skipInShort(t)
	bed := newCrashBed(t, 0)
	data := bed.copyOf("data")
	h, err := bed.serve(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var ids []string
	killed := make(chan struct{})
	r := newHookReceiver(t)
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		mu.Lock()
		ids = append(ids, q.Header.Get("Touchstone-Event-Id"))
		last := len(ids) == 2
		mu.Unlock()
		if last {
			standStill(t, h.cmd.Process)
			defer func() {
				h.kill()
				close(killed)
			}()
		}
		q.Body = io.NopCloser(bytes.NewReader(body))
		r.ServeHTTP(w, q)
		_ = http.NewResponseController(w).Flush() // the answer is with the kernel before the host is killed
	})
	said := strings.Split(strings.TrimSpace(bed.ask(data, "webhook", "add", r.URL+"/in", "--name", "desk", "--type", "incident.opened", "--as", "zhao")), "\n")
	r.secret = said[len(said)-1] // the last line is the secret alone
	const incidents = 4
	for i := range incidents {
		if i == 2 {
			<-killed
			if h, err = bed.serve(data, nil); err != nil {
				t.Fatal(err)
			}
		}
		bed.ask(data, "incident", "open", "--title", fmt.Sprintf("case %d", i+1), "--title-zh", "案件", "--kind", "attached_device", "--text", "seen", "--terminal", "00000011", "--as", "qian")
	}
	got := r.await(t, incidents+1)
	var told []string
	for _, m := range got {
		told = append(told, m.Data.ID)
	}
	if want := []string{"INC-1", "INC-2", "INC-2", "INC-3", "INC-4"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if got[1].ID != got[2].ID || len(r.bad) != 0 {
		t.Errorf("the second came as %s and %s; refused: %v", got[1].ID, got[2].ID, r.bad)
	}
}

// ask runs the shipped binary against a data directory and returns what it printed.
func (b *crashBed) ask(data string, args ...string) string {
	b.t.Helper()
	binary, err := shipped()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := exec.Command(binary, append(args, "--data", data)...).Output()
	if err != nil {
		var failed *exec.ExitError
		_ = errors.As(err, &failed)
		b.t.Fatalf("touchstone %s: %v; %s", strings.Join(args[:2], " "), err, failed.Stderr)
	}
	return string(out)
}

// standStill stops every thread of a process and returns when they stand.
func standStill(t *testing.T, p *os.Process) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Error(err)
		return
	}
	for end := time.Now().Add(hostEnds); time.Now().Before(end); time.Sleep(time.Millisecond) {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Pid))
		moving := slices.ContainsFunc(tasks, func(path string) bool {
			text, err := os.ReadFile(path)
			_, state, _ := strings.Cut(string(text), ") ") // after the name, which may hold anything
			return err == nil && !strings.HasPrefix(state, "T")
		})
		if len(tasks) > 0 && !moving {
			return
		}
	}
	t.Error("the host does not stand still")
}
