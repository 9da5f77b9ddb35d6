package terminal

import (
	"context"

	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// Oddity is a fault that is in no table: a sale whose MAC is made in any way its fields say, one after the other. The
// zero value is an ordinary sale.
type Oddity struct {
	Former    bool                                    // the MAK of an earlier sign-in; then neither Key nor Algorithm
	Key       func(mak []byte) []byte                 // other bytes for the MAK, of the same length
	Algorithm mac.Algorithm                           // in place of the terminal's own
	Padding   mac.Padding                             // of Algorithm
	Cover     func(mab []byte) []byte                 // other bytes than those the MAC is due over; mab is lent
	Write     func(de64 [8]byte, code []byte) [8]byte // another writing of the code
	Spoil     func(frame []byte) []byte               // changes the frame after the MAC was made
}

// Odd does an oddity as Misbehave does a fault.
func (t *Terminal) Odd(ctx context.Context, o Oddity, card Card, amount pos.Amount) (Result, error) {
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	sell := func(former *session) twist {
		return twist{spoil: o.Spoil, seal: func(t *Terminal, mab []byte) ([8]byte, error) { return o.seal(t, former, mab) }}
	}
	if o.Former {
		return t.withFormerKey(ctx, card, amount, sell)
	}
	return t.twisted(ctx, sell(nil), card, amount)
}

func (o *Oddity) seal(t *Terminal, former *session, mab []byte) (de64 [8]byte, err error) {
	if o.Cover != nil {
		mab = o.Cover(mab)
	}
	write := func(k *mac.Key) {
		if de64 = k.Sum8(mab); o.Write != nil {
			de64 = o.Write(de64, k.AppendSum(nil, mab))
		}
	}
	switch {
	case former != nil:
		write(former.mak)
	case o.Key == nil && o.Algorithm == mac.None:
		write(t.keys.mak)
	default:
		err = t.borrowMAK(func(key, _ []byte, _ int) error {
			other := append([]byte(nil), key...)
			defer clear(other)
			if o.Key != nil {
				other = o.Key(other)
			}
			k, err := newMAK(t.cfg.SignInCode, t.cfg.MAC, other)
			if o.Algorithm != mac.None {
				k, err = mac.New(o.Algorithm, o.Padding, other)
			}
			if err != nil {
				return err
			}
			defer k.Wipe()
			write(k)
			return nil
		})
	}
	return de64, err
}

// AmountAt is where the six bytes of DE4 begin in a whole frame, LEN included; 0 where there is none.
func AmountAt(frame []byte) int {
	from, _, ok := elementOf(frame, 4)
	if !ok {
		return 0
	}
	return from
}
