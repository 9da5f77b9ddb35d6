package listener

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// TestForgetOverwrites: after it no byte of what was read or written is in the buffers.
func TestForgetOverwrites(t *testing.T) {
	r := bufio.NewReaderSize(strings.NewReader(strings.Repeat("secret", 200)), readBuffer)
	first, err := r.Peek(1200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Discard(1100); err != nil { // read and not read alike
		t.Fatal(err)
	}
	forget(r)
	if !bytes.Equal(first, make([]byte, len(first))) {
		t.Error("a reader keeps what it read")
	}
	var out bytes.Buffer
	w := bufio.NewWriterSize(&out, writeBuffer)
	if _, err := w.WriteString("an answer"); err != nil {
		t.Fatal(err)
	}
	n := w.Buffered()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	forgetWritten(w, n)
	if kept := w.AvailableBuffer()[:n]; !bytes.Equal(kept, make([]byte, n)) {
		t.Errorf("a writer keeps %q", kept)
	}
	if out.String() != "an answer" {
		t.Errorf("what was written became %q", out.String())
	}
}

// BenchmarkObserveForget is what overwriting the buffers of a connection costs a message.
func BenchmarkObserveForget(b *testing.B) {
	r := bufio.NewReaderSize(zeros{}, readBuffer)
	w := bufio.NewWriterSize(&bytes.Buffer{}, writeBuffer)
	for b.Loop() {
		forget(r)
		r.Reset(zeros{})
		forgetWritten(w, 250)
	}
}
