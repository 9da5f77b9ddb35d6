package notify_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/notify"
	"touchstone/redress"
)

// authServer is aiosmtpd with STARTTLS and a password, as Debian packages it. It says its port, and ends with its standard input.
const authServer = `
import asyncio, ssl, sys
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult, LoginPassword
def check(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == b"security" and data.password == b"p4ssw0rd-of-mail"
    return AuthResult(success=good, handled=good)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
loop = asyncio.new_event_loop()
c = UnthreadedController(Sink(), loop=loop, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, auth_required=True, authenticator=check)
c.begin()
print(c.server.sockets[0].getsockname()[1], flush=True)
loop.run_until_complete(loop.run_in_executor(None, sys.stdin.read))
`

// TestRealServerPassword: the server takes mail with the password and none without it or with another; the password is in no
// conversation, in clear or in base64.
func TestRealServerPassword(t *testing.T) {
	cert, key := certificate(t)
	address := debianServer(t, authServer, cert, key)
	more, _, _ := book(t)
	for password, want := range map[string]redress.AttemptResult{"p4ssw0rd-of-mail": redress.Accepted, "another": redress.RefusedNow, "": redress.RefusedNow} {
		user := ""
		if password != "" {
			path := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			user = "user = \"security\"\npassword = \"" + path + "\"\n"
		}
		c := must(notify.ParseConfig([]byte(handler + "\n[smtp]\naddress = \"" + address + "\"\nfrom = \"security@acquirer.example\"\ntimeout = \"60s\"\nca_file = \"" + cert + "\"\n" + user + more)))
		got := c.Send(t.Context(), mailed(t, c))
		if got.Result != want {
			t.Errorf("password %q: %s %d %s\n%s", password, got.Result, got.Code, got.Text, got.Talk)
		}
		all := string(got.Talk) + got.Text
		if password != "" && (strings.Contains(all, password) || strings.Contains(all, base64.StdEncoding.EncodeToString([]byte("\x00security\x00"+password))) || !strings.Contains(all, "AUTH PLAIN (not shown)")) {
			t.Errorf("password %q is in the conversation, or it is not said that there was one:\n%s", password, all)
		}
	}
}
