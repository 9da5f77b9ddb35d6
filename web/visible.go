package web

import "strings"

// turning are the marks by which a text reads otherwise than it is written: embeddings, overrides and isolates of UAX #9,
// as CVE-2021-42574 uses them. They are shown by their numbers, in brackets that no name has.
var turning = strings.NewReplacer("\u202a", "⟦202A⟧", "\u202b", "⟦202B⟧", "\u202c", "⟦202C⟧", "\u202d", "⟦202D⟧", "\u202e", "⟦202E⟧",
	"\u2066", "⟦2066⟧", "\u2067", "⟦2067⟧", "\u2068", "⟦2068⟧", "\u2069", "⟦2069⟧")

// Visible is a page whose texts read as they are written, whoever wrote them: a shop called "exe.gnp" backwards would
// otherwise be shown as another. No template has such a mark.
func Visible(page string) string { return turning.Replace(page) }
