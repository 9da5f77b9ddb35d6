package inspect

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Bounds of an archive and of all that is nested in it.
const (
	MaxArchive  = 64 << 20  // bytes of the archive
	MaxEntries  = 4096      // entries, nested ones counted
	MaxUnpacked = 256 << 20 // bytes of everything unpacked
	MaxFile     = 64 << 20  // bytes of one file unpacked
	MaxRatio    = 200       // unpacked by packed, of a file above ratioFrom
	MaxDepth    = 3         // archives in archives
	ratioFrom   = 1 << 20
	maxPath     = 200
)

// ErrArchive is returned for an archive that is none, or that breaks a bound.
var ErrArchive = errors.New("package")

// budget is what is left of the bounds.
type budget struct{ entries, bytes int }

// file is one entry, unpacked in memory.
type file struct {
	path    string
	content []byte
}

// unpack reads an archive's entries within the budget, sorted by path.
func unpack(content []byte, b *budget) ([]file, error) {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", ErrArchive, fmt.Sprintf(format, a...))
	}
	if len(content) > MaxArchive {
		return nil, bad("more than %d bytes", MaxArchive)
	}
	r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, bad("not a ZIP archive")
	}
	if b.entries -= len(r.File); b.entries < 0 {
		return nil, bad("more than %d entries", MaxEntries)
	}
	seen := map[string]bool{}
	var files []file
	for _, f := range r.File {
		name := f.Name
		switch mode := f.Mode(); {
		case !fs.ValidPath(strings.TrimSuffix(name, "/")) || strings.ContainsAny(name, "\\\x00:") || len(name) > maxPath || path.Clean("/"+name) != "/"+strings.TrimSuffix(name, "/"):
			return nil, bad("the name of an entry leaves the archive or is none")
		case seen[strings.ToLower(strings.TrimSuffix(name, "/"))]:
			return nil, bad("two entries have one name")
		case mode.IsDir():
			continue
		case !mode.IsRegular():
			return nil, bad("%.60q is no ordinary file", name)
		case f.Flags&1 != 0:
			return nil, bad("%.60q is encrypted", name)
		}
		seen[strings.ToLower(name)] = true
		text, err := b.read(f)
		if err != nil {
			return nil, bad("%.60q: %v", name, err)
		}
		files = append(files, file{name, text})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// read unpacks one entry. What it claims of its size is not believed.
func (b *budget) read(f *zip.File) ([]byte, error) {
	most := min(MaxFile, b.bytes)
	if f.CompressedSize64 < MaxFile {
		most = min(most, max(ratioFrom, int(f.CompressedSize64)*MaxRatio))
	}
	r, err := f.Open()
	if err != nil {
		return nil, errors.New("cannot be unpacked")
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return nil, errors.New("cannot be unpacked")
	case len(content) > most:
		return nil, errors.New("it unpacks to more than is allowed")
	}
	b.bytes -= len(content)
	return content, nil
}
