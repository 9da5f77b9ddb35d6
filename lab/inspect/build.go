package inspect

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Build packs and signs a package as a maker would: payload by path, every library of it in the inventory unless
// it is to be left out. It exists so that the checks can be tried on packages that are right and wrong.
type Build struct {
	Manifest  Manifest // Files is filled in
	Payload   map[string][]byte
	Key       crypto.Signer // nil: unsigned
	Algorithm string
	NoSBOM    bool
	// After changes the payload when all is signed, as an attacker would.
	After map[string][]byte
}

// Pack makes the archive. random is for signatures that need it.
func (b *Build) Pack(random io.Reader) ([]byte, error) {
	var files []file
	for path, content := range b.Payload {
		files = append(files, file{path, content})
	}
	byPath := func(a, b file) int { return strings.Compare(a.path, b.path) }
	slices.SortFunc(files, byPath)
	if !b.NoSBOM {
		raw, err := json.MarshalIndent(b.inventory(files), "", " ")
		if err != nil {
			return nil, err
		}
		files = append(files, file{SBOMPath, raw})
		slices.SortFunc(files, byPath)
	}
	m := b.Manifest
	m.Format, m.Files = Format, nil
	for _, f := range files {
		sum := sha256.Sum256(f.content)
		m.Files = append(m.Files, ManifestFile{f.path, hex.EncodeToString(sum[:]), len(f.content)})
	}
	manifest, err := json.MarshalIndent(&m, "", " ")
	if err != nil {
		return nil, err
	}
	files = append(files, file{ManifestPath, manifest})
	if b.Key != nil {
		raw, err := b.sign(random, manifest)
		if err != nil {
			return nil, err
		}
		files = append(files, file{SignaturePath, raw})
	}
	return zipped(files, b.After)
}

func (b *Build) inventory(files []file) bom {
	inventory := bom{Format: "CycloneDX", Version: "1.6"}
	inventory.Metadata.Component = component{Type: "application", Name: b.Manifest.Model, Version: b.Manifest.Application, Hashes: []hash{{"SHA-256", payloadDigest(files)}}}
	for _, f := range files {
		if name := library.FindStringSubmatch(f.path); name != nil {
			sum := sha256.Sum256(f.content)
			inventory.Components = append(inventory.Components, component{"library", name[1], name[2], "pkg:generic/" + name[1] + "@" + name[2], []hash{{"SHA-256", hex.EncodeToString(sum[:])}}})
		}
	}
	return inventory
}

func (b *Build) sign(random io.Reader, manifest []byte) ([]byte, error) {
	public, err := x509.MarshalPKIXPublicKey(b.Key.Public())
	if err != nil {
		return nil, err
	}
	id, sum := sha256.Sum256(public), sha256.Sum256(manifest)
	s := signatureFile{Algorithm: b.Algorithm, KeyID: hex.EncodeToString(id[:])}
	switch key := b.Key.(type) {
	case ed25519.PrivateKey:
		s.Signature, err = key.Sign(random, manifest, crypto.Hash(0))
	case *ecdsa.PrivateKey, *rsa.PrivateKey:
		s.Signature, err = key.Sign(random, sum[:], crypto.SHA256)
	default:
		err = fmt.Errorf("%w: no algorithm for this key", ErrKeys)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(&s)
}

func zipped(files []file, after map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		content := f.content
		if changed, ok := after[f.path]; ok {
			content = changed
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: f.path, Method: zip.Deflate})
		if err == nil {
			_, err = to.Write(content)
		}
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
