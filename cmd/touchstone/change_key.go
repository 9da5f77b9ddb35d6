package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"touchstone/keys"
	"touchstone/registry"
	"touchstone/secret"
)

// masterFor loads a terminal's master key, or keeps the one it has when no components are given.
func (e *engine) masterFor(ctx context.Context, t *registry.Terminal, components []string) (err error) {
	if len(components) == 0 {
		old, err := e.ledger.Terminal(t.ID)
		if err != nil {
			return errors.New("a new terminal needs the components of its master key")
		}
		t.Master, t.MasterKCV, t.MasterAt = old.Master, old.MasterKCV, old.MasterAt
		return nil
	}
	t.MasterAt = e.clock()
	t.Master, t.MasterKCV, err = e.load(ctx, keys.OfTerminal(t.ID.String()), keys.TerminalMaster, keys.CipherOf(t.Profile.SignInCode), components)
	return err
}

// load reads key components, each a file of hexadecimal digits, and forms the key inside the module.
// Outside a test data directory a key is never one person's: two components at least.
func (e *engine) load(ctx context.Context, owner keys.Owner, usage keys.Usage, c keys.Cipher, files []string) (keys.Wrapped, string, error) {
	if len(files) < 2 && !e.test {
		return nil, "", errors.New("a key is loaded in two components at least, by two people; only a test data directory takes one")
	}
	purpose := purposeMaster
	if usage == keys.SerialKey {
		purpose = purposeSerial
	}
	var components []secret.Bytes
	defer func() {
		for _, s := range components {
			s.Wipe()
		}
	}()
	for _, f := range files {
		text, err := e.secretOf(f, purpose)
		if err != nil {
			return nil, "", err
		}
		s, err := hexSecret(text, f)
		if err != nil {
			return nil, "", err
		}
		components = append(components, s)
	}
	return e.module.Form(ctx, owner, usage, c, components)
}

// maxSecretFile bounds a file that holds one secret.
const maxSecretFile = 4096

func readSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil || len(b) > maxSecretFile {
		clear(b)
		return nil, fmt.Errorf("read %s: not a small file", path)
	}
	return bytes.TrimSpace(b), nil
}
