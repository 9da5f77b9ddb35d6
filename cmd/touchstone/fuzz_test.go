package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"

	"touchstone/pos"
	"touchstone/web/api"
)

// configured are the commands that a configuration file is for.
type configured struct {
	Serve serveCmd `cmd:""`
}

// FuzzConfiguration: whatever a configuration file says, it is taken whole or refused; a key that is no
// flag is refused; what it turns on it names; and what check lets through is within its bounds.
func FuzzConfiguration(f *testing.F) {
	for _, text := range []string{
		"", "tcp = \"127.0.0.1:8583\"\ndata = \"shop\"\n", "allow-single-des = true\n", "plain-tcp-beyond-loopback = true\ntcp = \"0.0.0.0:8583\"\n",
		"sign-in-lifetime = \"12h\"\nsign-in-burst = 5\nidle = \"1m\"\nframe-time = \"2s\"\n", "idle = \"59s\"\n", "max-connections = 0\n",
		"acquirer-id = \"4802100A\"\n", "nonsense = 1\n", "[table]\nkey = 1\n", "idle = 5\n", "refuse-weak-mac = \"yes\"\n", "log-level = \"loud\"\n", "x",
		"place-metres = 4294967296\n", "idle = [1]\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		resolver, err := loadTOML(bytes.NewReader(text))
		said := map[string]any{}
		if (err == nil) != (len(text) <= maxConfig && toml.Unmarshal(text, &said) == nil) {
			t.Fatalf("taken: %v", err)
		}
		if err != nil {
			return
		}
		var c configured
		parser, err := kong.New(&c, kong.Resolvers(resolver), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse([]string{"serve"})
		for key := range said {
			if err == nil && !isFlag(parser, key) {
				t.Fatalf("the key %q is no flag and was taken", key)
			}
		}
		if err == nil && c.Serve.check() == nil {
			checkConfigured(t, &c.Serve.hostFlags, said)
		}
	})
}

func isFlag(parser *kong.Kong, name string) bool {
	return slices.ContainsFunc(parser.Model.Children[0].Flags, func(f *kong.Flag) bool { return f.Name == name })
}

// checkConfigured: the bounds, written again, and that nothing is weaker than by default without its name.
func checkConfigured(t *testing.T, f *hostFlags, said map[string]any) {
	l := f.limits()
	if l.Connections < 1 || l.FromAddress < 1 || l.Idle < time.Minute || l.FrameTime < time.Second || f.SignInLifetime < time.Minute ||
		f.ReversalLifetime < 0 || f.SignInBurst < 1 || len(f.AcquirerID) > 11 || len(f.IssuerID) > 11 {
		t.Fatalf("out of bounds: %+v", l)
	}
	for _, loose := range []struct {
		key string
		on  bool
	}{{"allow-single-des", f.policy(false).AllowSingleDES}, {"plain-tcp-beyond-loopback", f.PlainBeyond}} {
		if _, named := said[loose.key]; loose.on && !named {
			t.Fatalf("%s is on and was not named", loose.key)
		}
	}
	ap, err := netip.ParseAddrPort(f.TCP)
	if err == nil && ap.Addr().IsLoopback() {
		return // it would be listened on
	}
	if ln, err := f.listen(true); err == nil {
		ln.Close()
		t.Fatalf("a test data directory is served on %s", f.TCP)
	}
}

// fuzzEngine is one data directory for all executions of a process, with files that a request may name.
type fuzzEngine struct {
	*engine
	dir     string
	handler func() http.Handler
	card    pos.PANHash
	balance pos.Amount
	err     error
}

// The contents of the files of the control socket's fuzzing: published values.
var fuzzFiles = map[string]string{"key": "0123456789ABCDEFFEDCBA9876543210", "pan": cards()[0].pan(), "pin": "739152"}

var theFuzzEngine = sync.OnceValue(func() *fuzzEngine {
	e := &fuzzEngine{}
	e.err = e.open()
	return e
})

func (e *fuzzEngine) open() (err error) {
	if e.dir, err = os.MkdirTemp("", "touchstone-fuzz-"); err != nil {
		return err
	}
	for name, text := range fuzzFiles {
		if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	data, quiet := filepath.Join(e.dir, "shop"), slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(data, quiet); err != nil {
		return err
	}
	flags := hostDefaults()
	flags.Data = data
	if e.engine, err = flags.open(quiet); err != nil {
		return err
	}
	e.handler = sync.OnceValue(func() http.Handler { return e.controlHandler(context.Background()) })
	c := cards()[0]
	opening, err := e.seedCard(context.Background(), c)
	if err != nil {
		return err
	}
	e.card, e.balance = opening.Card, opening.Balance
	return e.ledger.Register(context.Background(), e.clock(), append(e.seedShops(), opening)...)
}

// FuzzControl: whatever comes through the control socket gets one JSON answer, a result or an error, with
// nothing of the files that it named, and no request moves the money of a card that there is.
func FuzzControl(f *testing.F) {
	for _, request := range []string{
		`{"merchant":{"id":"898310058120001","name":"Tea","networks":["127.0.0.1"]}}`,
		`{"merchant":{"id":"898310058120001","name":"Tea","networks":["any"],"suspended":true}}`,
		`{"device":{"serial":"00000304TS0000000001","licence":"P3100","device_type":"04","apps":["1.0.0"],"state":"active","components":["@/key"]}}`,
		`{"terminal":{"id":"00000001","merchant":"898310058120001","serial":"00000304TS0000000001","sign_in_code":"003","components":["@/key","@/key"],"networks":["127.0.0.0/8"],"place":"31.23,121.48,500"}}`,
		`{"card":{"pan_file":"@/pan","pin_file":"@/pin","expiry":"4912","service_code":"101","state":"active","balance":"100.00"}}`,
		`{"release":{"serial":"00000304TS0000000001","terminal":"00000001","people":["a","b"],"components":["@/key"]}}`,
		`{"card":{"pan_file":"@/none"}}`, `{}`, `{"unknown":1}`, `[]`, `{"merchant":null}`, `{"device":{"serial":1}}`, `{`,
	} {
		f.Add([]byte(request))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		e := theFuzzEngine()
		if e.err != nil {
			t.Fatal(e.err)
		}
		for _, elsewhere := range []string{"/dev", "/proc", "/sys", `\u`} {
			if bytes.Contains(request, []byte(elsewhere)) {
				return // a file that never ends is the caller's own doing: he has the socket's rights
			}
		}
		answer, refused := e.ask(t, bytes.ReplaceAll(request, []byte("@/"), []byte(e.dir+"/")))
		if (refused == "") == (answer == "") {
			t.Fatalf("an error %q and a result of %d bytes", refused, len(answer))
		}
		for name, text := range fuzzFiles {
			if strings.Contains(refused+answer, text) && !bytes.Contains(request, []byte(text)) {
				t.Fatalf("the answer has what is in the file %q", name)
			}
		}
		if now, known := e.ledger.CardNow(e.card); !known || now.Balance != e.balance {
			t.Fatalf("the card has %d, it had %d", now.Balance, e.balance)
		}
	})
}

// ask sends one request to what the control socket serves: a member of a known name to its path, and all else to an
// act's.
func (e *fuzzEngine) ask(t *testing.T, request []byte) (answer, refused string) {
	path, body := api.Root+actRows["merchant"].path, request
	var members map[string]json.RawMessage
	if json.Unmarshal(request, &members) == nil && len(members) == 1 {
		for name, member := range members {
			if _, act := acts[name]; act {
				path, body = api.Root+actRows[name].path, member
			} else if slices.Contains(questions, name) {
				path, body = questionsPath+name, member
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	e.handler().ServeHTTP(w, r)
	if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s: %d, %d bytes that are no JSON, or a failure", path, w.Code, w.Body.Len())
	}
	if w.Code >= 300 {
		return "", problemSaid(w.Body.Bytes()).Error()
	}
	return w.Body.String(), ""
}
