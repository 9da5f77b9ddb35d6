package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/iso8583"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/secret"
)

// foldKey is the MAK of the published vector ecb-mac-des-1: testdata/vectors/cup.json.
const foldKey = "DAB36167E6DFB5EF"

// foldSerialKey is a published demonstration key.
const foldSerialKey = "0123456789ABCDEFFEDCBA9876543210"

// foldBlock is the block of the fold under DES, bytes.
const foldBlock = 8

// errFold is a demonstration that does not show what it must; a fault of the program.
var errFold = errors.New("fold: the demonstration does not hold")

// forgery is a message that was altered so that the fold stays.
type forgery struct {
	frame  []byte
	a, b   int  // the two bytes, or the two blocks' first bytes, in the MAB
	delta  byte // what both bytes were changed by; 0: the blocks were exchanged
	blocks int  // how many blocks lie between them
}

// fold is the demonstration: one honest message and two others with the same MAC.
type fold struct {
	honest  []byte
	changed forgery
	swapped forgery
}

// newFold builds the messages by the codec and finds the forgeries by trying, so that nothing here is a constant that
// could be wrong.
func newFold() (*fold, error) {
	honest, err := foldMessage()
	if err != nil {
		return nil, err
	}
	f := &fold{honest: honest}
	var found bool
	if f.changed, found = alterTwo(honest); !found {
		return nil, fmt.Errorf("%w: no two bytes", errFold)
	}
	if f.swapped, found = swapBlocks(honest); !found {
		return nil, fmt.Errorf("%w: no two blocks", errFold)
	}
	key, err := foldMAC(honest)
	if err != nil {
		return nil, err
	}
	for _, g := range []forgery{f.changed, f.swapped} {
		same, err := foldMAC(g.frame)
		if err != nil || same != key || bytes.Equal(g.frame, honest) {
			return nil, fmt.Errorf("%w: %v", errFold, err)
		}
	}
	return f, nil
}

// foldMessage is a sale of 88.00 keyed by hand, made as a terminal makes it; docs/protocol/unionpay-pos.md sections 2
// and 6. Card and shop are made up.
func foldMessage() ([]byte, error) {
	factor, serial := "001234", "00000304N9NL10000001"
	serialKey, err := hex.DecodeString(foldSerialKey)
	if err != nil {
		return nil, err
	}
	k, err := mac.New(mac.UnionPayECBSM4, 0, serialKey)
	if err != nil {
		return nil, err
	}
	cipher := mac.SerialCiphertext(k, serial, factor)
	a2, err := iso8583.AppendA2(nil, iso8583.A2Values{iso8583.A2DeviceType: []byte("04"), iso8583.A2Serial: []byte(serial),
		iso8583.A2Factor: []byte(factor), iso8583.A2Cipher: cipher[:], iso8583.A2Version: []byte("1.0.3   ")})
	if err != nil {
		return nil, err
	}
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Sale, Batch: 12, Reading: 6, Digits: 14})
	if err != nil {
		return nil, err
	}
	pan, err := pos.ParsePAN("6222600000001234")
	if err != nil {
		return nil, err
	}
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), foldEnvelope, 0x0200)
	b.PutPAN(pan)
	b.PutNumber(3, 0)
	b.PutNumber(4, 8800)
	b.PutNumber(11, 5)
	b.PutNumber(14, 3012)
	b.PutNumber(22, 12)
	b.PutNumber(25, 0)
	b.PutText(41, []byte("00000023"))
	b.PutText(42, []byte("898310058120001"))
	b.PutText(49, []byte("156"))
	b.PutText(59, a2)
	b.PutDigits(60, de60)
	b.PutText(63, []byte("CUPTABLE 12  GUESTS 02  WAITER 07  NO RECEIPT"))
	b.ReserveMAC()
	sum, err := foldSum(b.MAB())
	if err != nil {
		return nil, err
	}
	b.SetMAC(sum)
	frame, err := b.Frame()
	return bytes.Clone(frame), err
}

var foldEnvelope = iso8583.Envelope{0x60, 0x00, 0x03, 0x00, 0x00, 0x60, 0x31, 0x00, 0x31, 0x18, 0x12}

// foldSum is DE64 under the published key.
func foldSum(mab []byte) (sum [8]byte, err error) {
	raw, err := hex.DecodeString(foldKey)
	if err != nil {
		return sum, err
	}
	secret.Take(raw).Use(func(key []byte) {
		var k *mac.Key
		if k, err = mac.New(mac.UnionPayECBDES, 0, key); err == nil {
			sum = k.Sum8(mab)
		}
	})
	return sum, err
}

// foldMAC is DE64 as it is due to a frame.
func foldMAC(frame []byte) ([8]byte, error) {
	m, err := foldParse(frame)
	if err != nil {
		return [8]byte{}, err
	}
	return foldSum(m.MAB())
}

func foldParse(frame []byte) (m iso8583.Message, err error) {
	err = iso8583.UnionPay.Parse(&m, frame[iso8583.LengthSize:])
	return m, err
}

// mabStart is where the MAB begins in a frame with its length.
const mabStart = iso8583.LengthSize + iso8583.EnvelopeSize

// elementAt is where an element's bytes are in the MAB; the views that a message lends lie in it.
func elementAt(frame []byte, n int) (from, to int) {
	m, err := foldParse(frame)
	if err != nil {
		return 0, 0
	}
	raw := m.Raw(n)
	for at := range m.MAB() {
		if len(raw) > 0 && &m.MAB()[at] == &raw[0] {
			return at, at + len(raw)
		}
	}
	return 0, 0
}

// parses tells whether a frame is a message whose inner fields can be read too.
func parses(frame []byte) bool {
	m, err := foldParse(frame)
	if err != nil {
		return false
	}
	_, err60 := m.DE60()
	var nested error
	if de59 := m.Raw(59); de59 != nil {
		_, nested = iso8583.ParseDE59(de59)
	}
	return err60 == nil && nested == nil
}

// alterTwo raises the amount by a thousand yuan and changes a byte of the free text of DE63 in the same column by the
// same difference.
func alterTwo(honest []byte) (forgery, bool) {
	from, _ := elementAt(honest, 4)
	text, end := elementAt(honest, 63)
	const hundreds = 3 // of the six bytes of DE4 the fourth: thousands and hundreds of yuan
	const delta = 0x10 // of its upper digit: from 0 to 1
	a := from + hundreds
	for b := text; b < end; b++ {
		if (b-a)%foldBlock != 0 {
			continue
		}
		frame := bytes.Clone(honest)
		frame[mabStart+a] ^= delta
		frame[mabStart+b] ^= delta
		if frame[mabStart+b] >= 'A' && frame[mabStart+b] <= 'Z' && parses(frame) { // a letter becomes another
			return forgery{frame: frame, a: a, b: b, delta: delta, blocks: (b - a) / foldBlock}, true
		}
	}
	return forgery{}, false
}

// swapBlocks exchanges the first two whole blocks whose exchange leaves a message that can be read.
func swapBlocks(honest []byte) (forgery, bool) {
	m, err := foldParse(honest)
	if err != nil {
		return forgery{}, false
	}
	size := len(m.MAB())
	for a := 0; a+foldBlock <= size; a += foldBlock {
		for b := a + foldBlock; b+foldBlock <= size; b += foldBlock {
			frame := bytes.Clone(honest)
			x, y := frame[mabStart+a:mabStart+a+foldBlock], frame[mabStart+b:mabStart+b+foldBlock]
			if bytes.Equal(x, y) {
				continue
			}
			for i := range x {
				x[i], y[i] = y[i], x[i]
			}
			if parses(frame) {
				return forgery{frame: frame, a: a, b: b, blocks: (b - a) / foldBlock}, true
			}
		}
	}
	return forgery{}, false
}

// foldDifferences are the elements in which two messages differ, with what each says.
func foldDifferences(lang explain.Language, honest, altered []byte) (rows [][3]string, err error) {
	x, err := foldParse(honest)
	if err != nil {
		return nil, err
	}
	y, err := foldParse(altered)
	if err != nil {
		return nil, err
	}
	for n := 2; n <= iso8583.MaxElement; n++ {
		if e, known := iso8583.UnionPay.Element(n); known && (x.Has(n) || y.Has(n)) && !bytes.Equal(x.Raw(n), y.Raw(n)) {
			rows = append(rows, [3]string{fmt.Sprintf("DE%d %s", n, anatomy.ElementTitle(&e).In(lang)), foldText(x, n, &e), foldText(y, n, &e)})
		}
	}
	return rows, nil
}

// foldText is an element for a person; of a card number the last four.
func foldText(m iso8583.Message, n int, e *iso8583.Element) string {
	switch raw := m.Raw(n); {
	case n == 4:
		v, _ := m.Number(4)
		return pos.Amount(v).String()
	case e.Sensitive:
		return "…" + hex.EncodeToString(raw[max(len(raw)-2, 0):])
	case e.Format == iso8583.N:
		return hex.EncodeToString(raw)
	default:
		return strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, string(raw))
	}
}

// foldShell are lines of a POSIX shell that recompute the MAC of a message with nothing of this program. The last two
// steps of section 4.1 are CBC under a zero vector over the 16 characters of the fold.
func foldShell(frame []byte) (line string, err error) {
	m, err := foldParse(frame)
	if err != nil {
		return "", err
	}
	mab := bytes.Clone(m.MAB())
	for len(mab)%foldBlock != 0 {
		mab = append(mab, 0)
	}
	var words []string
	for at := 0; at < len(mab); at += foldBlock {
		words = append(words, strings.ToUpper(hex.EncodeToString(mab[at:at+foldBlock])))
	}
	var b strings.Builder
	b.WriteString("mac")
	for i, w := range words {
		if i > 0 && i%6 == 0 {
			b.WriteString(" \\\n   ")
		}
		b.WriteString(" " + w)
	}
	return b.String(), nil
}

// foldPrelude defines the shell's mac.
const foldPrelude = `fold() { a=0 b=0; for w; do a=$((a ^ 0x${w%????????})) b=$((b ^ 0x${w#????????})); done; printf %08X%08X $a $b; }
cbc() { openssl enc -des-cbc -nopad -K ` + foldKey + ` -iv 0000000000000000 -provider default -provider legacy; }
mac() { fold "$@" | cbc | od -An -v -tx1 -j8 -N4 | tr -d ' \n' | tr a-f A-F; echo; }`

// explainFold demonstrates what the fold of section 4.1 lets through.
func explainFold(w io.Writer, lang explain.Language) error {
	f, err := newFold()
	if err != nil {
		return err
	}
	sum, err := foldMAC(f.honest)
	if err != nil {
		return err
	}
	var b strings.Builder
	p := func(en, zh string, args ...any) { fmt.Fprintf(&b, two(lang, en, zh)+"\n", args...) }
	p("The folded MAC: two different messages, one MAC", "折叠的 MAC: 两条不同的报文, 同一个 MAC")
	p(`
UnionPay ECB (%s, %s, %s) folds all blocks of a message into one
by exclusive or, before any key is used. Whoever changes two bytes of one column by the same difference, or exchanges two
blocks, leaves the fold as it was, and so the MAC. The key is not needed, only the message.`, `
银联 ECB 算法 (%s、%s、%s) 在使用密钥之前, 先把报文各分组异或成
一个分组。只要把同一列的两个字节改动同样的差值, 或对调两个分组, 异或结果不变, MAC 也就不变。不需要密钥, 只需要报文。`, mac.UnionPayECBDES, mac.UnionPayECBTDES, mac.UnionPayECBSM4)
	p("\nA sale of CNY 88.00, made by this program's codec under a published test key. Its MAC: %s", "\n一笔 88.00 元的消费, 由本程序编码, 使用公开的测试密钥。其 MAC: %s", sum)
	if err := foldCase(&b, lang, f.honest, f.changed,
		fmt.Sprintf(two(lang, "1  Bytes %d and %d (column %d, %d blocks apart), each changed by %02X", "1  第 %d 与第 %d 字节 (第 %d 列, 相隔 %d 个分组), 各改动 %02X"),
			f.changed.a, f.changed.b, f.changed.a%foldBlock, f.changed.blocks, f.changed.delta)); err != nil {
		return err
	}
	if err := foldCase(&b, lang, f.honest, f.swapped,
		fmt.Sprintf(two(lang, "2  The blocks at bytes %d and %d exchanged", "2  对调第 %d 与第 %d 字节起的两个分组"), f.swapped.a, f.swapped.b)); err != nil {
		return err
	}
	p("\nRecompute all three with a shell and openssl 3 (the key is published; never do this with another):\n", "\n用 shell 与 openssl 3 重算三者 (此密钥是公开的; 不可用于其他密钥):\n")
	fmt.Fprintln(&b, foldPrelude)
	for _, frame := range [][]byte{f.honest, f.changed.frame, f.swapped.frame} {
		line, err := foldShell(frame)
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, line)
	}
	foldAdvice(p, lang)
	_, err = io.WriteString(w, b.String())
	return err
}

// foldCase prints one forgery field by field.
func foldCase(b *strings.Builder, lang explain.Language, honest []byte, g forgery, title string) error {
	rows, err := foldDifferences(lang, honest, g.frame)
	if err != nil {
		return err
	}
	sum, err := foldMAC(g.frame)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, r := range rows {
		fmt.Fprintf(b, "   %s\n     %s %s\n     %s %s\n", r[0], pad(two(lang, "honest", "原文"), 8), r[1], pad(two(lang, "altered", "改后"), 8), r[2])
	}
	fmt.Fprintf(b, "   %s %s\n", two(lang, "the MAC it needs, and has:", "应有的 MAC, 也正是原有的:"), sum)
	return nil
}

// foldAdvice says what it means, what still stands and what to do.
func foldAdvice(p func(en, zh string, args ...any), lang explain.Language) {
	p(`
What it means. On a plain line anybody between terminal and host can raise an amount, if a byte that nobody reads can be
changed with it. A right MAC under this algorithm says that the key was used, not that the message is the one that was
sent.`, `
意味着什么: 在明文线路上, 终端与主机之间的任何人都能改大金额, 只要同列还有一个没人看的字节可以一起改。
在这种算法下, MAC 正确只说明用过密钥, 并不说明报文就是发出的那一条。`)
	p(`
What still stands.
  - trace: the same message again, or another under its trace, is refused (94)
  - serial cipher: SM4 over serial number and the end of the card number; neither can be changed.
    It does not cover the amount
  - PIN block: bound to the card number by format 0; another card's number breaks it (99)
  - register: terminal, shop, device, network must belong together (97, 58)
  - issuer: balance, limits and what the cardholder's bank watches`, `
仍然有效的检查:
  - 流水号: 原样重发或同号另发都会被拒绝 (94)
  - 序列号密文: SM4 覆盖序列号与卡号末尾, 两者都改不得; 但不覆盖金额
  - PIN 块: 格式 0 与主账号绑定, 换卡号即失效 (99)
  - 登记: 终端、商户、设备、网络必须相符 (97, 58)
  - 发卡行: 余额、限额及其自身的监控`)
	p(`
What to do.
  - migrate: MAC %s under sign-in code 003 or 004 (graded %s): touchstone grade plan lists the terminals
  - meanwhile: TLS, so that nobody is in between: require-tls = true
  - then refuse it: refuse-mac = ["xor-fold"]; before that: touchstone policy try FILE --from DAY says who would be refused
  - SM4 (005, 006) is folded likewise, in 16-byte blocks: this dialect has no other MAC for it`, `
怎么办:
  - 迁移: 签到码 003 或 004 下改用 MAC %s (强度 %s): touchstone grade plan 列出终端
  - 在此之前: 用 TLS, 使中间无人可改: require-tls = true
  - 然后拒绝: refuse-mac = ["xor-fold"]; 事先用 touchstone policy try FILE --from DAY 看谁会被拒绝
  - SM4 (005, 006) 同样折叠, 只是分组为 16 字节: 本报文规范没有别的 MAC`,
		proof.AlgorithmOf(registry.MACX919, keys.SignInTDES), (&drawing{l: &lines{lang: lang}}).gradeWord(proof.AlgorithmOf(registry.MACX919, keys.SignInTDES).Grade().Strength.String()))
}

// explainFoldForm is touchstone explain fold: what the folded MAC lets through.
func explainFoldForm(x *explainCall) (bool, error) {
	if x.asked != "fold" {
		return false, nil
	}
	return true, explainFold(x.a.stdout, x.l.lang)
}
