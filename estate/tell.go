package estate

import (
	"math"
	"slices"
	"strings"
	"time"

	"touchstone/pos"
)

var noPlace = [2]int32{math.MinInt32, math.MinInt32}

// Tell takes what is known of terminals now, in place of what was known before.
func (e *Estate) Tell(list ...Terminal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range list {
		e.tell(&list[i])
	}
}

func (e *Estate) tell(t *Terminal) {
	slot, isNew := e.ids.add(string(t.ID[:]))
	shop, unit := e.shopSlot(string(t.Merchant[:])), e.unitSlot(string(t.Serial))
	if isNew {
		e.shop, e.unit = push(e.shop, shop), push(e.unit, unit)
		e.due, e.place, e.at = push(e.due, 0), push(e.place, noPlace), push(e.at, 0)
		e.uses[0]++
	} else {
		e.shopCount[e.shop[slot]]--
		e.shop[slot], e.unit[slot] = shop, unit
	}
	e.shopCount[shop]++
	e.due[slot] = secondsOf(t.Due)
	e.place[slot] = noPlace
	if t.Place {
		e.place[slot] = [2]int32{t.Latitude, t.Longitude}
	}
	e.install(slot, shop, t.Address)
	for f := range e.values {
		words := &e.words[f]
		code := words.code(joined(t.Values[f]))
		if words.count[code]++; isNew {
			e.values[f].push(code)
			continue
		}
		words.count[e.values[f].of(slot)]--
		e.values[f].set(slot, code)
	}
}

// install notes where a terminal is.
func (e *Estate) install(slot, shop uint32, address string) {
	was := e.at[slot]
	if low := strings.ToLower(address); string(e.addresses.of(was)) == low {
		return
	}
	now := e.address(address, e.shopPlace[shop])
	e.at[slot], e.shopPlace[shop] = now, now
	e.uses[now]++
	if e.uses[was]--; e.uses[was] == 0 && was != 0 {
		e.addresses.set(was, "")
		e.free = append(e.free, was)
	}
}

// address is the slot of an address: likely if it is that one.
func (e *Estate) address(text string, likely uint32) uint32 {
	switch {
	case len(e.uses) == 0:
		e.addresses.set(0, "")
		e.uses = append(e.uses, 0)
		return 0
	case text == "":
		return 0
	case e.uses[likely] > 0 && likely != 0 && string(e.addresses.of(likely)) == strings.ToLower(text):
		return likely
	}
	slot := uint32(len(e.uses))
	if n := len(e.free); n > 0 {
		slot, e.free = e.free[n-1], e.free[:n-1]
	} else {
		e.uses = push(e.uses, 0)
	}
	e.addresses.set(slot, text)
	return slot
}

// joined is a set as one word.
func joined(values []string) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	values = slices.Clone(values)
	slices.Sort(values)
	return strings.Join(slices.Compact(values), setMark)
}

func secondsOf(at pos.Instant) uint32 {
	if at <= 0 {
		return 0
	}
	return uint32(min(int64(at)/int64(time.Second), math.MaxUint32))
}

func (e *Estate) shopSlot(id string) uint32 {
	slot, isNew := e.shops.add(id)
	if isNew {
		e.shopCount, e.shopPlace = push(e.shopCount, 0), push(e.shopPlace, 0)
	}
	return slot
}

func (e *Estate) unitSlot(serial string) uint32 {
	slot, isNew := e.units.add(serial)
	if isNew {
		e.unitState.push(unset)
		e.unitModel.push(unset)
		e.unitWords.count[unset]++
		e.unitModels.count[unset]++
	}
	return slot
}

// TellMerchants takes what is known of merchants now.
func (e *Estate) TellMerchants(list ...Merchant) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range list {
		slot := e.shopSlot(string(m.ID[:]))
		e.shopNames.set(slot, m.Name)
		e.suspended.put(slot, m.Suspended)
	}
}

// TellDevices takes what is known of devices now.
func (e *Estate) TellDevices(list ...DeviceRow) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range list {
		slot := e.unitSlot(string(d.Serial))
		state, model := e.unitWords.code(d.State), e.unitModels.code(d.Model)
		e.unitWords.count[e.unitState.of(slot)]--
		e.unitWords.count[state]++
		e.unitModels.count[e.unitModel.of(slot)]--
		e.unitModels.count[model]++
		e.unitState.set(slot, state)
		e.unitModel.set(slot, model)
	}
}

// settled calls f with the names in order, holding the index for reading.
func (e *Estate) settled(f func()) {
	for {
		e.mu.RLock()
		if len(e.ids.fresh)+len(e.shops.fresh)+len(e.units.fresh) == 0 {
			defer e.mu.RUnlock()
			f()
			return
		}
		e.mu.RUnlock()
		e.Settle()
	}
}

// Settle puts names that are new into order, which the next search would do else.
func (e *Estate) Settle() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids.settle()
	e.shops.settle()
	e.units.settle()
}

// Counts are how many of each the index has.
func (e *Estate) Counts() (terminals, merchants, devices int) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.ids.len(), e.shops.len(), e.units.len()
}

// TerminalsOf is how many terminals a merchant has.
func (e *Estate) TerminalsOf(m pos.MerchantID) int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	slot, ok := e.shops.slot(string(m[:]))
	if !ok {
		return 0
	}
	return int(e.shopCount[slot])
}
