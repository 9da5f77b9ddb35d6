package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// explainMessageFlags are of a message given as hexadecimal text or as a file.
type explainMessageFlags struct {
	MAC bool `name:"mac" help:"Print the exact bytes the message's MAC covers, each step, and OpenSSL lines that recompute it: test data directories only."`
}

// maxMessageFile is the most bytes read of a file or of standard input.
const maxMessageFile = 64 << 10

// explainMessage answers for a message: hexadecimal digits, the name of a file, or - for standard input.
func explainMessage(x *explainCall) (taken bool, err error) {
	input, typed, err := x.messageInput()
	if err != nil || input == nil {
		if err == nil && x.MAC {
			err = errors.New("--mac: want a message: hexadecimal digits, a file, or - for standard input")
		}
		return err != nil, err
	}
	message, form, err := anatomy.Read(input)
	if err != nil {
		return true, err
	}
	defer clear(message)
	a := anatomy.Of(message, x.l.catalogue)
	if typed && a.HasFullPAN() && !isTestDirectory(x.directory()) {
		fmt.Fprintln(x.a.stderr, x.l.two("touchstone: this command line holds a whole card number, which process lists and shell histories show: put the message into a file, or give it on standard input (-)",
			"touchstone: 此命令行含完整卡号, 会出现在进程列表和命令历史中: 请将报文放入文件, 或经标准输入 (-) 给出"))
	}
	style := anatomy.Style{Language: x.l.lang, Colour: isTerminal(x.a.stdout) && x.a.getenv("NO_COLOR") == ""}
	if x.MAC {
		return true, x.showMAC(a, style)
	}
	judged, why := x.judge(message, a)
	if x.JSON {
		return true, x.messageJSON(a, form, judged, why)
	}
	if err := a.Draw(x.a.stdout, style); err != nil {
		return true, err
	}
	return true, x.drawJudgement(a, judged, why)
}

// messageInput is what was given as a message; nil when the words are none. typed tells that it stood on the command line.
func (x *explainCall) messageInput() (input []byte, typed bool, err error) {
	switch {
	case x.asked == "":
		return nil, false, nil
	case x.asked == "-":
		input, err = readMessage(x.a.stdin)
		return input, false, err
	case anatomy.LooksHex(x.asked):
		return []byte(x.asked), true, nil
	case len(x.Words) != 1 || x.known(x.asked):
		return nil, false, nil
	}
	info, err := os.Stat(x.asked)
	if err != nil && isFileName(x.asked) {
		return nil, false, fmt.Errorf("read message: %w", err)
	}
	if err != nil || info.IsDir() {
		return nil, false, nil // a word, to be looked up
	}
	f, err := os.Open(x.asked)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	input, err = readMessage(f)
	return input, false, err
}

// isFileName tells whether a word can be nothing but a file's name: it has a directory, or an ending that messages are kept under.
func isFileName(word string) bool {
	return strings.HasPrefix(word, "/") || strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../") || slices.Contains([]string{".hex", ".bin", ".txt", ".raw", ".msg", ".dat"}, filepath.Ext(word))
}

// known tells whether a word is a code, a reason or a cause, which a file of that name does not hide.
func (x *explainCall) known(word string) bool {
	if _, err := reason.Parse(strings.ToLower(word)); err == nil {
		return true
	}
	if _, err := reason.ParseCause(strings.ToLower(word)); err == nil {
		return true
	}
	_, ok := x.l.catalogue.Code(pos.Code(strings.ToUpper(word)))
	return ok && len(word) == len(pos.ResponseCode{})
}

func readMessage(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxMessageFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read message: %w", err)
	case len(b) > maxMessageFile:
		return nil, anatomy.ErrTooLong
	case len(b) == 0:
		return nil, anatomy.ErrEmpty
	}
	return b, nil
}

// notJudged is why the host's checks are not shown, a stable word.
type notJudged string

// Why not.
const (
	noDirectory  notJudged = "no_data_directory"
	notTest      notJudged = "not_a_test_data_directory"
	noHostThere  notJudged = "no_host"
	noEnvelope   notJudged = "no_envelope"
	notAnswered  notJudged = "host_did_not_answer"
	judgedByHost notJudged = ""
)

// judge asks the running host of a test data directory what it would say of a message now.
func (x *explainCall) judge(message []byte, a *anatomy.Anatomy) (*judgeAnswer, notJudged) {
	if x.Data == "" {
		return nil, noDirectory
	}
	if !isTestDirectory(x.Data) {
		return nil, notTest
	}
	frame := message
	switch f := a.Framing; {
	case f.Length:
		frame = message[2:]
		fallthrough
	case f.TPDU && f.Header:
	default: // a host takes none without: the usual ones are put before it
		frame = append([]byte{0x60, 0, 0, 0, 0, 0x60, 0x31, 0, 0x31, 0x07, 0x30}, message[f.Size():]...)
	}
	raw, running, err := askWithin(x.Data, change{Judge: &judgeQuery{Frame: frame}}, statusTime)
	var answer judgeAnswer
	switch {
	case !running:
		return nil, noHostThere
	case err != nil, json.Unmarshal(raw, &answer) != nil:
		return nil, notAnswered
	}
	return &answer, judgedByHost
}

// notJudgedWords say why, and what to do.
func notJudgedWords(why notJudged) explain.Text {
	switch why {
	case noDirectory:
		return explain.Text{EN: "only its structure was checked. Whether its proofs hold a host can say: add --data DIR of a running host with a test data directory",
			ZH: "仅检查了结构。各项证明是否成立须由主机判断: 加上 --data DIR, 指明正在运行的测试数据目录"}
	case notTest:
		return explain.Text{EN: "not judged: this data directory holds keys of its own, and who may ask again and again what is right learns what is right",
			ZH: "未判定: 此数据目录持有自己的密钥; 若可反复询问何者正确, 就会被套出正确值"}
	case noHostThere:
		return explain.Text{EN: "not judged: no host runs on this data directory, and only a running one knows sessions, batches and traces: start it and ask again",
			ZH: "未判定: 此数据目录上没有运行的主机, 只有运行中的主机知道会话、批次和流水号: 请启动后再问"}
	}
	return explain.Text{EN: "not judged: the host did not answer the question", ZH: "未判定: 主机没有回答"}
}

// drawJudgement adds what the host would say, check by check.
func (x *explainCall) drawJudgement(a *anatomy.Anatomy, judged *judgeAnswer, why notJudged) error {
	d := &drawing{w: x.a.stdout, l: x.l, colour: isTerminal(x.a.stdout) && x.a.getenv("NO_COLOR") == ""}
	label := d.two("JUDGED", "判定")
	if judged == nil {
		d.row(label, notJudgedWords(why).In(x.l.lang))
		return d.err
	}
	d.row(label, judged.sentence(d))
	for _, c := range judged.Checks {
		if c.State == proof.NotRun.String() {
			continue
		}
		name := c.Check
		if t, ok := x.l.catalogue.Check(c.Check); ok {
			name = t.In(x.l.lang)
		}
		mark := d.paint("✓", sgrGreen)
		if c.State != proof.Passed.String() {
			mark = d.paint("✗", sgrRed)
		}
		text := pad(name, 26) + " " + mark
		if c.Presented != "" {
			text += "  " + c.Presented
		}
		if c.Expected != "" && c.Expected != c.Presented {
			text += "  (" + d.two("expected ", "应为 ") + c.Expected + ")"
		}
		d.row("", text)
	}
	d.row("", d.two("judged without effect: nothing was written, no trace used, no PIN tried; address and certificate were taken as registered",
		"此判定不产生任何影响: 未写入、未占用流水号、未试密码; 来源地址和证书按登记值计"))
	if r, err := reason.Parse(judged.Reason); err == nil && r != reason.None {
		g := x.l.catalogue.Guide(r, reason.NoCause, "")
		d.steps(g.Steps.Engineer)
	}
	return d.err
}

// sentence is the verdict in a line.
func (j *judgeAnswer) sentence(d *drawing) string {
	r, err := reason.Parse(j.Reason)
	switch {
	case err != nil:
		return j.Reason
	case j.Repeat:
		return d.two("the host has answered this message before and would give the same answer again", "主机已答复过此报文, 将给出同样的答复")
	case j.Partly:
		return d.two("every proof holds now; card, PIN, balance and original were not asked", "目前各项证明均成立; 未询问卡、密码、余额和原交易")
	case j.DE39 == "":
		return fmt.Sprintf(d.two("the host would close the connection: %s", "主机将断开连接: %s"), r)
	}
	return fmt.Sprintf(d.two("the host would answer %s: %s (%s)", "主机将答复 %s: %s (%s)"), j.DE39, d.l.catalogue.Reason(r).Short.In(d.l.lang), r)
}

// shownMessage is a message explained, for a program.
type shownMessage struct {
	Form    anatomy.Form  `json:"form"`
	Message anatomy.Shown `json:"message"`
	Judged  *judgeAnswer  `json:"judged,omitempty"`
	Why     notJudged     `json:"not_judged_because,omitempty"`
}

func (x *explainCall) messageJSON(a *anatomy.Anatomy, form anatomy.Form, judged *judgeAnswer, why notJudged) error {
	enc := json.NewEncoder(x.a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(shownMessage{form, a.JSON(), judged, why})
}
