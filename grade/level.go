package grade

// Level is what one axis, or a terminal, is worth. The zero value is nothing. Numbers are kept nowhere.
type Level uint8

// The levels.
const (
	None     Level = iota // there is no such proof
	Weak                  // it can be forged or searched, or is too old: named so, and accepted where policy lets it be
	Accepted              // nothing known is wrong with it, and better is known
	Strong
	Levels // the number of levels
)

var levelNames = [Levels]string{"none", "weak", "accepted", "strong"}

// String is the level's stable word.
func (l Level) String() string {
	if l < Levels {
		return levelNames[l]
	}
	return "unknown"
}

// Axis is one thing that is graded. The order is that in which they are told.
type Axis uint8

// The axes.
const (
	MAC        Axis = iota // the algorithm of DE64
	WorkingKey             // age of the keys in force, sign-ins a day
	MasterKey              // age since it was loaded
	PIN                    // format and cipher of the PIN block
	Serial                 // the device's proof of its serial number
	Track                  // track 2, sealed or clear
	Transport              // plain TCP, TLS, client certificate
	Axes                   // the number of axes
)

var axisNames = [Axes]string{"mac", "working_key", "master_key", "pin", "serial", "track", "transport"}

// String is the axis's stable word.
func (a Axis) String() string {
	if a < Axes {
		return axisNames[a]
	}
	return "unknown"
}

// Why is a set of reasons why an axis is worth no more, or of what is remarkable.
type Why uint32

// The reasons.
const (
	XORFold       Why = 1 << iota // MAC: folded before any key is used
	SingleDES                     // MAC, PIN, master key: a 56-bit key
	OpenChain                     // MAC: a CBC chain without a last step
	NoMAC                         // MAC: no algorithm
	SignInOld                     // working key: older than Thresholds.WorkingAccepted
	SignInAging                   // working key: older than Thresholds.WorkingStrong
	ManySignIns                   // working key: more a day than Thresholds.SignInsADay
	NotSignedIn                   // working key: none is in force, so none is old
	MasterOld                     // master key: older than Thresholds.MasterAccepted
	MasterAging                   // master key: older than Thresholds.MasterStrong
	MasterUndated                 // master key: nobody knows since when
	NoMaster                      // master key: none is loaded
	NoPIN                         // PIN: of sales that were approved, none carried one
	WithoutPAN                    // PIN: the block is not bound to the card and one may be put in another's place
	SamePIN                       // PIN: no random fill; the same PIN of the same card is the same block. ISO 9564-1 format 4 has one and is not in this dialect
	NoSerialKey                   // serial: the device has no key and only states its number
	SerialMissed                  // serial: there is a key, and sales were approved without its proof
	ClearTrack                    // track: it came in the clear, or there is no key for it
	ClearAllowed                  // track: there is a key, and clear tracks are accepted
	PlainTCP                      // transport: it came over plain TCP
	TLS12                         // transport: TLS 1.2
	NoClient                      // transport: TLS proves no device
	ClientRevoked                 // transport: the certificate was revoked
	NotSeen                       // nothing of it was seen lately: graded as registered
	whys          = iota
)

var whyNames = [whys]string{"xor_fold", "single_des", "open_chain", "no_mac", "sign_in_old", "sign_in_aging", "many_sign_ins",
	"not_signed_in", "master_old", "master_aging", "master_undated", "no_master", "no_pin", "without_pan", "same_pin_same_block",
	"no_serial_key", "serial_missed", "clear_track", "clear_allowed", "plain_tcp", "tls_1_2", "no_client_certificate",
	"certificate_revoked", "not_seen"}

// Has tells whether the set contains all of w.
func (s Why) Has(w Why) bool { return s&w == w }

// Each calls f with every reason of the set, in order.
func (s Why) Each(f func(Why)) {
	for i := range whys {
		if one := Why(1) << i; s&one != 0 {
			f(one)
		}
	}
}

// Words are the stable words of the set, in order.
func (s Why) Words() (words []string) {
	for i, name := range whyNames {
		if s>>i&1 == 1 {
			words = append(words, name)
		}
	}
	return words
}

// Finding is one axis of a terminal.
type Finding struct {
	Level Level
	Why   Why
}

// lower takes the finding down to a level, with a reason.
func (f *Finding) lower(to Level, why Why) {
	f.Level, f.Why = min(f.Level, to), f.Why|why
}

// Grade is what a terminal is worth on every axis.
type Grade [Axes]Finding

// Overall is the level of the weakest axis.
func (g *Grade) Overall() Level {
	least := Strong
	for i := range g {
		least = min(least, g[i].Level)
	}
	return least
}

// Weakest are the axes that have the overall level, in order.
func (g *Grade) Weakest() (list []Axis) {
	least := g.Overall()
	for a := range Axes {
		if g[a].Level == least {
			list = append(list, a)
		}
	}
	return list
}

// Sum is the sum of the axes' levels: among terminals of one overall level the least sum is worst.
func (g *Grade) Sum() (n int) {
	for i := range g {
		n += int(g[i].Level)
	}
	return n
}

// worse tells whether g is worse than o: by the overall level, then by the sum.
func (g *Grade) worse(o *Grade) bool {
	if a, b := g.Overall(), o.Overall(); a != b {
		return a < b
	}
	return g.Sum() < o.Sum()
}
