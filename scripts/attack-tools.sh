#!/bin/sh
# Attacks a demonstration of its own with sqlmap, hydra and slowhttptest, for three minutes at most each:
# attack-tools.sh TOUCHSTONE OUTPUT-DIRECTORY
# The full output is kept there. A finding fails; a tool that is missing is said. Traffic goes to 127.0.0.1 only.
set -eu
touchstone=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
most=170
work=$(mktemp -d)
host=
trap 'if [ -n "$host" ]; then kill "$host" 2>/dev/null || true; wait "$host" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0
finding() { echo "attack-tools: FINDING: $*"; failed=1; }
missing() { command -v "$1" >/dev/null 2>&1 && return 1; echo "attack-tools: NOT RUN: $1 is not installed (scripts/need.sh)"; }

"$touchstone" demo --quiet --data "$work/data" --tcp 127.0.0.1:0 --tls 127.0.0.1:0 --https 127.0.0.1:0 --observe "" --mail 127.0.0.1:0 --http 127.0.0.1:0 --public 127.0.0.1:0 >"$work/said" 2>&1 &
host=$!
link=
for _ in $(seq 600); do # five minutes, on a busy machine; it ends by itself where it cannot start
	link=$(grep -o 'http://127\.0\.0\.1:[0-9]*/\(enter\|setup\)/[A-Za-z0-9_-]*' "$work/said" | head -1 || true)
	[ -n "$link" ] && break
	kill -0 "$host" 2>/dev/null || break
	sleep 0.5
done
[ -n "$link" ] || { echo "attack-tools: the host did not start:"; cat "$work/said"; exit 1; }
at=${link%/enter/*}
at=${at%/setup/*}
port=${at##*:}

# honest MOST: the sign-in page is answered within so many seconds, from another address of this machine.
honest() { curl -s -o /dev/null --interface 127.0.0.2 --max-time "$1" -w '%{http_code}' "$at/sign-in" 2>/dev/null || true; }

sessions() {
	python3 - "$link" "$work" <<'PYTHON'
# Signs in by the one-time link, as a browser does: the page's form is posted with its own fields.
import http.cookiejar, html.parser, re, sys, urllib.parse, urllib.request
link, work = sys.argv[1:]
jar = http.cookiejar.CookieJar()
class Policy(http.cookiejar.DefaultCookiePolicy):
    def return_ok_secure(self, cookie, request): return True  # loopback counts as secure to a browser
jar.set_policy(Policy())
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
page = opener.open(link).read().decode()
fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
opener.open(urllib.request.Request(link, urllib.parse.urlencode(fields).encode(), method="POST"))
open(work + "/cookie", "w").write("; ".join(f"{c.name}={c.value}" for c in jar))
PYTHON
}

# scan URL SECONDS: sqlmap with the same options for the host and for what it must find.
scan() {
	timeout "$2" sqlmap -u "$1" --cookie "$cookie" --batch --level 3 --risk 1 --technique BEUST --dbms SQLite --threads 2 --timeout 5 --retries 0 --time-sec 2 --flush-session \
		--skip "cookie,host,user-agent,referer" --output-dir "$work/sqlmap" --disable-coloring </dev/null 2>&1 || true
}
injected="is vulnerable|appears to be '.*' injectable|identified the following injection|back-end DBMS: "

# It must find what is there to be found: a page of ten lines that puts its statement together from a text.
sqlmap_sees() {
	python3 - "$work" >/dev/null 2>&1 <<'PYTHON' &
import http.server, sqlite3, sys, urllib.parse
base = sqlite3.connect(":memory:", check_same_thread=False)
base.executescript("create table t (id text, name text); insert into t values ('1', 'tea'), ('2', 'book')")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        q = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query).get("q", [""])[0]
        try: rows, code = base.execute("select name from t where id = '" + q + "'").fetchall(), 200
        except Exception as e: rows, code = str(e), 500
        self.send_response(code); self.send_header("Content-Type", "text/html"); self.end_headers(); self.wfile.write(str(rows).encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
open(sys.argv[1] + "/weak", "w").write(str(server.server_address[1]) + "\n")
server.serve_forever()
PYTHON
	weak=$!
	for _ in $(seq 240); do [ -s "$work/weak" ] && break; sleep 0.25; done
	scan "http://127.0.0.1:$(cat "$work/weak")/?q=1" 60 >"$out/sqlmap-control.txt"
	kill "$weak" 2>/dev/null || true
	wait "$weak" 2>/dev/null || true
	grep -qE "$injected" "$out/sqlmap-control.txt"
}

run_sqlmap() {
	missing sqlmap && return 0
	cookie=none
	sqlmap_sees || { finding "sqlmap does not find the weak page that it is shown: see $out/sqlmap-control.txt"; return 0; }
	sessions || { finding "no session by the one-time link"; return 0; }
	cookie=$(cat "$work/cookie")
	code=$(curl -s -o /dev/null -w '%{http_code}' -H "Cookie: $cookie" "$at/api/v1/terminals?limit=1")
	[ "$code" = 200 ] || { finding "sqlmap would attack nothing: the interface answers $code to the session"; return 0; }
	printf '%s\n' "$at/transactions?terminal=00000011&reason=mac_failed" "$at/find?q=tea" "$at/fleet?q=tea&model=x" "$at/api/v1/terminals?q=tea&limit=5" "$at/api/v1/journal?kind=staff&limit=5" \
		"$at/api/v1/transactions?terminal=00000011&limit=5" >"$work/targets"
	: >"$out/sqlmap.txt"
	began=$(date +%s)
	while read -r url; do
		left=$((most - $(date +%s) + began))
		[ "$left" -gt 5 ] || { echo "attack-tools: sqlmap's time was over before $url"; break; }
		scan "$url" "$left" >>"$out/sqlmap.txt"
	done <"$work/targets"
	sed -i 's/__Host-[a-z-]*=[A-Z0-9]*/(cookie)/g' "$out/sqlmap.txt"
	tested=$(grep -c 'testing if .* parameter' "$out/sqlmap.txt" || true)
	[ "$tested" -gt 0 ] || finding "sqlmap tested no parameter: see $out/sqlmap.txt"
	if grep -E "$injected" "$out/sqlmap.txt" >"$work/hits"; then
		finding "sqlmap: $(head -3 "$work/hits")"
	fi
	if grep -E '^5[0-9][0-9] \(' "$out/sqlmap.txt" >"$work/hits"; then
		finding "sqlmap made the host fail: $(head -1 "$work/hits")"
	fi
	echo "attack-tools: sqlmap level 3: $tested parameters tested, none injectable; the weak page it was shown first was found"
}

# guess ACCOUNT WORDS SECONDS: hydra at the sign-in page; 303 is a sign-in.
guess() {
	timeout "$3" hydra -I -V -l "$1" -P "$2" -t 4 -w 5 -c 0 -s "$port" 127.0.0.1 http-post-form "/sign-in:account=^USER^&passphrase=^PASS^:S=303" 2>&1 || true
}
found='^\[[0-9]+\]\[http-post-form\].*login:'

run_hydra() {
	missing hydra && return 0
	echo "published passphrase of qian" >"$work/right"
	guess qian "$work/right" 30 >"$out/hydra-control.txt"
	grep -qE "$found" "$out/hydra-control.txt" || { finding "hydra does not know a sign-in when it is shown one: see $out/hydra-control.txt"; return 0; }
	for n in $(seq 400); do echo "guess number $n of many"; done >"$work/words"
	# The right one stands among them, behind what one address may try before it is told to wait: it must not be found.
	echo "published passphrase of zhao" >>"$work/words"
	guess zhao "$work/words" $((most - 30)) >"$out/hydra.txt"
	tries=$(grep -c '^\[ATTEMPT\]' "$out/hydra.txt" || true)
	[ "$tries" -ge 401 ] || finding "hydra made only $tries of 401 attempts: see $out/hydra.txt"
	if grep -E "$found" "$out/hydra.txt" >"$work/hits"; then
		finding "hydra: $(head -1 "$work/hits")"
	fi
	status=$(curl -s -o /dev/null -w '%{http_code}' -d 'account=zhao&passphrase=x' "$at/sign-in")
	[ "$status" = 429 ] || finding "after hydra the guesser's address is answered $status, not told to wait"
	[ "$(honest 5)" = 200 ] || finding "after hydra another address has no sign-in page"
	echo "attack-tools: hydra: $tries attempts, the right one last: not found; its address is answered $status; a sign-in it was shown first was found"
}

run_slow() {
	missing slowhttptest && return 0
	for kind in headers body read; do
		case $kind in
		headers) flags="-H" ;;
		body) flags="-B -s 8192" ;;
		read) flags="-X -w 10 -y 20 -n 5 -z 32" ;;
		esac
		# 1,500 connections, 150 a second, from 127.0.0.1, for forty seconds; the honest one comes from 127.0.0.2.
		# shellcheck disable=SC2086 # flags are several
		timeout 60 slowhttptest $flags -c 1500 -r 150 -l 40 -i 5 -p 3 -u "$at/sign-in" >"$out/slow-$kind.txt" 2>&1 &
		tool=$!
		asked=0 lost=0
		while kill -0 "$tool" 2>/dev/null; do
			asked=$((asked + 1))
			[ "$(honest 3)" = 200 ] || lost=$((lost + 1))
			sleep 1
		done
		wait "$tool" || true
		grep -q 'slow HTTP test status\|Exit status' "$out/slow-$kind.txt" || finding "slowhttptest ($kind) did not run: see $out/slow-$kind.txt"
		[ "$asked" -gt 5 ] || finding "slowhttptest ($kind): only $asked honest requests: nothing was attacked"
		[ "$lost" = 0 ] || finding "slowhttptest ($kind): $lost of $asked honest requests of another address were not answered in 3 s"
		echo "attack-tools: slowhttptest ($kind): $asked honest requests of another address, $lost not answered in 3 s"
	done
}

run_sqlmap
run_hydra
run_slow
kill -0 "$host" 2>/dev/null || finding "the host has ended"
[ $failed = 0 ] && echo "attack-tools: nothing found; $out"
exit $failed
