package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// claiming is a sale as it arrives, with texts in elements: ASCII of its own length, or with a length in front.
// Elements are numbered as ISO 8583 has them; 43, the card acceptor's name and place, is none of this dialect.
func claiming(trace int, texts map[int]string) []byte {
	fixed := map[int]int{37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 43: 40, 49: 3}
	elements := map[int][]byte{3: {0, 0, 0}, 4: {0, 0, 0, 0, 0x18, 0x50}, 11: {byte(trace / 10000 % 10), byte(trace / 1000 % 10 * 16), byte(trace%100/10*16 + trace%10)}, 22: {0x02, 0x10}, 25: {0}, 60: {0x00, 0x08, 0x22, 0, 0, 0x01},
		41: []byte("00000011"), 42: []byte("898310058120001"), 49: []byte("156")}
	for n, text := range texts {
		if size, ok := fixed[n]; ok {
			elements[n] = []byte((text + strings.Repeat(" ", size))[:size])
			continue
		}
		text = text[:min(len(text), 160)]
		head := []byte{byte(len(text) / 100), byte(len(text) % 100 / 10 * 16)}
		head[1] |= byte(len(text) % 10)
		if n == 44 { // two digits of length
			text = text[:min(len(text), 25)]
			head = []byte{byte(len(text)/10*16 + len(text)%10)}
		}
		elements[n] = append(head, text...)
	}
	var bitmap uint64
	numbers := make([]int, 0, len(elements))
	for n := range elements {
		bitmap |= 1 << (64 - n)
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	body := []byte{0x60, 0x00, 0x01, 0x00, 0x00, 0x60, 0x31, 0x00, 0x31, 0x10, 0x20, 0x02, 0x00}
	body = binary.BigEndian.AppendUint64(body, bitmap)
	for _, n := range numbers {
		body = append(body, elements[n]...)
	}
	return framed(body)
}

// TestS04FromTheWire: script in the texts that a message carries (DE43, which the dialect does not have, and those that it
// has) is text on every page that shows the message, and in every answer of the interface about it.
func TestS04FromTheWire(t *testing.T) {
	r := newAttackRig(t)
	r.who = everything()
	shown, looked, kept := 0, 0, map[int]int{}
	look := func(path string) {
		w := r.call(http.MethodGet, path, "", "")
		looked++
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %.300s", path, w.Code, w.Body)
		}
		if checkPage(t, path, w) {
			shown++
		}
	}
	every, least := 4, 10 // a quarter shows each kind; all of them in the long form
	if os.Getenv("TOUCHSTONE_LONG") != "" {
		every, least = 1, 40
	}
	for i, text := range hostile() {
		if i%every != 0 || strings.ContainsFunc(text, func(c rune) bool { return c > '~' }) {
			continue
		}
		for n, texts := range []map[int]string{{43: text}, {41: text, 42: text}, {63: "001" + text, 37: text, 44: text}, {41: strings.TrimLeft(text, "<\"' "), 63: "<x>" + text}} {
			from := r.e.ledger.Durable()
			r.sendFrom(t, fmt.Sprintf("127.0.%d.%d", 1+n, 1+i), claiming(100+10*i+n, texts))
			for seq := from + 1; seq <= r.e.ledger.Durable(); seq++ {
				kept[n]++
				r.awaitShown(t, seq)
				for _, path := range []string{"/transactions/%d", "/journal/%d", "/api/v1/transactions/txn_%d", "/api/v1/journal/%d"} {
					look(fmt.Sprintf(path, seq))
				}
			}
			if id := texts[41]; id != "" {
				look("/terminals/" + url.PathEscape((id + "        ")[:8]))
				look("/transactions?terminal=" + url.QueryEscape((id + "        ")[:8]))
			}
		}
	}
	for _, path := range []string{"/", "/failures", "/transactions", "/clones", "/journal", "/incidents", "/transactions?outcome=refused", "/transactions?format=csv"} {
		look(path)
	}
	for n := range 4 {
		if kept[n] < least {
			t.Errorf("only %d messages of form %d left an entry: nothing was attacked", kept[n], n)
		}
	}
	if shown < least {
		t.Errorf("only %d of %d pages show what a message carried", shown, looked)
	}
	t.Logf("entries by form %v; %d pages read, %d show a payload", kept, looked, shown)
}

// sendFrom sends one frame from an address of its own, and waits until it is answered or the host has closed.
func (r *attackRig) sendFrom(t *testing.T, address string, frame []byte) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(frame); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 2)); asTimeout(err, nil) {
		t.Fatalf("neither an answer nor an end: %v", err)
	}
}

// awaitShown waits until the page of an entry is no longer told to come later.
func (r *attackRig) awaitShown(t *testing.T, seq uint64) {
	t.Helper()
	for end := time.Now().Add(patience); r.call(http.MethodGet, fmt.Sprintf("/transactions/%d", seq), "", "").Code == http.StatusServiceUnavailable; {
		if time.Now().After(end) {
			t.Fatalf("entry %d is not shown", seq)
		}
		time.Sleep(time.Millisecond) // the page says itself that it is not there yet
	}
}
