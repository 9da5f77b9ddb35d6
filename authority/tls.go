package authority

import "crypto/tls"

// ServerTLS is how everything of ours that listens speaks TLS: what has no known weakness, TLS 1.3, and of TLS 1.2
// ephemeral ECDH with an AEAD. certificate is asked at each handshake and must not block. The config is the
// caller's to add to, and serves every connection of a listener: the keys of its session tickets change in it.
func ServerTLS(certificate func() (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, // for a certificate of one's own
		},
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		GetCertificate:   func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate() },
	}
}
