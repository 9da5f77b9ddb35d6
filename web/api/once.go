package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"touchstone/web"
)

// Names and bounds of the key by which a caller asks for one thing once.
const (
	KeyHeader      = "Idempotency-Key"
	ReplayedHeader = "Idempotent-Replayed"
	MaxKey         = 255
	maxAnswer      = 1 << 20
)

// Repeat is an earlier request under a key.
type Repeat struct {
	Digest [sha256.Size]byte
	Status int // 0: it was begun, and nobody knows how it ended
	Body   []byte
}

// Requests keeps requests with a key of their caller's, durably, for 24 hours. The error ErrRequests says that there
// is no room.
type Requests interface {
	// Begin notes a request before it is carried out. known is the earlier one under the key, nil for none.
	Begin(ctx context.Context, caller, key string, digest [sha256.Size]byte) (known *Repeat, err error)
	End(ctx context.Context, caller, key string, status int, body []byte) error
	Forget(ctx context.Context, caller, key string) error
}

// ErrRequests is returned by Begin when no further request can be noted now.
var ErrRequests = fmt.Errorf("requests: no room")

// once is around every operation that changes something: it holds the body against the strict reader, and carries a
// request out once for each key. Who goes away does not stop what was begun.
func (a *API) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := web.CallerOf(r.Context()); who == nil || who.Via != web.BySocket { // of the socket the host sees to it
			r = r.WithContext(context.WithoutCancel(r.Context()))
		}
		var body []byte
		if r.ContentLength != 0 {
			var p *Problem
			if body, p = bodyOf(r); p != nil {
				a.refuse(w, r, p)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		sum := sha256.New()
		fmt.Fprintf(sum, "%s %s\n", r.Method, r.URL.RequestURI())
		sum.Write(body)
		a.keyed(w, r, [sha256.Size]byte(sum.Sum(nil)), next)
	})
}

// keyed carries a request out under its key. digest is of all that makes it another request.
func (a *API) keyed(w http.ResponseWriter, r *http.Request, digest [sha256.Size]byte, next http.Handler) {
	who, keys := web.CallerOf(r.Context()), r.Header.Values(KeyHeader)
	switch {
	case len(keys) == 0 && who != nil && who.Via != web.ByKey || a.requests == nil:
		next.ServeHTTP(w, r) // a person's browser, or a command of this machine: the key is theirs to give or not
		return
	case len(keys) == 0:
		p := Refuse(http.StatusBadRequest, "idempotency_key_missing", "a program gives every write an Idempotency-Key, so that a repeat is no second act")
		p.Param = KeyHeader
		a.refuse(w, r, p)
		return
	case len(keys) > 1 || !goodKey(keys[0]):
		p := Refuse(http.StatusBadRequest, "idempotency_key_invalid", fmt.Sprintf("want one key of 1 to %d printable ASCII characters", MaxKey))
		p.Param = KeyHeader
		a.refuse(w, r, p)
		return
	}
	caller := ""
	if who != nil {
		caller = who.Account
	}
	if _, busy := a.running.LoadOrStore(caller+"\n"+keys[0], true); busy {
		a.refuse(w, r, Refuse(http.StatusConflict, "idempotency_key_in_use", "the first request under this key is still being carried out; ask again in a moment"))
		return
	}
	defer a.running.Delete(caller + "\n" + keys[0])
	known, err := a.requests.Begin(r.Context(), caller, keys[0], digest)
	switch {
	case err == ErrRequests:
		w.Header().Set("Retry-After", "60")
		a.refuse(w, r, Refuse(http.StatusTooManyRequests, "too_many_requests", "more requests with keys than are kept for a day; come back later"))
	case err != nil:
		a.refuse(w, r, a.toldTo(r.Context(), err))
	case known != nil:
		a.again(w, r, known, digest)
	default:
		a.record(w, r, caller, keys[0], next)
	}
}

func goodKey(key string) bool {
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(key) > 0 && len(key) <= MaxKey
}

// again answers a repeat.
func (a *API) again(w http.ResponseWriter, r *http.Request, known *Repeat, digest [sha256.Size]byte) {
	switch {
	case known.Digest != digest:
		a.refuse(w, r, Refuse(http.StatusConflict, "idempotency_key_reused", "this key was given with another request: a new thing to do takes a new key"))
	case known.Status == 0:
		a.refuse(w, r, Refuse(http.StatusConflict, "outcome_unknown",
			"the host stopped, or failed, while it carried this out, and does not know how far it came: read whether it was done, and ask again under a new key if not"))
	default:
		w.Header().Set(ReplayedHeader, "true")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(known.Status)
		_, _ = w.Write(known.Body) // who asked is gone when this fails
	}
}

// record carries a request out and keeps its answer. What was refused before anything could be done is not kept, so
// that the request can be mended; a failure of ours is kept as not known.
func (a *API) record(w http.ResponseWriter, r *http.Request, caller, key string, next http.Handler) {
	kept := &recorder{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(kept, r)
	var err error
	switch {
	case kept.status == http.StatusBadRequest, kept.status == http.StatusUnsupportedMediaType, kept.status == http.StatusRequestEntityTooLarge,
		kept.status == http.StatusTooManyRequests, kept.status == http.StatusServiceUnavailable:
		err = a.requests.Forget(r.Context(), caller, key)
	case kept.status < 500:
		err = a.requests.End(r.Context(), caller, key, kept.status, withoutSecret(kept.body.Bytes()))
	}
	if err != nil { // what was done is told all the same; a repeat is refused as unknown
		a.shelf.router.Log.Error("the answer of a request was not kept", slog.String("error", err.Error()))
	}
	for name, values := range kept.header {
		w.Header()[name] = values
	}
	w.WriteHeader(kept.status)
	_, _ = kept.body.WriteTo(w) // who asked is gone when this fails
}

// withoutSecret is an answer as it is kept: what is shown once is not written down.
func withoutSecret(body []byte) []byte {
	if !bytes.Contains(body, []byte(`"secret"`)) {
		return body
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil
	}
	delete(members, "secret")
	kept, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	return kept
}

// recorder holds an answer back until it is kept.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (k *recorder) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *recorder) WriteHeader(status int) { k.status = status }

// Write implements http.ResponseWriter.
func (k *recorder) Write(b []byte) (int, error) {
	if k.body.Len()+len(b) > maxAnswer {
		return 0, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return k.body.Write(b)
}
