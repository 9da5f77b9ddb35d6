package api

// Text is said in both languages; a reader picks.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// In is the text in a page's language.
func (t Text) In(lang string) string {
	if lang == "zh" {
		return t.ZH
	}
	return t.EN
}
