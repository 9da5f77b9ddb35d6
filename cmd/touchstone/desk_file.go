package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// What callers send for acts to use lies in this directory of the data directory, each caller's in one of its own,
// for an hour.
const (
	uploadsDirectory = "uploads"
	uploadLife       = time.Hour
	uploadPrefix     = "file_"

	mostUploads      = 64                   // of one caller
	mostUploadBytes  = 256 << 20            // likewise
	mostLargeBytes   = 2 * api.MaxLargeFile // likewise, of who may send packages of releases
	mostUploadsInAll = 1 << 30              // bytes
)

// uploads lets one upload at a time be counted and begun.
type uploads struct {
	mu     sync.Mutex
	coming int64 // bytes that uploads which are being received may still take
}

type fileDesk struct{ *engine }

var _ api.Files = fileDesk{}

// uploadsOf is a caller's own directory.
func (e *engine) uploadsOf(who *web.Caller) string {
	sum := sha256.Sum256([]byte(string(who.Via) + ":" + who.Account))
	return filepath.Join(e.dir, uploadsDirectory, hex.EncodeToString(sum[:16]))
}

// Keep implements api.Files. What was sent is whole and durable when it returns.
func (d fileDesk) Keep(_ context.Context, who *web.Caller, content io.Reader) (api.File, error) {
	dir := d.uploadsOf(who)
	most := api.MostOf(who)
	if err := d.uploads.reserve(filepath.Join(d.dir, uploadsDirectory), dir, most); err != nil {
		return api.File{}, err
	}
	defer d.uploads.release(most)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return api.File{}, err
	}
	f, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return api.File{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(content, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("%w: more than %d bytes", api.ErrFiles, most)
	}
	made := api.File{ID: uploadPrefix + rand.Text(), Bytes: n, Digest: api.FileDigest(sum.Sum(nil)), Expires: time.Now().Add(uploadLife).UTC().Truncate(time.Second)}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, made.ID))
	}
	if err != nil {
		return api.File{}, errors.Join(err, os.Remove(f.Name()))
	}
	return made, syncDirectory(dir)
}

// Drop implements api.Files.
func (d fileDesk) Drop(_ context.Context, who *web.Caller, id string) error {
	path, err := d.uploaded(who, id)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// errUpload is of a file that its caller did not send, or not within the hour.
var errUpload = errors.New("no such upload")

// uploaded is the path of a caller's upload.
func (e *engine) uploaded(who *web.Caller, id string) (string, error) {
	text, ok := strings.CutPrefix(id, uploadPrefix)
	if !ok || len(text) != 26 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", errUpload
	}
	path := filepath.Join(e.uploadsOf(who), id)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) > uploadLife {
		return "", errUpload
	}
	return path, nil
}

// reserve forgets what is too old and counts what is there: no upload of so many bytes begins that could go beyond the bounds. What waits
// for a second person has bounds of its own.
func (u *uploads) reserve(all, own string, most int64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var total, bytes int64
	files := 0
	err := filepath.WalkDir(all, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && path == filepath.Join(all, heldDirectory) {
			if _, _, err = sweepHeld(path); err != nil {
				return err
			}
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if time.Since(info.ModTime()) > uploadLife {
			return os.Remove(path)
		}
		total += info.Size()
		if filepath.Dir(path) == own {
			files, bytes = files+1, bytes+info.Size()
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mostBytes := int64(mostUploadBytes)
	if most > api.MaxFile {
		mostBytes = mostLargeBytes
	}
	if files >= mostUploads || bytes+most > mostBytes || total+u.coming+most > mostUploadsInAll {
		return api.ErrFiles
	}
	u.coming += most
	return nil
}

func (u *uploads) release(most int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.coming -= most
}
