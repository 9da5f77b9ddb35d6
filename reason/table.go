package reason

import "touchstone/pos"

// The reasons, in the order of their numbers. None means no reason to refuse.
const (
	None Reason = iota
	FrameMalformed
	MessageMalformed
	FunctionUnsupported
	TerminalUnknown
	MerchantUnknown
	BindingMismatch
	TerminalSuspended
	MerchantSuspended
	PermitRefused
	DeviceCertificateMismatch
	TransportRefused
	NetworkNotAllowed
	LocationOutside
	NotSignedIn
	BatchMismatch
	KeyAbsent
	KeyExpired
	KeyAlgorithmMismatch
	ModuleUnavailable
	MACMissing
	MACFailed
	MACGradeRefused
	Replayed
	DuplicateTrace
	CounterRewound
	SerialMissing
	SerialMismatch
	SerialProofFailed
	SerialFactorMismatch
	DeviceTypeMismatch
	AppVersionUnknown
	PINMissing
	PINUnexpected
	PINFormat
	TrackDecryptFailed
	TrackPANMismatch
	EMVMissing
	EMVInconsistent
	ARQCFailed
	FallbackRefused
	OriginalNotFound
	OriginalMismatch
	OriginalClosed
	RefundWithoutOriginal
	ReversedBeforeArrival
	UnprovenAdvice
	TotalsMismatch
	LimitExceeded
	AmountInvalid
	CurrencyMismatch
	CardUnknown
	CardExpired
	InsufficientFunds
	PINWrong
	PINTriesExceeded
	CardRestricted
	CardLost
	CardStolen
	CVVFailed
	IssuerDeclined
	IssuerUnavailable
	IssuerTimeout
	JournalUnavailable
	Overloaded
	RateLimited
	OracleBudget
	SignInCodeRefused
	DeviceUnknown
	DeviceSuspended
	DeviceTampered
	KeyCompromised
	CloneSuspected
	NoCardholderVerification
	NetworkKeyStale
	ProofIneffective
	count // the number of reasons, None included
)

// table is indexed by Reason. An empty DE39 means the message gets no answer.
var table = [count]row{
	None:                      {"none", pos.Approved, Nobody},
	FrameMalformed:            {"frame_malformed", pos.Code("30"), Acquirer},
	MessageMalformed:          {"message_malformed", pos.Code("30"), Acquirer},
	FunctionUnsupported:       {"function_unsupported", pos.Code("40"), Acquirer},
	TerminalUnknown:           {"terminal_unknown", pos.Code("97"), Acquirer},
	MerchantUnknown:           {"merchant_unknown", pos.Code("03"), Acquirer},
	BindingMismatch:           {"binding_mismatch", pos.Code("97"), Security},
	TerminalSuspended:         {"terminal_suspended", pos.Code("58"), Acquirer},
	MerchantSuspended:         {"merchant_suspended", pos.Code("03"), Acquirer},
	PermitRefused:             {"permit_refused", pos.Code("58"), Acquirer},
	DeviceCertificateMismatch: {"device_certificate_mismatch", pos.Code("58"), Security},
	TransportRefused:          {"transport_refused", pos.ResponseCode{}, Security},
	NetworkNotAllowed:         {"network_not_allowed", pos.Code("58"), Security},
	LocationOutside:           {"location_outside", pos.Code("58"), Security},
	NotSignedIn:               {"not_signed_in", pos.Code("77"), Terminal},
	BatchMismatch:             {"batch_mismatch", pos.Code("77"), Terminal},
	KeyAbsent:                 {"key_absent", pos.Code("A7"), Acquirer},
	KeyExpired:                {"key_expired", pos.Code("A7"), Acquirer},
	KeyAlgorithmMismatch:      {"key_algorithm_mismatch", pos.Code("A7"), Acquirer},
	ModuleUnavailable:         {"module_unavailable", pos.Code("96"), Acquirer},
	MACMissing:                {"mac_missing", pos.Code("A0"), Security},
	MACFailed:                 {"mac_failed", pos.Code("A0"), Terminal},
	MACGradeRefused:           {"mac_grade_refused", pos.Code("58"), Acquirer},
	Replayed:                  {"replayed", pos.Code("94"), Security},
	DuplicateTrace:            {"duplicate_trace", pos.Code("94"), Terminal},
	CounterRewound:            {"counter_rewound", pos.Code("94"), Security},
	SerialMissing:             {"serial_missing", pos.Code("A7"), Acquirer},
	SerialMismatch:            {"serial_mismatch", pos.Code("97"), Security},
	SerialProofFailed:         {"serial_proof_failed", pos.Code("A7"), Security},
	SerialFactorMismatch:      {"serial_factor_mismatch", pos.Code("A7"), Security},
	DeviceTypeMismatch:        {"device_type_mismatch", pos.Code("A7"), Acquirer},
	AppVersionUnknown:         {"app_version_unknown", pos.Code("A7"), Acquirer},
	PINMissing:                {"pin_missing", pos.Code("30"), Terminal},
	PINUnexpected:             {"pin_unexpected", pos.Code("30"), Terminal},
	PINFormat:                 {"pin_format", pos.Code("99"), Terminal},
	TrackDecryptFailed:        {"track_decrypt_failed", pos.Code("30"), Acquirer},
	TrackPANMismatch:          {"track_pan_mismatch", pos.Code("30"), Acquirer},
	EMVMissing:                {"emv_missing", pos.Code("30"), Acquirer},
	EMVInconsistent:           {"emv_inconsistent", pos.Code("30"), Acquirer},
	ARQCFailed:                {"arqc_failed", pos.Code("05"), Issuer},
	FallbackRefused:           {"fallback_refused", pos.Code("45"), Terminal},
	OriginalNotFound:          {"original_not_found", pos.Code("25"), Merchant},
	OriginalMismatch:          {"original_mismatch", pos.Code("64"), Merchant},
	OriginalClosed:            {"original_closed", pos.Code("22"), Merchant},
	RefundWithoutOriginal:     {"refund_without_original", pos.Code("25"), Merchant},
	ReversedBeforeArrival:     {"reversed_before_arrival", pos.Code("94"), Nobody},
	UnprovenAdvice:            {"unproven_advice", pos.ResponseCode{}, Acquirer},
	TotalsMismatch:            {"totals_mismatch", pos.Approved, Acquirer},
	LimitExceeded:             {"limit_exceeded", pos.Code("61"), Merchant},
	AmountInvalid:             {"amount_invalid", pos.Code("13"), Merchant},
	CurrencyMismatch:          {"currency_mismatch", pos.Code("12"), Merchant},
	CardUnknown:               {"card_unknown", pos.Code("14"), Issuer},
	CardExpired:               {"card_expired", pos.Code("54"), Issuer},
	InsufficientFunds:         {"insufficient_funds", pos.Code("51"), Issuer},
	PINWrong:                  {"pin_wrong", pos.Code("55"), Issuer},
	PINTriesExceeded:          {"pin_tries_exceeded", pos.Code("75"), Issuer},
	CardRestricted:            {"card_restricted", pos.Code("62"), Issuer},
	CardLost:                  {"card_lost", pos.Code("41"), Issuer},
	CardStolen:                {"card_stolen", pos.Code("43"), Issuer},
	CVVFailed:                 {"cvv_failed", pos.Code("59"), Issuer},
	IssuerDeclined:            {"issuer_declined", pos.Code("05"), Issuer},
	IssuerUnavailable:         {"issuer_unavailable", pos.Code("91"), Acquirer},
	IssuerTimeout:             {"issuer_timeout", pos.Code("98"), Acquirer},
	JournalUnavailable:        {"journal_unavailable", pos.Code("96"), Acquirer},
	Overloaded:                {"overloaded", pos.Code("96"), Acquirer},
	RateLimited:               {"rate_limited", pos.Code("96"), Acquirer},
	OracleBudget:              {"oracle_budget", pos.Code("96"), Acquirer},
	SignInCodeRefused:         {"sign_in_code_refused", pos.Code("40"), Security},
	DeviceUnknown:             {"device_unknown", pos.Code("97"), Security},
	DeviceSuspended:           {"device_suspended", pos.Code("58"), Security},
	DeviceTampered:            {"device_tampered", pos.Code("58"), Security},
	KeyCompromised:            {"key_compromised", pos.Code("A7"), Security},
	CloneSuspected:            {"clone_suspected", pos.Code("58"), Security},
	NoCardholderVerification:  {"no_cardholder_verification", pos.Code("57"), Terminal},
	NetworkKeyStale:           {"network_key_stale", pos.Code("96"), Acquirer},
	ProofIneffective:          {"proof_ineffective", pos.Code("96"), Security},
}
