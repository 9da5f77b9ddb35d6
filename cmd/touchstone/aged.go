package main

// aged is a map of bounded size that forgets what was not looked at for long: two generations, and when the young one
// is full it becomes the old one, whose place is given up. It holds between most and twice as many.
type aged[K comparable, V any] struct {
	most       int
	young, old map[K]*V
}

func newAged[K comparable, V any](most int) *aged[K, V] {
	return &aged[K, V]{most: most, young: map[K]*V{}}
}

// find is the value of k, nil when there is none.
func (a *aged[K, V]) find(k K) *V {
	if v := a.young[k]; v != nil {
		return v
	}
	v := a.old[k]
	if v != nil {
		delete(a.old, k)
		a.put(k, v)
	}
	return v
}

// of is the value of k, a zero one when there was none.
func (a *aged[K, V]) of(k K) *V {
	v := a.find(k)
	if v == nil {
		v = new(V)
		a.put(k, v)
	}
	return v
}

func (a *aged[K, V]) put(k K, v *V) {
	if len(a.young) >= a.most {
		a.young, a.old = make(map[K]*V, a.most), a.young
	}
	a.young[k] = v
}

func (a *aged[K, V]) drop(k K) {
	delete(a.young, k)
	delete(a.old, k)
}

func (a *aged[K, V]) size() int { return len(a.young) + len(a.old) }
