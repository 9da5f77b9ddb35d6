// Package check is the public pages, on a listener and a base address of their own: is the terminal before me the
// registered one, may I use this device, what does this message mean, something is wrong, I want my money back, what
// became of my case. They set no cookie, need no account and no script, and are made for an old phone.
//
// An answer is yes, no or we cannot tell. Yes needs a code that only the device's own key makes (paycrypto.CheckCode):
// a number that somebody typed or scanned is never enough. Whether a number is known shows in nothing that a wrong code
// is answered with. What a yes does not prove stands beside it.
//
// Everything that strangers send is bounded here: Pages is an http.Handler that counts before it reads, and forms are
// read strictly. What passes reaches the host by the ports Devices and Cases.
//
// The reasons are in docs/design/040-the-check-page.md.
package check
