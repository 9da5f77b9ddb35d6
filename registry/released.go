package registry

// Released are the application versions on the lists of releases, by model. It is not changed once it is shared.
type Released map[string][]string

// Has tells whether a model has a version, given without padding.
func (r Released) Has(model string, version []byte) bool {
	for _, known := range r[model] {
		if known == string(version) {
			return true
		}
	}
	return false
}
