package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"touchstone/staff"
	"touchstone/web"
)

// MaxFile bounds an upload, bytes; MaxLargeFile that of people who publish releases.
const (
	MaxFile      = 64 << 20
	MaxLargeFile = 265 << 20
)

// MostOf is how many bytes a caller's upload may have.
func MostOf(who *web.Caller) int64 {
	if who != nil && who.May(staff.Security) {
		return MaxLargeFile
	}
	return MaxFile
}

// FileTypes are the media types that are taken. What a file really is, the act that uses it finds out.
var FileTypes = []string{"application/json", "application/octet-stream", "application/pdf", "application/toml", "application/zip", "image/jpeg", "image/png", "text/csv", "text/plain"}

// File is something that a caller sent for an act to use.
type File struct {
	ID      string    `json:"id" doc:"give it where an act's body names a file" example:"file_WKQ4SSC6TFPZPBXZ5NFUE3EWUQ"`
	Bytes   int64     `json:"bytes"`
	Digest  string    `json:"digest" doc:"SHA-256, hexadecimal"`
	Expires time.Time `json:"expires"`
}

// Files keeps what callers send, for an hour, each caller's apart. The error ErrFiles says that there is no room.
type Files interface {
	Keep(ctx context.Context, who *web.Caller, content io.Reader) (File, error)
	Drop(ctx context.Context, who *web.Caller, id string) error
}

// ErrFiles is returned when a caller, or all, have sent as much as is kept.
var ErrFiles = errors.New("files: no room")

func (a *API) files(d *Desk) {
	a.shelf.router.HandleLarge(web.Route{Method: http.MethodPost, Pattern: Root + "/files", Rule: web.Rule{Any: true, Shop: true}, API: true}, MaxLargeFile,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.upload(w, r, d) }))
	content := map[string]*huma.MediaType{}
	for _, kind := range FileTypes {
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	op := a.describe(Operation{ID: "upload-file", Method: http.MethodPost, Path: "/files", Summary: "Send a file for an act to use", Tag: "files", Rule: web.Rule{Any: true, Shop: true},
		Text: "The body is the file itself. It is kept for an hour; only its sender's acts can name it. Of who publishes releases it has at most 265 MiB, of others 64. Secrets, such as key components, are sent sealed to the host's transport key alone."})
	op.RequestBody = &huma.RequestBody{Required: true, Content: content}
	a.document201(&op, a.schemaOf("File", File{}))
	a.huma.OpenAPI().AddOperation(&op)
}

func (a *API) upload(w http.ResponseWriter, r *http.Request, d *Desk) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(FileTypes, kind) || r.Header.Get("Content-Encoding") != "" {
		a.refuse(w, r, Refuse(http.StatusUnsupportedMediaType, "media_type", fmt.Sprintf("want one of %v, without Content-Encoding", FileTypes)))
		return
	}
	who := web.CallerOf(r.Context())
	most := MostOf(who)
	f, err := d.Files.Keep(r.Context(), who, http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		a.refuse(w, r, Refuse(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("a file has at most %d bytes", most)))
		return
	case errors.Is(err, ErrFiles):
		w.Header().Set("Retry-After", "600")
		a.refuse(w, r, Refuse(http.StatusTooManyRequests, "too_many_files", "as much as is kept was sent already; it is forgotten after an hour"))
		return
	case err != nil:
		a.refuse(w, r, a.toldTo(r.Context(), err))
		return
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "POST files %s %s", kind, f.Digest)
	used := false
	a.keyed(w, r, [sha256.Size]byte(sum.Sum(nil)), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		used = true
		writeJSON(w, http.StatusCreated, f)
	}))
	if !used {
		_ = d.Files.Drop(context.WithoutCancel(r.Context()), who, f.ID) // it is forgotten after an hour in any case
	}
}

// FileDigest is the form of File.Digest.
func FileDigest(sum []byte) string { return hex.EncodeToString(sum) }
