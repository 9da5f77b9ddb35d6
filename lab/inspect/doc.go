// Package inspect opens software packages and examines them: signature, strength of the signature, inventory of
// components, secrets left inside. A package is a ZIP archive of a maker with three files of its own beside the
// payload:
//
//	META/manifest.json   what it is, and the SHA-256 of every file of the payload
//	META/signature.json  algorithm, key id and signature over the manifest's bytes
//	META/sbom.cdx.json   CycloneDX 1.6 or later
//
// An archive is foreign input: names that leave it, links, encrypted, doubled or too many entries, and what unpacks
// to more than it should are refused before anything is read further; nothing is ever written to disk. A secret
// that is found is told by file, line and rule, never by its value. The package runs nothing and knows no network.
//
//	p, err := inspect.Open(content)
//	result := p.Signature(trusted)
//
// Sources: CycloneDX 1.6 (ECMA-424); NIST SP 800-57 part 1 revision 5, table 2, for strengths.
package inspect
