package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"touchstone/web"
	"touchstone/web/api"
)

// The control socket lets a command ask the host that runs on its data directory, and change it. It speaks the
// interface of package api: an act is a POST to the act's path, a question a POST to /api/v1/questions/NAME, which no
// other listener has. The socket's mode, 0600, is its guard, and lets in what no key opens: acts of the program
// itself, and the proofs of people that the command read. Key bytes never travel on it: a request names the files
// that hold them.

// Bounds of the control socket.
const (
	maxControl     = 1 << 20
	controlTimeout = 30 * time.Second
	maxControllers = 16
	maxProof       = 24 << 10 // of the header
)

// proofHeader carries who asks: []credential in JSON, in base64url. It is read from the control socket alone.
const proofHeader = "Touchstone-By"

// questionsPath is where questions of commands are.
const questionsPath = api.Root + "/questions/"

// maxSocketPath is below the 108 bytes that Linux allows.
const maxSocketPath = 100

// controlPath is the socket in the data directory or, where that path is too long, one in the
// temporary directory named by its hash.
func controlPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(abs, controlSocket)
	if len(path) <= maxSocketPath {
		return path, nil
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("touchstone-%x.sock", sha256.Sum256([]byte(abs)))), nil
}

// controlRouter is the table of what the socket serves: the whole interface, and the questions of commands. It is
// made at the first request: most commands of a test ask no running host.
func (e *engine) controlRouter() *web.Router {
	router := web.NewRouter(e.log)
	router.Identify = func(r *http.Request) (*web.Caller, error) {
		return &web.Caller{Account: "socket", FullName: "control socket", Via: web.BySocket, Proof: r.Header.Get(proofHeader)}, nil
	}
	api.New(router, version()).Mount(newDesk(e))
	for _, name := range questions {
		router.Handle(web.Route{Method: http.MethodPost, Pattern: questionsPath + name, API: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.answerQuestion(w, r, name) }))
	}
	return router
}

// questions are the fields of a change that ask and change nothing, by their JSON names.
var questions = func() (names []string) {
	t := reflect.TypeFor[change]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if _, act := acts[name]; !act && t.Field(i).Type.Kind() == reflect.Pointer && name != "" && name != "loss" {
			names = append(names, name)
		}
	}
	return names
}()

// answerQuestion answers one question of a command.
func (e *engine) answerQuestion(w http.ResponseWriter, r *http.Request, name string) {
	body, err := io.ReadAll(r.Body) // bounded by the router
	if err != nil {
		api.Write(w, r, http.StatusBadRequest, "body_missing")
		return
	}
	var c change
	if p := api.Strict(body); p != nil || c.set(name, body) != nil {
		api.Write(w, r, http.StatusBadRequest, "invalid_body")
		return
	}
	result, err := e.respond(context.WithoutCancel(r.Context()), c)
	if err != nil {
		api.WriteProblem(w, r, actRefused(web.CallerOf(r.Context()), nil, err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(result); err != nil {
		e.log.Warn("control answer not written", slog.String("error", err.Error()))
	}
}

// set reads the one field of a change that a name says.
func (c *change) set(name string, body []byte) error {
	t := reflect.TypeFor[change]()
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag != name || t.Field(i).Type.Kind() != reflect.Pointer {
			continue
		}
		field := reflect.ValueOf(c).Elem().Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if dec.Decode(field.Interface()) != nil {
			return errRequest // the decoder would quote what was sent
		}
		return nil
	}
	return errRequest
}

// listenControl serves commands until ctx ends; the returned func waits for that.
func (e *engine) listenControl(ctx context.Context) (wait func(), err error) {
	path, err := controlPath(e.dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o077)
	ln, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	server := &http.Server{Handler: e.controlHandler(ctx), ReadTimeout: controlTimeout, WriteTimeout: controlTimeout, IdleTimeout: controlTimeout, MaxHeaderBytes: maxProof + 8<<10,
		ErrorLog: log.New(io.Discard, "", 0)} // net/http would quote what a client sent
	server.SetKeepAlivesEnabled(false) // one question a connection, so that no idle one holds a place
	var running sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	running.Go(func() {
		_ = server.Serve(netutil.LimitListener(ln, maxControllers)) // it ends when the listener is closed
	})
	return func() {
		stop()
		ln.Close()
		_ = server.Shutdown(context.Background()) // a command's own time is bounded
		running.Wait()
		os.Remove(path)
	}, nil
}

// controlHandler serves the socket. What was begun ends with the host, not with who asked; nothing outlasts wait.
func (e *engine) controlHandler(ctx context.Context) http.Handler {
	router := sync.OnceValue(e.controlRouter)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		within, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		if r.Method == http.MethodGet {
			e.estate.start() // what reads of the estate are answered from; commands ask for none
		}
		router().ServeHTTP(w, r.WithContext(within))
	})
}

// ask sends a change to the host that runs on dir; running is false when none does.
func ask(dir string, req change) (result json.RawMessage, running bool, err error) {
	return askWithin(dir, req, controlTimeout)
}

// askWithin is ask with a bound of its own.
func askWithin(dir string, req change, most time.Duration) (result json.RawMessage, running bool, err error) {
	path, err := controlPath(dir)
	if err != nil {
		return nil, false, err
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, false, nil
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(most)); err != nil {
		return nil, true, err
	}
	asked, err := req.request()
	if err != nil {
		return nil, true, err
	}
	if err := asked.Write(c); err != nil {
		return nil, true, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), asked)
	if err != nil {
		return nil, true, fmt.Errorf("the running host did not answer: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxControl))
	if err != nil {
		return nil, true, fmt.Errorf("the running host did not answer: %w", err)
	}
	if answer.StatusCode >= 300 {
		return nil, true, problemSaid(body)
	}
	return bytes.TrimSpace(body), true, nil
}

// request is a change as a request to the interface.
func (c *change) request() (*http.Request, error) {
	t, v := reflect.TypeFor[change](), reflect.ValueOf(c).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Type.Kind() != reflect.Pointer || name == "" || v.Field(i).IsNil() {
			continue
		}
		path := questionsPath + name
		if _, act := acts[name]; act {
			path = api.Root + actRows[name].path
		}
		body, err := json.Marshal(v.Field(i).Interface())
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequest(http.MethodPost, "http://localhost"+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/json")
		if len(c.By) > 0 {
			proofs, err := json.Marshal(c.By)
			if err != nil {
				return nil, err
			}
			r.Header.Set(proofHeader, base64.RawURLEncoding.EncodeToString(proofs))
		}
		return r, nil
	}
	return nil, errRequest
}

// problemSaid is the error of a refused request, in the words of the host.
func problemSaid(body []byte) error {
	var p api.ProblemBody
	if json.Unmarshal(body, &p) != nil || p.Error.Message == "" {
		return errors.New("the running host did not answer: not in a form that this version knows")
	}
	return errors.New(p.Error.Message)
}

// isTaken tells whether an address could not be listened on because another program has it.
func isTaken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
