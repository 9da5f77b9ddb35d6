package explain

import "touchstone/reason"

type wordRow struct {
	Name string `json:"name"`
	Text Text   `json:"text"`
	Then *Text  `json:"then,omitempty"` // of a visit that is due: who acts after the owner
}

func (c *Catalogue) loadWords(data string) error {
	var f struct {
		Checks   []wordRow `json:"checks"`
		Outcomes []wordRow `json:"outcomes"`
		Owners   []wordRow `json:"owners"`
		Families []wordRow `json:"families"`
		Models   []wordRow `json:"models"`
	}
	if err := read("words", data, &f); err != nil {
		return err
	}
	for _, group := range []struct {
		name string
		rows []wordRow
		into *map[string]Text
	}{{"check", f.Checks, &c.checks}, {"outcome", f.Outcomes, &c.outcomes}, {"owner", f.Owners, &c.owners}, {"family", f.Families, &c.families}, {"model", f.Models, &c.models}} {
		words, err := wordMap(group.name, group.rows)
		if err != nil {
			return err
		}
		*group.into = words
	}
	for o := reason.Nobody; o <= reason.Issuer; o++ {
		if _, ok := c.owners[o.String()]; !ok {
			return bad("owner %q: absent", o)
		}
	}
	for _, family := range reason.Families() {
		if _, ok := c.families[family.String()]; !ok {
			return bad("family %q: absent", family)
		}
	}
	return nil
}

func wordMap(what string, rows []wordRow) (map[string]Text, error) {
	words := make(map[string]Text, len(rows))
	for _, row := range rows {
		name := plain(row.Name)
		if _, twice := words[name]; twice || row.Name == "" || !row.Text.whole() {
			return nil, bad("%s %q: named twice or without words", what, row.Name)
		}
		words[name] = row.Text
	}
	return words, nil
}
