package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The control socket lets a command change the data directory of a running host. One JSON request and
// one JSON answer a connection; the socket's mode, 0600, is its guard. Key bytes never travel on it:
// a request names the files that hold them.

// Bounds of the control socket.
const (
	maxControl     = 1 << 20
	controlTimeout = 30 * time.Second
	maxControllers = 16
)

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

type controlAnswer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// listenControl serves changes until ctx ends; the returned func waits for that.
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
	var running sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	slots := make(chan struct{}, maxControllers)
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			slots <- struct{}{}
			running.Go(func() {
				e.control(ctx, c)
				<-slots
			})
		}
	})
	return func() {
		stop()
		ln.Close()
		running.Wait()
		os.Remove(path)
	}, nil
}

func (e *engine) control(ctx context.Context, c net.Conn) {
	defer c.Close()
	if c.SetDeadline(time.Now().Add(controlTimeout)) != nil {
		return
	}
	var req change
	var answer controlAnswer
	dec := json.NewDecoder(io.LimitReader(bufio.NewReader(c), maxControl))
	dec.DisallowUnknownFields()
	err := dec.Decode(&req)
	if err == nil {
		var result any
		if result, err = e.respond(ctx, req); err == nil {
			answer.Result, err = json.Marshal(result)
		}
	}
	if err != nil {
		answer = controlAnswer{Error: err.Error()}
	}
	if err := json.NewEncoder(c).Encode(answer); err != nil {
		e.log.Warn("control answer not written", slog.String("error", err.Error()))
	}
}

// ask sends a change to the host that runs on dir; running is false when none does.
func ask(dir string, req change) (result json.RawMessage, running bool, err error) {
	path, err := controlPath(dir)
	if err != nil {
		return nil, false, err
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, false, nil
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(controlTimeout)); err != nil {
		return nil, true, err
	}
	if err := json.NewEncoder(c).Encode(req); err != nil {
		return nil, true, err
	}
	var answer controlAnswer
	if err := json.NewDecoder(io.LimitReader(c, maxControl)).Decode(&answer); err != nil {
		return nil, true, fmt.Errorf("the running host did not answer: %w", err)
	}
	if answer.Error != "" {
		return nil, true, errors.New(answer.Error)
	}
	return answer.Result, true, nil
}

// isTaken tells whether an address could not be listened on because another program has it.
func isTaken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
