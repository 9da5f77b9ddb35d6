// Package releases is the repository of terminals' applications by The Update Framework (TUF, specification 1.0.31):
// Repository writes it on the acquirer's side, Client fetches from it on the terminal's side and believes nothing
// that is not signed by enough keys, not older than what it saw before, not expired, and whole.
//
// The repository is a directory that any web server, or the host, may serve: metadata/ with N.root.json,
// N.targets.json, N.snapshot.json and timestamp.json, and targets/ with the files, their SHA-256 before their
// names. Root and targets need two people's keys; snapshot and timestamp, which say only which metadata is the
// newest and until when, have a key of the machine each.
//
// Formats and rules are those of github.com/theupdateframework/go-tuf/v2; ours are what a target says of itself,
// the order in which files are written, and the words of a refusal.
package releases
