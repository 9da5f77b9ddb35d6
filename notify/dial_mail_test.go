package notify

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"touchstone/redress"
)

// TestS05MailServer: the mail server's address is bounded as those of webhooks are. This machine is reached where the
// configuration names it plainly, and by no other way of writing its address, nor by a name that leads to it; a relay in a
// network of one's own is reached where the key inside names that network.
func TestS05MailServer(t *testing.T) {
	port, reached := listens(t)
	at := func(host string) *Config {
		return &Config{SMTP: SMTP{Address: host + ":" + port, TLS: "starttls", From: "a@b.example", Timeout: time.Minute}}
	}
	mail := &Outgoing{To: redress.NoticeTo{Channel: redress.ByMail, Address: "c@d.example"}, Message: []byte("x")}
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0", "[::]", "0", "169.254.169.254", "10.0.0.1"} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		out := at(host).Send(ctx, mail)
		cancel()
		if out.Result == redress.Accepted || out.Result == redress.Doubtful {
			t.Errorf("%s: %+v", host, out)
		}
	}
	if out := at("10.0.0.1").Send(t.Context(), mail); out.Result != redress.RefusedNow || !strings.Contains(out.Text, "inside") {
		t.Errorf("a network of one's own that is not named: %+v", out)
	}
	for what, to := range map[string][4]byte{"this machine": {127, 0, 0, 1}, "metadata of a cloud": {169, 254, 169, 254}, "a network inside": {10, 0, 0, 1}} {
		d := at("relay.example").smtpDialer()
		d.Resolver, d.Timeout = names(t, to, to), time.Minute
		if conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("relay.example.", port)); !errors.Is(err, errAddress) {
			t.Errorf("a name that leads to %s: %v, %v", what, conn, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Fatalf("this machine was reached %d times", n)
	}
	if at("127.0.0.1").Send(t.Context(), mail); reached.Load() != 1 {
		t.Error("a mail server of this machine, named plainly, is not reached")
	}
	c := at("relay.example")
	c.Inside = []string{"127.0.0.0/8"}
	d := c.smtpDialer()
	d.Resolver = names(t, [4]byte{127, 0, 0, 1}, [4]byte{127, 0, 0, 1})
	conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("relay.example.", port))
	if err != nil {
		t.Fatalf("a relay in a network that is named: %v", err)
	}
	conn.Close()
}
