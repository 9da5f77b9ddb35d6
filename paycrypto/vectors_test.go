package paycrypto_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"touchstone/paycrypto"
	"touchstone/secret"
)

// vector is a vector of any of the files: kind and op name what it is.
type vector map[string]json.RawMessage

// load reads a file of vectors and refuses one without a source.
func load(t testing.TB, name string) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", name))
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

func (v vector) hex(t testing.TB, name string) []byte {
	t.Helper()
	return unhex(t, v.text(t, name))
}

func (v vector) object(t testing.TB, name string) (o vector) {
	t.Helper()
	if json.Unmarshal(v[name], &o) != nil {
		t.Fatalf("%s is not an object", name)
	}
	return o
}

func newCipher(t testing.TB, a paycrypto.Algorithm, key []byte) *paycrypto.Cipher {
	t.Helper()
	if a == paycrypto.TDES && len(key) == 8 {
		a = paycrypto.DES
	}
	c, err := paycrypto.NewCipher(a, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func algorithm(t testing.TB, name string) paycrypto.Algorithm {
	t.Helper()
	for _, a := range []paycrypto.Algorithm{paycrypto.DES, paycrypto.TDES, paycrypto.AES, paycrypto.SM4} {
		if a.String() == name {
			return a
		}
	}
	t.Fatalf("no algorithm %q", name)
	return 0
}

func TestKCVVectors(t *testing.T) {
	for _, v := range load(t, "kcv.json") {
		in, out := v.object(t, "in"), v.object(t, "out")
		key := in.hex(t, "key")
		t.Run(v.text(t, "id"), func(t *testing.T) {
			switch v.text(t, "op") {
			case "kcv_legacy":
				c := newCipher(t, algorithm(t, in.text(t, "alg")), key)
				block, kcv := c.ZeroBlock(), c.LegacyKCV()
				check(t, "block", block[:c.BlockSize()], out.hex(t, "block"))
				check(t, "kcv", kcv[:], out.hex(t, "kcv"))
				four := c.CheckValue()
				check(t, "check value", four[:], out.hex(t, "block")[:4])
			case "kcv_cmac":
				c := newCipher(t, algorithm(t, in.text(t, "alg")), key)
				kcv := c.CMACKCV()
				check(t, "cmac", c.AppendCMAC(nil, make([]byte, c.BlockSize())), out.hex(t, "cmac"))
				check(t, "kcv", kcv[:], out.hex(t, "kcv"))
			case "parity":
				paycrypto.AdjustParity(key)
				check(t, "key", key, out.hex(t, "key"))
			default:
				t.Errorf("no test for op %q", v.text(t, "op"))
			}
		})
	}
}

// check compares without showing either side.
func check(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is wrong", what)
	}
}

// TestUnionPayVectors runs the kinds of cup.json that are this package's. Kinds of
// the packages below it are named, so that a new kind fails.
func TestUnionPayVectors(t *testing.T) {
	for _, v := range load(t, "cup.json") {
		t.Run(v.text(t, "id"), func(t *testing.T) {
			switch v.text(t, "kind") {
			case "mac": // codes are tested in paycrypto/mac
				if kcv := v.text(t, "key_kcv"); kcv != "" {
					four := newCipher(t, paycrypto.DES, v.hex(t, "key")).CheckValue()
					check(t, "check value", four[:], unhex(t, kcv))
				}
				if v.text(t, "tmk") != "" {
					testUnwrap(t, newCipher(t, paycrypto.TDES, v.hex(t, "tmk")), v.hex(t, "mak_under_tmk"), v.hex(t, "key"))
				}
			case "key-wrap":
				testUnwrap(t, newCipher(t, paycrypto.SM4, v.hex(t, "tmk")), v.hex(t, "wrapped"), v.hex(t, "key"))
			case "working-keys":
				testWorkingKeys(t, v)
			case "track":
				testTrack(t, newCipher(t, paycrypto.TDES, v.hex(t, "tdk")), v.text(t, "clear"), v.text(t, "tdes"))
				testTrack(t, newCipher(t, paycrypto.SM4, v.hex(t, "tdk")), v.text(t, "clear"), v.text(t, "sm4"))
			case "pinblock", "tusn", "de59": // paycrypto/pinblock, paycrypto/mac
			default:
				t.Errorf("no test for kind %q", v.text(t, "kind"))
			}
		})
	}
}

func testUnwrap(t *testing.T, tmk *paycrypto.Cipher, wrapped, key []byte) {
	t.Helper()
	got := make([]byte, len(wrapped))
	if err := tmk.DecryptECB(got, wrapped); err != nil {
		t.Fatal(err)
	}
	check(t, "unwrapped key", got, key)
	if err := tmk.EncryptECB(got, got); err != nil {
		t.Fatal(err)
	}
	check(t, "wrapped key", got, wrapped)
}

func testTrack(t *testing.T, tdk *paycrypto.Cipher, clearTrack, want string) {
	t.Helper()
	pack := func(s string) []byte { return unhex(t, s+"0"[:len(s)%2]) }
	got := pack(clearTrack)
	if err := paycrypto.EncryptTrack(tdk, got); err != nil {
		t.Fatal(err)
	}
	check(t, "enciphered track", got, pack(want))
	if err := paycrypto.DecryptTrack(tdk, got); err != nil {
		t.Fatal(err)
	}
	check(t, "track", got, pack(clearTrack))
	n := tdk.BlockSize()
	if err := paycrypto.EncryptTrack(tdk, make([]byte, n)); !errors.Is(err, paycrypto.ErrDataSize) {
		t.Errorf("a track of one block: %v", err)
	}
	if err := paycrypto.EncryptTrack(tdk, make([]byte, n+1)); err != nil {
		t.Errorf("a track of one block and a byte: %v", err)
	}
}

// testWorkingKeys builds and reads one layout and damages it in every bit.
func testWorkingKeys(t *testing.T, v vector) {
	codes := map[string]paycrypto.SignInCode{
		"001": paycrypto.SignInDES, "003": paycrypto.SignInTDES, "004": paycrypto.SignInTDESTrack,
		"005": paycrypto.SignInSM4, "006": paycrypto.SignInSM4Track,
	}
	code := codes[v.text(t, "de60_3")]
	tmk := newCipher(t, code.Algorithm(), v.hex(t, "tmk"))
	keys := paycrypto.WorkingKeys{
		PIK: secret.Take(v.hex(t, "pik")),
		MAK: secret.Take(unhex(t, v.text(t, "mak_des")+v.text(t, "mak_sm4"))),
		TDK: secret.Take(v.hex(t, "tdk")),
	}
	want := v.hex(t, "de62")
	de62, err := paycrypto.AppendWorkingKeys([]byte("before"), code, tmk, keys)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "de62", de62, append([]byte("before"), want...))
	if len(want) != code.Size() {
		t.Errorf("Size is %d, want %d", code.Size(), len(want))
	}
	got, err := paycrypto.ParseWorkingKeys(code, tmk, want)
	if err != nil {
		t.Fatal(err)
	}
	sameKeys(t, got, keys)
	for bit := range len(want) * 8 {
		damaged := bytes.Clone(want)
		damaged[bit/8] ^= 0x80 >> (bit % 8)
		// A damaged parity bit of a key is the same key: E hides which that is,
		// so none is likely, and none occurs in these vectors.
		if _, err := paycrypto.ParseWorkingKeys(code, tmk, damaged); !errors.Is(err, paycrypto.ErrCheckValue) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
	for _, n := range []int{0, len(want) - 1, len(want) + 1} {
		if _, err := paycrypto.ParseWorkingKeys(code, tmk, make([]byte, n)); !errors.Is(err, paycrypto.ErrLayout) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func sameKeys(t *testing.T, got, want paycrypto.WorkingKeys) {
	t.Helper()
	if !got.PIK.Equal(want.PIK) || !got.MAK.Equal(want.MAK) {
		t.Error("PIK or MAK is wrong")
	}
	if got.TDK.Len() != want.TDK.Len() || want.TDK.Len() > 0 && !got.TDK.Equal(want.TDK) {
		t.Error("TDK is wrong")
	}
}

// TestSMVectors runs sm.json as far as it is this package's.
func TestSMVectors(t *testing.T) {
	for _, v := range load(t, "sm.json") {
		in, out, refused := v.object(t, "in"), v.object(t, "out"), v.text(t, "expect") == "error"
		t.Run(v.text(t, "id"), func(t *testing.T) {
			switch op := v.text(t, "op"); op {
			case "sm3":
				digest := paycrypto.SM3(in.hex(t, "data"))
				check(t, "digest", digest[:], out.hex(t, "digest"))
			case "sm4_ecb":
				testUnwrap(t, newCipher(t, paycrypto.SM4, in.hex(t, "key")), out.hex(t, "ciphertext"), in.hex(t, "data"))
			case "sm4_cbc":
				testCBC(t, newCipher(t, paycrypto.SM4, in.hex(t, "key")), in.hex(t, "iv"), in.hex(t, "data"), out.hex(t, "ciphertext"))
			case "sm4_cmac":
				check(t, "tag", newCipher(t, paycrypto.SM4, in.hex(t, "key")).AppendCMAC(nil, in.hex(t, "data")), out.hex(t, "tag"))
			case "sm4_gcm":
				sealed, err := paycrypto.SM4GCM.Seal(nil, in.hex(t, "key"), in.hex(t, "nonce"), in.hex(t, "plaintext"), in.hex(t, "aad"), 16)
				if err != nil {
					t.Fatal(err)
				}
				check(t, "ciphertext and tag", sealed, out.hex(t, "ciphertext_tag"))
			case "sm4_gcm_wycheproof":
				testOpen(t, paycrypto.SM4GCM, in, refused)
			case "sm4_ccm_wycheproof":
				testOpen(t, paycrypto.SM4CCM, in, refused)
			case "sm2_verify":
				testSM2Verify(t, in, out, refused)
			case "sm2_decrypt_c1c3c2":
				testSM2Decrypt(t, in.hex(t, "private"), in.hex(t, "ciphertext"), out.hex(t, "plaintext"))
			case "hmac_sm3", "sm4_cbc_mac", "sm4_emac", "sm4_retail_mac", "sm4_macdes": // paycrypto/mac
			default:
				t.Errorf("no test for op %q", op)
			}
		})
	}
}

func testCBC(t *testing.T, c *paycrypto.Cipher, iv, plain, want []byte) {
	t.Helper()
	got := bytes.Clone(plain)
	if err := c.EncryptCBC(got, got, iv); err != nil {
		t.Fatal(err)
	}
	check(t, "ciphertext", got, want)
	if err := c.DecryptCBC(got, got, iv); err != nil {
		t.Fatal(err)
	}
	check(t, "plaintext", got, plain)
}

func testOpen(t *testing.T, mode paycrypto.AEAD, in vector, refused bool) {
	t.Helper()
	key, iv, aad, msg, tag := in.hex(t, "key"), in.hex(t, "iv"), in.hex(t, "aad"), in.hex(t, "msg"), in.hex(t, "tag")
	sealed := append(in.hex(t, "ct"), tag...)
	plain, err := mode.Open(nil, key, iv, sealed, aad, len(tag))
	if refused {
		if !errors.Is(err, paycrypto.ErrTag) || plain != nil {
			t.Errorf("a wrong tag: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	check(t, "plaintext", plain, msg)
	again, err := mode.Seal(nil, key, iv, msg, aad, len(tag))
	if err != nil {
		t.Fatal(err)
	}
	check(t, "ciphertext and tag", again, sealed)
}

func testSM2Verify(t *testing.T, in, out vector, refused bool) {
	t.Helper()
	public := append([]byte{4}, append(in.hex(t, "public_x"), in.hex(t, "public_y")...)...)
	e, valid, err := paycrypto.SM2Verify(public, in.hex(t, "uid"), in.hex(t, "message"), in.hex(t, "signature_der"))
	if err != nil {
		t.Fatal(err)
	}
	if valid == refused {
		t.Errorf("valid is %v", valid)
	}
	if !refused {
		check(t, "e", e[:], out.hex(t, "e"))
	}
	public[64] ^= 1
	if _, _, err := paycrypto.SM2Verify(public, nil, nil, nil); !errors.Is(err, paycrypto.ErrSM2Key) {
		t.Errorf("a point off the curve: %v", err)
	}
}

func testSM2Decrypt(t *testing.T, private, ciphertext, want []byte) {
	t.Helper()
	plain, err := paycrypto.SM2Decrypt(private, ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "plaintext", plain, want)
	ciphertext[len(ciphertext)-1] ^= 1
	if _, err := paycrypto.SM2Decrypt(private, ciphertext); !errors.Is(err, paycrypto.ErrSM2Ciphertext) {
		t.Errorf("a damaged ciphertext: %v", err)
	}
	for _, short := range [][]byte{nil, ciphertext[:1], ciphertext[:65], ciphertext[:97]} {
		if _, err := paycrypto.SM2Decrypt(private, short); !errors.Is(err, paycrypto.ErrSM2Ciphertext) {
			t.Errorf("a ciphertext of %d bytes: %v", len(short), err)
		}
	}
	if _, err := paycrypto.SM2Decrypt(make([]byte, 32), ciphertext); !errors.Is(err, paycrypto.ErrSM2Key) {
		t.Errorf("private key zero: %v", err)
	}
}

// TestSM2Sign reproduces GM/T 0003.5-2012, Annex A (its key and nonce are printed
// there) and checks the signature with the verifier.
func TestSM2Sign(t *testing.T) {
	private := unhex(t, "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
	k := unhex(t, "59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21")
	public := unhex(t, "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13")
	uid, message := []byte(paycrypto.SM2DefaultUID), []byte("message digest")
	r, s, err := paycrypto.SM2SignWithNonce(private, k, uid, message)
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(r[:]) != "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3" ||
		hex.EncodeToString(s[:]) != "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa" {
		t.Fatal("r or s is wrong")
	}
	der := append([]byte{0x30, 70, 2, 33, 0}, r[:]...)
	der = append(append(der, 2, 33, 0), s[:]...)
	if _, valid, err := paycrypto.SM2Verify(public, uid, message, der); err != nil || !valid {
		t.Errorf("valid %v, %v", valid, err)
	}
	if _, valid, _ := paycrypto.SM2Verify(public, []byte("another"), message, der); valid {
		t.Error("valid for another signer")
	}
	if _, _, err := paycrypto.SM2SignWithNonce(private, make([]byte, 32), uid, message); !errors.Is(err, paycrypto.ErrSM2Key) {
		t.Errorf("nonce zero: %v", err)
	}
	if _, _, err := paycrypto.SM2SignWithNonce(private, k, make([]byte, 0x2000), message); !errors.Is(err, paycrypto.ErrSM2UID) {
		t.Errorf("long identity: %v", err)
	}
}
