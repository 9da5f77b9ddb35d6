package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxCalcLine is the longest request of touchstone calc, in bytes, without its
// line feed.
const maxCalcLine = 1 << 20

// calcOp is one operation of touchstone calc.
type calcOp struct {
	// fields names what "in" holds, separated by spaces; a name that ends in ?
	// may be left out. Whatever else "in" holds is refused.
	fields string
	run    func(calcIn) (calcOut, error)
}

// calcFreeText are names that "in" may hold for people to read.
var calcFreeText = []string{"comment", "note", "notes", "source"}

// calcTopics are the operations by topic. Names are those of the files in testdata/vectors.
func calcTopics() map[string]map[string]calcOp {
	return map[string]map[string]calcOp{
		"mac":        calcMACOps(),
		"kcv":        calcKCVOps(),
		"pin_blocks": calcPINOps(),
		"sm":         calcSMOps(),
	}
}

// runCalc answers requests in JSON Lines, one line each in their order, until in
// ends:
//
//	{"id":1,"topic":"mac","op":"pad","in":{"data":"1234","method":2,"block":8}}
//	{"id":1,"out":{"padded":"1234800000000000"}}
//
// A request that fails, and a verification that does not hold, is answered
// {"id":1,"error":"..."}; the text names the field at fault and never what it
// held. The id comes back as sent, null when it cannot be read. Members of a
// request beside id, topic, op and in are ignored, and so are empty lines. runCalc
// returns an error only when in cannot be read or out cannot be written.
func runCalc(in io.Reader, out io.Writer) error {
	r := bufio.NewReaderSize(in, 64<<10)
	w := bufio.NewWriter(out)
	topics := calcTopics()
	for {
		line, tooLong, err := readCalcLine(r)
		if err != nil && err != io.EOF {
			return fmt.Errorf("read request: %w", err)
		}
		switch {
		case tooLong:
			writeCalcAnswer(w, nil, nil, fmt.Errorf("request longer than %d bytes", maxCalcLine))
		case len(bytes.TrimSpace(line)) > 0:
			id, answer, failure := answerCalc(topics, line)
			writeCalcAnswer(w, id, answer, failure)
		}
		if r.Buffered() == 0 || err == io.EOF {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("write answer: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// readCalcLine reads up to a line feed, or to the end with io.EOF. Of a line that
// is too long it keeps nothing.
func readCalcLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(bytes.TrimSuffix(line, []byte("\n"))) > maxCalcLine {
			line, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

// calcRequest is a request. Names are matched to the letter.
type calcRequest map[string]json.RawMessage

func answerCalc(topics map[string]map[string]calcOp, line []byte) (id json.RawMessage, out calcOut, err error) {
	var request calcRequest
	if json.Unmarshal(line, &request) != nil || request == nil {
		return nil, nil, errors.New("request is not a JSON object")
	}
	id = request["id"]
	var topic, op string
	if json.Unmarshal(request["topic"], &topic) != nil || topics[topic] == nil {
		return id, nil, fmt.Errorf("unknown topic: there are %s", calcNames(topics))
	}
	if json.Unmarshal(request["op"], &op) != nil {
		op = ""
	}
	var fields calcIn
	if json.Unmarshal(request["in"], &fields) != nil {
		return id, nil, errors.New("in is not a JSON object")
	}
	out, err = runCalcOp(topics[topic], op, fields)
	return id, out, err
}

// runCalcOp runs one operation of a topic. reject runs the operation that its
// field op names and wants it to fail.
func runCalcOp(ops map[string]calcOp, name string, in calcIn) (calcOut, error) {
	if name == "reject" {
		inner := maps.Clone(in)
		delete(inner, "op")
		name, err := in.text("op")
		if err == nil && name == "reject" {
			err = errors.New("in.op: reject does not nest")
		}
		if err != nil {
			return nil, err
		}
		if _, err = runCalcOp(ops, name, inner); err != nil {
			return nil, err
		}
		return calcOut{{"result", "accepted"}}, nil
	}
	op, known := ops[name]
	if !known {
		return nil, fmt.Errorf("unknown op: the topic has %s, reject", calcNames(ops))
	}
	if err := in.check(op.fields); err != nil {
		return nil, err
	}
	return op.run(in)
}

func calcNames[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// calcOut is an answer: members in the order written.
type calcOut []calcMember

type calcMember struct {
	name  string
	value any // string, bool or []byte, which is written in upper-case hex
}

func writeCalcAnswer(w *bufio.Writer, id json.RawMessage, out calcOut, failure error) {
	if id == nil {
		id = json.RawMessage("null")
	}
	w.WriteString(`{"id":`)
	w.Write(id)
	if failure != nil {
		w.WriteString(`,"error":`)
		w.Write(calcJSON(failure.Error()))
		w.WriteString("}\n")
		return
	}
	w.WriteString(`,"out":{`)
	for i, m := range out {
		if i > 0 {
			w.WriteByte(',')
		}
		w.Write(calcJSON(m.name))
		w.WriteByte(':')
		if b, ok := m.value.([]byte); ok {
			fmt.Fprintf(w, `"%X"`, b)
			continue
		}
		w.Write(calcJSON(m.value))
	}
	w.WriteString("}}\n")
}

// calcJSON encodes a string or a bool, which cannot fail.
func calcJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
