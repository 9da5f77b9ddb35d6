package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type calcVector struct {
	ID     string          `json:"id"`
	Op     string          `json:"op"`
	In     json.RawMessage `json:"in"`
	Out    json.RawMessage `json:"out"`
	Expect string          `json:"expect"`
	Source string          `json:"source"`
}

// loadCalcVectors refuses a vector without a source.
func loadCalcVectors(t testing.TB, topic string) []calcVector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", topic+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []calcVector `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("%s holds no vectors", topic)
	}
	for _, v := range file.Vectors {
		if v.Source == "" {
			t.Fatalf("%s: vector without source", v.ID)
		}
	}
	return file.Vectors
}

type calcAnswer struct {
	ID    json.RawMessage `json:"id"`
	Out   json.RawMessage `json:"out"`
	Error *string         `json:"error"`
}

// calc runs requests and gives the answers, one for each expected.
func calc(t testing.TB, input string, want int) []calcAnswer {
	t.Helper()
	var out bytes.Buffer
	if err := runCalc(strings.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != want {
		t.Fatalf("%d answers, want %d", len(lines), want)
	}
	answers := make([]calcAnswer, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &answers[i]); err != nil {
			t.Fatalf("answer %d is not JSON: %v", i, err)
		}
		if (answers[i].Error == nil) == (answers[i].Out == nil) {
			t.Fatalf("answer %d holds not exactly one of out and error", i)
		}
	}
	return answers
}

// calcRefusals are what a vector that expects an error may be answered: the
// refusal itself, never a complaint about its form.
var calcRefusals = []string{
	errCalcTag.Error(), "pin block invalid", "authenticated encryption: tag does not verify", "signature does not verify",
}

func TestCalcVectors(t *testing.T) {
	for _, topic := range []string{"mac", "kcv", "pin_blocks", "sm"} {
		t.Run(topic, func(t *testing.T) {
			vectors := loadCalcVectors(t, topic)
			var input strings.Builder
			for _, v := range vectors {
				fmt.Fprintf(&input, "{\"id\":%q,\"topic\":%q,\"op\":%q,\"in\":%s}\n", v.ID, topic, v.Op, compact(t, v.In))
			}
			for i, got := range calc(t, input.String(), len(vectors)) {
				v := vectors[i]
				if string(got.ID) != fmt.Sprintf("%q", v.ID) {
					t.Fatalf("answer %d is for %s, want %s", i, got.ID, v.ID)
				}
				checkCalcAnswer(t, v, got)
			}
		})
	}
}

func compact(t testing.TB, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkCalcAnswer(t *testing.T, v calcVector, got calcAnswer) {
	t.Helper()
	if v.Expect == "error" || v.Op == "reject" {
		if got.Error == nil {
			t.Errorf("%s: accepted, want a refusal", v.ID)
			return
		}
		for _, text := range calcRefusals {
			if *got.Error == text {
				return
			}
		}
		t.Errorf("%s: refused for its form: %s", v.ID, *got.Error)
		return
	}
	if got.Error != nil {
		t.Errorf("%s: %s", v.ID, *got.Error)
		return
	}
	var have, want map[string]any
	if json.Unmarshal(got.Out, &have) != nil || json.Unmarshal(v.Out, &want) != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("%s: out differs from the vector", v.ID)
	}
}

func TestCalcRefusals(t *testing.T) {
	const key = "0123456789ABCDEFFEDCBA9876543210" // published test key
	for _, c := range []struct{ name, line, id, want string }{
		{"no JSON", `{"id":1,`, "null", "request is not a JSON object"},
		{"null", `null`, "null", "request is not a JSON object"},
		{"array", `[1]`, "null", "request is not a JSON object"},
		{"id as sent", `{"id":{"a":[1, 2]},"topic":"none"}`, `{"a":[1,2]}`, "unknown topic: there are kcv, mac, pin_blocks, sm"},
		{"no id", `{"topic":"kcv","op":"none","in":{}}`, "null", "unknown op: the topic has kcv_cmac, kcv_legacy, parity, working_keys, reject"},
		{"no in", `{"id":1,"topic":"kcv","op":"parity"}`, "1", "in is not a JSON object"},
		{"null in", `{"id":1,"topic":"kcv","op":"parity","in":null}`, "1", "in.key: missing"},
		{"missing field", `{"id":1,"topic":"kcv","op":"parity","in":{"key":null}}`, "1", "in.key: missing"},
		{"unknown field", `{"id":1,"topic":"kcv","op":"parity","in":{"key":"` + key + `","keys":1}}`, "1", "in.keys: no such field, there are key"},
		{"a value as a name", `{"id":1,"topic":"kcv","op":"parity","in":{"key":"` + key + `","` + key + `":1}}`, "1", "in.?: no such field, there are key"},
		{"case of a name", `{"id":1,"topic":"kcv","op":"parity","in":{"Key":"` + key + `"}}`, "1", "in.key: missing"},
		{"not hexadecimal", `{"id":1,"topic":"kcv","op":"parity","in":{"key":"` + key + `x"}}`, "1", "in.key: not hexadecimal"},
		{"not a string", `{"id":1,"topic":"kcv","op":"parity","in":{"key":12}}`, "1", "in.key: not a string"},
		{"key length", `{"id":1,"topic":"mac","op":"retail_mac","in":{"key":"00` + key + `","data":"","padding":1}}`, "1", "in.key: wrong length for retail MAC DES"},
		{"padding", `{"id":1,"topic":"mac","op":"retail_mac","in":{"key":"` + key + `","data":"","padding":4}}`, "1", "in.padding: not an integer from 1 to 3"},
		{"unequal halves", `{"id":1,"topic":"sm","op":"sm4_emac","in":{"key1":"` + key + `00","key2":"` + key[2:] + `","data":""}}`, "1", "in.key2: not as long as in.key1"},
		{"hash", `{"id":1,"topic":"mac","op":"hmac","in":{"hash":"MD5","key":"00","data":""}}`, "1", "in.hash: unknown hash, there are SHA-1, SHA-256, SHA-384, SHA-512, SM3"},
		{"short tag", `{"id":1,"topic":"mac","op":"aes_cmac_verify","in":{"key":"` + key + `","data":"","tag":"00"}}`, "1", "tag does not verify"},
		{"algorithm", `{"id":1,"topic":"kcv","op":"kcv_legacy","in":{"alg":"RC4","key":"` + key + `"}}`, "1", errCalcAlgorithm.Error()},
		{"sign-in code", `{"id":1,"topic":"kcv","op":"working_keys","in":{"code":"002","tmk":"` + key + `","de62":""}}`, "1", "in.code: unknown sign-in code, there are 001, 003, 004, 005, 006"},
		{"reject in reject", `{"id":1,"topic":"mac","op":"reject","in":{"op":"reject"}}`, "1", "in.op: reject does not nest"},
		{"card number changed", `{"id":1,"topic":"pin_blocks","op":"translate","in":{"from":{"format":0,"key":"` + key + `","alg":"TDES","pinblock":"` + key[:16] + `","pan":"4111111111111111"},"to":{"format":0,"key":"` + key + `","alg":"TDES","pan":"4111111111111112"}}}`, "1", "in.pan: a translation does not change the card number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := calc(t, c.line+"\n", 1)[0]
			if got.Error == nil {
				t.Fatal("accepted")
			}
			if *got.Error != c.want {
				t.Errorf("error %q, want %q", *got.Error, c.want)
			}
			if got.ID == nil {
				got.ID = json.RawMessage("null")
			}
			if compact(t, got.ID) != c.id {
				t.Errorf("id %s, want %s", got.ID, c.id)
			}
			if strings.Contains(*got.Error, key[:8]) {
				t.Error("the error shows key bytes")
			}
		})
	}
}

func TestCalcRejectThatHolds(t *testing.T) {
	got := calc(t, `{"id":1,"topic":"pin_blocks","op":"reject","in":{"op":"decode2","clear_pinblock":"241234FFFFFFFFFF"}}`, 1)[0]
	if string(got.Out) != `{"result":"accepted"}` {
		t.Errorf("out %s", got.Out)
	}
}

func TestCalcLineBound(t *testing.T) {
	request := `{"id":1,"topic":"mac","op":"pad","in":{"data":"1234","method":2,"block":8,"comment":"` // comment is free text
	line := func(n int) string { return request + strings.Repeat("x", n-len(request)-3) + "\"}}" }
	next := "\n" + `{"id":"next","topic":"sm","op":"sm3","in":{"data":"616263"}}`
	for _, c := range []struct {
		name string
		size int
		ok   bool
	}{{"one under", maxCalcLine - 1, true}, {"at", maxCalcLine, true}, {"one over", maxCalcLine + 1, false}, {"far over", 3 * maxCalcLine, false}} {
		t.Run(c.name, func(t *testing.T) {
			got := calc(t, line(c.size)+next, 2)
			if (got[0].Out != nil) != c.ok {
				t.Errorf("answered: %v, want %v", got[0].Out != nil, c.ok)
			}
			if string(got[1].Out) != `{"digest":"66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"}` {
				t.Error("the line after it was not answered")
			}
		})
	}
}

func TestCalcEmptyLinesAndOrder(t *testing.T) {
	got := calc(t, "\n \r\n{\"id\":2}\r\n\n{\"id\":1}", 2)
	if string(got[0].ID) != "2" || string(got[1].ID) != "1" {
		t.Error("answers out of order")
	}
}

// TestCalcExtras runs the operations that the vector files do not name, with values of cup.json
// and of printed standards.
func TestCalcExtras(t *testing.T) {
	for _, c := range []struct{ name, line, out string }{
		{"unionpay_ecb", `"topic":"mac","op":"unionpay_ecb","in":{"key":"5CBE7E38A146FD5C","data":"010203"}`,
			`{"xor":"0102030000000000","hex_ascii":"0102030000000000","e1":"DAAE05FD3F95D94B","t":"EA9E35CD0FA5E97B","e2":"F11F2C27A9B2246F","mac":"F11F2C27","de64":"4631314632433237"}`},
		{"x919", `"topic":"mac","op":"x919","in":{"key":"0123456789ABCDEFFEDCBA9876543210","data":"4E6F77206973207468652074696D6520666F7220616C6C20"}`,
			`{"full":"A1C72E74EA3FA9B6","mac":"A1C72E74","de64":"4131433732453734"}`},
		{"tusn", `"topic":"mac","op":"tusn","in":{"key":"0123456789ABCDEFFEDCBA9876543210","serial":"N9NL10000001","factor":"163157"}`,
			`{"ciphertext":"675FD5BE"}`},
		{"working_keys", `"topic":"kcv","op":"working_keys","in":{"code":"001","tmk":"0123456789ABCDEF","de62":"B4CC3FD9D8D952146FB23EAD03E97556F3D4059B5FFE0009"}`,
			`{"pik":"1122334455667788","mak":"A1B2C3D4E5F60718"}`},
		// GM/T 0003.5-2012, Annex A.
		{"sm2_sign_k", `"topic":"sm","op":"sm2_sign_k","in":{"private":"3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8","k":"59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21","message":"6D65737361676520646967657374"}`,
			`{"r":"F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3","s":"B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"}`},
		// GB/T 32907-2016, A.2.
		{"sm4_ecb_1m", `"topic":"sm","op":"sm4_ecb_1m","in":{"key":"0123456789ABCDEFFEDCBA9876543210","data":"0123456789ABCDEFFEDCBA9876543210"}`,
			`{"ciphertext":"595298C7C6FD271F0402F804C33D3F66"}`},
		// RFC 8998, A.2.
		{"sm4_ccm", `"topic":"sm","op":"sm4_ccm","in":{"key":"0123456789ABCDEFFEDCBA9876543210","nonce":"00001234567800000000ABCD","aad":"FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2","plaintext":"AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDDEEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA"}`,
			`{"ciphertext_tag":"48AF93501FA62ADBCD414CCE6034D895DDA1BF8F132F042098661572E7483094FD12E518CE062C98ACEE28D95DF4416BED31A2F04476C18BB40C84A74B97DC5B16842D4FA186F56AB33256971FA110F4"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := calc(t, `{"id":1,`+c.line+"}\n", 1)[0]
			if got.Error != nil {
				t.Fatal(*got.Error)
			}
			if string(got.Out) != c.out {
				t.Errorf("out %s\nwant %s", got.Out, c.out)
			}
		})
	}
}

var errTestWriter = errors.New("no room")

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errTestWriter }

func TestCalcWriterError(t *testing.T) {
	if err := runCalc(strings.NewReader("{}\n"), fullWriter{}); !errors.Is(err, errTestWriter) {
		t.Errorf("runCalc: %v", err)
	}
}

func FuzzCalc(f *testing.F) {
	f.Add([]byte(`{"id":1,"topic":"mac","op":"pad","in":{"data":"1234","method":2,"block":8}}` + "\n"))
	f.Add([]byte("{\"id\":[]}\n\n{"))
	for _, topic := range []string{"mac", "kcv", "pin_blocks", "sm"} {
		seen := map[string]bool{}
		for _, v := range loadCalcVectors(f, topic) {
			if !seen[v.Op] {
				seen[v.Op] = true
				f.Add([]byte(fmt.Sprintf(`{"id":%q,"topic":%q,"op":%q,"in":%s}`, v.ID, topic, v.Op, compact(f, v.In))))
			}
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if bytes.Contains(input, []byte("_1m")) {
			t.Skip("a million rounds on purpose")
		}
		want := 0
		for line := range bytes.SplitSeq(input, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				want++
			}
		}
		if want > 0 {
			calc(t, string(input), want)
		}
	})
}
