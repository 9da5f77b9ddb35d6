package terminal

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"touchstone/secret"
)

// Errors of passwords.
var (
	// ErrPassword is returned for a wrong password, for that of a user who has none, and by an operation before Login.
	ErrPassword = errors.New("password: wrong, or none was given")
	// ErrPasswordLocked is returned while a user must wait after wrong passwords.
	ErrPasswordLocked = errors.New("password: too many wrong ones; wait, or let the administrator set another")
	// ErrPasswordExpired is returned by Login for a right password that is older than the policy allows.
	ErrPasswordExpired = errors.New("password: too old; set another")
	// ErrPasswordRefused is returned for a new password that may not be one; the text says which rule.
	ErrPasswordRefused = errors.New("password refused")
)

// Administrator is the user who sets the passwords of operators. Every other user is an operator number.
const Administrator = "administrator"

// PasswordPolicy is what the acquirer distributes with a terminal's parameters. The UnionPay messages that we know
// have no element for it: it comes with the terminal's configuration (docs/design/016-people.md).
type PasswordPolicy struct {
	Version          string `json:"version"`
	Required         bool   `json:"required"`          // nothing is operated before a user with a password has logged in
	OperatorMin      int    `json:"operator_min"`      // fewest characters of an operator's
	AdministratorMin int    `json:"administrator_min"` // and of the administrator's
	MaxAgeDays       int    `json:"max_age_days"`      // 0: no age ends a password
	Tries            int    `json:"tries"`             // wrong ones in a row before the user must wait
	WaitSeconds      int    `json:"wait_seconds"`      // the first time; doubled each further time, a day at most
	Former           int    `json:"former"`            // how many newest passwords may not be set again, the one in force included
}

// DefaultPasswordPolicy is the policy of a terminal that was given none. It asks for no password, and refuses bad
// ones where one is set.
func DefaultPasswordPolicy() PasswordPolicy {
	return PasswordPolicy{Version: "default", OperatorMin: 6, AdministratorMin: 8, MaxAgeDays: 90, Tries: 5, WaitSeconds: 60, Former: 5}
}

// The bounds of a policy: it may be stricter than the least, never weaker.
const (
	leastOperator      = 6
	leastAdministrator = 8
	mostPassword       = 64 // characters
	leastFormer        = 5
	mostFormer         = 24
	mostTries          = 10
	longestWait        = 24 * time.Hour
	maxUsers           = 100
)

// Check refuses a policy that is weaker than the least, or absurd.
func (p *PasswordPolicy) Check() error {
	for _, n := range []struct {
		name            string
		value, low, top int
	}{
		{"operator_min", p.OperatorMin, leastOperator, mostPassword}, {"administrator_min", p.AdministratorMin, leastAdministrator, mostPassword},
		{"max_age_days", p.MaxAgeDays, 0, 3650}, {"tries", p.Tries, 1, mostTries}, {"wait_seconds", p.WaitSeconds, 10, 86400},
		{"former", p.Former, leastFormer, mostFormer},
	} {
		if n.value < n.low || n.value > n.top {
			return fmt.Errorf("%w: password policy: %s is not %d to %d", ErrConfig, n.name, n.low, n.top)
		}
	}
	return nil
}

// user is one user's password as the file keeps it.
type user struct {
	Hash   passwordHash   `json:"hash"`
	Former []passwordHash `json:"former,omitempty"` // those before it, the newest first
	Set    int64          `json:"set"`              // Unix seconds
	Wrong  int            `json:"wrong,omitempty"`  // in a row
	Waits  int            `json:"waits,omitempty"`  // how often Wrong reached the policy's tries since the last right one
	Until  int64          `json:"until,omitempty"`  // Unix seconds before which nothing is tried
}

// passwordHash is Argon2id (RFC 9106) of a password with what it takes to compute it again.
type passwordHash struct {
	Salt   []byte `json:"salt"`   // 16 bytes
	Memory uint32 `json:"memory"` // KiB
	Time   uint32 `json:"time"`   // passes
	Sum    []byte `json:"sum"`    // 32 bytes
}

// The parameters of a new hash: OWASP Password Storage Cheat Sheet (2025), 19 MiB, 2 passes, 1 lane; and the most
// that a file may ask for.
const (
	passwordTime   = 2
	passwordMemory = 19 << 10 // KiB
	mostTime       = 16
	mostMemory     = 256 << 10 // KiB
	passwordLanes  = 1
	passwordSum    = 32
	passwordSalt   = 16
)

func (h *passwordHash) compute(password secret.Bytes) (sum []byte) {
	password.Use(func(p []byte) { sum = argon2.IDKey(p, h.Salt, h.Time, h.Memory, passwordLanes, passwordSum) })
	return sum
}

// matches compares in constant time once computed. A hash with parameters out of bounds matches nothing.
func (h *passwordHash) matches(password secret.Bytes) bool {
	return len(h.Salt) == passwordSalt && len(h.Sum) == passwordSum && h.Time > 0 && h.Time <= mostTime && h.Memory > 0 && h.Memory <= mostMemory &&
		password.Len() > 0 && subtle.ConstantTimeCompare(h.compute(password), h.Sum) == 1
}

func (t *Terminal) newHash(salt []byte) passwordHash {
	return passwordHash{Salt: salt, Time: passwordTime, Memory: t.cfg.passwordMemory}
}

// Login proves that who operates knows a user's password: Administrator's, or that of an operator number, which
// must be the terminal's Config.Operator. A wrong one is counted in the file before it is compared.
func (t *Terminal) Login(name string, password secret.Bytes) error {
	if err := t.intact(); err != nil {
		return err
	}
	if err := t.prove(name, password); err != nil {
		return err
	}
	if u := t.st.Users[name]; t.tooOld(u) {
		return ErrPasswordExpired
	}
	t.loggedIn = name
	return nil
}

func (t *Terminal) tooOld(u *user) bool {
	days := t.cfg.Passwords.MaxAgeDays
	return days > 0 && t.cfg.Now().Sub(time.Unix(u.Set, 0)) >= time.Duration(days)*24*time.Hour
}

// prove counts a try, saves that, and compares.
func (t *Terminal) prove(name string, password secret.Bytes) error {
	u, policy, now := t.st.Users[name], &t.cfg.Passwords, t.cfg.Now().Unix()
	if u == nil {
		nobody := t.newHash(make([]byte, passwordSalt))
		nobody.compute(password) // as long as for a user who has one
		return ErrPassword
	}
	if now < u.Until {
		return ErrPasswordLocked
	}
	if u.Wrong++; u.Wrong >= policy.Tries {
		wait := min(float64(policy.WaitSeconds)*math.Pow(2, float64(min(u.Waits, 20))), longestWait.Seconds())
		u.Wrong, u.Waits, u.Until = 0, u.Waits+1, now+int64(wait)
	}
	if err := t.save(); err != nil {
		return err
	}
	if !u.Hash.matches(password) {
		return ErrPassword
	}
	u.Wrong, u.Waits, u.Until = 0, 0, 0
	return t.save()
}

// SetPassword gives a user a new password. by is who says so and old that user's own password: a user changes the
// own one, the administrator sets any. The first password of a terminal is the administrator's and needs no other.
func (t *Terminal) SetPassword(name, by string, old, password secret.Bytes) error {
	if err := t.intact(); err != nil {
		return err
	}
	u := t.st.Users[name]
	switch {
	case name != Administrator && len(name) != 3:
		return fmt.Errorf("%w: want the user administrator or an operator number of three characters", ErrConfig)
	case len(t.st.Users) == 0 && name != Administrator:
		return fmt.Errorf("%w: the administrator's password is set first", ErrPassword)
	case len(t.st.Users) == 0:
	case by != name && by != Administrator:
		return fmt.Errorf("%w: only the administrator sets another's password", ErrPassword)
	case u == nil && len(t.st.Users) >= maxUsers:
		return fmt.Errorf("%w: %d users is the most", ErrPasswordRefused, maxUsers)
	default:
		if err := t.prove(by, old); err != nil {
			return err
		}
	}
	if err := t.checkPassword(name, password, u); err != nil {
		return err
	}
	next := &user{Hash: t.newHash(make([]byte, passwordSalt)), Set: t.cfg.Now().Unix()}
	if _, err := io.ReadFull(t.cfg.Random, next.Hash.Salt); err != nil {
		return fmt.Errorf("password: salt: %w", err)
	}
	next.Hash.Sum = next.Hash.compute(password)
	if u != nil {
		next.Former = append([]passwordHash{u.Hash}, u.Former...)
		next.Former = next.Former[:min(len(next.Former), t.cfg.Passwords.Former-1)]
	}
	if t.st.Users == nil {
		t.st.Users = map[string]*user{}
	}
	t.st.Users[name] = next
	return t.save()
}

// checkPassword refuses what may not be a password of a user; u is nil for the first.
func (t *Terminal) checkPassword(name string, password secret.Bytes, u *user) (err error) {
	password.Use(func(p []byte) { err = t.weak(name, p) })
	if err != nil || u == nil {
		return err
	}
	for _, h := range append([]passwordHash{u.Hash}, u.Former...) {
		if h.matches(password) {
			return fmt.Errorf("%w: it is one of the last %d", ErrPasswordRefused, t.cfg.Passwords.Former)
		}
	}
	return nil
}

func (t *Terminal) weak(name string, p []byte) error {
	least := t.cfg.Passwords.OperatorMin
	if name == Administrator {
		least = t.cfg.Passwords.AdministratorMin
	}
	refuse := func(why string) error { return fmt.Errorf("%w: %s", ErrPasswordRefused, why) }
	switch {
	case len(p) < least || len(p) > mostPassword:
		return refuse(fmt.Sprintf("want %d to %d characters", least, mostPassword))
	case defaultPassword(p):
		return refuse("it is one that terminals are delivered with")
	case stepped(p) || repeats(p):
		return refuse("it is a run up or down, or one part over and over")
	}
	own := strings.ToLower(strings.Join([]string{t.cfg.Terminal.String(), t.cfg.Merchant.String(), string(t.cfg.Serial)}, " "))
	lower := bytes.ToLower(p)
	defer clear(lower)
	if bytes.Contains([]byte(own), lower) || name != Administrator && len(bytes.ReplaceAll(lower, []byte(strings.ToLower(name)), nil)) < 3 {
		return refuse("it is part of a number of this terminal, or of the operator")
	}
	return nil
}

// stepped tells whether every character follows the one before by the same step of 0, 1 or -1, with 0 after 9.
func stepped(p []byte) bool {
	for _, step := range []int{0, 1, -1} {
		all := true
		for i := 1; i < len(p) && all; i++ {
			d := int(p[i]) - int(p[i-1])
			all = d == step || p[i] <= '9' && p[i-1] <= '9' && (d == step-10 || d == step+10) && step != 0
		}
		if all {
			return true
		}
	}
	return false
}

// repeats tells whether p is one part of at most half its length over and over: 121212.
func repeats(p []byte) bool {
	for n := 1; n <= len(p)/2; n++ {
		if bytes.Equal(p[n:], p[:len(p)-n]) {
			return true
		}
	}
	return false
}

//go:embed defaults.json
var defaultsJSON []byte

// DefaultPassword is one that terminals are known to be delivered with.
type DefaultPassword struct {
	Password   string `json:"password"`
	Of         string `json:"of"`         // maker or role
	Source     string `json:"source"`     //
	Confidence string `json:"confidence"` // V read, S secondary, R recalled
}

// DefaultPasswords lists them. They are data: an acquirer adds those of its own models.
func DefaultPasswords() (list []DefaultPassword, err error) {
	if err := json.Unmarshal(defaultsJSON, &list); err != nil {
		return nil, fmt.Errorf("defaults.json: %w", err)
	}
	return list, nil
}

// defaultPassword tells whether p is a default. A list that cannot be read refuses everything.
func defaultPassword(p []byte) bool {
	list, err := DefaultPasswords()
	if err != nil {
		return true
	}
	for _, d := range list {
		if bytes.EqualFold(p, []byte(d.Password)) {
			return true
		}
	}
	return false
}

// access tells why nobody may operate now: passwords are asked for and none was proven.
func (t *Terminal) access() error {
	if !t.cfg.Passwords.Required && len(t.st.Users) == 0 {
		return nil
	}
	if t.loggedIn == Administrator || t.loggedIn != "" && t.loggedIn == t.cfg.Operator {
		return nil
	}
	return ErrPassword
}

// Users lists who has a password and since when, for a person; no hash.
func (t *Terminal) Users() map[string]time.Time {
	users := map[string]time.Time{}
	for name, u := range t.st.Users {
		users[name] = time.Unix(u.Set, 0)
	}
	return users
}

// PasswordPolicy is the policy in force.
func (t *Terminal) PasswordPolicy() PasswordPolicy { return t.cfg.Passwords }
