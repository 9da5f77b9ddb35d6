package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// The files that describe a package.
const (
	ManifestPath  = "META/manifest.json"
	SignaturePath = "META/signature.json"
	SBOMPath      = "META/sbom.cdx.json"
)

// Format is the form of the manifest that this version reads.
const Format = "touchstone-package/1"

// Manifest says what a package is.
type Manifest struct {
	Format          string         `json:"format"`
	Maker           string         `json:"maker"`
	Model           string         `json:"model"`
	Hardware        string         `json:"hardware"`         // pattern
	Application     string         `json:"application"`      // version
	SecurityCounter uint32         `json:"security_counter"` // never falls from one version to the next
	Files           []ManifestFile `json:"files"`            // all but META/manifest.json and META/signature.json
}

// ManifestFile is one file of a package.
type ManifestFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // hexadecimal
	Size   int    `json:"size"`
}

// Package is an archive that was opened within its bounds. What it says of itself is not proven yet.
type Package struct {
	Manifest Manifest
	Digest   string // SHA-256 of the archive, hexadecimal

	manifest  []byte // as signed
	signature []byte // META/signature.json, nil when absent
	files     []file
}

// Open reads a package.
func Open(content []byte) (*Package, error) {
	b := &budget{MaxEntries, MaxUnpacked}
	files, err := unpack(content, b)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	p := &Package{Digest: hex.EncodeToString(sum[:]), files: files}
	p.manifest, p.signature = p.find(ManifestPath), p.find(SignaturePath)
	if p.manifest == nil {
		return nil, fmt.Errorf("%w: no %s", ErrArchive, ManifestPath)
	}
	dec := json.NewDecoder(bytes.NewReader(p.manifest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p.Manifest); err != nil || p.Manifest.Format != Format || len(p.Manifest.Files) > MaxEntries {
		return nil, fmt.Errorf("%w: %s is not of format %s", ErrArchive, ManifestPath, Format)
	}
	return p, nil
}

func (p *Package) find(path string) []byte {
	for _, f := range p.files {
		if f.path == path {
			return f.content
		}
	}
	return nil
}

// payload is every file but those that describe the package.
func (p *Package) payload() (list []file) {
	for _, f := range p.files {
		if !strings.HasPrefix(f.path, "META/") {
			list = append(list, f)
		}
	}
	return list
}

// PayloadDigest is the SHA-256, hexadecimal, of the lines "digest path" of the payload in the order of paths: what
// the inventory of components is about.
func (p *Package) PayloadDigest() string { return payloadDigest(p.payload()) }

func payloadDigest(files []file) string {
	all := sha256.New()
	for _, f := range files {
		fmt.Fprintf(all, "%x %s\n", sha256.Sum256(f.content), f.path)
	}
	return hex.EncodeToString(all.Sum(nil))
}
