package check

import (
	"encoding/json"
	"io"

	"touchstone/web/api"
)

// strictJSON reads one object of strings as every other body of the interface is read (api.Strict), with no member that
// is not known, in the letters that it has here.
func strictJSON(body io.Reader, into *checkRequest) error {
	raw, err := io.ReadAll(body) // the router has bounded it
	if err != nil || api.Strict(raw) != nil {
		return errForm
	}
	var members map[string]*string
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return errForm
	}
	for name, value := range members {
		to := map[string]*string{"serial": &into.Serial, "code": &into.Code, "next_code": &into.Next, "proof": &into.Proof}[name]
		if to == nil || value == nil {
			return errForm
		}
		*to = *value
	}
	return nil
}
