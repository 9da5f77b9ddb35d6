package notify_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"touchstone/notify"
	"touchstone/pos"
	"touchstone/redress"
)

// must returns the value of a call that may not fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// need skips a test whose witness is not installed.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("NOT RUN: %s is not installed (make need installs it)", program)
	}
	return path
}

var (
	shopA = must(pos.ParseMerchantID("898310000000001"))
	shopB = must(pos.ParseMerchantID("898310000000002"))
	shopC = must(pos.ParseMerchantID("898310000000003"))
)

// at is an instant of the incident's day, Shanghai time.
func at(hour, minute int) pos.Instant {
	return pos.Instant(time.Date(2026, 11, 27, hour, minute, 5, 0, shanghai).UnixNano())
}

var shanghai = time.FixedZone("CST", 8*3600)

func sale(n int, shown string, m pos.MerchantID, amount pos.Amount) notify.Sale {
	s := notify.Sale{At: at(10, n), Terminal: must(pos.ParseTerminalID(fmt.Sprintf("%08d", 20+n))), Merchant: m, Amount: amount}
	copy(s.RRN[:], fmt.Sprintf("%012d", 4000+n))
	copy(s.Shown[:], shown)
	for i := range s.Card {
		s.Card[i] = shown[i%10]
	}
	return s
}

// facts are of an incident with four sales, three cards of two issuers, three shops.
func facts() *notify.Facts {
	return &notify.Facts{Incident: "INC-1", Title: notify.Text{EN: "skimmer found on a terminal", ZH: "终端发现加装装置"}, Severity: notify.Text{EN: "II major", ZH: "Ⅱ 级 重大"},
		Cause: notify.Text{EN: "a device was attached to the card slot of the terminals.", ZH: "终端卡槽被加装了装置。"},
		Kinds: []string{"card_number", "expiry", "track", "receipt"}, Measures: []notify.Text{{EN: "the terminals were taken out of use", ZH: "涉事终端已停用"}},
		Aware: at(12, 0), From: at(9, 0), To: at(12, 0), Terminals: 2, Now: at(13, 0), Zone: shanghai,
		Sales: []notify.Sale{sale(1, "6299991234", shopA, 1850), sale(2, "6299995678", shopA, 990), sale(3, "6229990042", shopB, 12300), sale(4, "6299991234", shopC, 500)},
		Shops: map[pos.MerchantID]string{shopA: "Sample Noodles 示例面馆", shopB: "Sample Tea 示例茶庄", shopC: "Sample Books 示例书店"},
		Clocks: []notify.Clock{{Rule: "pipl-57", Duty: notify.Text{EN: "notify the individuals", ZH: "通知个人"}, Start: at(12, 0), Due: at(12, 0).Add(24 * time.Hour)},
			{Rule: "cac-report", Duty: notify.Text{EN: "report", ZH: "报告"}, Start: at(12, 0), Due: at(16, 0), Answered: at(12, 30), By: "NTC-9", Checked: true},
			{Rule: "visa-pfi", Duty: notify.Text{EN: "engage", ZH: "聘请"}, Waived: "no such cards", Start: at(12, 0), Due: at(16, 0)}, {Rule: "cac-final", Duty: notify.Text{EN: "final report", ZH: "总结报告"}, Checked: true}}}
}

const handler = `
[handler]
name_en = "Sample Acquirer"
name_zh = "示例收单机构"
phone = "400-000-0000"
mail = "care@acquirer.example"
complaint_en = "consumer line 12363"
complaint_zh = "金融消费者投诉热线 12363"
`

// config is a configuration with a mail server and further lines of TOML.
func config(t *testing.T, smtp string, more ...string) *notify.Config {
	t.Helper()
	text := handler + "\n[smtp]\naddress = \"" + smtp + "\"\ntls = \"none\"\nfrom = \"Sample Acquirer 示例收单机构 <security@acquirer.example>\"\ntimeout = \"60s\"\n" + strings.Join(more, "\n")
	c, err := notify.ParseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// book is an address book with everybody in it; it names the identity of its issuer and of its drill.
func book(t *testing.T) (more string, issuer, drill *age.X25519Identity) {
	t.Helper()
	issuer, drill = must(age.GenerateX25519Identity()), must(age.GenerateX25519Identity())
	entry := func(name string, group redress.Group, channel, address, rest string) string {
		return fmt.Sprintf("\n[[recipient]]\nname = %q\ngroup = %q\nchannel = %q\naddress = %q\n%s\n", name, group, channel, address, rest)
	}
	return entry("bank", redress.GroupIssuer, "smtp", "desk@bank.example", `prefixes = ["629999"]`+"\nage = \""+issuer.Recipient().String()+`"`) +
		entry("noodles", redress.GroupMerchant, "smtp", "noodles@shops.example", `merchant = "898310000000001"`) +
		entry("tea", redress.GroupMerchant, "smtp", "tea@shops.example", `merchant = "898310000000002"`) +
		entry("press", redress.GroupPublic, "file", "press", "") +
		entry("desk", redress.GroupPublic, "smtp", "desk@acquirer.example", `language = "zh"`) +
		entry("branch", redress.GroupRegulator, "smtp", "branch@regulator.example", "") +
		entry("duty", redress.GroupInternal, "smtp", "duty@acquirer.example", `language = "en"`) +
		entry("drill", redress.GroupDrill, "smtp", "drill@acquirer.example", `age = "`+drill.Recipient().String()+`"`), issuer, drill
}
