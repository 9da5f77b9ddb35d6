package explain_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/reason"
)

// told is a guide and what it was asked for.
type told struct {
	name    string
	reason  reason.Reason
	cause   reason.Cause
	variant string
	explain.Guide
}

// everyGuide gives the guide of every reason, of every cause behind each of its reasons, and of every variant.
func everyGuide(c *explain.Catalogue) (list []told) {
	for _, r := range everyReason() {
		list = append(list, told{r.String(), r, reason.NoCause, "", c.Guide(r, reason.NoCause, "")})
	}
	for _, cause := range reason.Causes() {
		e := c.Cause(cause)
		for _, r := range e.Behind {
			list = append(list, told{cause.String() + " behind " + r.String(), r, cause, "", c.Guide(r, cause, "")})
			for _, v := range e.Variants {
				list = append(list, told{cause.String() + " " + v.Name, r, cause, v.Name, c.Guide(r, cause, v.Name)})
			}
		}
	}
	return list
}

func TestEveryGuideIsWhole(t *testing.T) {
	c := load(t)
	for _, g := range everyGuide(c) {
		for name, text := range map[string]explain.Text{"short": g.Cause.Short, "meaning": g.Cause.Meaning, "money": g.Money, "sign in": g.SignIn.Text,
			"reboot": g.Reboot, "courier": g.Courier, "not proven": g.NotProven, "owner": g.Owner, "family": g.Family} {
			inLanguage(t, g.name+": "+name, text)
		}
		for name, list := range map[string][]explain.Text{"cashier": g.Steps.Cashier, "support": g.Steps.Support, "engineer": g.Steps.Engineer, "never": g.Never} {
			if len(list) < 1 || len(list) > explain.MaxSteps && name != "never" {
				t.Errorf("%s: %d of %s", g.name, len(list), name)
			}
			for _, text := range list {
				inLanguage(t, g.name+": "+name, text)
			}
		}
		for _, text := range g.Folk {
			inLanguage(t, g.name+": folk advice", text)
		}
		for _, text := range g.Unproven {
			inLanguage(t, g.name+": unproven", text)
		}
		if want := g.reason.Sought() && g.cause == reason.NoCause; want != (len(g.Unproven) > 0) {
			t.Errorf("%s: %d steps for where nothing is found", g.name, len(g.Unproven))
		}
		if due := strings.HasPrefix(g.Courier.EN, "Yes"); due != (g.Then != explain.Text{}) {
			t.Errorf("%s: %q, and then %q acts", g.name, g.Courier.EN, g.Then.EN)
		} else if due {
			inLanguage(t, g.name+": then", g.Then)
		}
		if !strings.Contains(g.NotProven.EN, "ot proven") && g.reason.Owner() != reason.Issuer && !strings.HasPrefix(g.NotProven.EN, "Inferred") {
			t.Errorf("%s: what is not proven: %q", g.name, g.NotProven.EN)
		}
		if want := "docs/reasons/zh/" + g.Page; g.PageIn(explain.Chinese) != want {
			t.Errorf("%s: page %s", g.name, g.PageIn(explain.Chinese))
		}
		if c.Family(g.FamilyIs) != g.Family || c.Owner(g.OwnerIs) != g.Owner {
			t.Errorf("%s: owner or family in words is another", g.name)
		}
	}
}

// TestScreens: the cashier's display holds every screen, by the width that another program gives its characters
// (Python's table of East Asian widths), and all that share a DE39 have one screen and one cashier's part.
func TestScreens(t *testing.T) {
	c := load(t)
	var lines []string
	behind := map[pos.ResponseCode]told{}
	for _, g := range everyGuide(c) {
		for _, l := range languages {
			if n := len(g.Screen[l]); n < 1 || n > explain.ScreenLines {
				t.Errorf("%s, %s: %d lines", g.name, l, n)
			}
			for _, line := range g.Screen[l] {
				if explain.Columns(line) > explain.ScreenColumns {
					t.Errorf("%s, %s: %d columns: %q", g.name, l, explain.Columns(line), line)
				}
				if word := inner.FindString(line); word != "" {
					t.Errorf("%s, %s: the screen tells %q", g.name, l, word)
				}
				lines = append(lines, line)
			}
		}
		code := g.reason.DE39()
		if code == (pos.ResponseCode{}) || code == pos.Approved {
			continue // told beside DE39 already
		}
		if first, ok := behind[code]; ok && (!slices.Equal(first.Screen[0], g.Screen[0]) || !slices.Equal(first.Screen[1], g.Screen[1]) ||
			!slices.Equal(first.Steps.Cashier, g.Steps.Cashier)) {
			t.Errorf("%s and %s are answered %s and tell the cashier different things", first.name, g.name, code)
		}
		behind[code] = g
	}
	widths := pythonWidths(t, lines)
	for i, line := range lines {
		if widths[i] != explain.Columns(line) {
			t.Errorf("%q: %d columns, Python says %d", line, explain.Columns(line), widths[i])
		}
	}
}

// pythonWidths counts columns by Python's unicodedata: wide and full-width characters take two.
func pythonWidths(t *testing.T, lines []string) (widths []int) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT RUN: python3 is not installed")
	}
	in, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	const program = `import json, sys, unicodedata
print(json.dumps([sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in json.load(sys.stdin)]))`
	cmd := exec.Command(python, "-X", "utf8", "-c", program)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &widths); err != nil || len(widths) != len(lines) {
		t.Fatalf("%d widths of %d lines, %v", len(widths), len(lines), err)
	}
	return widths
}

// TestCounterTellsNothingInner: nothing that the cashier is told for a code speaks of what was found.
func TestCounterTellsNothingInner(t *testing.T) {
	for _, code := range load(t).Codes() {
		for _, text := range slices.Concat(code.Counter.Steps, code.Counter.Never, code.Counter.Folk, []explain.Text{code.Counter.Money}) {
			for _, l := range languages {
				if word := inner.FindString(text.In(l)); word != "" {
					t.Errorf("%s, %s: %q in %q", code.Code, l, word, text.In(l))
				}
			}
		}
	}
}

// TestSignIn: whoever is told to sign in has a code that a sign-in cures; every other code names its class, A7 as C.
func TestSignIn(t *testing.T) {
	c := load(t)
	cured := map[string]bool{"77": true, "99": true, "A0": true}
	for _, g := range everyGuide(c) {
		code, _ := c.Code(g.reason.DE39())
		if g.SignIn.Do && !cured[code.Code.String()] {
			t.Errorf("%s: a sign-in is advised for %s", g.name, code.Code)
		}
		for _, text := range []explain.Text{g.Reboot, g.Courier} {
			for _, l := range languages {
				if signIn.MatchString(text.In(l)) && !cured[code.Code.String()] {
					t.Errorf("%s, answered %s: %q", g.name, code.Code, text.In(l))
				}
			}
		}
		yes := strings.HasPrefix(g.SignIn.Text.EN, "Yes")
		if yes != g.SignIn.Do || strings.HasPrefix(g.SignIn.Text.ZH, "签到一次") != g.SignIn.Do {
			t.Errorf("%s: %v, yet %q, %q", g.name, g.SignIn.Do, g.SignIn.Text.EN, g.SignIn.Text.ZH)
		}
	}
	for _, code := range c.Codes() {
		if code.SignIn.Do != cured[code.Code.String()] {
			t.Errorf("%s: sign in %v", code.Code, code.SignIn.Do)
		}
		if code.Class != 0 && !strings.Contains(code.SignIn.Text.EN, code.Class.String()) {
			t.Errorf("%s, class %s: %q", code.Code, code.Class, code.SignIn.Text.EN)
		}
	}
	a7, _ := c.Code(pos.Code("A7"))
	folk := a7.Counter.Folk[0]
	if !strings.Contains(a7.SignIn.Text.EN, "class C") || !strings.Contains(folk.EN, "official nowhere") || !strings.Contains(folk.ZH, "没有任何官方依据") {
		t.Errorf("A7: %q, folk advice %q", a7.SignIn.Text.EN, folk.EN)
	}
	for _, want := range []string{"Restart", "24 hours", "technician"} {
		if !slices.ContainsFunc(a7.Counter.Folk, func(f explain.Text) bool { return strings.Contains(f.EN, want) }) {
			t.Errorf("A7: %q is not named as folk advice", want)
		}
	}
}

var restartAllowed = regexp.MustCompile(`(?i)one restart|restart .* once`)

// TestNeverRestartUnderSuspicion: where security acts first on the device itself, nobody restarts it, and where the device
// may have been opened or copied, both people and words say so.
func TestNeverRestartUnderSuspicion(t *testing.T) {
	for _, g := range everyGuide(load(t)) {
		if g.OwnerIs == reason.Security && restartAllowed.MatchString(g.Reboot.EN) {
			t.Errorf("%s: %q", g.name, g.Reboot.EN)
		}
		device := slices.Contains([]reason.Reason{reason.DeviceTampered, reason.DeviceSuspended, reason.CloneSuspected, reason.SerialProofFailed}, g.reason) ||
			g.cause == reason.TwoDevices || g.cause == reason.SerialOtherDeviceKey || g.variant == "used_newer"
		if !device || g.OwnerIs != reason.Security {
			continue
		}
		if !strings.HasPrefix(g.Reboot.EN, "Do not restart") || !strings.HasPrefix(g.Reboot.ZH, "不要重启") {
			t.Errorf("%s: restart: %q", g.name, g.Reboot.EN)
		}
		if !slices.ContainsFunc(g.Never, func(n explain.Text) bool { return strings.Contains(n.EN, "restart") }) {
			t.Errorf("%s: nobody is told never to restart", g.name)
		}
	}
}

// TestMoney: what a code alone tells of the money is what all its reasons tell, or that one has to ask.
func TestMoney(t *testing.T) {
	c := load(t)
	for _, code := range c.Codes() {
		states := map[explain.Money]bool{}
		for _, r := range code.Reasons {
			if g := c.Guide(r, reason.NoCause, ""); r != reason.TotalsMismatch && r != reason.UnprovenAdvice {
				states[g.MoneyState] = true
			}
		}
		if s := code.Counter.MoneyState; s != explain.MoneyUnknown && (len(states) > 1 || len(states) == 1 && !states[s]) {
			t.Errorf("%s: %s, its reasons %v", code.Code, s, states)
		}
		if failed := code.Class == explain.MayRetry || code.Class == explain.DoNotRetry; failed && code.Counter.MoneyState == explain.MoneyOnce {
			t.Errorf("%s: failed, and charged", code.Code)
		}
	}
	for r, want := range map[reason.Reason]explain.Money{reason.None: explain.MoneyOnce, reason.MACFailed: explain.MoneyNotCharged, reason.PINWrong: explain.MoneyNotCharged,
		reason.IssuerTimeout: explain.MoneyReversed, reason.ReversedBeforeArrival: explain.MoneyReversed, reason.TotalsMismatch: explain.MoneyUnknown} {
		if g := c.Guide(r, reason.NoCause, ""); g.MoneyState != want {
			t.Errorf("%s: %s, want %s", r, g.MoneyState, want)
		}
	}
}

// TestCausesStandBehindReasons: experiment may find something behind each reason that is sought, and behind no other but
// those that two devices explain.
func TestCausesStandBehindReasons(t *testing.T) {
	c := load(t)
	for _, r := range reason.All() {
		causes := c.CausesBehind(r)
		if r.Sought() && len(causes) == 0 {
			t.Errorf("%s is sought and nothing may be found", r)
		}
		if !r.Sought() && len(causes) > 0 && !slices.Equal(causes, []reason.Cause{reason.TwoDevices}) {
			t.Errorf("%s is not sought, yet %v may be found", r, causes)
		}
	}
	if got := c.CausesBehind(reason.None); len(got) > 0 {
		t.Errorf("behind an approval: %v", got)
	}
	if e := c.Cause(reason.Cause(250)); e.Cause != reason.NoCause || c.Cause(reason.NoCause).Cause != reason.NoCause {
		t.Error("no cause has words")
	}
}

// TestVariants: who acts differs by the case; docs/protocol/failures.md.
func TestVariants(t *testing.T) {
	c := load(t)
	for _, v := range []struct {
		cause   reason.Cause
		variant string
		owner   reason.Owner
	}{
		{reason.MACStaleKey, "sign_in_answer_lost", reason.Terminal}, {reason.MACStaleKey, "used_newer", reason.Security},
		{reason.MACOtherTerminalKey, "key_owner", reason.Acquirer}, {reason.MACOtherTerminalKey, "this_device", reason.Security},
		{reason.MACOtherTerminalKey, "both", reason.Security}, {reason.MACOtherTerminalKey, "unknown_device", reason.Security},
		{reason.SerialOtherDeviceKey, "same_shop", reason.Security}, {reason.SerialOtherDeviceKey, "other_shop", reason.Security},
	} {
		base := c.Guide(reason.MACFailed, v.cause, "")
		g := c.Guide(reason.MACFailed, v.cause, v.variant)
		if g.OwnerIs != v.owner || g.Cause.Meaning == base.Cause.Meaning || slices.Equal(g.Steps.Engineer, base.Steps.Engineer) {
			t.Errorf("%s %s: owner %s, want %s; or it says nothing of its own", v.cause, v.variant, g.OwnerIs, v.owner)
		}
		if unknown := c.Guide(reason.MACFailed, v.cause, "no_such_case"); unknown.Cause.Meaning != base.Cause.Meaning || unknown.OwnerIs != v.cause.Owner() {
			t.Errorf("%s: an unknown case changes the guide", v.cause)
		}
	}
	if lost, newer := c.Guide(reason.MACFailed, reason.MACStaleKey, "sign_in_answer_lost"), c.Guide(reason.MACFailed, reason.MACStaleKey, "used_newer"); !lost.SignIn.Do || newer.SignIn.Do {
		t.Error("a lost answer is cured by a sign-in, a second device is not")
	}
}

// TestGuidesClaimNoIntent: the fact is told, nobody's intent.
func TestGuidesClaimNoIntent(t *testing.T) {
	for _, g := range everyGuide(load(t)) {
		for _, text := range slices.Concat(g.Steps.Cashier, g.Steps.Support, g.Steps.Engineer, g.Unproven, g.Never, g.Folk, []explain.Text{g.Cause.Short, g.Cause.Meaning, g.Money, g.SignIn.Text, g.Reboot, g.Courier, g.NotProven}) {
			for _, l := range languages {
				if word := intent.FindString(text.In(l)); word != "" {
					t.Errorf("%s, %s: %q speaks of intent: %q", g.name, l, word, text.In(l))
				}
			}
		}
	}
}

// TestCasesDiffer: no two reasons or causes have the same steps for support or for the engineer.
func TestCasesDiffer(t *testing.T) {
	c, seen := load(t), map[string]string{}
	for _, g := range everyGuide(c) {
		if strings.Contains(g.name, " behind ") && g.reason != c.Cause(g.cause).Behind[0] || g.reason == reason.Reason(250) {
			continue
		}
		for who, list := range map[string][]explain.Text{"support": g.Steps.Support, "engineer": g.Steps.Engineer} {
			text := who
			for _, s := range list {
				text += "\n" + s.EN
			}
			if other, twice := seen[text]; twice && !strings.HasPrefix(g.name, other) && !strings.HasPrefix(other, strings.Fields(g.name)[0]) {
				t.Errorf("%s and %s have the same steps for %s", other, g.name, who)
			}
			seen[text] = g.name
		}
	}
}

func TestPages(t *testing.T) {
	c := load(t)
	pages := c.Pages([]explain.Shown{{Fault: "wrong-mac", Reason: reason.MACFailed}, {Fault: "stale-key", Reason: reason.MACFailed, Cause: reason.MACStaleKey, Variant: "used_newer"}})
	if want := 2 * (1 + len(reason.All()) + len(reason.Causes())); len(pages) != want {
		t.Fatalf("%d pages, want %d", len(pages), want)
	}
	paths := map[string]string{}
	for _, page := range pages {
		if _, twice := paths[page.Path]; twice {
			t.Errorf("%s is made twice", page.Path)
		}
		paths[page.Path] = page.Text
		if !strings.HasSuffix(page.Text, "\n") || strings.Contains(page.Text, "%!") || strings.Contains(page.Text, "\n\n\n") {
			t.Errorf("%s is not well made", page.Path)
		}
	}
	for path, want := range map[string]string{"en/mac_failed.md": "touchstone terminal --fixture fixture.json --fault wrong-mac\n", "zh/mac_stale_key.md": "touchstone terminal --fixture fixture.json --fault stale-key  # mac_stale_key used_newer\n",
		"en/arqc_failed.md": "No fault of the reference terminal", "en/README.md": "(two_devices.md)", "zh/serial_proof_failed.md": "**A7** 安全处理失败"} {
		if !strings.Contains(paths[path], want) {
			t.Errorf("%s has no %q", path, want)
		}
	}
}
