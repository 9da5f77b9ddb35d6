package mac_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"touchstone/paycrypto/mac"
)

// vector is a vector of any of the files.
type vector map[string]json.RawMessage

// load reads a file of vectors and refuses one without a source.
func load(t testing.TB, name string) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("%s holds no vectors", name)
	}
	for _, v := range file.Vectors {
		if v.text(t, "source") == "" {
			t.Fatalf("%s: vector %s without source", name, v.text(t, "id"))
		}
	}
	return file.Vectors
}

func (v vector) text(t testing.TB, name string) (s string) {
	t.Helper()
	if raw, there := v[name]; there && json.Unmarshal(raw, &s) != nil {
		t.Fatalf("%s is not a string", name)
	}
	return s
}

func (v vector) number(t testing.TB, name string) (n int) {
	t.Helper()
	if raw, there := v[name]; there && json.Unmarshal(raw, &n) != nil {
		t.Fatalf("%s is not a number", name)
	}
	return n
}

func (v vector) hex(t testing.TB, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.text(t, name))
	if err != nil {
		t.Fatalf("%s is not hexadecimal", name)
	}
	return b
}

func (v vector) object(t testing.TB, name string) (o vector) {
	t.Helper()
	if json.Unmarshal(v[name], &o) != nil {
		t.Fatalf("%s is not an object", name)
	}
	return o
}

// check compares without showing either side.
func check(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is wrong", what)
	}
}

func newKey(t testing.TB, a mac.Algorithm, p mac.Padding, key []byte) *mac.Key {
	t.Helper()
	k, err := mac.New(a, p, key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// opAlgorithm is the algorithm of an operation in mac.json and sm.json.
var opAlgorithm = map[string]mac.Algorithm{
	"cbc_mac_des": mac.CBCMACDES, "cbc_mac_tdes": mac.CBCMACTDES, "cbc_mac_aes": mac.CBCMACAES,
	"retail_mac": mac.RetailDES, "retail_mac_two_tdes_keys": mac.RetailTDES,
	"aes_cmac": mac.CMACAES, "aes_cmac_verify": mac.CMACAES, "tdes_cmac": mac.CMACTDES,
	"hmac_sm3": mac.HMACSM3, "sm4_cbc_mac": mac.CBCMACSM4, "sm4_emac": mac.EMACSM4,
	"sm4_retail_mac": mac.RetailSM4, "sm4_macdes": mac.MACDESSM4, "sm4_cmac": mac.CMACSM4,
}

var hashAlgorithm = map[string]mac.Algorithm{
	"SHA-1": mac.HMACSHA1, "SHA-256": mac.HMACSHA256, "SHA-384": mac.HMACSHA384, "SHA-512": mac.HMACSHA512,
}

func TestVectors(t *testing.T) {
	elsewhere := map[string]bool{ // paycrypto
		"sm3": true, "sm4_ecb": true, "sm4_cbc": true, "sm4_gcm": true, "sm4_gcm_wycheproof": true,
		"sm4_ccm_wycheproof": true, "sm2_verify": true, "sm2_decrypt_c1c3c2": true,
	}
	for _, file := range []string{"mac.json", "sm.json"} {
		for _, v := range load(t, file) {
			op := v.text(t, "op")
			if file == "sm.json" && elsewhere[op] {
				continue
			}
			t.Run(v.text(t, "id"), func(t *testing.T) {
				in, out := v.object(t, "in"), v.object(t, "out")
				if op == "pad" {
					padded, err := mac.Padding(in.number(t, "method")).AppendPadded(nil, in.hex(t, "data"), in.number(t, "block"))
					if err != nil {
						t.Fatal(err)
					}
					check(t, "padded", padded, out.hex(t, "padded"))
					return
				}
				a, known := opAlgorithm[op]
				if op == "hmac" || op == "hmac_verify" {
					a, known = hashAlgorithm[in.text(t, "hash")]
				}
				if !known {
					t.Fatalf("no test for op %q", op)
				}
				key := append(in.hex(t, "key"), append(in.hex(t, "key1"), in.hex(t, "key2")...)...)
				testSum(t, newKey(t, a, mac.Padding(in.number(t, "padding")), key), in, out, v.text(t, "expect") == "error")
			})
		}
	}
}

// testSum checks a code, or a verification where the vector gives a tag.
func testSum(t *testing.T, k *mac.Key, in, out vector, refused bool) {
	t.Helper()
	data := in.hex(t, "data")
	if tag := in.hex(t, "tag"); len(tag) > 0 {
		if len(tag)*8 != in.number(t, "tag_bits") {
			t.Error("the vector's tag has another length than it says")
		}
		if k.VerifyTag(data, tag) == refused {
			t.Errorf("verifies: %v", !refused)
		}
		return
	}
	var want []byte
	for _, name := range []string{"mac8", "mac16", "cmac", "tag"} {
		want = append(want, out.hex(t, name)...)
	}
	check(t, "code", k.AppendSum(nil, data), want)
	if len(want) != k.Algorithm().Size() {
		t.Errorf("Size is %d, the code has %d bytes", k.Algorithm().Size(), len(want))
	}
	if !k.VerifyTag(data, want) || !k.VerifyTag(data, want[:mac.MinTag]) || k.VerifyTag(data, want[:mac.MinTag-1]) || k.VerifyTag(data, append(want, 0)) {
		t.Error("VerifyTag is wrong")
	}
	for i := range want {
		wrong := bytes.Clone(want)
		wrong[i] ^= 1
		if k.VerifyTag(data, wrong) {
			t.Errorf("verifies with byte %d wrong", i)
		}
	}
}

// TestUnionPayVectors runs the kinds of cup.json that are this package's.
func TestUnionPayVectors(t *testing.T) {
	algorithms := map[string]mac.Algorithm{
		"UnionPay ECB MAC, single DES":                                       mac.UnionPayECBDES,
		"UnionPay ECB MAC with 3DES (bank variant)":                          mac.UnionPayECBTDES,
		"UnionPay-style MAC with SM4 (16-byte blocks)":                       mac.UnionPayECBSM4,
		"UnionPay-style MAC with SM4":                                        mac.UnionPayECBSM4,
		"ANSI X9.9 / FIPS 113 (DES CBC-MAC, zero IV, zero pad)":              mac.X99,
		"ANSI X9.19 / ISO 9797-1 alg 3 pad 1":                                mac.X919,
		"ANSI X9.19 (ISO 9797-1 alg 3, pad 1), first 4 bytes as 8 hex chars": mac.X919,
	}
	for _, v := range load(t, "cup.json") {
		t.Run(v.text(t, "id"), func(t *testing.T) {
			switch v.text(t, "kind") {
			case "mac":
				a, known := algorithms[v.text(t, "algorithm")]
				if !known {
					t.Fatalf("no test for algorithm %q", v.text(t, "algorithm"))
				}
				testUnionPay(t, newKey(t, a, 0, v.hex(t, "key")), v)
			case "tusn":
				testSerial(t, newKey(t, mac.UnionPayECBSM4, 0, v.hex(t, "key")), v)
			case "de59":
				fields := v.object(t, "fields")
				k := newKey(t, mac.UnionPayECBSM4, 0, v.hex(t, "key"))
				if !mac.VerifySerial(k, fields.text(t, "02"), fields.text(t, "03"), []byte(fields.text(t, "04"))) {
					t.Error("the ciphertext does not verify")
				}
			case "key-wrap", "pinblock", "working-keys", "track": // paycrypto, paycrypto/pinblock
			default:
				t.Errorf("no test for kind %q", v.text(t, "kind"))
			}
		})
	}
}

// testUnionPay checks a code, every intermediate value the vector gives, and that
// no other DE64 verifies.
func testUnionPay(t *testing.T, k *mac.Key, v vector) {
	t.Helper()
	mab := v.hex(t, "mab")
	if text := v.text(t, "mab_ascii"); text != "" {
		if len(mab) > 0 && text != string(mab) {
			t.Error("the vector's two forms of the message differ")
		}
		mab = []byte(text)
	}
	de64 := k.Sum8(mab)
	short := v.text(t, "mac")
	if len(short) > 8 { // the printed value of a standard, 8 bytes
		check(t, "whole code", k.AppendSum(nil, mab), v.hex(t, "mac"))
		short = short[:8]
	}
	check(t, "DE64 as text", de64[:], []byte(short))
	if full := v.hex(t, "full"); len(full) > 0 {
		check(t, "whole code", k.AppendSum(nil, mab), full)
	}
	if want := v.hex(t, "de64"); len(want) > 0 {
		check(t, "DE64", de64[:], want)
	}
	testSteps(t, k, mab, v)
	if !k.Verify(mab, de64[:]) {
		t.Error("its own code does not verify")
	}
	for i := range de64 {
		for b := range 256 {
			wrong := de64
			wrong[i] = byte(b)
			if wrong != de64 && k.Verify(mab, wrong[:]) {
				t.Errorf("verifies with character %d wrong", i)
			}
		}
	}
	for _, wrong := range [][]byte{nil, {}, de64[:7], append(de64[:], '0'), make([]byte, 8), bytes.ToLower(append([]byte("a"), de64[1:]...))} {
		if k.Verify(mab, wrong) {
			t.Errorf("verifies with %d bytes", len(wrong))
		}
	}
}

func testSteps(t *testing.T, k *mac.Key, mab []byte, v vector) {
	t.Helper()
	s, traced := k.Trace(mab)
	if traced != (v.text(t, "xor") != "") {
		t.Fatalf("traced: %v", traced)
	}
	if !traced {
		return
	}
	check(t, "xor", s.XOR[:s.Size], v.hex(t, "xor"))
	check(t, "hex_ascii", s.Hex[:2*s.Size], []byte(v.text(t, "hex_ascii")))
	check(t, "e1", s.E1[:s.Size], v.hex(t, "e1"))
	check(t, "t", s.T[:s.Size], v.hex(t, "t"))
	check(t, "e2", s.E2[:s.Size], v.hex(t, "e2"))
}

func testSerial(t *testing.T, k *mac.Key, v vector) {
	t.Helper()
	serial, factor, want := v.text(t, "tusn"), v.text(t, "factor"), []byte(v.text(t, "ciphertext_ascii"))
	got := mac.SerialCiphertext(k, serial, factor)
	check(t, "ciphertext", got[:], want)
	testSteps(t, k, []byte(v.text(t, "input_ascii")), v)
	if !mac.VerifySerial(k, []byte(serial), []byte(factor), want) {
		t.Error("does not verify")
	}
	if mac.VerifySerial(k, serial, "163158", want) || mac.VerifySerial(k, serial[1:], factor, want) {
		t.Error("verifies for another serial or factor")
	}
	for i := range want {
		wrong := bytes.Clone(want)
		wrong[i] ^= 0x20 // the other case of a letter
		if mac.VerifySerial(k, serial, factor, wrong) {
			t.Errorf("verifies with character %d wrong", i)
		}
	}
}
