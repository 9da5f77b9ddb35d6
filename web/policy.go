package web

import (
	"net/http"
	"net/url"
)

// contentPolicy lets a page load from its own origin alone: no inline script or style, no foreign request, no frame.
// CSP Level 3; Trusted Types.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// policy puts on every answer what a browser, or a cache between, must know.
func policy(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=(), payment=(), usb=()")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// endsHere has the connection closed after a request whose body came in chunks. Where such a request had a length as well,
// which net/http leaves out before anybody can look, a proxy before us may have seen another end of it: what follows would
// be taken for a request of its own. RFC 9112, 6.1.
func endsHere(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
}

func escaped(uri string) string { return url.QueryEscape(uri) }

func escapedPath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
