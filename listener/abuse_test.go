package listener_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"touchstone/listener"
)

// A client of the record layer (RFC 8446, 5) that keeps to no rule: whole ClientHellos are recorded from
// crypto/tls and then cut, padded, altered; after a real handshake it takes over the traffic keys.

// The content types.
const (
	recordCCS       = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
)

// record is one plaintext record; size goes into its length field, whatever the payload.
func record(kind byte, version uint16, size int, payload []byte) []byte {
	b := append([]byte{kind}, byte(version>>8), byte(version), byte(size>>8), byte(size))
	return append(b, payload...)
}

func handshakeRecord(payload []byte) []byte {
	return record(recordHandshake, 0x0301, len(payload), payload)
}

// errRecorded ends a handshake whose first flight was all that was wanted.
var errRecorded = errors.New("recorded")

// recorder keeps what is written first and answers nothing.
type recorder struct {
	net.Conn
	first []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.first == nil {
		r.first = append([]byte(nil), b...)
	}
	return len(b), nil
}
func (r *recorder) Read([]byte) (int, error)         { return 0, errRecorded }
func (r *recorder) Close() error                     { return nil }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

// hello is the record of a ClientHello as crypto/tls sends it.
func hello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	r := &recorder{}
	if err := tls.Client(r, config).Handshake(); !errors.Is(err, errRecorded) || len(r.first) < 50 {
		t.Fatalf("recording a ClientHello: %v", err)
	}
	return r.first
}

// plainHello builds a ClientHello (RFC 5246, 7.4.1.2) with suites and no extension but the groups and
// signatures that an elliptic suite needs.
func plainHello(version uint16, suites ...uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, version)
	b = append(b, bytes.Repeat([]byte{7}, 32)...)
	b = append(b, 0) // no session
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(suites)))
	for _, s := range suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	b = append(b, 1, 0) // no compression
	extensions := []byte{0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 3, 2, 3}
	b = binary.BigEndian.AppendUint16(b, uint16(len(extensions)))
	return append([]byte{1, 0, byte((len(b) + len(extensions)) >> 8), byte(len(b) + len(extensions))}, append(b, extensions...)...)
}

// withExtension adds an extension to a recorded ClientHello.
func withExtension(rec []byte, id uint16, body []byte) []byte {
	b := append([]byte(nil), rec...)
	at := 5 + 4 + 2 + 32
	at += 1 + int(b[at])
	at += 2 + int(binary.BigEndian.Uint16(b[at:]))
	at += 1 + int(b[at])
	ext := binary.BigEndian.AppendUint16(nil, id)
	ext = binary.BigEndian.AppendUint16(ext, uint16(len(body)))
	ext = append(ext, body...)
	n := int(binary.BigEndian.Uint16(b[at:])) + len(ext)
	b = append(b[:at+2], append(ext, b[at+2:]...)...) // first, for a pre-shared key must stay the last
	binary.BigEndian.PutUint16(b[at:], uint16(n))
	binary.BigEndian.PutUint16(b[3:], uint16(len(b)-5))
	b[6], b[7], b[8] = 0, byte((len(b)-9)>>8), byte(len(b)-9)
	return b
}

// refused sends bytes on a new connection and wants its end, without a frame and without approval; what the
// server says before, alerts and its own flight, is passed over.
func (r *tlsRig) refused(t *testing.T, name string, b []byte) {
	t.Helper()
	c := r.raw(t)
	defer c.Close()
	r.endsAfter(t, name, c, b)
}

func (r *tlsRig) endsAfter(t *testing.T, name string, c net.Conn, b []byte) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, werr := c.Write(b) // fails where the server had enough before the end of b
	if half, ok := c.(*net.TCPConn); ok && werr == nil {
		_ = half.CloseWrite() // no more is coming; a connection that is gone already has no half
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, errDeadline) {
		t.Errorf("%s: the connection did not end", name)
	}
}

var errDeadline = os.ErrDeadlineExceeded

// TestAbuseBeforeHandshake: nothing of it is answered by the line, everything is counted, and a healthy
// terminal is served after each.
func TestAbuseBeforeHandshake(t *testing.T) {
	r := leakProof(t, short())
	good := hello(t, r.client(nil))
	one2 := r.client(nil)
	one2.MaxVersion = tls.VersionTLS12
	good12 := hello(t, one2)
	body := good[5:]
	var cases []struct {
		name  string
		bytes []byte
	}
	add := func(name string, parts ...[]byte) {
		cases = append(cases, struct {
			name  string
			bytes []byte
		}{name, bytes.Join(parts, nil)})
	}
	add("nothing")
	add("a record's head alone", good[:5])
	add("half a ClientHello", good[:len(good)/2])
	add("a record of 16385 bytes and more", record(recordHandshake, 0x0301, 18433, make([]byte, 18433)))
	add("a record of 65535 bytes", record(recordHandshake, 0x0301, 65535, make([]byte, 20000)))
	add("an empty record", record(recordHandshake, 0x0301, 0, nil))
	add("a thousand empty records", bytes.Repeat(record(recordHandshake, 0x0301, 0, nil), 1000))
	add("a thousand warnings", bytes.Repeat(record(recordAlert, 0x0301, 2, []byte{1, 90}), 1000))
	add("a fatal alert", record(recordAlert, 0x0301, 2, []byte{2, 40}))
	add("an alert of three bytes", record(recordAlert, 0x0301, 3, []byte{1, 90, 0}))
	add("data before the handshake", record(recordData, 0x0303, 100, make([]byte, 100)))
	add("a thousand ChangeCipherSpec", bytes.Repeat(record(recordCCS, 0x0303, 1, []byte{1}), 1000))
	add("an unknown content type", record(99, 0x0303, 10, make([]byte, 10)))
	add("a handshake message of 16 MiB", handshakeRecord([]byte{1, 0xff, 0xff, 0xff, 0}))
	add("a handshake message of 60000 bytes", bigHandshake(1, 60000))
	add("a Finished first", handshakeRecord([]byte{20, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
	add("a ServerHello", handshakeRecord([]byte{2, 0, 0, 40}), make([]byte, 40))
	add("two ClientHellos", good, good)
	add("a ClientHello and data", good, record(recordData, 0x0303, 100, make([]byte, 100)))
	add("a ClientHello and garbage", good, bytes.Repeat([]byte{0xA5}, 300))
	add("a ClientHello and ten thousand warnings", good, bytes.Repeat(record(recordAlert, 0x0303, 2, []byte{1, 90}), 10000))
	add("early data", withExtension(good, 42, nil), record(recordData, 0x0303, 200, make([]byte, 200)))
	add("an extension that nobody knows", withExtension(good, 0x7777, make([]byte, 100)))
	add("SSL 2.0", append([]byte{0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10}, make([]byte, 37)...))
	add("SSL 2.0 that offers TLS 1.2", append([]byte{0x80, 0x2e, 1, 3, 3, 0, 0x15, 0, 0, 0, 0x10}, make([]byte, 37)...))
	for name, version := range map[string]uint16{"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "version 0": 0, "version 2.0": 0x0200} {
		add(name, handshakeRecord(plainHello(version, 0xc02b, 0xc02f, 0xc009, 0x002f)))
	}
	for name, suite := range map[string]uint16{
		"NULL with MD5": 0x0001, "NULL with SHA-256": 0x003b, "ECDHE with NULL": 0xc006, "RC4": 0x0005, "ECDHE with RC4": 0xc007, "export RC2": 0x0006,
		"DES": 0x0009, "3DES": 0x000a, "CBC, static RSA": 0x002f, "CBC with SHA-256": 0x003c, "GCM, static RSA": 0x009c, "GCM, finite-field DH": 0x009e,
		"ECDHE with CBC": 0xc009, "ECDHE with CBC, SHA-384": 0xc024, "anonymous DH": 0x0018, "anonymous ECDH": 0xc018, "Camellia": 0x0041,
		"IDEA": 0x0007, "SEED": 0x0096, "PSK": 0x008c, "CCM with 8-byte tags": 0xc0ae, "GOST": 0x0081, "SM4 with SM3": 0xe013, "fallback alone": 0x5600, "no such suite": 0xfafa,
	} {
		add("only "+name, handshakeRecord(plainHello(0x0303, suite)))
	}
	add("no suite at all", handshakeRecord(plainHello(0x0303)))
	add("a fallback to TLS 1.2", handshakeRecord(plainHello(0x0303, 0xc02b, 0x5600))) // RFC 7507
	for n := 1; n < len(body); n += 9 {
		short := append([]byte(nil), body[:n]...)
		if n > 4 {
			short[1], short[2], short[3] = 0, byte((n-4)>>8), byte(n-4) // a whole message that is cut inside
		}
		add(fmt.Sprintf("a ClientHello cut at %d", n), handshakeRecord(short))
	}
	for n := 4; n < len(body); n += 5 {
		bad := append([]byte(nil), body...)
		bad[n] ^= 0xFF
		add(fmt.Sprintf("a ClientHello altered at %d", n), handshakeRecord(bad))
	}
	for n := 4; n < len(good12)-5; n += 11 {
		bad := append([]byte(nil), good12[5:]...)
		bad[n] ^= 0x01
		add(fmt.Sprintf("a ClientHello of TLS 1.2 altered at %d", n), handshakeRecord(bad))
	}
	for _, c := range cases {
		r.refused(t, c.name, c.bytes)
	}
	until(t, "every connection counted", func() bool {
		n := r.server.Transport()
		return n.Refused() == uint64(len(cases)) && r.server.Counts().Open == 0
	})
	t.Logf("%d cases: %v", len(cases), r.server.Transport())
	r.unharmed(t)
}

// bigHandshake is a handshake message of n bytes in full records.
func bigHandshake(kind byte, n int) (b []byte) {
	message := append([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n)}, make([]byte, n)...)
	for len(message) > 0 {
		k := min(len(message), 4096)
		b = append(b, handshakeRecord(message[:k])...)
		message = message[k:]
	}
	return b
}

// TestFragmentedHello: a ClientHello of one byte a record is in order (RFC 8446, 5.1), and no more than that.
func TestFragmentedHello(t *testing.T) {
	r := leakProof(t, short())
	var b []byte
	for _, x := range hello(t, r.client(nil))[5:] {
		b = append(b, handshakeRecord([]byte{x})...)
	}
	c := r.raw(t)
	defer c.Close()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil || head[0] != recordHandshake {
		t.Errorf("answered % x, %v, want a ServerHello", head, err)
	}
	c.Close()
	r.unharmed(t)
}

// hijacked is a connection whose TLS 1.3 client traffic keys are ours after a real handshake.
type hijacked struct {
	raw    net.Conn
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// hijack makes a handshake, with a certificate or without, and takes over.
func (r *tlsRig) hijack(t *testing.T, cert *tls.Certificate) *hijacked {
	t.Helper()
	var keylog strings.Builder
	config := r.client(cert)
	config.MinVersion, config.KeyLogWriter = tls.VersionTLS13, &keylog
	h := &hijacked{raw: r.raw(t)}
	c := tls.Client(h.raw, config)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if s := c.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("suite %s: this client knows AES-128-GCM", tls.CipherSuiteName(s))
	}
	for line := range strings.Lines(keylog.String()) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			var err error
			if h.secret, err = hex.DecodeString(f[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.rekey(t)
	return h
}

// expand is HKDF-Expand-Label with no context; RFC 8446, 7.1.
func expand(t *testing.T, secret []byte, label string, n int) []byte {
	t.Helper()
	info := string([]byte{0, byte(n), byte(len("tls13 ") + len(label))}) + "tls13 " + label + "\x00"
	b, err := hkdf.Expand(sha256.New, secret, info, n)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (h *hijacked) rekey(t *testing.T) {
	t.Helper()
	block, err := aes.NewCipher(expand(t, h.secret, "key", 16))
	if err == nil {
		h.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.iv, h.seq = expand(t, h.secret, "iv", 12), 0
}

// seal makes an encrypted record of a content type; RFC 8446, 5.2.
func (h *hijacked) seal(kind byte, payload []byte) []byte {
	inner := append(append([]byte(nil), payload...), kind)
	head := record(recordData, 0x0303, len(inner)+16, nil)
	nonce := append([]byte(nil), h.iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(h.seq >> (56 - 8*i))
	}
	h.seq++
	return h.aead.Seal(head, nonce, inner, head)
}

// updates are n KeyUpdate messages (RFC 8446, 4.6.3), each under the keys it brings about.
func (h *hijacked) updates(t *testing.T, n int, answer byte) (b []byte) {
	t.Helper()
	for range n {
		b = append(b, h.seal(recordHandshake, []byte{24, 0, 0, 1, answer})...)
		h.secret = expand(t, h.secret, "traffic upd", 32)
		h.rekey(t)
	}
	return b
}

// TestAbuseAfterHandshake: under real keys, and with a real certificate or none.
func TestAbuseAfterHandshake(t *testing.T) {
	frame := echo(t, id(1), 1)
	for _, certified := range []bool{false, true} {
		r := leakProof(t, short())
		var own *tls.Certificate
		if certified {
			own = r.office.device(t, serialText, -time.Hour, time.Hour)
		}
		for _, c := range []struct {
			name  string
			bytes func(h *hijacked) []byte
		}{
			{"a thousand KeyUpdates that want an answer", func(h *hijacked) []byte { return h.updates(t, 1000, 1) }},
			{"a thousand KeyUpdates", func(h *hijacked) []byte { return h.updates(t, 1000, 0) }},
			{"a KeyUpdate of a wrong value", func(h *hijacked) []byte { return h.seal(recordHandshake, []byte{24, 0, 0, 1, 7}) }},
			{"a thousand empty records", func(h *hijacked) (b []byte) {
				for range 1000 {
					b = append(b, h.seal(recordData, nil)...)
				}
				return b
			}},
			{"records of padding alone", func(h *hijacked) []byte { return h.seal(0, make([]byte, 100)) }},
			{"a thousand user_canceled alerts", func(h *hijacked) (b []byte) {
				for range 1000 {
					b = append(b, h.seal(recordAlert, []byte{1, 90})...)
				}
				return b
			}},
			{"a ClientHello (renegotiation)", func(h *hijacked) []byte { return h.seal(recordHandshake, plainHello(0x0303, 0xc02b)) }},
			{"a Certificate nobody asked for", func(h *hijacked) []byte { return h.seal(recordHandshake, append([]byte{11, 0, 0, 4}, 0, 0, 0, 0)) }},
			{"a Finished", func(h *hijacked) []byte {
				return h.seal(recordHandshake, append([]byte{20, 0, 0, 32}, make([]byte, 32)...))
			}},
			{"a session ticket", func(h *hijacked) []byte {
				return h.seal(recordHandshake, append([]byte{4, 0, 0, 32}, make([]byte, 32)...))
			}},
			{"a handshake message of 60000 bytes", func(h *hijacked) (b []byte) {
				message := append([]byte{24, 0, 0xea, 0x60}, make([]byte, 60000)...)
				for len(message) > 0 {
					k := min(len(message), 4096)
					b = append(b, h.seal(recordHandshake, message[:k])...)
					message = message[k:]
				}
				return b
			}},
			{"a record that does not open", func(h *hijacked) []byte {
				b := h.seal(recordData, frame)
				b[len(b)-1] ^= 1
				return b
			}},
			{"a record twice", func(h *hijacked) []byte {
				b := h.seal(recordData, frame[:10])
				return append(b, b...)
			}},
			{"a record out of turn", func(h *hijacked) []byte {
				h.seq = 5
				return h.seal(recordData, frame)
			}},
			{"a plaintext record", func(*hijacked) []byte { return record(recordData, 0x0303, len(frame), frame) }},
			{"a plaintext handshake", func(*hijacked) []byte { return handshakeRecord(plainHello(0x0303, 0xc02b)) }},
			{"a plaintext alert", func(*hijacked) []byte { return record(recordAlert, 0x0303, 2, []byte{2, 0}) }},
			{"a record of 16385 bytes", func(h *hijacked) []byte { return h.seal(recordData, make([]byte, 16385)) }},
			{"a record of the longest length and 300 more", func(h *hijacked) []byte { return h.seal(recordData, make([]byte, 16384+300)) }},
			{"plain TCP", func(*hijacked) []byte { return frame }},
			{"zeros", func(*hijacked) []byte { return make([]byte, 20000) }},
			{"length 0", func(h *hijacked) []byte { return h.seal(recordData, []byte{0, 0}) }},
			{"length 65535", func(h *hijacked) []byte { return h.seal(recordData, []byte{0xff, 0xff}) }},
			{"HTTP", func(h *hijacked) []byte { return h.seal(recordData, []byte("GET / HTTP/1.1\r\n\r\n")) }},
			{"TLS in TLS", func(h *hijacked) []byte { return h.seal(recordData, hello(t, r.client(nil))) }},
			{"half a frame", func(h *hijacked) []byte { return h.seal(recordData, frame[:20]) }},
		} {
			h := r.hijack(t, own)
			r.endsAfter(t, c.name, h.raw, c.bytes(h))
			h.raw.Close()
		}
		until(t, "every connection ended", func() bool { return r.server.Counts().Open == 0 })
		if n := r.server.Counts(); n.Answers != 0 || n.Frames != 0 {
			t.Errorf("counted %+v", n)
		}
		if n := r.server.Transport(); !certified && n[listener.OversizedUnproven] == 0 {
			t.Errorf("no peer was cut for what it sent before it proved anything: %v", n)
		}
		// The client itself is in order: a frame under the keys it took over is answered, also one byte a record.
		h := r.hijack(t, own)
		var b []byte
		for _, x := range frame {
			b = append(b, h.seal(recordData, []byte{x})...)
		}
		if _, err := h.raw.Write(append(b, h.seal(recordData, frame)...)); err != nil {
			t.Fatal(err)
		}
		until(t, "whole frames heard", func() bool { return r.server.Counts().Answers == 2 })
		h.raw.Close()
		r.unharmed(t)
	}
}
