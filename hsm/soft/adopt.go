package soft

import (
	"context"
	"fmt"

	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
)

// AdoptSet takes over the working keys of a sign-in that another answered: de62 is DE62 of the 0810 as captured, under
// the terminal's master key. It gives them under the module's own, as IssueSet does with keys it drew, and never in
// clear. It is for reading captures: no host of ours issues what it did not draw. Errors are keys.ErrUsage for an
// unknown code or a master key of another use or cipher, keys.ErrOwner, keys.ErrSealed, that of ctx, and those of
// paycrypto.ParseWorkingKeys, such as ErrCheckValue where the keys are under another master key.
func (m *Module) AdoptSet(ctx context.Context, terminal pos.TerminalID, master keys.Wrapped, code pos.NetworkCode, de62 []byte) (set [keys.SetSize]byte, err error) {
	if err := ctx.Err(); err != nil {
		return set, err
	}
	c := keys.CipherOf(code)
	if c == keys.NoCipher {
		return set, keys.ErrUsage
	}
	s, leave := m.enter(terminal[len(terminal)-1])
	if s == nil {
		return set, keys.ErrSealed
	}
	defer leave.RUnlock()
	owner := keys.OfTerminal(terminal[:])
	tmk, err := s.masterOf(master, owner, c)
	if err != nil {
		return set, err
	}
	defer tmk.Wipe()
	working, err := paycrypto.ParseWorkingKeys(paycrypto.SignInCode(code), tmk, de62)
	if err != nil {
		return set, fmt.Errorf("adopt working keys: %w", err)
	}
	defer working.Wipe()
	var plain [setBytes]byte
	defer clear(plain[:])
	for i, key := range []secret.Bytes{working.PIK, working.MAK, working.TDK} {
		key.Use(func(b []byte) { copy(plain[16*i:16*i+16], b) })
	}
	w, err := s.wrap(m.hold().random, owner, keys.WorkingSet, c, plain[:])
	if err != nil {
		return set, err
	}
	copy(set[:], w)
	return set, nil
}
