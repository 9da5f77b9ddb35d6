package api

// Page is one piece of a long list.
type Page[T any] struct {
	Data []T    `json:"data" nullable:"false"`
	Next string `json:"next_cursor,omitempty" doc:"give it as cursor to go on; absent at the end"`
	// Lag is how many entries of the journal the answer does not cover yet, where it was made from the projection.
	Lag uint64 `json:"lag,omitempty" doc:"entries of the journal that this answer does not cover yet"`
}

// Paging is how a caller asks for a piece. Embed it in an operation's input.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"at most so many"`
	Cursor string `query:"cursor" maxLength:"400" doc:"next_cursor of the piece before"`
}
