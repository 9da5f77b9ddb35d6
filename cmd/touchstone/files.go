package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// What is too long for an entry, a photograph or a report, is a file in this directory of the data directory,
// named by its SHA-256. An entry that names one is written after it.
const filesDirectory = "files"

// MaxKeptFile bounds one of them.
const maxKeptFile = 64 << 20

// ErrKept is returned for a file whose content is not what its name says.
var errKept = errors.New("kept file")

// keepFile keeps content, durably, and returns its digest, 64 lower-case hexadecimal digits.
func (e *engine) keepFile(content []byte) (digest string, err error) {
	if len(content) == 0 || len(content) > maxKeptFile {
		return "", fmt.Errorf("%w: %d bytes, want 1 to %d", errKept, len(content), maxKeptFile)
	}
	digest = digestOf(content)
	dir := filepath.Join(e.dir, filesDirectory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, digest)
	if _, err := e.keptFile(digest); err == nil {
		return digest, nil
	}
	f, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return digest, syncDirectory(dir)
}

// digestOf is the name of content that is kept.
func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keptFile reads a kept file and proves that it is the one its digest names.
func (e *engine) keptFile(digest string) ([]byte, error) {
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("%w: its name is not 64 hexadecimal digits", errKept)
	}
	content, err := os.ReadFile(filepath.Join(e.dir, filesDirectory, digest))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("%w %s: its content is another", errKept, digest)
	}
	return content, nil
}
