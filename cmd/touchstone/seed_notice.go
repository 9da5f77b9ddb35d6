package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"touchstone/notify"
)

// demoMail is where the demonstration's mail catcher hears when not told otherwise.
const demoMail = "127.0.0.1:2525"

// sampleIssuerIdentity and sampleDrillIdentity are the age identities of the sample issuer and of the drill's stand-in for one, in
// a test data directory: with them anybody can open what was encrypted to them.
const (
	sampleIssuerIdentity = "sample-issuer.age-identity"
	sampleDrillIdentity  = "sample-drill.age-identity"
)

// seedNotices writes the address book of a test data directory, unless there is one.
func (e *engine) seedNotices() error {
	path := filepath.Join(e.dir, noticeFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	issuer, err := sampleIdentity(filepath.Join(e.dir, sampleIssuerIdentity))
	if err != nil {
		return err
	}
	drill, err := sampleIdentity(filepath.Join(e.dir, sampleDrillIdentity))
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, sampleNotify, demoMail, issuer, drill)
	for i, name := range shopNames {
		if i >= sampleShopsByMail {
			break
		}
		word, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(name, "Sample ")), " ")
		fmt.Fprintf(&b, "\n[[recipient]]\nname = \"shop-%s\"\ngroup = \"merchant\"\nmerchant = \"%s\"\nchannel = \"smtp\"\naddress = \"%s@shops.example\"\n", word, sampleMerchant(1+i), word)
	}
	if _, err := notify.ParseConfig([]byte(b.String())); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// sampleShopsByMail have a mail address; the kits of the others are files that somebody carries to them.
const sampleShopsByMail = 10

func sampleIdentity(path string) (recipient string, err error) {
	if text, err := os.ReadFile(path); err == nil {
		old, err := age.ParseX25519Identity(strings.TrimSpace(string(text)))
		if err != nil {
			return "", fmt.Errorf("%s: not an age identity", path)
		}
		return old.Recipient().String(), nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	made, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	return made.Recipient().String(), os.WriteFile(path, []byte(made.String()+"\n"), 0o600)
}

const sampleNotify = `# Who is told of an incident, and how: of a test data directory. docs/operating/notices.md explains every line.

[handler]
name_en = "Sample Acquirer"
name_zh = "示例收单机构"
phone = "400-000-0000"
mail = "care@acquirer.example"
complaint_en = "the bank regulator's consumer line 12363 (to be checked for your place), or the head of complaints, same phone"
complaint_zh = "金融消费者投诉热线 12363 (各地以实际为准), 或拨打同一电话转投诉负责人"

[smtp]
address = "%s"   # the demonstration's own mail catcher
tls = "none"     # loopback only
from = "Sample Acquirer 示例收单机构 <security@acquirer.example>"
hello = "touchstone.acquirer.example"
timeout = "10s"

[retry]
attempts = 8
first = "1s"
longest = "1m"

[[recipient]]
name = "sample-bank"
group = "issuer"
channel = "smtp"
address = "fraud-desk@bank.example"
prefixes = ["629999"]
age = "%s"

[[recipient]]
name = "public-notice"
group = "public"
channel = "file"

[[recipient]]
name = "consumer-desk"
group = "public"
channel = "smtp"
address = "consumer-desk@acquirer.example"

[[recipient]]
name = "central-bank-branch"
group = "regulator"
channel = "smtp"
address = "incidents@regulator.example"

[[recipient]]
name = "duty"
group = "internal"
channel = "smtp"
address = "duty@acquirer.example"

[[recipient]]
name = "drill"
group = "drill"
channel = "smtp"
address = "drill@acquirer.example"
age = "%s"
`
