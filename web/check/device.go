package check

import (
	"log/slog"
	"net/http"
	"time"

	"touchstone/pos"
)

// deviceAnswered is what a page shows of a device.
type deviceAnswered struct {
	Answer Answer
	Why    Why
	Serial pos.Serial
	Record *Record // nil where nothing is said of it
	At     time.Time
	Two    bool
	Proven bool
}

func (p *Pages) mountDevice() {
	p.get("/device", p.deviceForm)
	p.post("/device", p.checkDevice)
}

func (p *Pages) deviceForm(w http.ResponseWriter, r *http.Request) {
	if _, err := query(r); err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	p.show(w, r, http.StatusOK, "device", view{Title: two(r, "May I use this device?", "这台设备可以用吗?"), Data: deviceAnswered{}})
}

// checkDevice answers a shopkeeper, or somebody who buys a device. What stands in the record is public: that a device
// was stolen has to be known to whoever is offered it. Where it works, and for whom, is not.
func (p *Pages) checkDevice(w http.ResponseWriter, r *http.Request) {
	f, err := form(r, "serial", "code", "next", "proof")
	if err != nil {
		p.refused(w, r, http.StatusBadRequest, "")
		return
	}
	v := view{Title: two(r, "May I use this device?", "这台设备可以用吗?")}
	q, wrong := read(f.Get("serial"), f.Get("code"), f.Get("next"), f.Get("proof"))
	if wrong != nil {
		v.Wrong = wrongText(r, wrong)
		v.Data = deviceAnswered{Serial: q.serial, At: p.Clock()}
		p.show(w, r, http.StatusUnprocessableEntity, "device", v)
		return
	}
	if !p.limits.records.Allow(p.who(r), p.Clock()) {
		tooMany(w)
		return
	}
	proven, ok := p.prove(r, q)
	if !ok {
		tooMany(w)
		return
	}
	a := deviceAnswered{Serial: q.serial, At: p.Clock(), Proven: proven == rightCode}
	var record *Record
	if known, err := p.Devices.Record(r.Context(), q.serial); err != nil {
		p.Log.Error("a device's record is not known", slog.String("error", err.Error()))
	} else {
		record = &known
	}
	a.Answer, a.Why = judgeDevice(proven, record)
	if record != nil && record.Known && a.Why != WhyWrongCode && a.Why != WhyOver && a.Why != WhyTwoCodes && a.Why != WhyUnavailable {
		a.Record = record
	}
	a.Two = a.Why == WhyTwoCodes
	v.Data = a
	p.show(w, r, http.StatusOK, "device-answer", v)
}
