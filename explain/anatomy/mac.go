package anatomy

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"touchstone/paycrypto/mac"
	"touchstone/secret"
)

// Errors of NewMAC.
var (
	ErrNoMAC     = errors.New("this message has no DE64: no MAC was computed over it")
	ErrNotWhole  = errors.New("this message is not whole: which bytes a MAC covers is not known")
	ErrAlgorithm = errors.New("no OpenSSL command is known here for this MAC algorithm")
)

// MAC is the computation of a message's DE64 under a published key, step by step. Its bytes hold card data and its lines
// the key: it is for test keys.
type MAC struct {
	Algorithm mac.Algorithm
	Covered   Span
	DE64      string // as received
	Right     string // as computed

	hold func() *macInside
}

type macInside struct {
	mab, key []byte
	steps    mac.Steps
	folds    bool
}

// NewMAC computes the MAC of a whole message under a clear key of 8 or 16 bytes, which it copies.
func NewMAC(a *Anatomy, algorithm mac.Algorithm, key secret.Bytes) (*MAC, error) {
	if a.Fault != nil {
		return nil, ErrNotWhole
	}
	if a.Covered.Len() == 0 {
		return nil, ErrNoMAC
	}
	if _, ok := ciphers[algorithm]; !ok {
		return nil, ErrAlgorithm
	}
	m := &MAC{Algorithm: algorithm, Covered: a.Covered}
	in := &macInside{mab: a.hold().bytes[a.Covered.From:a.Covered.To]}
	var k *mac.Key
	var err error
	key.Use(func(b []byte) {
		in.key = append([]byte(nil), b...)
		padding := mac.Padding(0)
		if algorithm.TakesPadding() {
			padding = mac.Padding1
		}
		k, err = mac.New(algorithm, padding, b)
	})
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	right := k.Sum8(in.mab)
	m.Right = string(right[:])
	m.DE64 = safe(a.hold().bytes[a.Covered.To:])
	in.steps, in.folds = k.Trace(in.mab)
	m.hold = func() *macInside { return in }
	return m, nil
}

// Format prints the algorithm for every verb.
func (m *MAC) Format(w fmt.State, _ rune) { io.WriteString(w, m.Algorithm.String()) }

// MarshalText is refused.
func (m *MAC) MarshalText() ([]byte, error) { return nil, secret.ErrPrinted }

// Wipe forgets the key.
func (m *MAC) Wipe() { clear(m.hold().key) }

// ciphers are OpenSSL's names of what an algorithm chains with.
var ciphers = map[mac.Algorithm]struct {
	chain  string // CBC, IV zero
	block  int
	legacy bool // DES stands in a provider that OpenSSL 3 must be asked for
}{
	mac.UnionPayECBDES: {"des-cbc", 8, true}, mac.UnionPayECBTDES: {"des-ede-cbc", 8, false}, mac.UnionPayECBSM4: {"sm4-cbc", 16, false},
	mac.CBCMACTDES: {"des-ede-cbc", 8, false}, mac.X919: {"des-cbc", 8, true},
}

// Draw writes the bytes, the steps and the commands.
func (m *MAC) Draw(w io.Writer, s Style) error {
	t := &artist{Anatomy: &Anatomy{}, w: w, s: s}
	in := m.hold()
	t.row(t.two("MAC", "MAC"), fmt.Sprintf(t.two("%s over %d bytes, %d to %d of the input; the key is published, for tests only", "%s, 覆盖 %d 字节, 输入的第 %d 至 %d 字节; 密钥已公开, 仅供测试"),
		m.Algorithm, m.Covered.Len(), m.Covered.From, m.Covered.To-1))
	for at := 0; at < len(in.mab); at += 16 {
		row := in.mab[at:min(at+16, len(in.mab))]
		t.line("        %04X  % X", at, row)
	}
	if in.folds {
		n := in.steps.Size
		t.row("", fmt.Sprintf("XOR %X   %s", in.steps.XOR[:n], t.two("all blocks, the last filled with zeros", "所有分组异或, 末组补零")))
		t.row("", fmt.Sprintf("hex %s   %s", in.steps.Hex[:2*n], t.two("the same as characters", "转为十六进制字符")))
		t.row("", fmt.Sprintf("E1  %X   %s", in.steps.E1[:n], t.two("its first half enciphered", "前半加密")))
		t.row("", fmt.Sprintf("T   %X   %s", in.steps.T[:n], t.two("E1 xor its second half", "E1 与后半异或")))
		t.row("", fmt.Sprintf("E2  %X   %s", in.steps.E2[:n], t.two("enciphered: its first 4 bytes are the MAC", "再加密: 前 4 字节为 MAC")))
	}
	state := "✓"
	if m.Right != m.DE64 {
		state = "✗"
	}
	t.row("", fmt.Sprintf(t.two("computed %s, DE64 %s %s", "计算 %s, 64 域 %s %s"), m.Right, m.DE64, state))
	t.row("OPENSSL", t.two("recomputes it from the same bytes, in any POSIX shell:", "用同样的字节重新计算, 任何 POSIX shell 均可:"))
	for _, l := range m.Commands() {
		t.line("%s", l)
	}
	return t.err
}

// macChunk is the digits of the message on one line.
const macChunk = 96

// Commands are lines of a POSIX shell that print the eight characters of DE64 with OpenSSL alone. The folding MAC is, after
// the fold, a CBC-MAC over two blocks: E(E(first half) xor second half).
func (m *MAC) Commands() []string {
	in, c := m.hold(), ciphers[m.Algorithm]
	padded := append([]byte(nil), in.mab...)
	for len(padded)%c.block != 0 {
		padded = append(padded, 0)
	}
	lines := chunks("m=", fmt.Sprintf("%X", padded))
	providers := ""
	if c.legacy {
		providers = " -provider default -provider legacy"
	}
	enc := func(cipher, more string, key []byte) string {
		return fmt.Sprintf("openssl enc -%s -nopad -K %X%s%s", cipher, key, more, providers)
	}
	iv := fmt.Sprintf(" -iv %0*d", 2*c.block, 0)
	take := "| od -An -tx1 -N4 | tr -d ' \\n' | tr a-f A-F; echo"
	if in.folds {
		names := []string{"a", "b", "c", "d"}[:c.block/4]
		var zero, fold, args []string
		for i, n := range names {
			zero = append(zero, n+"=0")
			fold = append(fold, fmt.Sprintf("%s=$((%s^$%d))", n, n, i+1))
			args = append(args, "$"+n)
		}
		return append(lines,
			"set -- $(echo $m | fold -w 8 | sed s/^/0x/); "+strings.Join(zero, " "),
			fmt.Sprintf("while [ $# -gt 0 ]; do %s; shift %d; done", strings.Join(fold, " "), len(names)),
			fmt.Sprintf("printf '%s' %s | %s \\", strings.Repeat("%08X", len(names)), strings.Join(args, " "), enc(c.chain, iv, in.key)),
			fmt.Sprintf("  | tail -c %d %s", c.block, take))
	}
	lines = append(lines, `bytes() { for x in $(echo $m | fold -w 2); do printf "\\$(printf %03o 0x$x)"; done; }`)
	if m.Algorithm != mac.X919 {
		return append(lines, fmt.Sprintf("bytes | %s \\", enc(c.chain, iv, in.key)), fmt.Sprintf("  | tail -c %d %s", c.block, take))
	}
	one, two := in.key[:8], in.key[8:] // ANSI X9.19: the chain under K1, its last block deciphered under K2, enciphered under K1
	return append(lines, fmt.Sprintf("bytes | %s | tail -c 8 \\", enc(c.chain, iv, one)), fmt.Sprintf("  | %s \\", enc("des-ecb -d", "", two)),
		fmt.Sprintf("  | %s %s", enc("des-ecb", "", one), take))
}

// chunks is an assignment of many digits over several lines.
func chunks(name, digits string) []string {
	var out []string
	for len(digits) > macChunk {
		out, digits = append(out, digits[:macChunk]+`\`), digits[macChunk:]
	}
	return append(append([]string{name + `\`}, out...), digits)
}
