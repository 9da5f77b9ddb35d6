package api

// Remember sets where requests with a key are kept, without a whole desk.
func (a *API) Remember(r Requests) { a.requests = r }
