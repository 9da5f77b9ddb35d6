package host

import (
	"touchstone/journal"
	"touchstone/proof"
)

// RequestOf is what an entry of the journal keeps of its request, for judging it again under another policy. What the
// journal does not keep is absent: card and track data, the PIN block and DE53, DE59 but the place and the version,
// DE60.4 to 60.8. Whether a status upload reported tampering is taken from its verdict.
func RequestOf(x *journal.Exchange) (r proof.Request) {
	r = proof.Request{Source: x.Source, Secure: x.Flags&journal.FlagTLS != 0, TLS13: x.Flags&journal.FlagTLS13 != 0,
		MTI: x.MTI, Type: x.Type, NetCode: x.Network, Processing: x.Processing, Batch: x.Batch, STAN: x.STAN,
		Terminal: x.Terminal, Merchant: x.Merchant, Amount: x.Amount, HasAmount: x.Amount != 0, Currency: x.Currency,
		EntryMode: x.EntryMode, HasEntry: x.EntryMode != 0, Condition: x.Condition, Card: x.Card, Shown: x.Shown, Print: x.Print,
		HasTrack2: x.Flags&journal.FlagTrack2 != 0, HasTrack3: x.Flags&journal.FlagTrack3 != 0, TrackSealed: x.Flags&journal.FlagTrackSealed != 0,
		HasChipData: x.Flags&journal.FlagChip != 0, HasPINBlock: x.Flags&journal.FlagPIN != 0,
		HasPlace: x.Flags&journal.FlagPlace != 0, Latitude: x.Latitude, Longitude: x.Longitude,
		OrigBatch: x.OriginalBatch, OrigSTAN: x.OriginalSTAN, Why: x.ReversalReason, App: x.App, HasApp: x.App != [8]byte{}, Operator: x.Operator}
	r.Need, r.Op = classify(&r)
	if r.Need == proof.TamperReport && proof.States(x.Checks).Of(proof.Function) != proof.Passed {
		r.Need = proof.Unserved
	}
	return r
}
