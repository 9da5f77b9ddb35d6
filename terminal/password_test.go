package terminal_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// A host that nobody answers at: what is tested here never gets so far, or fails there.
const nobody = "127.0.0.1:1"

// till is a terminal with a clock of its own that is opened again and again.
type till struct {
	t   *testing.T
	cfg terminal.Config
	now time.Time
	*terminal.Terminal
}

func newTill(t *testing.T, policy terminal.PasswordPolicy) *till {
	x := &till{t: t, now: time.Unix(1_800_000_000, 0)}
	x.cfg = terminal.Config{Host: nobody, Terminal: pos.TerminalID([]byte("10000001")), Merchant: pos.MerchantID([]byte("898310058120001")),
		Serial: "00000304TS0000000001", DeviceType: "04", SignInCode: 3, StateDir: t.TempDir(), Passwords: policy, Now: func() time.Time { return x.now }}
	x.cfg.Quick()
	x.reopen()
	t.Cleanup(func() { x.Close() })
	return x
}

// reopen is a power cycle.
func (x *till) reopen() {
	x.t.Helper()
	if x.Terminal != nil {
		if err := x.Close(); err != nil {
			x.t.Fatal(err)
		}
	}
	cfg := x.cfg
	cfg.TMK = secret.Take([]byte("0123456789abcdef"))
	opened, err := terminal.Open(cfg)
	if err != nil {
		x.t.Fatal(err)
	}
	x.Terminal = opened
}

func password(s string) secret.Bytes { return secret.Take([]byte(s)) }

func (x *till) set(user, by, old, new string, want error) {
	x.t.Helper()
	if err := x.SetPassword(user, by, password(old), password(new)); !errors.Is(err, want) {
		x.t.Errorf("%s sets the password of %s: %v, want %v", by, user, err, want)
	} else if err != nil && (tells(err, new) || tells(err, old)) {
		x.t.Error("the error tells a password")
	}
}

// tells whether an error has a password in it; the word itself and a digit alone are no secret.
func tells(err error, password string) bool {
	return len(password) > 3 && password != "password" && strings.Contains(err.Error(), password)
}

func (x *till) login(user, pass string, want error) {
	x.t.Helper()
	if err := x.Login(user, password(pass)); !errors.Is(err, want) {
		x.t.Errorf("%s logs in: %v, want %v", user, err, want)
	}
}

const (
	admin    = terminal.Administrator
	adminOne = "4711-0815"
	ownOne   = "739146"
)

// staffed is a terminal with an administrator and operator 001.
func staffed(t *testing.T) *till {
	p := terminal.DefaultPasswordPolicy()
	p.Required = true
	x := newTill(t, p)
	x.set(admin, admin, "", adminOne, nil)
	x.set("001", admin, adminOne, ownOne, nil)
	return x
}

func TestPasswordFirst(t *testing.T) {
	x := newTill(t, terminal.PasswordPolicy{})
	ctx := context.Background()
	if res, err := x.SignIn(ctx); err != nil || res.Approved {
		t.Errorf("without passwords it is operated as ever: %v", err)
	}
	x.set("001", "001", "", ownOne, terminal.ErrPassword) // the administrator's comes first
	x.set("001", admin, "", ownOne, terminal.ErrPassword)
	x.set("operator", admin, "", ownOne, terminal.ErrConfig)
	x.set(admin, admin, "", adminOne, nil)
	if _, err := x.SignIn(ctx); !errors.Is(err, terminal.ErrPassword) {
		t.Errorf("once a password is set nothing is done without: %v", err)
	}
	x.set("001", "001", "", ownOne, terminal.ErrPassword)
	x.set("001", admin, "wrong-one", ownOne, terminal.ErrPassword)
	x.set("001", admin, adminOne, ownOne, nil)
	x.set("002", "001", ownOne, "852963", terminal.ErrPassword) // an operator sets no other's
	x.set(admin, "001", ownOne, "another-9", terminal.ErrPassword)
	x.set("001", "001", "000001", "852963", terminal.ErrPassword)
	x.set("001", "001", ownOne, "852963", nil)
	if users := x.Users(); len(users) != 2 || users["001"] != x.now {
		t.Errorf("users: %v", users)
	}
}

// TestPasswordToOperate: every operation but a tamper report needs the operator's own password, once a power cycle.
func TestPasswordToOperate(t *testing.T) {
	p := terminal.DefaultPasswordPolicy()
	p.Required = true
	x := newTill(t, p)
	ctx, card := context.Background(), card(t)
	sale := terminal.Original{RRN: pos.RRN([]byte("000000000123")), Date: 1101}
	ops := map[string]func() error{
		"sign-in": func() error { _, err := x.SignIn(ctx); return err }, "echo": func() error { _, err := x.Echo(ctx); return err },
		"sale": func() error { _, err := x.Sale(ctx, card, 100); return err }, "void": func() error { _, err := x.Void(ctx, 1, card); return err },
		"refund": func() error { _, err := x.Refund(ctx, card, sale, 100); return err }, "settle": func() error { _, err := x.Settle(ctx); return err },
		"balance": func() error { _, err := x.Balance(ctx, card); return err }, "reverse": func() error { _, err := x.Reverse(ctx); return err },
		"sign-off": func() error { _, err := x.SignOff(ctx); return err }, "misbehave": func() error { _, err := x.Misbehave(ctx, terminal.Garbage, card, 100); return err },
	}
	refused := func(when string) {
		t.Helper()
		for name, op := range ops {
			if err := op(); !errors.Is(err, terminal.ErrPassword) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	refused("a policy that requires passwords and none set")
	x.set(admin, admin, "", adminOne, nil)
	x.set("001", admin, adminOne, ownOne, nil)
	x.set("002", admin, adminOne, "852963", nil)
	x.login("002", "852963", nil) // not the operator of this sign-in
	refused("another operator logged in")
	x.reopen()
	x.login("001", "739147", terminal.ErrPassword)
	refused("a wrong password")
	x.login("001", ownOne, nil)
	if err := ops["sign-in"](); err != nil {
		t.Errorf("sign-in after the password: %v", err)
	}
	x.reopen()
	refused("after a power cycle")
	if _, err := x.TamperReport(ctx, 1); err != nil || !x.Locked() {
		t.Errorf("a tamper report needs no password: %v", err)
	}
	x.login("001", ownOne, terminal.ErrLocked)
	x.set("001", "001", ownOne, "852963", terminal.ErrLocked)
}

func TestPasswordRefused(t *testing.T) {
	x := staffed(t)
	for _, bad := range []string{"", "12345", "73914", strings.Repeat("73915", 13), "000000", "111111", "123456", "654321", "890123", "210987", "121212", "123123",
		"abcdef", "aaaaaa", "888888", "88888888", "12345678", "166831", "166816", "z66816", "password", "admin123", "10000001", "000001", "898310058120001", "058120", "0000000001",
		"TS0000000001", "ts00000", "001001", "001001001", "0011"} {
		x.set("001", "001", ownOne, bad, terminal.ErrPasswordRefused)
		if len(bad) == 8 {
			x.set("003", admin, adminOne, bad, terminal.ErrPasswordRefused)
		}
	}
	for _, bad := range []string{"7391468", "88888888", "87654321", "00000000", "20060101"} { // seven characters, and defaults of eight
		x.set(admin, admin, adminOne, bad, terminal.ErrPasswordRefused)
	}
	list, err := terminal.DefaultPasswords()
	if err != nil || len(list) < 15 {
		t.Fatalf("%d defaults: %v", len(list), err)
	}
	for _, d := range list {
		if d.Source == "" || d.Of == "" || !strings.Contains("V S R", d.Confidence) {
			t.Errorf("a default password without a source or its confidence: of %s", d.Of)
		}
		x.set("001", "001", ownOne, d.Password, terminal.ErrPasswordRefused)
	}
	x.set("001", "001", ownOne, "852963", nil)
}

func TestPasswordNotOneOfTheLastFive(t *testing.T) {
	x := staffed(t)
	used := []string{ownOne, "830274", "519263", "947205", "362819", "701538"}
	for i := 1; i < len(used); i++ {
		for _, earlier := range used[max(0, i-5):i] {
			x.set("001", "001", used[i-1], earlier, terminal.ErrPasswordRefused)
		}
		x.set("001", "001", used[i-1], used[i], nil)
	}
	x.reopen()
	for _, earlier := range used[1:] {
		x.set("001", "001", used[5], earlier, terminal.ErrPasswordRefused)
		x.set("001", admin, adminOne, earlier, terminal.ErrPasswordRefused) // nor by the administrator
	}
	x.set("001", "001", used[5], used[0], nil) // the sixth before it
}

// TestPasswordThrottled: after the policy's wrong ones the user waits, also across a power cycle, each time twice as
// long; another user does not.
func TestPasswordThrottled(t *testing.T) {
	x := staffed(t)
	for round, wait := range []time.Duration{60 * time.Second, 120 * time.Second, 240 * time.Second} {
		for range 5 {
			x.login("001", "wrong!", terminal.ErrPassword)
			x.reopen()
		}
		x.login("001", ownOne, terminal.ErrPasswordLocked)
		x.set("001", "001", ownOne, "852963", terminal.ErrPasswordLocked)
		x.now = x.now.Add(wait - time.Second)
		x.login("001", ownOne, terminal.ErrPasswordLocked)
		x.now = x.now.Add(time.Second)
		if round == 0 {
			x.login(admin, adminOne, nil)
		}
	}
	x.login("001", ownOne, nil) // and a right one ends it
	for range 4 {
		x.login("001", "wrong!", terminal.ErrPassword)
	}
	x.login("001", ownOne, nil)
	for range 5 {
		x.login("001", "wrong!", terminal.ErrPassword)
	}
	x.set("001", admin, adminOne, "852963", nil) // the administrator helps
	x.login("001", "852963", nil)
	for range 6 {
		x.login("nob", "wrong!", terminal.ErrPassword) // a user who is none is never locked, and never let in
	}
	// The longest wait is a day.
	x.cfg.Passwords.Tries = 1
	x.reopen()
	for range 13 {
		x.login("001", "wrong!", terminal.ErrPassword)
		x.now = x.now.Add(24 * time.Hour)
	}
	x.login("001", "852963", nil)
}

func TestPasswordAge(t *testing.T) {
	x := staffed(t)
	x.now = x.now.Add(90*24*time.Hour - time.Second)
	x.login("001", ownOne, nil)
	x.reopen()
	x.now = x.now.Add(time.Second)
	x.login("001", ownOne, terminal.ErrPasswordExpired)
	if _, err := x.SignIn(context.Background()); !errors.Is(err, terminal.ErrPassword) {
		t.Errorf("operated with an old password: %v", err)
	}
	x.set("001", "001", ownOne, "852963", nil)
	x.login("001", "852963", nil)
	x.cfg.Passwords.MaxAgeDays = 0
	x.reopen()
	x.now = x.now.Add(9000 * 24 * time.Hour)
	x.login("001", "852963", nil)
}

func TestPasswordPolicyBounds(t *testing.T) {
	for name, change := range map[string]func(p *terminal.PasswordPolicy){
		"five characters": func(p *terminal.PasswordPolicy) { p.OperatorMin = 5 }, "an administrator's of seven": func(p *terminal.PasswordPolicy) { p.AdministratorMin = 7 },
		"four former": func(p *terminal.PasswordPolicy) { p.Former = 4 }, "no tries": func(p *terminal.PasswordPolicy) { p.Tries = 0 },
		"eleven tries": func(p *terminal.PasswordPolicy) { p.Tries = 11 }, "no wait": func(p *terminal.PasswordPolicy) { p.WaitSeconds = 0 },
		"an age below none": func(p *terminal.PasswordPolicy) { p.MaxAgeDays = -1 },
	} {
		p := terminal.DefaultPasswordPolicy()
		change(&p)
		cfg := terminal.Config{Host: nobody, Terminal: pos.TerminalID([]byte("10000001")), Merchant: pos.MerchantID([]byte("898310058120001")), SignInCode: 3,
			StateDir: t.TempDir(), Passwords: p, TMK: password("0123456789abcdef")}
		if opened, err := terminal.Open(cfg); !errors.Is(err, terminal.ErrConfig) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				opened.Close()
			}
		}
	}
}

// TestPasswordFile: the file has hashes alone; the reference program computes the same.
func TestPasswordFile(t *testing.T) {
	x := staffed(t)
	x.set("001", "001", ownOne, "852963", nil)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(x.cfg.StateDir, "terminal-10000001.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{adminOne, ownOne, "852963"} {
		if bytes.Contains(raw, []byte(p)) {
			t.Error("a password is in the terminal's file")
		}
	}
	var file struct {
		Users map[string]struct {
			Hash   struct{ Salt, Sum []byte }
			Former []struct{ Salt, Sum []byte }
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Users["001"].Former) != 1 || bytes.Equal(file.Users["001"].Hash.Salt, file.Users["001"].Former[0].Salt) {
		t.Fatalf("the file's users: %v", err)
	}
	argon2, err := exec.LookPath("argon2")
	if err != nil {
		t.Skip("NOT RUN: argon2 (Debian package argon2) is not installed; make need installs it")
	}
	// The program takes its salt as an argument, which cannot hold every byte: a terminal with a fixed salt.
	y := &till{t: t, now: x.now}
	y.cfg = terminal.Config{Host: nobody, Terminal: x.cfg.Terminal, Merchant: x.cfg.Merchant, SignInCode: 3, StateDir: t.TempDir(), Random: strings.NewReader("saltsaltsaltsalt")}
	y.reopen()
	defer y.Close()
	y.set(admin, admin, "", adminOne, nil)
	raw, err = os.ReadFile(filepath.Join(y.cfg.StateDir, "terminal-10000001.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argon2, "saltsaltsaltsalt", "-id", "-t", "2", "-k", "19456", "-p", "1", "-l", "32", "-r")
	cmd.Stdin = strings.NewReader(adminOne)
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != hex.EncodeToString(file.Users[admin].Hash.Sum) {
		t.Errorf("the reference program says %s: %v", out, err)
	}
}
