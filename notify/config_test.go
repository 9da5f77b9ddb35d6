package notify_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"touchstone/notify"
)

func TestConfigurationIsRefused(t *testing.T) {
	more, _, _ := book(t)
	smtp := "\n[smtp]\naddress = \"127.0.0.1:25\"\ntls = \"none\"\nfrom = \"a@b.example\"\n"
	whole := handler + smtp + more
	if _, err := notify.ParseConfig([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, by, says string }{
		"unknown key":                      {"[smtp]\n", "[smtp]\nadress = \"x\"\n", "adress"},
		"not TOML":                         {"[smtp]", "[smtp", "line"},
		"no handler's phone":               {`phone = "400-000-0000"`, `phone = ""`, "phone"},
		"a link in the handler's lines":    {`complaint_en = "consumer line 12363"`, `complaint_en = "www.complain.example"`, "link"},
		"no TLS beyond loopback":           {"127.0.0.1:25", "192.0.2.1:25", "loopback"},
		"no port":                          {"127.0.0.1:25", "127.0.0.1", "host:port"},
		"another TLS":                      {`tls = "none"`, `tls = "perhaps"`, "starttls"},
		"a password in clear":              {`tls = "none"`, "tls = \"none\"\nuser = \"a\"\npassword = \"f\"", "TLS"},
		"no sender":                        {`from = "a@b.example"`, `from = "nobody"`, "from"},
		"no such time":                     {"[smtp]\n", "[smtp]\ntimeout = \"soon\"\n", "timeout"},
		"time under the bound":             {"[smtp]\n", "[smtp]\ntimeout = \"99ms\"\n", "timeout"},
		"no attempts":                      {"[smtp]\n", "[retry]\nattempts = -1\n[smtp]\n", "attempts"},
		"attempts over the bound":          {"[smtp]\n", "[retry]\nattempts = 17\n[smtp]\n", "attempts"},
		"longest wait under the first":     {"[smtp]\n", "[retry]\nfirst = \"2m\"\nlongest = \"1m\"\n[smtp]\n", "longest"},
		"recipient twice":                  {`name = "tea"`, `name = "noodles"`, "two recipients"},
		"a name with a path":               {`name = "tea"`, `name = "../tea"`, "name"},
		"a mail address with a line end":   {`"tea@shops.example"`, `"tea@shops.example\r\nRCPT TO:<x@y.example>"`, "mail address"},
		"an issuer without a key":          {"prefixes = [\"629999\"]\nage", "prefixes = [\"629999\"]\n#", "age"},
		"an issuer without prefixes":       {`prefixes = ["629999"]`, `prefixes = []`, "prefixes"},
		"a prefix that is none":            {`["629999"]`, `["62x"]`, "prefixes"},
		"a merchant without a number":      {`merchant = "898310000000001"`, `merchant = "1"`, "merchant"},
		"no such group":                    {`group = "regulator"`, `group = "friends"`, "group"},
		"no such channel":                  {`channel = "file"`, `channel = "pigeon"`, "channel"},
		"no such language":                 {`language = "zh"`, `language = "fr"`, "language"},
		"a webhook in clear":               {"channel = \"file\"\naddress = \"press\"", "channel = \"webhook\"\naddress = \"http://hook.example/\"\nsecret = \"f\"", "https"},
		"a webhook with a password":        {"channel = \"file\"\naddress = \"press\"", "channel = \"webhook\"\naddress = \"https://a:b@hook.example/\"\nsecret = \"f\"", "password"},
		"a webhook without a key":          {"channel = \"file\"\naddress = \"press\"", "channel = \"webhook\"\naddress = \"https://hook.example/\"", "secret"},
		"sms without a gateway":            {"channel = \"file\"\naddress = \"press\"", "channel = \"sms\"\naddress = \"13800000000\"", "[sms]"},
		"a gateway's template of no JSON":  {"[smtp]\n", "[sms]\nurl = \"https://sms.example\"\nbody = \"to={{.To}}\"\n[smtp]\n", "JSON"},
		"a gateway's template that breaks": {"[smtp]\n", "[sms]\nurl = \"https://sms.example\"\nbody = '{{json .Nothing}}'\n[smtp]\n", "JSON"},
	} {
		text := strings.Replace(whole, c.old, c.by, 1)
		if text == whole {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := notify.ParseConfig([]byte(text)); !errors.Is(err, notify.ErrConfig) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want a refusal that says %q", name, err, c.says)
		}
	}
	if _, err := notify.ParseConfig(make([]byte, 1<<20+1)); !errors.Is(err, notify.ErrConfig) {
		t.Errorf("a file over the bound: %v", err)
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(handler)
	f.Add(handler + "\n[smtp]\naddress = \"[::1]:25\"\ntls = \"none\"\nfrom = \"a@b.example\"\n[retry]\nattempts = 3\nfirst = \"1s\"\n")
	f.Add(handler + "\n[sms]\nurl = \"https://sms.example\"\nbody = '{\"a\":{{json .To}}}'\n[[recipient]]\nname = \"x\"\ngroup = \"public\"\nchannel = \"sms\"\naddress = \"13800000000\"\n")
	f.Add(handler + "\n[[recipient]]\nname = \"x\"\ngroup = \"drill\"\nchannel = \"file\"\nkinds = [\"internal\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := notify.ParseConfig([]byte(text))
		if err != nil {
			return
		}
		c.Resolve("/etc", "/var")
		if p, err := c.Policy(); err != nil || p.Attempts < 1 || p.First <= 0 || p.Longest < p.First {
			t.Errorf("policy %+v, %v", p, err)
		}
		for _, line := range []string{c.Handler.NameEN, c.Handler.Phone, c.Handler.ComplaintZH} {
			if notify.HasLink(line) || line == "" {
				t.Errorf("handler's line %q", line)
			}
		}
		for _, r := range c.Recipients {
			if strings.ContainsAny(r.Address+r.Name, "\r\n\x00") || strings.ContainsRune(r.Name, os.PathSeparator) {
				t.Errorf("recipient %q at %q", r.Name, r.Address)
			}
		}
		c.Plan(facts())
	})
}
