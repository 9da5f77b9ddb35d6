package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestScanBesideOthersWriting: the files of other terminals in the directory come and go while it is scanned.
func TestScanBesideOthersWriting(t *testing.T) {
	dir := t.TempDir()
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for path := filepath.Join(dir, "terminal.json"); ; {
			select {
			case <-done:
				return
			default:
			}
			if os.WriteFile(path+".new", []byte("{}"), 0o600) != nil || os.Rename(path+".new", path) != nil {
				t.Error("the file cannot be written")
				return
			}
		}
	})
	for range 2_000 {
		if _, _, err := scan(dir, "none"); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	writer.Wait()
}
