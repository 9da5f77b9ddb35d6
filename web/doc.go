// Package web is what the host serves over HTTPS: the health reports of terminals now, on a mux where others mount
// what they serve, such as releases. It serves no plain HTTP.
//
// Every request is bounded: header, body, time, and how many at once. What is refused gets one answer that says
// nothing of the cause; the Desk knows it.
//
// Sources: RFC 9110 (HTTP), RFC 8446 and RFC 5246 (TLS 1.3 and 1.2).
package web
