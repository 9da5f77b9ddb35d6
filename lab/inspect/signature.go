package inspect

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" // only to name what is refused
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"touchstone/lab"
)

// signatureFile is META/signature.json.
type signatureFile struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"` // SHA-256 of the SubjectPublicKeyInfo, hexadecimal
	Signature []byte `json:"signature"`
}

// The algorithms of a signature. The last two are here to be recognised and found too weak.
const (
	ECDSASHA256 = "ecdsa-sha256"
	ECDSASHA384 = "ecdsa-sha384"
	Ed25519     = "ed25519"
	RSAPSS256   = "rsa-pss-sha256"
	RSA256      = "rsa-pkcs1-sha256"
	RSA1        = "rsa-pkcs1-sha1"
)

// ErrKeys is returned for a file of keys that is none.
var ErrKeys = errors.New("registered keys")

// Keys are the public keys of makers that are registered, by key id.
type Keys map[string]crypto.PublicKey

// MaxKeys bounds a file of registered keys.
const MaxKeys = 100

// ParseKeys reads PUBLIC KEY blocks in PEM.
func ParseKeys(text []byte) (Keys, error) {
	keys := Keys{}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil || block.Type != "PUBLIC KEY" || len(keys) >= MaxKeys {
			return nil, fmt.Errorf("%w: want at most %d PUBLIC KEY blocks in PEM", ErrKeys, MaxKeys)
		}
		sum := sha256.Sum256(block.Bytes)
		keys[hex.EncodeToString(sum[:])] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no PUBLIC KEY block in PEM", ErrKeys)
	}
	return keys, nil
}

// Signature is check package-signature of POSC-SW-01, version 1.
func (p *Package) Signature(trusted Keys) lab.Result {
	s, why := p.readSignature()
	if s == nil {
		return fail(why, zhSignature[why])
	}
	key, known := trusted[s.KeyID]
	if !known {
		return fail("signed by a key that is not registered", "签名所用的密钥未登记")
	}
	if !verify(key, s.Algorithm, p.manifest, s.Signature) {
		return fail("the signature over the manifest does not verify", "清单签名校验不通过")
	}
	if path, bad := p.uncovered(); bad {
		return fail(fmt.Sprintf("%.80q is not the file that the signed manifest names, or is missing or extra", path), fmt.Sprintf("%.80q 与已签名清单所列不符、缺失或多余", path))
	}
	return pass(fmt.Sprintf("%s by key %.16s over the manifest, which names all %d files", s.Algorithm, s.KeyID, len(p.Manifest.Files)),
		fmt.Sprintf("以 %s 签署清单, 密钥 %.16s, 清单覆盖全部 %d 个文件", s.Algorithm, s.KeyID, len(p.Manifest.Files)))
}

const (
	unsigned  = "the package is not signed"
	unsignedB = "META/signature.json is not one"
)

var zhSignature = map[string]string{unsigned: "软件包未签名", unsignedB: "META/signature.json 格式不正确"}

func (p *Package) readSignature() (*signatureFile, string) {
	if p.signature == nil {
		return nil, unsigned
	}
	s := &signatureFile{}
	dec := json.NewDecoder(bytes.NewReader(p.signature))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil || len(s.Signature) == 0 {
		return nil, unsignedB
	}
	return s, ""
}

// uncovered is a file that is not as the manifest says, if there is one.
func (p *Package) uncovered() (path string, bad bool) {
	listed := map[string]ManifestFile{}
	for _, f := range p.Manifest.Files {
		if _, twice := listed[f.Path]; twice {
			return f.Path, true
		}
		listed[f.Path] = f
	}
	for _, f := range p.files {
		if f.path == ManifestPath || f.path == SignaturePath {
			continue
		}
		sum := sha256.Sum256(f.content)
		if want, ok := listed[f.path]; !ok || want.SHA256 != hex.EncodeToString(sum[:]) || want.Size != len(f.content) {
			return f.path, true
		}
		delete(listed, f.path)
	}
	for path := range listed {
		return path, true
	}
	return "", false
}

// verify tells whether a signature is right; an algorithm that does not fit the key is not.
func verify(key crypto.PublicKey, algorithm string, text, signature []byte) bool {
	sum256, sum384, sum1 := sha256.Sum256(text), sha512.Sum384(text), sha1.Sum(text)
	switch k := key.(type) {
	case ed25519.PublicKey:
		return algorithm == Ed25519 && ed25519.Verify(k, text, signature)
	case *ecdsa.PublicKey:
		return algorithm == ECDSASHA256 && ecdsa.VerifyASN1(k, sum256[:], signature) || algorithm == ECDSASHA384 && ecdsa.VerifyASN1(k, sum384[:], signature)
	case *rsa.PublicKey:
		switch algorithm {
		case RSAPSS256:
			return rsa.VerifyPSS(k, crypto.SHA256, sum256[:], signature, nil) == nil
		case RSA256:
			return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum256[:], signature) == nil
		case RSA1:
			return rsa.VerifyPKCS1v15(k, crypto.SHA1, sum1[:], signature) == nil
		}
	}
	return false
}

// Least sizes of a key of 128-bit strength, in bits; NIST SP 800-57 part 1 revision 5, table 2.
const (
	leastRSA = 3072
	leastEC  = 256
)

// Strength is check signature-strength of POSC-SW-04, version 1. Only a signature that verifies has a strength.
func (p *Package) Strength(trusted Keys) lab.Result {
	s, why := p.readSignature()
	if s == nil {
		return fail(why, zhSignature[why])
	}
	key, known := trusted[s.KeyID]
	if !known || !verify(key, s.Algorithm, p.manifest, s.Signature) {
		return fail("no registered key's signature verifies: there is no strength to measure", "没有可验证的已登记密钥签名: 无从评估强度")
	}
	bits, least := 0, leastEC
	switch k := key.(type) {
	case ed25519.PublicKey:
		bits = leastEC
	case *ecdsa.PublicKey:
		bits = k.Curve.Params().BitSize
	case *rsa.PublicKey:
		bits, least = k.N.BitLen(), leastRSA
	}
	en, zh := fmt.Sprintf("%s with a key of %d bits", s.Algorithm, bits), fmt.Sprintf("%s, 密钥 %d 位", s.Algorithm, bits)
	if bits < least || s.Algorithm == RSA1 {
		return fail(fmt.Sprintf("%s: want %d at least and SHA-256 at least", en, least), fmt.Sprintf("%s: 至少应为 %d 位且使用 SHA-256 以上", zh, least))
	}
	return pass(en, zh)
}

func pass(en, zh string) lab.Result {
	return lab.Result{Verdict: lab.Pass, Detail: lab.Text{EN: en, ZH: zh}}
}

func fail(en, zh string) lab.Result {
	return lab.Result{Verdict: lab.Fail, Detail: lab.Text{EN: en, ZH: zh}}
}
