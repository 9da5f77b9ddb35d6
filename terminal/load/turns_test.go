package load

import (
	"testing"
	"time"
)

// TestTurns: without and with, with and without; the warm-up is as the first turn; without turns every sale may be wrong.
func TestTurns(t *testing.T) {
	r := &run{o: Options{Turn: 2 * time.Second, WrongMAC: 1}, warm: time.Second, end: 17 * time.Second}
	for second, want := range []bool{false, false, false, true, true, true, true, false, false, false, false, true, true, true, true, false, false} {
		if got := r.wrongTurn(time.Duration(second)*time.Second + time.Millisecond); got != want {
			t.Errorf("second %d: wrong MACs %t", second, got)
		}
	}
	if r.o.Turn = 0; !r.wrongTurn(3 * time.Second) {
		t.Error("without turns none is wrong")
	}
}

// TestNoDebtOfWrongMACs: a turn without wrong MACs does not save them up for the next.
func TestNoDebtOfWrongMACs(t *testing.T) {
	r := &run{o: Options{Turn: time.Hour, WrongMAC: 10}, warm: 0, end: 4 * time.Hour}
	l := &lane{run: r}
	wrong := func(from time.Duration) (n int) {
		r.begin = time.Now().Add(-from)
		for range 100 {
			if l.wrongNext() {
				n++
			}
		}
		return n
	}
	if n := wrong(time.Minute); n != 0 {
		t.Errorf("%d wrong MACs in a turn without", n)
	}
	if n := wrong(time.Hour + time.Minute); n < 9 || n > 10 {
		t.Errorf("%d wrong MACs of a hundred at 10 %%", n)
	}
}
