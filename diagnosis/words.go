package diagnosis

// The names of facts; the explanations know their words.
const (
	FactWhy        = "why"           // of what was not tried: sealed, no_keys, no_mac, budget, late
	FactSource     = "source"        // Source
	FactKeySet     = "key_set"       // number of the working key set that fits
	FactIssued     = "issued"        // when it was issued, RFC 3339
	FactTerminal   = "terminal"      // owner of the key that fits
	FactSerial     = "serial"        // device whose key fits
	FactBoundTo    = "bound_to"      // terminal to which that device is bound
	FactAlgorithm  = "algorithm"     // MAC algorithm that fits
	FactPadding    = "padding"       // 1, 2, 3 of ISO/IEC 9797-1
	FactCoverage   = "coverage"      // Coverage
	FactEncoding   = "encoding"      // Encoding
	FactForm       = "form"          // Form of the key
	FactDirection  = "direction"     // of an offset: before, after
	FactCipher     = "cipher"        // of a key unwrapped by the wrong one
	FactColumn     = "column"        // of the fold, from 0
	FactDifference = "difference"    // of the altered byte, two hexadecimal digits
	FactElement    = "element"       // the altered element, only where one candidate remains
	FactCandidates = "candidates"    // how many element bytes could be the altered one
	FactCopy       = "copy"          // the element that agrees with what was sent before the alteration
	FactWas        = "was"           // DE4 before the alteration
	FactIs         = "is"            // DE4 as received
	FactAgrees     = "agrees"        // pin, serial: what of the same message agrees
	FactPINFormat  = "pin_format"    // format that fits
	FactPINCipher  = "pin_algorithm" // cipher that fits
	FactPAN        = "pan"           // which other digits a PIN block was made with: with_check_digit, first_digits, track, none
	FactFactor     = "factor"        // which other factor the ciphertext was made with
	FactInput      = "input"         // whose serial number went into the ciphertext: presented, own
	FactLeads      = "fits"          // causes between which nothing decides, comma separated
)
