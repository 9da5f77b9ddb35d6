package notify_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"touchstone/notify"
)

// TestCatcherTakesMailOfOthers: Python's smtplib and curl, which are not ours, hand mail to the catcher, and it is read back; what has no
// Message-ID is refused.
func TestCatcherTakesMailOfOthers(t *testing.T) {
	python, curl := need(t, "python3"), need(t, "curl")
	box := &notify.Catcher{}
	address := catcher(t, box)
	out, err := exec.Command(python, "-c", `
import smtplib, sys
from email.message import EmailMessage
m = EmailMessage()
m["Subject"] = "试金石 touchstone"; m["From"] = "王芳 <wang@acquirer.example>"; m["To"] = "a@b.example"; m["Message-ID"] = "<py-1@acquirer.example>"
m.set_content("第一行\n..two dots\n.\nlast")
m.add_attachment(b"\x00\x01\x02", maintype="application", subtype="octet-stream", filename="附件.bin")
host, port = sys.argv[1].split(":")
with smtplib.SMTP(host, int(port)) as s:
    for _ in range(2):
        print(s.send_message(m))
    m.replace_header("Message-ID", "")
    try:
        s.send_message(m)
        print("kept without a Message-ID")
    except smtplib.SMTPDataError as e:
        print(e.smtp_code)
`, address).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "554") {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(curl, "-s", "smtp://"+address, "--mail-from", "c@d.example", "--mail-rcpt", "e@f.example", "-T", "-")
	cmd.Stdin = strings.NewReader("Message-ID: <curl-1@d.example>\r\nSubject: plain\r\n\r\nhello\r\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := must(notify.Mailbox(box.Dir))
	if len(all) != 2 || all[0].Offered != 2 || all[1].Offered != 1 {
		t.Fatalf("%+v", all)
	}
	raw := must(notify.CaughtMessage(box.Dir, 1))
	if got := notify.Subject(raw); got != "试金石 touchstone" {
		t.Errorf("subject %q", got)
	}
	var shown bytes.Buffer
	if err := notify.WriteMessage(&shown, raw); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"From: 王芳 <wang@acquirer.example>", "第一行\n..two dots\n.\nlast", "[附件.bin, 3 bytes]"} {
		if !strings.Contains(strings.ReplaceAll(shown.String(), "\r", ""), w) {
			t.Errorf("%q is not shown:\n%s", w, shown.String())
		}
	}
}

func FuzzWriteMessage(f *testing.F) {
	f.Add([]byte("Message-Id: <a@b>\r\nSubject: =?utf-8?q?=E8=AF=95?=\r\n\r\ntext\r\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Disposition: attachment; filename=\"a\"\r\n\r\nb\r\n--x--\r\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		notify.Subject(raw)
		var b bytes.Buffer
		_ = notify.WriteMessage(&b, raw) // what cannot be read is an error, and no more
	})
}
