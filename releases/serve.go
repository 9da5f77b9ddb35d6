package releases

import (
	"net/http"
	"os"
	"strings"
	"time"
)

// ServeHTTP serves the repository's files, below the prefix that the caller strips: metadata/NAME and
// targets/NAME, and nothing else. What is served needs no secrecy and no trust in the server.
func (r *Repository) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	dir, name, ok := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	if !ok || dir != "metadata" && dir != "targets" || !validPath(name) && !validHashed(name) {
		http.NotFound(w, request)
		return
	}
	f, err := os.OpenInRoot(r.dir, dir+"/"+name)
	if err != nil {
		http.NotFound(w, request)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-cache") // a cached timestamp would look like a freeze
	http.ServeContent(w, request, "", time.Time{}, f)
}

// validHashed: a target's name with its digest before it, which may be longer than a path alone.
func validHashed(name string) bool {
	digest, path, ok := strings.Cut(name, ".")
	return ok && len(digest) == 64 && validPath(digest) && validPath(path)
}
