package paycrypto

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
)

// The check proof is what the screen of a device with a certificate shows, as a QR code, so that anybody can ask
// whether it is the registered one: a signature by the private key of its certificate over its serial number and the
// minute. From a public key nobody can make a short code, so what a phone scans is the whole signature:
//
//	text  = "touchstone/check-proof/1" | 00 | serial number | 00 | step as 8 bytes, big-endian
//	proof = step in decimal digits "." base64url without padding (RFC 4648, 5) of the signature of text: ECDSA with
//	        SHA-256 (FIPS 186-5) in ASN.1 DER, as openssl dgst -sha256 -sign writes it
//
// step is that of check codes, CheckStep. The same key signs TLS handshakes, certificate requests and health reports: a
// transcript of TLS begins with 01 or with 64 spaces, a request with 30, a report with a label of its own, so none of
// those is ever a proof, nor a proof one of those.

// checkProofLabel keeps proofs apart from every other use of the key.
const checkProofLabel = "touchstone/check-proof/1\x00"

// MaxCheckSignature is the most bytes of a signature: ASN.1 of two numbers of P-384. MaxCheckProof is the most bytes of
// a whole proof.
const (
	MaxCheckSignature = 112
	MaxCheckProof     = 20 + 1 + (MaxCheckSignature*4+2)/3
)

// ErrCheckProof is returned for a text that is no proof, and for a key that signs none.
var ErrCheckProof = errors.New("check proof")

// CheckProof is a proof as it was read: nothing of it is verified.
type CheckProof struct {
	Step      uint64
	Signature []byte // ASN.1 DER, 1 to MaxCheckSignature bytes
}

// CheckProofText is what a device signs.
func CheckProofText(serial string, step uint64) []byte {
	text := append([]byte(checkProofLabel), serial...)
	text = append(text, 0)
	return binary.BigEndian.AppendUint64(text, step)
}

// SignCheckProof makes the proof of a step with a device's private key. A key that is none of ECDSA is ErrCheckProof: the
// signature of another would not fit a screen.
func SignCheckProof(random io.Reader, key crypto.Signer, serial string, step uint64) (CheckProof, error) {
	if _, ok := key.Public().(*ecdsa.PublicKey); !ok {
		return CheckProof{}, ErrCheckProof
	}
	digest := sha256.Sum256(CheckProofText(serial, step))
	signature, err := key.Sign(random, digest[:], crypto.SHA256)
	if err != nil || len(signature) > MaxCheckSignature {
		return CheckProof{}, ErrCheckProof
	}
	return CheckProof{Step: step, Signature: signature}, nil
}

// SignedBy tells whether a device's key signed this proof for this serial number. Whether its step is now, and whether
// the key's certificate stands, is not asked here.
func (p CheckProof) SignedBy(key crypto.PublicKey, serial string) bool {
	k, ok := key.(*ecdsa.PublicKey)
	digest := sha256.Sum256(CheckProofText(serial, p.Step))
	return ok && len(p.Signature) <= MaxCheckSignature && ecdsa.VerifyASN1(k, digest[:], p.Signature)
}

// CheckStepNear tells whether a step is the present one or one to either side of it.
func CheckStepNear(step, now uint64) bool {
	return step == now || step == now+1 || now > 0 && step == now-1
}

// String is the proof as an address carries it.
func (p CheckProof) String() string {
	return strconv.FormatUint(p.Step, 10) + "." + base64.RawURLEncoding.EncodeToString(p.Signature)
}

// ParseCheckProof reads what String writes, and nothing else: digits without a leading zero, strict base64url.
func ParseCheckProof(s string) (CheckProof, error) {
	step, signature, ok := strings.Cut(s, ".")
	if !ok || len(s) > MaxCheckProof || step == "" || len(step) > 1 && step[0] == '0' || strings.Trim(step, "0123456789") != "" {
		return CheckProof{}, ErrCheckProof
	}
	n, err := strconv.ParseUint(step, 10, 64)
	if err != nil || n > math.MaxInt64/CheckCodeSeconds || strings.ContainsAny(signature, "\r\n") {
		return CheckProof{}, ErrCheckProof
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || len(raw) == 0 || len(raw) > MaxCheckSignature {
		return CheckProof{}, ErrCheckProof
	}
	return CheckProof{Step: n, Signature: raw}, nil
}
