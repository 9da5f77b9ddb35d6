package web

import (
	"context"
	"slices"

	"touchstone/pos"
	"touchstone/staff"
)

// Via is how a caller was proven.
type Via string

// The ways.
const (
	BySession Via = "session" // a browser, with a cookie: its unsafe requests carry the form token
	ByKey     Via = "key"     // an API key
	BySocket  Via = "socket"  // the control socket, which only the account that the host runs under may open
)

// Caller is who sends a request, proven before a handler sees it.
type Caller struct {
	Account  string         // the account's name, or of an API key "key:" and its number
	FullName string         // as others call the person
	Roles    []staff.Role   //
	Shop     pos.MerchantID // of the role merchant: all that this caller sees belongs to it
	Via      Via
	Token    string // BySession: what unsafe requests have to repeat; random, 32 bytes in base64url
	Proof    string // BySocket: who asks, as the command proves it; the host reads it
	Lang     string // "en" or "zh"
	Theme    string // "light", "dark" or "": as the system says
}

// Merchant tells whether the caller sees one shop only. A caller with another role as well is not confined.
func (c *Caller) Merchant() bool {
	return len(c.Roles) > 0 && !slices.ContainsFunc(c.Roles, func(r staff.Role) bool { return r != staff.Merchant })
}

// May tells whether the caller has one of the roles; none named means any caller.
func (c *Caller) May(roles ...staff.Role) bool {
	return len(roles) == 0 || slices.ContainsFunc(roles, func(r staff.Role) bool { return slices.Contains(c.Roles, r) })
}

// Sees tells whether the caller may see what belongs to a merchant. What a caller may not see is answered as what
// does not exist.
func (c *Caller) Sees(m pos.MerchantID) bool { return !c.Merchant() || c.Shop == m }

type callerKey struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the caller of a request, nil for nobody: on public routes alone.
func CallerOf(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
