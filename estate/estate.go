package estate

import (
	"slices"
	"strings"
	"sync"

	"touchstone/pos"
)

// Facet is one thing by which terminals are told apart.
type Facet uint8

// The facets. Of Reason, Campaign and Advisory a terminal may have several values, or none.
const (
	Sell        Facet = iota // yes, limited, no
	State                    // active, suspended, merchant_suspended
	Device                   // where its device is in its life, or as the register has it: active, tampered, in_repair
	Model                    // maker and model
	Hardware                 // version of the hardware
	Version                  // of the application that its device presented last
	Certificate              // of the model: good, expired, ..., unknown
	Network                  // private, public, unknown
	Site                     // counter, mobile, unattended, open_public, unknown
	Inspection               // good, overdue, failed, unknown
	Grade                    // none, weak, accepted, strong
	Reason                   // why it may not do everything: a fact and its state, such as inspection.overdue
	Campaign                 // CMP-3
	Advisory                 // ADV-2
	Facets      = iota
)

var facetNames = [Facets]string{"sell", "state", "device", "model", "hardware", "version", "certificate", "network", "site", "inspection", "grade", "reason", "campaign", "advisory"}

// String is the facet's name, as interfaces have it.
func (f Facet) String() string { return facetNames[f] }

// ParseFacet reads a name.
func ParseFacet(name string) (Facet, bool) {
	i := slices.Index(facetNames[:], name)
	return Facet(max(i, 0)), i >= 0
}

// The values of Sell.
const (
	SellYes     = "yes"
	SellLimited = "limited"
	SellNo      = "no"
)

// Terminal is what the index is told of a terminal.
type Terminal struct {
	ID                  pos.TerminalID
	Merchant            pos.MerchantID
	Serial              pos.Serial
	Address             string           // where it is installed; "" unknown
	Values              [Facets][]string // none is told as unknown, one of the facets that have only one
	Due                 pos.Instant      // of the next inspection; 0 unknown
	Place               bool             // whether the next two say something
	Latitude, Longitude int32            // micro-degrees, north and east positive
}

// Merchant is what the index is told of a merchant.
type Merchant struct {
	ID        pos.MerchantID
	Name      string
	Suspended bool
}

// DeviceRow is what the index is told of a device.
type DeviceRow struct {
	Serial pos.Serial
	Model  string
	State  string
}

// unset is the code of no value.
const unset = 0

// maxWords bounds a dictionary: what comes after is told as one word.
const maxWords = 1<<16 - 1

const otherWord = "(other)"

// dictionary gives words numbers. A word of Reason, Campaign and Advisory is a whole set.
type dictionary struct {
	codes map[string]uint16
	words []string
	count []int32 // terminals that have it
}

func newDictionary() dictionary {
	return dictionary{codes: map[string]uint16{"": unset}, words: []string{""}, count: []int32{0}}
}

func (d *dictionary) code(word string) uint16 {
	if c, ok := d.codes[word]; ok {
		return c
	}
	if len(d.words) == maxWords {
		word = otherWord
		if c, ok := d.codes[word]; ok {
			return c
		}
	}
	word = strings.Clone(word)
	c := uint16(len(d.words))
	d.codes[word] = c
	d.words, d.count = append(d.words, word), append(d.count, 0)
	return c
}

// setMark stands between the values of a set.
const setMark = "\x00"

// Estate is the index. Make one with New.
type Estate struct {
	mu sync.RWMutex // guards all

	ids       names
	shop      []uint32 // by terminal: its merchant's slot
	unit      []uint32 // its device's slot
	values    [Facets]column
	due       []uint32   // seconds since 1970
	place     [][2]int32 // latitude and longitude; noPlace
	at        []uint32   // where it is installed: the slot of an address
	addresses texts
	uses      []uint32 // by address: terminals that have it
	free      []uint32 // addresses that no terminal has
	words     [Facets]dictionary

	shops     names
	shopNames texts
	shopPlace []uint32 // the address told last of one of its terminals: most of a shop's are at one
	suspended flags
	shopCount []int32

	units      names
	unitState  column
	unitModel  column
	unitWords  dictionary
	unitModels dictionary
}

// New is an empty index.
func New() *Estate {
	e := &Estate{ids: newNames(), shops: newNames(), units: newNames(), unitWords: newDictionary(), unitModels: newDictionary()}
	e.address("", 0) // slot 0 is no address
	for f := range e.words {
		e.words[f] = newDictionary()
	}
	return e
}
