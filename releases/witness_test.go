package releases_test

import (
	"bytes"
	"os/exec"
	"testing"
)

// witness runs testdata/verify.py on a repository.
func witness(t *testing.T, s *shop, how string) string {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", "testdata/verify.py", s.repo.Metadata(), how).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

const allValid = "root 2 2\ntimestamp 1 1\nsnapshot 1 1\ntargets 2 2\n"

// TestOpenSSL has every signature of the repository verified by OpenSSL alone, over canonical JSON that Python wrote.
func TestOpenSSL(t *testing.T) {
	if exec.Command("openssl", "version").Run() != nil || exec.Command("/usr/bin/python3", "-V").Run() != nil {
		t.Skip("NOT RUN: openssl or /usr/bin/python3 is not here")
	}
	s := newShop(t)
	s.publish("1.0.3")
	if got := witness(t, s, "openssl"); got != allValid {
		t.Errorf("OpenSSL says\n%swant\n%s", got, allValid)
	}
	s.write("metadata/3.targets.json", bytes.Replace(s.read("metadata/3.targets.json"), []byte("1.0.3"), []byte("1.0.4"), 1))
	s.write("metadata/timestamp.json", bytes.Replace(s.read("metadata/timestamp.json"), []byte(`"length": `), []byte(`"length": 1`), 1))
	if got, want := witness(t, s, "openssl"), "root 2 2\ntimestamp 0 1\nsnapshot 1 1\ntargets 0 2\n"; got != want {
		t.Errorf("of an altered repository OpenSSL says\n%swant\n%s", got, want)
	}
}

// TestSecuresystemslib has them verified by the library of python-tuf, its canonical form and key ids included.
func TestSecuresystemslib(t *testing.T) {
	if exec.Command("/usr/bin/python3", "-c", "import securesystemslib, nacl.signing").Run() != nil && exec.Command("/usr/bin/python3", "-c", "import securesystemslib, cryptography").Run() != nil {
		t.Skip("NOT RUN: Debian's python3-securesystemslib is not here")
	}
	s := newShop(t)
	s.publish("1.0.3")
	if got := witness(t, s, "securesystemslib"); got != allValid {
		t.Errorf("securesystemslib says\n%swant\n%s", got, allValid)
	}
}
