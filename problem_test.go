package touchstone_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// commandTime bounds one command of the problem. On a machine where everything is compiled each ends
// within five seconds; a cold one, or one that is busy, compiles a test first.
const commandTime = 10 * time.Minute

// TestProblemCommands runs every command that docs/PROBLEM.md gives a newcomer, from the root of the
// repository with a fresh touchstone first on the path. Each must end well by itself.
func TestProblemCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and runs a dozen commands")
	}
	commands := problemCommands(t)
	if len(commands) == 0 {
		t.Fatal("docs/PROBLEM.md gives no command")
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "touchstone"), "./cmd/touchstone").CombinedOutput(); err != nil {
		t.Fatalf("build touchstone: %v\n%s", err, out)
	}
	env := append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, command := range commands {
		t.Run(command, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), commandTime)
			defer cancel()
			c := exec.CommandContext(ctx, "sh", "-c", command)
			c.Env = env
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // its children too
			c.WaitDelay = time.Minute
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if len(strings.TrimSpace(string(out))) == 0 {
				t.Error("it printed nothing")
			}
			if strings.Contains(string(out), "no tests to run") {
				t.Errorf("it names a test that is not there:\n%s", out)
			}
		})
	}
}

// problemCommands reads the lines that begin with four spaces, a dollar sign and a space.
func problemCommands(t *testing.T) (list []string) {
	for _, line := range strings.Split(readText(t, filepath.Join("docs", "PROBLEM.md")), "\n") {
		if command, ok := strings.CutPrefix(line, "    $ "); ok {
			list = append(list, command)
		}
	}
	return list
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// link is the target of a Markdown link or picture, up to a title.
var link = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)

// TestDocumentLinks: every relative link of the READMEs and of docs leads to a file of the repository.
func TestDocumentLinks(t *testing.T) {
	documents, err := filepath.Glob("README*.md")
	if err != nil || len(documents) < 2 {
		t.Fatalf("want README.md and README.zh.md, found %v (%v)", documents, err)
	}
	documents = append(documents, filesBelow(t, "docs", func(path string) bool { return strings.HasSuffix(path, ".md") })...)
	links := 0
	for _, document := range documents {
		for _, found := range link.FindAllStringSubmatch(readText(t, document), -1) {
			target, _, _ := strings.Cut(found[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue // within the page, or of the web
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), filepath.FromSlash(target))); err != nil {
				t.Errorf("%s: link to %s leads nowhere", document, target)
			}
		}
	}
	if links == 0 {
		t.Error("no relative link was found: the expression reads nothing")
	}
}

// cited is a document of ours as a comment names it.
var cited = regexp.MustCompile(`docs/[A-Za-z0-9_./-]+\.md`)

// TestPackageDocuments: each package has its doc.go, and each document that a doc.go cites exists.
func TestPackageDocuments(t *testing.T) {
	sources := filesBelow(t, ".", func(path string) bool {
		return strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
	})
	var packages []string
	for _, path := range sources {
		if dir := filepath.Dir(path); !slices.Contains(packages, dir) {
			packages = append(packages, dir)
		}
	}
	if len(packages) == 0 {
		t.Fatal("no package was found")
	}
	for _, dir := range packages {
		name := filepath.Join(dir, documentOf(dir))
		if !slices.Contains(sources, name) {
			t.Errorf("%s: no %s", dir, filepath.Base(name))
			continue
		}
		for _, document := range cited.FindAllString(readText(t, name), -1) {
			if _, err := os.Stat(filepath.FromSlash(document)); err != nil {
				t.Errorf("%s cites %s, which does not exist", name, document)
			}
		}
	}
}

// documentOf is the file with a package's comment: main.go of a command, secret.go of package secret,
// which is one file, and doc.go of every other.
func documentOf(dir string) string {
	switch filepath.ToSlash(dir) {
	case "secret":
		return "secret.go"
	case "cmd/touchstone":
		return "main.go"
	}
	return "doc.go"
}

// filesBelow lists the files below root that keep wants, in the order of their names, without testdata
// and hidden directories.
func filesBelow(t *testing.T, root string, keep func(path string) bool) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !d.IsDir() && keep(path):
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
