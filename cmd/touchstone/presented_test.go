package main

import (
	"fmt"
	"sync"
	"testing"

	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
)

func TestPresented(t *testing.T) {
	one := &registry.Device{Serial: "A", AppVersions: []string{"1.0.0"}}
	anyVersion := &registry.Device{Serial: "B"}
	p := newPresented()
	tell := func(d *registry.Device, app string) int {
		before := len(p.queue)
		p.Presented(d, []byte(app), 1)
		return len(p.queue) - before
	}
	for _, c := range []struct {
		name string
		d    *registry.Device
		app  string
		want int
	}{
		{"the one it was registered with", one, "1.0.0", 0}, {"another", one, "1.0.3", 1}, {"the same again", one, "1.0.3", 0},
		{"back to the one it was registered with", one, "1.0.0", 1}, {"and again", one, "1.0.0", 0},
		{"the first of a device registered with any", anyVersion, "1.0.0", 1}, {"and again", anyVersion, "1.0.0", 0},
		{"none", anyVersion, "", 0}, {"nine characters", anyVersion, "123456789", 0},
	} {
		if got := tell(c.d, c.app); got != c.want {
			t.Errorf("%s: told %d times, want %d", c.name, got, c.want)
		}
	}
	p.forget([]fleet.Presentation{{Device: anyVersion}})
	if tell(anyVersion, "1.0.0") != 1 {
		t.Error("what could not be written down is not told again")
	}
	for i := 0; len(p.queue) < cap(p.queue); i++ {
		tell(&registry.Device{Serial: pos.Serial(fmt.Sprint("C", i))}, "1")
	}
	late := &registry.Device{Serial: "late"}
	if tell(late, "1") != 0 {
		t.Error("a full queue took one more")
	}
	<-p.queue
	if tell(late, "1") != 1 {
		t.Error("what found no room is not told by the next message")
	}
}

// TestPresentedAtOnce is messages of many terminals while releases are published and what was told is written down.
func TestPresentedAtOnce(t *testing.T) {
	p, s := newPresented(), fleet.NewState()
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 500 {
				d := &registry.Device{Serial: pos.Serial(fmt.Sprint(g, "-", i%50)), Model: "S20"}
				p.Presented(d, fmt.Appendf(nil, "1.%d", i/50), pos.Instant(i))
				p.Released().Has("S20", []byte("1.0"))
			}
		})
	}
	learned := make(chan int)
	go func() {
		n := 0
		for x := range p.queue {
			for _, d := range fleet.Learn(s, []fleet.Presentation{x}) {
				for _, c := range d.Act.Changes {
					if err := s.Fold(1, c); err != nil {
						t.Error(err)
					}
				}
			}
			p.publish(s)
			n++
		}
		learned <- n
	}()
	all.Wait()
	close(p.queue)
	if n := <-learned; n != 4*500 {
		t.Errorf("%d were told, want each change of each device: %d", n, 4*500)
	}
	if got := s.Installed("3-49").Version; got != "1.9" {
		t.Errorf("the last of a device is %s", got)
	}
}
