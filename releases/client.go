package releases

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// What a client refuses, each with its own words.
var (
	ErrUnsigned  = errors.New("refused, not signed: too few of the keys that the root of trust names have signed it")
	ErrOlder     = errors.New("refused, older: the repository offers less than this terminal has seen already (rollback)")
	ErrExpired   = errors.New("refused, expired: the repository's word is too old to be believed; newer ones may be held back (freeze)")
	ErrAltered   = errors.New("refused, altered: length or digest is not what was signed")
	ErrTooLong   = errors.New("refused, too long: more was sent than was announced")
	ErrMalformed = errors.New("refused, malformed")
	ErrAbsent    = errors.New("not there: the repository lacks a file that it must have")
	ErrTrust     = errors.New("no root of trust: give the root.json that came with the terminal, out of band")
	ErrNothing   = errors.New("the repository has no release for this model and hardware")
)

// Bounds of what a client takes. Every file has a length before it is asked for.
const (
	maxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 1 << 20
	maxTargets   = 8 << 20
	maxRotations = maxRoots
	maxTarget    = 256 << 20
	fetchTime    = 30 * time.Second // for one piece of metadata
	targetTime   = 10 * time.Minute // for one file
)

// Client fetches from one repository. It keeps what it trusts in a directory of its own.
type Client struct {
	Source string       // https://..., http://... of this machine, or a directory
	Dir    string       // what is trusted: the newest metadata seen
	Root   []byte       // the root of trust, needed where Dir has none yet
	HTTP   *http.Client // nil: one with the system's authorities
	Now    time.Time    // zero: the machine's clock
}

// Offer is a verified target.
type Offer struct {
	Path   string
	Digest string
	Length int64
	About  About

	file *metadata.TargetFiles
}

// Session is a client after a refresh: what it lists is signed, whole, and as new as anything seen before.
type Session struct {
	updater *updater.Updater
	fetch   *fetcher
	offers  []Offer
}

// Refresh fetches and verifies metadata: TUF 1.0.31, section 5.3 to 5.6.
func (c *Client) Refresh(ctx context.Context) (*Session, error) {
	base, err := baseOf(c.Source)
	if err != nil {
		return nil, err
	}
	root, err := c.root()
	if err != nil {
		return nil, err
	}
	trusted := filepath.Join(c.Dir, "metadata")
	if err := os.MkdirAll(trusted, 0o700); err != nil {
		return nil, err
	}
	cfg, err := config.New(base+"metadata", root)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	get := &fetcher{ctx: ctx, base: base, client: c.HTTP}
	cfg.RemoteTargetsURL, cfg.LocalMetadataDir, cfg.LocalTargetsDir = base+"targets", trusted, c.Dir
	cfg.RootMaxLength, cfg.TimestampMaxLength, cfg.SnapshotMaxLength, cfg.TargetsMaxLength = maxRoot, maxTimestamp, maxSnapshot, maxTargets
	cfg.MaxRootRotations, cfg.MaxDelegations, cfg.Fetcher = maxRotations, 0, get
	u, err := updater.New(cfg)
	if err != nil {
		return nil, refusal(err)
	}
	if !c.Now.IsZero() {
		u.UnsafeSetRefTime(c.Now)
	}
	if err := u.Refresh(); err != nil {
		return nil, refusal(err)
	}
	s := &Session{updater: u, fetch: get}
	for path, file := range u.GetTopLevelTargets() {
		offer, err := offerOf(path, file)
		if err != nil {
			return nil, err
		}
		s.offers = append(s.offers, offer)
	}
	return s, nil
}

// root is the newest root of trust seen, or the one that was given.
func (c *Client) root() ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(c.Dir, "metadata", "root.json"))
	switch {
	case err == nil:
		return raw, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case len(c.Root) == 0:
		return nil, ErrTrust
	case len(c.Root) > maxRoot:
		return nil, fmt.Errorf("%w: root of trust of %d bytes, the most is %d", ErrMalformed, len(c.Root), maxRoot)
	}
	return c.Root, nil
}

// offerOf reads what a target says of itself. A path that could leave its directory is refused even though it is
// signed: whoever signed it made a mistake, or lost a key.
func offerOf(path string, file *metadata.TargetFiles) (Offer, error) {
	if !validPath(path) {
		return Offer{}, fmt.Errorf("%w: target %.60q: a name must be letters, digits, dots and dashes", ErrMalformed, path)
	}
	if file.Length <= 0 || file.Length > maxTarget || file.Custom == nil {
		return Offer{}, fmt.Errorf("%w: target %s: %d bytes, or it does not say what it is", ErrMalformed, path, file.Length)
	}
	sum := file.Hashes["sha256"]
	if len(file.Hashes) != 1 || len(sum) != 32 {
		return Offer{}, fmt.Errorf("%w: target %s: want one SHA-256", ErrMalformed, path)
	}
	o := Offer{Path: path, Digest: hex.EncodeToString(sum), Length: file.Length, file: file}
	if err := json.Unmarshal(*file.Custom, &o.About); err != nil {
		return Offer{}, fmt.Errorf("%w: target %s: it does not say what it is", ErrMalformed, path)
	}
	return o, nil
}

// Offers are the verified targets, in no order.
func (s *Session) Offers() []Offer { return s.offers }

// Fetch fetches one target's file and proves that it is the one that was signed.
func (s *Session) Fetch(ctx context.Context, o *Offer) ([]byte, error) {
	s.fetch.ctx = ctx
	remote := s.fetch.base + "targets/" + o.Digest + "." + o.Path
	content, err := s.fetch.DownloadFile(remote, o.Length, 0)
	if err != nil {
		return nil, refusal(err)
	}
	if err := o.file.VerifyLengthHashes(content); err != nil {
		return nil, refusal(err)
	}
	return content, nil
}

// refusal puts the library's errors into our words; the library's own follow for whoever looks deeper.
func refusal(err error) error {
	var status *metadata.ErrDownloadHTTP
	for _, x := range []struct{ is, ours error }{
		{&metadata.ErrDownloadLengthMismatch{}, ErrTooLong}, {&metadata.ErrLengthOrHashMismatch{}, ErrAltered},
		{&metadata.ErrUnsignedMetadata{}, ErrUnsigned}, {&metadata.ErrExpiredMetadata{}, ErrExpired}, {&metadata.ErrBadVersionNumber{}, ErrOlder},
	} {
		if errors.Is(err, x.is) {
			return fmt.Errorf("%w: %w", x.ours, err)
		}
	}
	switch {
	case errors.As(err, &status):
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	case errors.Is(err, &metadata.ErrRepository{}), errors.Is(err, &metadata.ErrValue{}), errors.Is(err, &metadata.ErrType{}):
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return fmt.Errorf("fetch from the repository: %w", err)
}

// baseOf is the source as an address that ends in a slash: https, http for the loopback interface, or a directory.
func baseOf(source string) (string, error) {
	u, err := url.Parse(source)
	if err == nil && u.Host != "" {
		local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
		if u.Scheme != "https" && (u.Scheme != "http" || !local) {
			return "", fmt.Errorf("repository %.60q: want https, or http on this machine, or a directory", source)
		}
		return strings.TrimSuffix(source, "/") + "/", nil
	}
	abs, err := filepath.Abs(source)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return "", fmt.Errorf("repository %s: no such directory", source)
	}
	return "file://" + filepath.ToSlash(abs) + "/", nil
}

// fetcher reads a bounded number of bytes from a web server or a directory, in a bounded time.
type fetcher struct {
	ctx    context.Context // of the refresh or fetch under way
	base   string
	client *http.Client
}

// DownloadFile implements go-tuf's fetcher.Fetcher. at most most bytes are read.
func (f *fetcher) DownloadFile(address string, most int64, _ time.Duration) ([]byte, error) {
	limit := fetchTime
	if most > maxTargets {
		limit = targetTime
	}
	ctx, cancel := context.WithTimeout(f.ctx, limit)
	defer cancel()
	body, err := f.open(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s: more than the %d bytes that it may have", filepath.Base(address), most)}
	}
	return content, nil
}

func (f *fetcher) open(ctx context.Context, address string) (io.ReadCloser, error) {
	absent := &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: address}
	if path, ok := strings.CutPrefix(f.base, "file://"); ok {
		name, ok := strings.CutPrefix(address, f.base)
		if !ok || !filepath.IsLocal(name) {
			return nil, &metadata.ErrValue{Msg: "a name outside the repository"}
		}
		file, err := os.OpenInRoot(path, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, absent
		}
		return file, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := f.client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, &metadata.ErrDownloadHTTP{StatusCode: answer.StatusCode, URL: address}
	}
	return answer.Body, nil
}
