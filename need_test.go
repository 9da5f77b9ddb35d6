package touchstone_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNeedAsksAgain: a mirror that fails is asked again, a few times, and it is said what failed; what is there is not asked for.
func TestNeedAsksAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fails  string // how many installations fail
		asked  int
		passes bool
		says   string
	}{
		"at once":        {"0", 1, true, "installing: a-package"},
		"the third time": {"2", 3, true, "installing a-package failed: again in 0 s"},
		"never":          {"99", 4, false, "installing a-package failed again and again"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			// apt-get of this test: an update fails always, an installation so many times, and then brings the command.
			script := "#!/bin/sh\ncase $1 in update) exit 100 ;; esac\necho >>" + dir + "/asked\n[ $(wc -l <" + dir + "/asked) -gt " + c.fails + " ] || exit 100\n" +
				"printf '#!/bin/sh\\n' >" + dir + "/a-command\nchmod +x " + dir + "/a-command\n"
			for _, program := range []string{"apt-get", "sudo"} {
				text := script
				if program == "sudo" {
					text = "#!/bin/sh\nexec \"$@\"\n"
				}
				if err := os.WriteFile(filepath.Join(dir, program), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			run := func() (string, error) {
				cmd := exec.Command("sh", "scripts/need.sh", "a-command=a-package", "sh=another-package")
				cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "AGAIN=0 0 0")
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			out, err := run()
			asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
			if (err == nil) != c.passes || strings.Count(string(asked), "\n") != c.asked || !strings.Contains(out, c.says) || strings.Contains(out, "another-package") {
				t.Errorf("%v after %d installations:\n%s", err, strings.Count(string(asked), "\n"), out)
			}
			if out, err := run(); c.passes && (err != nil || out != "") {
				t.Errorf("with all there: %v\n%s", err, out)
			}
		})
	}
}
