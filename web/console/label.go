package console

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"rsc.io/qr"

	"touchstone/web"
	"touchstone/web/api"
)

// mountLabel is the label that field service prints and puts on a device.
func (c *Console) mountLabel() {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/devices/{serial}/label", Rule: web.Staff}, http.HandlerFunc(c.label))
}

// labelShown is a label with its QR code.
type labelShown struct {
	api.Sticker
	QR template.HTML
}

func (c *Console) label(w http.ResponseWriter, r *http.Request) {
	l, err := c.Desk.Stickers.Sticker(r.Context(), web.CallerOf(r.Context()), "dev_"+r.PathValue("serial"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	drawn, err := drawQR(l.URL, two(r, "QR code of the check page for ", "核验页二维码: ")+l.Serial)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, "label", view{Title: two(r, "Label ", "标签 ") + l.Serial, Active: "fleet", Sheets: []string{"label.css"}, Data: labelShown{l, drawn}})
}

// quietModules is the white around a QR code; ISO/IEC 18004, 6.3.8.
const quietModules = 4

// drawQR is a QR code as SVG, one module a unit, dark on white in any theme. Level M bears 15 % of damage, as a label on
// a counter sees. The text is ours and so is the drawing: nothing of it is foreign HTML.
func drawQR(text, says string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("QR code: %w", err)
	}
	side := code.Size + 2*quietModules
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" shape-rendering="crispEdges"><rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`,
		side, side, side*8, side*8, template.HTMLEscapeString(says), side, side)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quietModules, y+quietModules)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil
}
