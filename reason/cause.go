package reason

// Cause is the stable number of what experiment or inference found behind a refusal. A verdict's Reason is known when
// it is decided and never changes; a Cause comes later, in a journal entry that names the verdict. Zero is no cause:
// what is unproven stays so.
type Cause uint8

// The causes, in the order of their numbers.
const (
	NoCause Cause = iota
	MACStaleKey
	MACOtherTerminalKey
	MACWrongAlgorithm
	MACWrongCoverage
	MACWrongEncoding
	MACKeyHalfLoaded
	MACMasterKeyMismatch
	KeysNotTaken
	MessageAltered
	PINStaleKey
	PINOtherPAN
	PINWrongAlgorithm
	PINWrongFormat
	PINOtherTerminalKey
	SerialOtherDeviceKey
	SerialOtherFactor
	SerialOtherForm
	TrackStaleKey
	TraceReset
	TwoDevices
	causeCount
)

// Family is the kind of a cause: whose trade it belongs to.
type Family uint8

// The families.
const (
	FamilyUnproven Family = iota
	FamilyHardware
	FamilySoftware
	FamilyConfiguration
	FamilyKey
	FamilyNetwork
	FamilyPeople
	FamilyAttack
	FamilyOurs
	FamilyCard
	familyCount
)

var familyNames = [familyCount]string{"unproven", "hardware", "software", "configuration", "key", "network", "people", "attack", "ours", "card"}

// String is the family's word.
func (f Family) String() string {
	if f >= familyCount {
		return familyNames[FamilyUnproven]
	}
	return familyNames[f]
}

// Families lists every family in the order of their numbers.
func Families() []Family {
	all := make([]Family, familyCount)
	for f := range all {
		all[f] = Family(f)
	}
	return all
}

type causeRow struct {
	name   string
	owner  Owner // unless the finding's variant says otherwise
	family Family
}

// causes is indexed by Cause; docs/protocol/failures.md has the meanings.
var causes = [causeCount]causeRow{
	NoCause:              {"unproven", Acquirer, FamilyUnproven},
	MACStaleKey:          {"mac_stale_key", Terminal, FamilyKey},
	MACOtherTerminalKey:  {"mac_other_terminal_key", Security, FamilyKey},
	MACWrongAlgorithm:    {"mac_wrong_algorithm", Acquirer, FamilyConfiguration},
	MACWrongCoverage:     {"mac_wrong_coverage", Acquirer, FamilySoftware},
	MACWrongEncoding:     {"mac_wrong_encoding", Acquirer, FamilySoftware},
	MACKeyHalfLoaded:     {"mac_key_half_loaded", Acquirer, FamilyKey},
	MACMasterKeyMismatch: {"mac_master_key_mismatch", Acquirer, FamilyKey},
	KeysNotTaken:         {"keys_not_taken", Acquirer, FamilyKey},
	MessageAltered:       {"message_altered", Security, FamilyNetwork},
	PINStaleKey:          {"pin_stale_key", Terminal, FamilyKey},
	PINOtherPAN:          {"pin_other_pan", Security, FamilySoftware},
	PINWrongAlgorithm:    {"pin_wrong_algorithm", Acquirer, FamilyConfiguration},
	PINWrongFormat:       {"pin_wrong_format", Acquirer, FamilyConfiguration},
	PINOtherTerminalKey:  {"pin_other_terminal_key", Security, FamilyKey},
	SerialOtherDeviceKey: {"serial_other_device_key", Security, FamilyHardware},
	SerialOtherFactor:    {"serial_other_factor", Acquirer, FamilySoftware},
	SerialOtherForm:      {"serial_other_form", Acquirer, FamilySoftware},
	TrackStaleKey:        {"track_stale_key", Terminal, FamilyKey},
	TraceReset:           {"trace_reset", Terminal, FamilyHardware},
	TwoDevices:           {"two_devices", Security, FamilyAttack},
}

// ParseCause finds a cause by its name; "unproven" is NoCause.
func ParseCause(name string) (Cause, error) {
	for i, r := range causes {
		if r.name == name {
			return Cause(i), nil
		}
	}
	return NoCause, ErrUnknown
}

// Causes lists every cause but NoCause in the order of their numbers.
func Causes() []Cause {
	all := make([]Cause, 0, causeCount-1)
	for c := NoCause + 1; c < causeCount; c++ {
		all = append(all, c)
	}
	return all
}

// String is the stable name, such as "mac_stale_key"; a cause outside the table is "unproven".
func (c Cause) String() string { return c.row().name }

// Owner is who must act first, unless a finding says otherwise.
func (c Cause) Owner() Owner { return c.row().owner }

// Family is the cause's kind.
func (c Cause) Family() Family { return c.row().family }

func (c Cause) row() causeRow {
	if c >= causeCount {
		return causes[NoCause]
	}
	return causes[c]
}

// Sought tells whether experiment may find what is behind the reason. Of every other reason the verdict itself is the
// proof of the fact: the batch is another, the terminal is not registered.
func (r Reason) Sought() bool {
	switch r {
	case MACFailed, SerialProofFailed, SerialFactorMismatch, PINFormat, TrackDecryptFailed, TrackPANMismatch, KeyAlgorithmMismatch, DuplicateTrace:
		return true
	}
	return false
}
