package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"touchstone/web"
)

// JournalLine is one entry in a list.
type JournalLine struct {
	Entry    uint64    `json:"entry"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Terminal string    `json:"terminal,omitempty"`
	Accounts []string  `json:"accounts,omitempty" doc:"of an act: who"`
	Words    Text      `json:"words" doc:"the line that touchstone journal tail prints"`
	Alarm    bool      `json:"alarm,omitempty" doc:"a refusal by security, or an event that asks for somebody now"`
}

// JournalList is one piece of the journal, the newest first. A search by a filter looks at a bounded number of entries:
// Looked says at which.
type JournalList struct {
	Data       []JournalLine `json:"data" nullable:"false"`
	Next       string        `json:"next_cursor,omitempty" doc:"give it as cursor to go on"`
	LookedFrom uint64        `json:"looked_from" doc:"every entry from this one"`
	LookedTo   uint64        `json:"looked_to" doc:"to this one was looked at"`
	Head       uint64        `json:"head" doc:"the newest durable entry"`
	HeadHash   string        `json:"head_hash" doc:"the chain value after it, hexadecimal"`
}

// JournalQuery narrows the list.
type JournalQuery struct {
	Paging
	Kind     string `query:"kind" maxLength:"20" doc:"such as exchange, event, cause, staff" example:"exchange"`
	Terminal string `query:"terminal" maxLength:"12" doc:"DE41; messages, causes and events of it, and its registration"`
	Account  string `query:"account" maxLength:"60" doc:"acts of one account"`
	AsOf     string `query:"as_of" maxLength:"40" doc:"entries up to then"`
}

// JournalEntry is one entry whole.
type JournalEntry struct {
	JournalLine
	Record   json.RawMessage `json:"record" doc:"as touchstone journal show --json has it: keys are named and cards cut"`
	Bytes    int             `json:"bytes" doc:"of the entry"`
	Hex      string          `json:"hex,omitempty" doc:"the entry itself; absent of a kind that holds wrapped keys, verifiers of passphrases or personal data"`
	Hash     string          `json:"hash" doc:"the chain value after it"`
	Before   string          `json:"previous" doc:"the chain value before it"`
	Block    JournalBlock    `json:"block"`
	Verdict  string          `json:"transaction,omitempty" doc:"of an exchange: its id" example:"txn_1042"`
	Withheld bool            `json:"withheld,omitempty"`
}

// JournalBlock is the group commit that holds an entry.
type JournalBlock struct {
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	Prev    string `json:"prev" doc:"the chain value before the first, hexadecimal"`
	Head    string `json:"head" doc:"and after the last"`
	Journal string `json:"journal" doc:"whose journal it is: the id in its first entry"`
}

// JournalProof lets anybody check one entry without this program: beginning with previous, the chain value is computed
// over each link in turn and must come to head.
type JournalProof struct {
	Algorithm string        `json:"algorithm" example:"h = SHA-256(\"touchstone/1\" || h || length || entry)"`
	Journal   string        `json:"journal"`
	Entry     uint64        `json:"entry"`
	Previous  string        `json:"previous" doc:"chain value before the entry, 64 hexadecimal digits"`
	Links     []JournalLink `json:"links" nullable:"false" doc:"the entry, and each one after it to the end of through"`
	Through   uint64        `json:"through" doc:"the last link's entry"`
	Head      string        `json:"head" doc:"chain value after it: what a witness holds, or the next block's prev"`
	Whole     bool          `json:"whole" doc:"no link is withheld"`
	Newest    uint64        `json:"newest" doc:"the newest durable entry of the journal"`
	NewestIs  string        `json:"newest_head" doc:"and the chain value after that"`
	Witnesses []Witness     `json:"witnesses" nullable:"false"`
}

// JournalLink is one step of a chain.
type JournalLink struct {
	Entry    uint64 `json:"entry"`
	Hex      string `json:"hex,omitempty" doc:"the entry's bytes"`
	Hash     string `json:"hash" doc:"chain value after it"`
	Withheld bool   `json:"withheld,omitempty" doc:"its bytes are not given: the chain goes on from hash, taken as given"`
}

// Witness is what a file outside the data directory holds of the journal's head.
type Witness struct {
	File  string    `json:"file"`
	State string    `json:"state" enum:"agrees,none,damaged,conflict"`
	Entry uint64    `json:"entry,omitempty"`
	Head  string    `json:"head,omitempty"`
	At    time.Time `json:"at,omitzero"`
}

// Verification is the proof of the chain that was asked for last.
type Verification struct {
	State string    `json:"state" enum:"none,running,intact,broken,failed,cancelled"`
	From  uint64    `json:"from,omitempty"`
	To    uint64    `json:"to,omitempty" doc:"the head when it began"`
	At    uint64    `json:"at,omitempty" doc:"how far it is"`
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	Says  Text      `json:"says,omitzero" doc:"what was found"`
	By    string    `json:"by,omitempty"`
}

// Journal reads what happened. Merchants' callers never reach it.
type Journal interface {
	Entries(ctx context.Context, who *web.Caller, q *JournalQuery) (JournalList, error)
	Entry(ctx context.Context, who *web.Caller, n uint64) (JournalEntry, error)
	// Proof goes from an entry to the end of its block, or to the first end of a block at or after through.
	Proof(ctx context.Context, who *web.Caller, n, through uint64) (JournalProof, error)
	// Verify begins to recompute the chain from an entry to the head; one at a time.
	Verify(ctx context.Context, who *web.Caller, from uint64) (Verification, error)
	Verification(ctx context.Context, who *web.Caller) (Verification, error)
	Witnesses(ctx context.Context, who *web.Caller) ([]Witness, error)
}

type entryInput struct {
	N uint64 `path:"n" minimum:"1" doc:"number of the entry" example:"1"`
}

type proofInput struct {
	entryInput
	Through uint64 `query:"through" doc:"go on to the end of the block that holds this entry; at most 4,096 entries and 1 MiB"`
}

type witnessList struct {
	Data []Witness `json:"data" nullable:"false"`
}

func (a *API) journal(d *Desk) {
	Add(a, Operation{ID: "list-journal", Method: http.MethodGet, Path: "/journal", Summary: "The journal, the newest entry first", Tag: "journal", Rule: web.Staff,
		Text: "A filter is looked for in a bounded number of entries: looked_from and looked_to say which; the cursor goes on below."}, d.Journal.Entries)
	Add(a, Operation{ID: "get-journal-entry", Method: http.MethodGet, Path: "/journal/{n}", Summary: "One entry whole", Tag: "journal", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, in *entryInput) (JournalEntry, error) {
			return d.Journal.Entry(ctx, who, in.N)
		})
	Add(a, Operation{ID: "get-journal-proof", Method: http.MethodGet, Path: "/journal/{n}/proof", Summary: "What lets anybody check the entry", Tag: "journal", Rule: web.Staff,
		Text: "h begins as previous. For each link: h = SHA-256(\"touchstone/1\" || h || length || entry), length being 4 bytes, big-endian. After the last link h is head. A withheld link holds wrapped keys, verifiers of passphrases or personal data: h goes on from its hash, which only who holds the journal can check."},
		func(ctx context.Context, who *web.Caller, in *proofInput) (JournalProof, error) {
			return d.Journal.Proof(ctx, who, in.N, in.Through)
		})
	Add(a, Operation{ID: "get-journal-verification", Method: http.MethodGet, Path: "/journal-verification", Summary: "How far the proof of the chain is", Tag: "journal", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, _ *struct{}) (Verification, error) {
			return d.Journal.Verification(ctx, who)
		})
	Add(a, Operation{ID: "list-witnesses", Method: http.MethodGet, Path: "/journal-witnesses", Summary: "What the witnesses hold", Tag: "journal", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, _ *struct{}) (witnessList, error) {
			list, err := d.Journal.Witnesses(ctx, who)
			return witnessList{list}, err
		})
}
