package inspect_test

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"touchstone/lab"
	"touchstone/lab/inspect"
)

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keysOf(t testing.TB, public any) inspect.Keys {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := inspect.ParseKeys(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func build(key crypto.Signer, algorithm string) inspect.Build {
	return inspect.Build{Key: key, Algorithm: algorithm, Manifest: inspect.Manifest{Maker: "M", Model: "S10", Hardware: "1.xx", Application: "1.0.0"},
		Payload: map[string][]byte{"app/pos.bin": []byte("program"), "app/lib/tlslib-3.5.1.so": []byte("library"), "app/config": []byte("update.channel=stable\n")}}
}

func open(t testing.TB, b inspect.Build) *inspect.Package {
	t.Helper()
	raw, err := b.Pack(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := inspect.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestChecksFindWhatIsWrong: a good package passes all four; one that is wrong in one way fails exactly there.
func TestChecksFindWhatIsWrong(t *testing.T) {
	key := ecKey(t)
	other := keysOf(t, &ecKey(t).PublicKey)
	for _, c := range []struct {
		name                             string
		change                           func(*inspect.Build)
		trusted                          inspect.Keys
		signature, strength, sbom, clean lab.Verdict
	}{
		{"good", func(*inspect.Build) {}, nil, lab.Pass, lab.Pass, lab.Pass, lab.Pass},
		{"unsigned", func(b *inspect.Build) { b.Key = nil }, nil, lab.Fail, lab.Fail, lab.Pass, lab.Pass},
		{"another maker's key", func(*inspect.Build) {}, other, lab.Fail, lab.Fail, lab.Pass, lab.Pass},
		{"a byte changed after signing", func(b *inspect.Build) { b.After = map[string][]byte{"app/pos.bin": []byte("PROGRAM")} }, nil, lab.Fail, lab.Pass, lab.Fail, lab.Pass},
		{"the manifest changed after signing", func(b *inspect.Build) {
			b.After = map[string][]byte{inspect.ManifestPath: []byte(`{"format":"touchstone-package/1"}`)}
		}, nil, lab.Fail, lab.Fail, lab.Pass, lab.Pass},
		{"the algorithm is another", func(b *inspect.Build) { b.Algorithm = inspect.Ed25519 }, nil, lab.Fail, lab.Fail, lab.Pass, lab.Pass},
		{"no inventory", func(b *inspect.Build) { b.NoSBOM = true }, nil, lab.Pass, lab.Pass, lab.Fail, lab.Pass},
		{"a private key", func(b *inspect.Build) { b.Payload["app/k.pem"] = []byte("-----BEGIN EC PRIVATE KEY-----\n") }, nil, lab.Pass, lab.Pass, lab.Pass, lab.Fail},
		{"a key store", func(b *inspect.Build) { b.Payload["app/client.P12"] = []byte{1} }, nil, lab.Pass, lab.Pass, lab.Pass, lab.Fail},
		{"a password", func(b *inspect.Build) { b.Payload["app/config"] = []byte("a=1\nadmin_pin = 166831\n") }, nil, lab.Pass, lab.Pass, lab.Pass, lab.Fail},
		{"a key in hexadecimal", func(b *inspect.Build) {
			b.Payload["app/config"] = fmt.Appendf(nil, "serial_key=%032x\n", 7)
		}, nil, lab.Pass, lab.Pass, lab.Pass, lab.Fail},
		{"a key in an archive in the package", func(b *inspect.Build) {
			b.Payload["app/res.zip"] = zipOf(map[string]string{"in.zip": string(zipOf(map[string]string{"x": fmt.Sprintf("tmk: \"%032X\"", 9)}))})
		}, nil, lab.Pass, lab.Pass, lab.Pass, lab.Fail},
		{"a digest that is no key", func(b *inspect.Build) { b.Payload["app/config"] = fmt.Appendf(nil, "sha256=%064x\n", 7) }, nil, lab.Pass, lab.Pass, lab.Pass, lab.Pass},
	} {
		b := build(key, inspect.ECDSASHA256)
		c.change(&b)
		trusted := c.trusted
		if trusted == nil {
			trusted = keysOf(t, &key.PublicKey)
		}
		p := open(t, b)
		for check, x := range map[string]struct {
			got  lab.Result
			want lab.Verdict
		}{"signature": {p.Signature(trusted), c.signature}, "strength": {p.Strength(trusted), c.strength}, "sbom": {p.SBOM(), c.sbom}, "secrets": {p.Secrets(), c.clean}} {
			if x.got.Verdict != x.want || x.got.Detail.EN == "" || x.got.Detail.ZH == "" || strings.Contains(x.got.Detail.ZH+x.got.Detail.EN, "%!") {
				t.Errorf("%s: %s: %s (%s), want %s", c.name, check, x.got.Verdict, x.got.Detail, x.want)
			}
			if strings.Contains(x.got.Detail.EN, "166831") || strings.Contains(x.got.Detail.EN, fmt.Sprintf("%032x", 7)) {
				t.Errorf("%s: %s tells the secret", c.name, check)
			}
		}
	}
}

// TestStrengthOfSignatures: which algorithm and size is strong enough.
func TestStrengthOfSignatures(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		key       crypto.Signer
		algorithm string
		want      lab.Verdict
	}{{"P-256", ecKey(t), inspect.ECDSASHA256, lab.Pass}, {"Ed25519", ed, inspect.Ed25519, lab.Pass}, {"RSA 2048", small, inspect.RSA256, lab.Fail}} {
		p := open(t, build(c.key, c.algorithm))
		trusted := keysOf(t, c.key.Public())
		if s, r := p.Signature(trusted), p.Strength(trusted); s.Verdict != lab.Pass || r.Verdict != c.want {
			t.Errorf("%s: signature %s, strength %s %s", c.name, s.Verdict, r.Verdict, r.Detail.EN)
		}
	}
}

func zipOf(files map[string]string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bomb is an archive of one entry of so many zeros.
func bomb(n int64) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("a")
	if err == nil {
		_, err = io.CopyN(f, zeros{}, n)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestHostileArchives: bombs, names that leave the archive, doubles, links: refused, with bounded memory.
func TestHostileArchives(t *testing.T) {
	many := map[string]string{}
	for i := range inspect.MaxEntries + 1 {
		many[fmt.Sprint(i)] = ""
	}
	var double bytes.Buffer
	w := zip.NewWriter(&double)
	for range 2 {
		if _, err := w.Create("META/manifest.json"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var link bytes.Buffer
	w = zip.NewWriter(&link)
	h := &zip.FileHeader{Name: "l"}
	h.SetMode(0o777 | 1<<27) // fs.ModeSymlink
	if _, err := w.CreateHeader(h); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"nothing":              nil,
		"no archive":           []byte("PK\x03\x04 and no more"),
		"no manifest":          zipOf(map[string]string{"a": "b"}),
		"another format":       zipOf(map[string]string{inspect.ManifestPath: `{"format":"other/1"}`}),
		"out of the archive":   zipOf(map[string]string{"../../etc/passwd": "x"}),
		"an absolute name":     zipOf(map[string]string{"/etc/passwd": "x"}),
		"a backslash":          zipOf(map[string]string{`a\b`: "x"}),
		"a zero byte":          zipOf(map[string]string{"a\x00b": "x"}),
		"too many entries":     zipOf(many),
		"one name twice":       double.Bytes(),
		"a link":               link.Bytes(),
		"300 times its size":   bomb(40 << 20),
		"more than a file may": bomb(inspect.MaxFile + 1),
	} {
		if p, err := inspect.Open(raw); !errors.Is(err, inspect.ErrArchive) || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	deep := zipOf(map[string]string{"x": "y"})
	for range inspect.MaxDepth + 1 {
		deep = zipOf(map[string]string{"in.zip": string(deep)})
	}
	b := build(ecKey(t), inspect.ECDSASHA256)
	b.Payload["deep.zip"] = deep
	if r := open(t, b).Secrets(); r.Verdict != lab.Inconclusive {
		t.Errorf("nested too deep: %s", r.Verdict)
	}
	b.Payload["deep.zip"] = bomb(30 << 20)
	if r := open(t, b).Secrets(); r.Verdict != lab.Inconclusive {
		t.Errorf("a bomb inside: %s", r.Verdict)
	}
}

// FuzzPackage: an archive is refused or examined, without a panic.
func FuzzPackage(f *testing.F) {
	key := ecKey(f)
	trusted := keysOf(f, &key.PublicKey)
	good, err := (&inspect.Build{Key: key, Algorithm: inspect.ECDSASHA256, Manifest: inspect.Manifest{Model: "S10"}, Payload: map[string][]byte{"app/lib/a-1.so": []byte("x")}}).Pack(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(zipOf(map[string]string{inspect.ManifestPath: `{"format":"touchstone-package/1","files":[{"path":"a"}]}`, "in.zip": string(good)}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := inspect.Open(raw)
		if err != nil {
			return
		}
		for _, r := range []lab.Result{p.Signature(trusted), p.Strength(trusted), p.SBOM(), p.Secrets()} {
			if r.Verdict == "" || r.Detail.EN == "" {
				t.Fatal("a check found nothing")
			}
		}
		if !bytes.Equal(raw, good) && p.Signature(trusted).Verdict == lab.Pass && len(p.Manifest.Files) == 0 {
			t.Fatal("a signature over nothing")
		}
	})
}

// FuzzKeys: a file of registered keys.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if keys, err := inspect.ParseKeys(text); err == nil && len(keys) == 0 {
			t.Fatal("no key and no error")
		}
	})
}
