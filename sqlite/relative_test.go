package sqlite_test

import (
	"testing"

	"touchstone/sqlite"
)

// TestRelativeDirectory: a host may be started with the name of its data directory as seen from where it stands.
func TestRelativeDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, open := range map[string]func() (interface{ Close() error }, error){
		"requests": func() (interface{ Close() error }, error) { return sqlite.OpenRequests(t.Context(), ".") },
		"webhooks": func() (interface{ Close() error }, error) { return sqlite.OpenWebhooks(t.Context(), ".") },
	} {
		file, err := open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := file.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
