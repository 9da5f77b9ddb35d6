package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"
)

// Catcher is a mail server that keeps what it is given in a directory and forwards nothing: NNNN.eml is a message, NNNN.json what
// the catcher knows of it, and session-NNNN.txt a conversation. A message whose Message-ID it has already is answered 250 and not
// kept a second time: the duplicates of RFC 5321, 6.1, and RFC 1047; how often it was offered is counted.
type Catcher struct {
	Dir      string
	Answer   int // tests: the code every DATA gets instead of being kept, such as 451; 0 is none
	DropData int // tests: the connection is cut after so many bytes of a message; 0 is never

	mu       sync.Mutex
	known    map[string]*Caught // by Message-ID
	messages int
	sessions int
	server   *gosmtp.Server
}

// Caught is one message that was kept.
type Caught struct {
	N         int      `json:"n"`
	MessageID string   `json:"message_id"`
	From      string   `json:"from"`
	To        []string `json:"to"`
	Bytes     int      `json:"bytes"`
	SHA256    string   `json:"sha256"`
	At        string   `json:"at"`       // RFC 3339
	Offered   int      `json:"offered"`  // how often it was handed over; kept once
	Sessions  []int    `json:"sessions"` // the conversations in which
}

// Bounds of the catcher.
const (
	maxCaught      = 32 << 20 // bytes of a message
	maxCaughtCount = 9999     // messages, and conversations
	catcherTimeout = time.Minute
)

// ErrCatcher is returned when the catcher's directory cannot be used.
var ErrCatcher = errors.New("mail catcher")

// Open reads what was caught before.
func (c *Catcher) Open() error {
	c.known = map[string]*Caught{}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	all, err := Mailbox(c.Dir)
	if err != nil {
		return err
	}
	for i := range all {
		c.known[all[i].MessageID] = &all[i]
		c.messages = max(c.messages, all[i].N)
	}
	old, err := filepath.Glob(filepath.Join(c.Dir, "session-*.txt"))
	c.sessions = len(old)
	return err
}

// Serve answers on ln until Close.
func (c *Catcher) Serve(ln net.Listener) error {
	c.mu.Lock()
	c.server = gosmtp.NewServer(gosmtp.BackendFunc(c.session))
	c.server.Domain, c.server.MaxMessageBytes, c.server.MaxRecipients = "mail-catcher.invalid", maxCaught, 100
	c.server.ReadTimeout, c.server.WriteTimeout = catcherTimeout, catcherTimeout
	c.server.ErrorLog = quiet{}
	server := c.server
	c.mu.Unlock()
	err := server.Serve(&recording{ln, c})
	if errors.Is(err, gosmtp.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close ends Serve.
func (c *Catcher) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	return c.server.Close()
}

// quiet drops the library's own log lines: a conversation that ends early stands in its file.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (c *Catcher) session(conn *gosmtp.Conn) (gosmtp.Session, error) {
	of, ok := conn.Conn().(*recordedConn)
	if !ok {
		return nil, fmt.Errorf("%w: a connection that is not recorded", ErrCatcher)
	}
	return &caughtSession{c: c, conn: of}, nil
}

type caughtSession struct {
	c    *Catcher
	conn *recordedConn
	from string
	to   []string
}

// Reset implements gosmtp.Session.
func (s *caughtSession) Reset() { s.from, s.to = "", nil }

// Logout implements gosmtp.Session.
func (s *caughtSession) Logout() error { return nil }

// Mail implements gosmtp.Session.
func (s *caughtSession) Mail(from string, _ *gosmtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt implements gosmtp.Session.
func (s *caughtSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data implements gosmtp.Session.
func (s *caughtSession) Data(r io.Reader) error {
	if s.c.DropData > 0 {
		_, err := io.CopyN(io.Discard, r, int64(s.c.DropData))
		return errors.Join(err, s.conn.Close())
	}
	message, err := io.ReadAll(io.LimitReader(r, maxCaught+1))
	if err != nil {
		return err
	}
	if s.c.Answer != 0 {
		return &gosmtp.SMTPError{Code: s.c.Answer, EnhancedCode: gosmtp.EnhancedCode{s.c.Answer / 100, 3, 0}, Message: "as this catcher was told to answer"}
	}
	parsed, err := mail.ReadMessage(bytes.NewReader(message))
	id := ""
	if err == nil {
		id = strings.Trim(strings.TrimSpace(parsed.Header.Get("Message-Id")), "<>")
	}
	if id == "" {
		return &gosmtp.SMTPError{Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 6, 0}, Message: "no message with a Message-ID"}
	}
	kept, again, err := s.c.keep(id, s.from, s.to, message, s.conn.n)
	if err != nil {
		return &gosmtp.SMTPError{Code: 452, EnhancedCode: gosmtp.EnhancedCode{4, 3, 1}, Message: "cannot keep it now"}
	}
	answer := fmt.Sprintf("Ok: kept as %04d", kept.N)
	if again {
		answer = fmt.Sprintf("Ok: kept as %04d before, offered %d times", kept.N, kept.Offered)
	}
	return &gosmtp.SMTPError{Code: 250, EnhancedCode: gosmtp.EnhancedCode{2, 0, 0}, Message: answer}
}

// keep writes a message down, durably, before it is answered 250: from then on it is the receiver's to lose.
func (c *Catcher) keep(id, from string, to []string, message []byte, session int) (*Caught, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.known[id]; old != nil {
		old.Offered++
		old.Sessions = append(old.Sessions, session)
		return old, true, c.note(old)
	}
	if c.messages >= maxCaughtCount {
		return nil, false, fmt.Errorf("%w: %d messages are the most it keeps", ErrCatcher, maxCaughtCount)
	}
	sum := sha256.Sum256(message)
	kept := &Caught{N: c.messages + 1, MessageID: id, From: from, To: to, Bytes: len(message), SHA256: hex.EncodeToString(sum[:]),
		At: time.Now().UTC().Format(time.RFC3339), Offered: 1, Sessions: []int{session}}
	if err := writeWhole(filepath.Join(c.Dir, fmt.Sprintf("%04d.eml", kept.N)), message); err != nil {
		return nil, false, err
	}
	if err := c.note(kept); err != nil {
		return nil, false, err
	}
	c.messages, c.known[id] = kept.N, kept
	return kept, false, nil
}

func (c *Catcher) note(kept *Caught) error {
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(c.Dir, fmt.Sprintf("%04d.json", kept.N)), append(text, '\n'))
}

// recording gives every connection a file of its conversation.
type recording struct {
	net.Listener
	c *Catcher
}

// Accept implements net.Listener.
func (l *recording) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.c.mu.Lock()
	l.c.sessions++
	n := l.c.sessions
	l.c.mu.Unlock()
	if n > maxCaughtCount {
		return nil, errors.Join(fmt.Errorf("%w: %d conversations are the most it keeps", ErrCatcher, maxCaughtCount), conn.Close())
	}
	f, err := os.OpenFile(sessionFile(l.c.Dir, n), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &recordedConn{Conn: conn, n: n, file: f}, nil
}

func sessionFile(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("session-%04d.txt", n))
}

// recordedConn writes down what is said on a connection: "S: " is the catcher, "C: " its visitor. The message itself is its .eml
// file, and here only a number of bytes.
type recordedConn struct {
	net.Conn
	n       int
	mu      sync.Mutex
	file    *os.File
	heard   []byte // of the visitor, not yet a whole line
	message int    // bytes of the message so far; -1 outside one
	inData  bool
}

// Read implements net.Conn.
func (r *recordedConn) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inData {
		r.message += n
		return n, err
	}
	r.heard = r.lines("C: ", append(r.heard, p[:n]...))
	return n, err
}

// Write implements net.Conn.
func (r *recordedConn) Write(p []byte) (int, error) {
	r.mu.Lock()
	if r.inData {
		r.note(fmt.Sprintf("C: (the message: %d bytes, and the line with one full stop)", r.message))
		r.inData = false
	}
	r.lines("S: ", bytes.Clone(p))
	if bytes.HasPrefix(p, []byte("354")) {
		r.inData, r.message = true, 0
	}
	r.mu.Unlock()
	return r.Conn.Write(p)
}

// Close implements net.Conn.
func (r *recordedConn) Close() error {
	r.mu.Lock()
	if r.inData {
		r.note(fmt.Sprintf("(cut in the message, after %d bytes)", r.message))
		r.inData = false
	}
	if r.file != nil {
		_ = r.file.Close() // what was said is written; there is nobody left to tell
		r.file = nil
	}
	r.mu.Unlock()
	return r.Conn.Close()
}

// lines writes the whole lines of b and returns the rest.
func (r *recordedConn) lines(who string, b []byte) []byte {
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return b[max(0, len(b)-4<<10):]
		}
		b = rest
		text := strings.TrimRight(string(line), "\r")
		if strings.HasPrefix(strings.ToUpper(text), "AUTH ") {
			text = text[:5] + "(not shown)"
		}
		r.note(who + text)
	}
}

func (r *recordedConn) note(line string) {
	if r.file != nil {
		_, _ = io.WriteString(r.file, line+"\n") // a full disk shows when the message itself is kept
	}
}

// Mailbox lists what a catcher's directory holds, the oldest first.
func Mailbox(dir string) (all []Caught, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "[0-9][0-9][0-9][0-9].json"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var m Caught
		if err := json.Unmarshal(text, &m); err != nil || m.N < 1 {
			return nil, fmt.Errorf("%w: %s is not its own", ErrCatcher, name)
		}
		all = append(all, m)
	}
	return all, nil
}

// CaughtMessage is a message of a catcher's directory, as it came.
func CaughtMessage(dir string, n int) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, fmt.Sprintf("%04d.eml", n)))
}

// Conversation is what was said on one connection.
func Conversation(dir string, session int) ([]byte, error) {
	return os.ReadFile(sessionFile(dir, session))
}
