package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"touchstone/journal"
)

// Seen is what a witness saw of a journal.
type Seen struct {
	Journal string       // journal.Opened.ID
	Seq     uint64       // the newest durable entry
	Head    journal.Hash // the chain value after it
	At      time.Time
}

// Errors of reading and comparing.
var (
	ErrNone    = errors.New("no witness yet")
	ErrDamaged = errors.New("witness is damaged")
)

// maxFile bounds a witness, bytes.
const maxFile = 4096

// line is the file.
type line struct {
	Journal string    `json:"journal"`
	Seq     uint64    `json:"seq"`
	Head    string    `json:"head"` // 64 hexadecimal digits
	At      time.Time `json:"at"`
	Sum     string    `json:"sum"` // SHA-256 of the line with this member empty
}

func (l line) sum() string {
	l.Sum = ""
	text, err := json.Marshal(l)
	if err != nil {
		panic("witness: a line does not encode: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Read reads a witness; ErrNone where there is no file, ErrDamaged where it is not what Write wrote.
func Read(path string) (Seen, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return Seen{}, fmt.Errorf("%s: %w", path, ErrNone)
	}
	if err != nil {
		return Seen{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return Seen{}, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Seen{}, err
	}
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Seen{}, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	head, err := hex.DecodeString(l.Head)
	again, _ := json.Marshal(l) // of values that were just decoded: cannot fail
	if err != nil || len(head) != journal.HashSize || l.Sum != l.sum() || string(text) != string(again)+"\n" {
		return Seen{}, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	return Seen{l.Journal, l.Seq, journal.Hash(head), l.At}, nil
}

// Write replaces the witness whole and makes it durable: after a crash there is the one before or this.
func Write(path string, s Seen) error {
	l := line{Journal: s.Journal, Seq: s.Seq, Head: hex.EncodeToString(s.Head[:]), At: s.At.UTC().Round(0)}
	l.Sum = l.sum()
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	next := path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
