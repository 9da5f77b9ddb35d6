package proof

// PermitOf is what of its permit a request goes against.
func PermitOf(r *Request, s *Snapshot) string {
	d := decision{r: r, s: s}
	return against(r, d.may())
}
