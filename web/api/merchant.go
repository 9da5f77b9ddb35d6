package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Merchant is a shop.
type Merchant struct {
	ID        string   `json:"id" example:"mer_898000000000001"`
	Merchant  string   `json:"merchant" doc:"DE42, 15 characters" example:"898000000000001"`
	Name      string   `json:"name"`
	Networks  []string `json:"networks,omitempty" doc:"from where its terminals may come; CIDR, or any"`
	Suspended bool     `json:"suspended,omitempty"`
	Terminals int      `json:"terminals" doc:"how many it has"`

	AsOf     *time.Time    `json:"as_of,omitempty"`
	Entry    uint64        `json:"entry,omitempty" doc:"of its record in the journal"`
	Cashiers []ShopCashier `json:"cashiers,omitempty" doc:"of one merchant: the people at the counter"`
}

// MerchantQuery narrows a list of merchants.
type MerchantQuery struct {
	Paging
	AsOf
	Search string `query:"q" maxLength:"100" doc:"part of the number or the name"`
}

// Merchants is what the host knows of merchants. An unknown one, and one that the caller may not see, is NotFound.
type Merchants interface {
	Merchants(ctx context.Context, who *web.Caller, q *MerchantQuery) (Page[Merchant], error)
	Merchant(ctx context.Context, who *web.Caller, id string, q *AsOf) (Merchant, error)
}

type merchantInput struct {
	ID string `path:"id" maxLength:"40" example:"mer_898000000000001"`
	AsOf
}

func (a *API) merchants(d *Desk) {
	seen := web.Rule{Any: true, Shop: true}
	Add(a, Operation{ID: "list-merchants", Method: http.MethodGet, Path: "/merchants", Summary: "List merchants", Tag: "merchants", Rule: seen,
		Text: "With as_of those that were registered then, found by their names of then."}, d.Merchants.Merchants)
	Add(a, Operation{ID: "get-merchant", Method: http.MethodGet, Path: "/merchants/{id}", Summary: "One merchant", Tag: "merchants", Rule: seen},
		func(ctx context.Context, who *web.Caller, in *merchantInput) (Merchant, error) {
			return d.Merchants.Merchant(ctx, who, in.ID, &in.AsOf)
		})
}
