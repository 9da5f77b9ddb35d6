package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"touchstone/staff"
	"touchstone/web/api"
)

// A file that was sent for an act of two people waits for the second one, in a directory of its own below the uploads,
// named by its digest, for as long as a proposal may be agreed to: an upload's hour is soon over.
const (
	heldDirectory = "held"
	heldLife      = staff.ProposalLife + time.Hour

	mostHeld      = 64
	mostHeldBytes = 512 << 20 // of all callers, beside what they may send
)

// holdUploads has the files of a proposal wait, and the proposal name them where they wait.
func (e *engine) holdUploads(c *change) error {
	return eachUpload(reflect.ValueOf(c).Elem(), "", func(path string) (string, error) {
		if !strings.HasPrefix(path, filepath.Join(e.dir, uploadsDirectory)+string(filepath.Separator)) {
			return path, nil
		}
		return e.hold(path)
	})
}

// forgetHeld removes the files that waited for an act that is done, or that nobody agreed to.
func (e *engine) forgetHeld(c *change) {
	_ = eachUpload(reflect.ValueOf(c).Elem(), "", func(path string) (string, error) {
		if filepath.Dir(path) == filepath.Join(e.dir, uploadsDirectory, heldDirectory) {
			_ = os.Remove(path) // it is swept later else
		}
		return path, nil
	})
}

// eachUpload has every text that names an upload be what visit makes of it.
func eachUpload(v reflect.Value, class string, visit func(string) (string, error)) error {
	switch v.Kind() {
	case reflect.String:
		if class != fileUploaded || v.String() == "" {
			return nil
		}
		path, err := visit(v.String())
		if err == nil {
			v.SetString(path)
		}
		return err
	case reflect.Pointer:
		if !v.IsNil() {
			return eachUpload(v.Elem(), class, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := eachUpload(v.Index(i), class, visit); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				if err := eachUpload(v.Field(i), f.Tag.Get("file"), visit); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// hold keeps an upload for as long as a proposal lives. The link takes no room of its own while the upload is there.
func (e *engine) hold(path string) (held string, err error) {
	dir := filepath.Join(e.dir, uploadsDirectory, heldDirectory)
	if filepath.Dir(path) == dir {
		return path, nil
	}
	digest, length, err := digestOfFile(path, api.MaxLargeFile)
	if err != nil {
		return "", err
	}
	e.uploads.mu.Lock()
	defer e.uploads.mu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	held = filepath.Join(dir, digest)
	if _, err := os.Lstat(held); err == nil {
		now := time.Now()
		return held, os.Chtimes(held, now, now)
	}
	files, bytes, err := sweepHeld(dir)
	if err != nil {
		return "", err
	}
	if files >= mostHeld || bytes+length > mostHeldBytes {
		return "", fmt.Errorf("files of %d proposals wait for a second person already, and there is no room for another: decide them first", files)
	}
	if err := os.Link(path, held); err != nil {
		return "", err
	}
	now := time.Now()
	return held, errors.Join(os.Chtimes(held, now, now), syncDirectory(dir))
}

// sweepHeld forgets what no proposal can want any more, and counts the rest.
func sweepHeld(dir string) (files int, bytes int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return 0, 0, err
		}
		if time.Since(info.ModTime()) > heldLife {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return 0, 0, err
			}
			continue
		}
		files, bytes = files+1, bytes+info.Size()
	}
	return files, bytes, nil
}
