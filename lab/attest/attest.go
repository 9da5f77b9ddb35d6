package attest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"touchstone/lab"
	"touchstone/pos"
)

// The types of an envelope's payload and of our predicate.
const (
	PayloadType   = "application/vnd.in-toto+json"
	PredicateType = "https://touchstone.invalid/pos-security-certificate/v1"
)

// Signatures is how many people sign.
const Signatures = 2

// MaxEnvelope bounds an envelope, and MaxKeys a file of keys.
const (
	MaxEnvelope = 256 << 10
	MaxKeys     = 64
)

// Errors of this package.
var (
	ErrEnvelope = errors.New("certificate")  // no envelope of a certificate
	ErrKeys     = errors.New("trusted keys") // no file of keys
	ErrUnsigned = errors.New("certificate: it does not carry the signatures of two trusted keys")
)

// Predicate is what a certificate says of its subject.
type Predicate struct {
	ID              string          `json:"id"`
	Issuer          string          `json:"issuer"`
	Scheme          string          `json:"scheme"`
	Catalogue       Versioned       `json:"catalogue"`
	Profile         string          `json:"profile"`
	Subject         lab.Subject     `json:"subject"`
	SelfDeclaration string          `json:"self_declaration,omitempty"` // maker or acquirer
	Notice          []lab.Text      `json:"notice"`                     // what this certificate is not
	Conditions      []string        `json:"conditions,omitempty"`
	External        []External      `json:"external_approvals,omitempty"`
	Issued          string          `json:"issued"` // RFC 3339
	NotBefore       string          `json:"not_before"`
	Expires         string          `json:"expires"`
	Run             string          `json:"run"`
	Report          string          `json:"report_sha256"`
	Status          string          `json:"status"` // how its state after issue is learned
	Signers         []lab.Signer    `json:"signers"`
	Results         []RequirementOf `json:"results"`
}

// Versioned is a document, its version and its digest.
type Versioned struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// External is an approval by another body.
type External struct {
	Name   string `json:"name"`
	Number string `json:"number"`
	Until  string `json:"until"`
}

// RequirementOf is one verdict and the digest of its transcript.
type RequirementOf struct {
	Requirement string      `json:"requirement"`
	Verdict     lab.Verdict `json:"verdict"`
	Transcript  string      `json:"transcript_sha256,omitempty"`
}

// NewPredicate is a certificate's predicate.
func NewPredicate(x *lab.Certificate, observations []*lab.Observation, status string) Predicate {
	p := Predicate{ID: x.ID, Issuer: x.Issuer, Scheme: x.Scheme, Catalogue: Versioned{x.Catalogue, x.CatalogueDigest}, Profile: x.Profile, Subject: x.Subject,
		SelfDeclaration: x.SelfDeclaration, Notice: lab.Notices(x.SelfDeclaration), Conditions: x.Conditions, Issued: stamp(x.Issued), NotBefore: stamp(x.NotBefore),
		Expires: stamp(x.Expires), Run: x.Run, Report: x.Report, Status: status, Signers: x.Signers}
	for _, e := range x.Externals {
		p.External = append(p.External, External{e.Name, e.Number, stamp(e.Until)})
	}
	for _, o := range observations {
		p.Results = append(p.Results, RequirementOf{o.Requirement, o.Verdict, o.Transcript})
	}
	return p
}

func stamp(t pos.Instant) string { return t.Time().UTC().Format(time.RFC3339) }

// Statement is the in-toto statement of a certificate. Its subjects are the package, if one was examined, and all
// that the run was given.
func Statement(p *Predicate, inputs string) ([]byte, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	predicate := &structpb.Struct{}
	if err := protojson.Unmarshal(raw, predicate); err != nil {
		return nil, err
	}
	name := p.Subject.Maker + " " + p.Subject.Model
	s := &intoto.Statement{Type: intoto.StatementTypeUri, PredicateType: PredicateType, Predicate: predicate,
		Subject: []*intoto.ResourceDescriptor{{Name: name + " (everything examined)", Digest: map[string]string{"sha256": inputs}}}}
	if p.Subject.PackageDigest != "" {
		s.Subject = append(s.Subject, &intoto.ResourceDescriptor{Name: name + " application " + p.Subject.Application, Digest: map[string]string{"sha256": p.Subject.PackageDigest}})
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return protojson.Marshal(s)
}

// signer lends a key to package dsse: it signs SHA-256 of what it is given, as ASN.1 ECDSA, or Ed25519.
type signer struct {
	key    crypto.Signer
	id     string
	random io.Reader
}

var _ dsse.Signer = signer{}

// KeyID is the SHA-256 of the public key's SubjectPublicKeyInfo, hexadecimal.
func (s signer) KeyID() (string, error) { return s.id, nil }

// Sign signs data.
func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	if _, ok := s.key.Public().(ed25519.PublicKey); ok {
		return s.key.Sign(s.random, data, crypto.Hash(0))
	}
	sum := sha256.Sum256(data)
	return s.key.Sign(s.random, sum[:], crypto.SHA256)
}

// KeyID names a public key.
func KeyID(public crypto.PublicKey) (id string, der []byte, err error) {
	der, err = x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), der, nil
}

// Seal signs a statement with the keys of two people.
func Seal(ctx context.Context, random io.Reader, statement []byte, keys ...crypto.Signer) ([]byte, error) {
	var signers []dsse.Signer
	for _, k := range keys {
		id, _, err := KeyID(k.Public())
		if err != nil {
			return nil, err
		}
		signers = append(signers, signer{k, id, random})
	}
	by, err := dsse.NewEnvelopeSigner(signers...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	e, err := by.SignPayload(ctx, PayloadType, statement)
	if err != nil {
		return nil, fmt.Errorf("%w: sign: %w", ErrEnvelope, err)
	}
	return json.Marshal(e)
}

// verifier is one trusted key for package dsse.
type verifier struct {
	key crypto.PublicKey
	id  string
}

var _ dsse.Verifier = verifier{}

// KeyID names the key, Public is it.
func (v verifier) KeyID() (string, error)   { return v.id, nil }
func (v verifier) Public() crypto.PublicKey { return v.key }

// Verify checks one signature.
func (v verifier) Verify(_ context.Context, data, signature []byte) error {
	sum, ok := sha256.Sum256(data), false
	switch k := v.key.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, data, signature)
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, sum[:], signature)
	}
	if !ok {
		return ErrUnsigned
	}
	return nil
}

// Keys are trusted public keys by their id.
type Keys map[string]crypto.PublicKey

// ParseKeys reads PUBLIC KEY blocks in PEM: Ed25519 or ECDSA of 256 bits and more. Text between the blocks is for
// people.
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
		switch k := key.(type) {
		case ed25519.PublicKey:
		case *ecdsa.PublicKey:
			if k.Curve.Params().BitSize < 256 {
				return nil, fmt.Errorf("%w: a curve of %d bits", ErrKeys, k.Curve.Params().BitSize)
			}
		default:
			return nil, fmt.Errorf("%w: want Ed25519 or ECDSA", ErrKeys)
		}
		sum := sha256.Sum256(block.Bytes)
		keys[hex.EncodeToString(sum[:])] = key
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no PUBLIC KEY block in PEM", ErrKeys)
	}
	return keys, nil
}

// Verified is a certificate whose signatures are right.
type Verified struct {
	Predicate Predicate
	Subjects  []string // name and SHA-256
	Keys      []string // ids of the trusted keys that signed
	Expires   time.Time
	NotBefore time.Time
}

// Open reads an envelope and verifies that two different trusted keys signed it, those that it names as its
// signers' among them. It says nothing of time, nor of what became of the certificate later.
func Open(ctx context.Context, envelope []byte, trusted Keys) (*Verified, error) {
	if len(envelope) > MaxEnvelope {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrEnvelope, MaxEnvelope)
	}
	var e dsse.Envelope
	dec := json.NewDecoder(bytes.NewReader(envelope))
	if err := dec.Decode(&e); err != nil || dec.More() || e.PayloadType != PayloadType || len(e.Signatures) > MaxKeys {
		return nil, fmt.Errorf("%w: no DSSE envelope of an in-toto statement", ErrEnvelope)
	}
	signed, err := signedBy(ctx, &e, trusted)
	if err != nil {
		return nil, err
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("%w: its payload is no base64", ErrEnvelope)
	}
	v, err := readStatement(payload)
	if err != nil {
		return nil, err
	}
	v.Keys = signed
	named := map[string]bool{}
	for _, s := range v.Predicate.Signers {
		named[s.Key] = true
	}
	for _, id := range signed {
		if !named[id] {
			return nil, fmt.Errorf("%w: it does not name key %.16s as a signer's", ErrEnvelope, id)
		}
	}
	return v, nil
}

// signedBy lists the trusted keys that signed: two at least. A key counts once, however often it signed.
func signedBy(ctx context.Context, e *dsse.Envelope, trusted Keys) (ids []string, err error) {
	var verifiers []dsse.Verifier
	seen := map[string]bool{}
	for _, s := range e.Signatures {
		if key, ok := trusted[s.KeyID]; ok && !seen[s.KeyID] {
			seen[s.KeyID] = true
			verifiers = append(verifiers, verifier{key, s.KeyID})
		}
	}
	if len(verifiers) < Signatures {
		return nil, ErrUnsigned
	}
	by, err := dsse.NewMultiEnvelopeVerifier(Signatures, verifiers...)
	if err != nil {
		return nil, ErrUnsigned
	}
	accepted, err := by.Verify(ctx, e)
	if err != nil {
		return nil, ErrUnsigned
	}
	for _, k := range accepted {
		ids = append(ids, k.KeyID)
	}
	return ids, nil
}

// readStatement reads a payload whose signatures are right.
func readStatement(payload []byte) (*Verified, error) {
	s := &intoto.Statement{}
	if err := protojson.Unmarshal(payload, s); err != nil || s.Validate() != nil || s.GetType() != intoto.StatementTypeUri || s.GetPredicateType() != PredicateType {
		return nil, fmt.Errorf("%w: no in-toto statement v1 of type %s", ErrEnvelope, PredicateType)
	}
	raw, err := protojson.Marshal(s.GetPredicate())
	if err != nil {
		return nil, fmt.Errorf("%w: its predicate cannot be read", ErrEnvelope)
	}
	v := &Verified{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v.Predicate); err != nil {
		return nil, fmt.Errorf("%w: its predicate is not of version 1", ErrEnvelope)
	}
	var err1, err2 error
	v.NotBefore, err1 = time.Parse(time.RFC3339, v.Predicate.NotBefore)
	v.Expires, err2 = time.Parse(time.RFC3339, v.Predicate.Expires)
	if errors.Join(err1, err2) != nil || !v.Expires.After(v.NotBefore) || v.Predicate.ID == "" || len(v.Predicate.Notice) == 0 {
		return nil, fmt.Errorf("%w: its predicate lacks its id, its times or its notice", ErrEnvelope)
	}
	for _, r := range s.GetSubject() {
		v.Subjects = append(v.Subjects, r.GetName()+" sha256:"+r.GetDigest()["sha256"])
	}
	return v, nil
}
