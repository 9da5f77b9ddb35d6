package terminal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Application is the application that was installed after the terminal was made. Its version goes into tag A2 of
// DE59 in place of Config.AppVersion.
type Application struct {
	Version string    `json:"version"`
	Digest  string    `json:"digest"` // SHA-256 of the file, hexadecimal
	At      time.Time `json:"at"`
}

// ErrApplication is returned for an application that may not be installed.
var ErrApplication = errors.New("application")

// Version is the application version that the terminal presents.
func (t *Terminal) Version() string {
	if t.st.Application != nil {
		return t.st.Application.Version
	}
	return t.cfg.AppVersion
}

// Install makes an application the terminal's own. The caller has verified it; here it is written beside the
// state, read again, and put in force by the one write of the state file: a terminal that is switched off in
// between runs what it ran before. An open reversal is not touched by it.
func (t *Terminal) Install(version string, content []byte) error {
	if err := t.usable(); err != nil {
		return err
	}
	if len(version) == 0 || len(version) > appVersionSize {
		return fmt.Errorf("%w: a version of %d characters, want 1 to %d", ErrApplication, len(version), appVersionSize)
	}
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	if err := t.file.keepApplication(digest, content); err != nil {
		return fmt.Errorf("%w: write application: %w", ErrState, err)
	}
	was := t.st.Application
	t.st.Application = &Application{version, digest, t.cfg.Now().UTC().Truncate(time.Second)}
	if err := t.save(); err != nil {
		t.st.Application = was
		return err
	}
	t.file.dropApplications(digest)
	return nil
}

// applicationDirectory is where the files of installed applications are.
func (f *file) applicationDirectory() string { return strings.TrimSuffix(f.path, ".json") + ".app" }

// keepApplication writes a file under its digest: temporary file, sync, rename, sync of the directory; and reads
// it again.
func (f *file) keepApplication(digest string, content []byte) error {
	dir := f.applicationDirectory()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	next := file{path: filepath.Join(dir, digest)}
	if err := next.replace(content); err != nil {
		return err
	}
	return f.checkApplication(digest)
}

// checkApplication proves that the file of an installed application is whole.
func (f *file) checkApplication(digest string) error {
	content, err := os.ReadFile(filepath.Join(f.applicationDirectory(), digest))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != digest {
		return errors.New("its bytes are not those that were installed")
	}
	return nil
}

// dropApplications removes what is not in force any more. What cannot be removed is left: it is not run.
func (f *file) dropApplications(but string) {
	list, err := os.ReadDir(f.applicationDirectory())
	if err != nil {
		return
	}
	for _, e := range list {
		if e.Name() != but {
			_ = os.Remove(filepath.Join(f.applicationDirectory(), e.Name()))
		}
	}
}

// bootApplication is what a terminal does when it starts: an application that is not whole does not run.
func (f *file) bootApplication(a *Application) error {
	if a == nil {
		return nil
	}
	if len(a.Digest) != 2*sha256.Size || len(a.Version) == 0 || len(a.Version) > appVersionSize || strings.Trim(a.Digest, "0123456789abcdef") != "" {
		return fmt.Errorf("%w: parse: an application without a version or digest", ErrState)
	}
	if err := f.checkApplication(a.Digest); err != nil {
		return fmt.Errorf("%w: application %s does not start: %w", ErrState, a.Version, err)
	}
	return nil
}
