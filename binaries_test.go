package touchstone_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestNoProgramsInTheTree: a program that was built beside its source is not part of the repository. bin and .cache, which
// version control ignores, are where programs are made.
func TestNoProgramsInTheTree(t *testing.T) {
	made := map[string]bool{".git": true, ".cache": true, "bin": true, "touchstone-data": true}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && made[path]:
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		head := make([]byte, 4)
		if _, err := io.ReadFull(f, head); err == nil && bytes.Equal(head, []byte("\x7fELF")) {
			t.Errorf("%s is a program: make it in bin", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
