#!/bin/sh
# Scans the TLS ports of a demonstration of its own, the terminals' and the console's, with testssl.sh and sslscan:
# tls-scan.sh TOUCHSTONE OUTPUT-DIRECTORY
# The full output is kept there. A finding of medium or worse fails. Traffic goes to 127.0.0.1 only.
set -eu
touchstone=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
for tool in testssl sslscan; do
	if ! command -v $tool >/dev/null 2>&1; then
		echo "tls-scan: NOT RUN: $tool is not installed (scripts/need.sh)"
		exit 0
	fi
done
work=$(mktemp -d)
host=
trap 'if [ -n "$host" ]; then kill "$host" 2>/dev/null || true; wait "$host" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$touchstone" demo --quiet --data "$work/data" --tcp 127.0.0.1:0 --tls 127.0.0.1:0 --https 127.0.0.1:0 --observe "" --mail 127.0.0.1:0 --public 127.0.0.1:0 --http 127.0.0.1:0 --http-tls >"$work/said" 2>&1 &
host=$!
port=
console=
for _ in $(seq 600); do # five minutes, on a busy machine; it ends by itself where it cannot start
	port=$(sed -n 's/.* tls 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$work/said")
	console=$(sed -n 's|.*https://127\.0\.0\.1:\([0-9][0-9]*\)/enter/.*|\1|p' "$work/said" | head -1)
	[ -n "$port" ] && [ -n "$console" ] && break
	kill -0 "$host" 2>/dev/null || break
	sleep 0.5
done
[ -n "$port" ] && [ -n "$console" ] || { echo "tls-scan: the host did not start:"; cat "$work/said"; exit 1; }
"$touchstone" device certificate ca --data "$work/data" >"$out/ca.pem"
all=$out
failed=0
# scan NAME PORT
scan() {
	out=$all/$1
	mkdir -p "$out"
	sslscan --no-colour --show-certificate --sni-name=localhost "127.0.0.1:$2" >"$out/sslscan.txt" 2>&1
	rm -f "$out/testssl.json" "$out/testssl.txt"
	# Its own exit code counts every remark; what counts here is the severity.
	testssl --warnings off --color 0 --add-ca "$all/ca.pem" --jsonfile "$out/testssl.json" --ip 127.0.0.1 "localhost:$2" >"$out/testssl.txt" 2>&1 || true
	judge "$1" || failed=1
}
judge() {
	python3 - "$out" "$1" <<'PYTHON'
import json, re, sys
out, port = sys.argv[1:]
found = json.load(open(out + "/testssl.json"))
ran = {f["id"] for f in found}
for needed in ("SSLv2", "TLS1", "TLS1_2", "TLS1_3", "cert_trust", "heartbleed", "LUCKY13", "secure_client_renego"):
    if needed not in ran:
        sys.exit(f"tls-scan: testssl.sh did not come to {needed}: see {out}/testssl.txt")
bad = [f for f in found if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
low = [f for f in found if f["severity"] == "LOW"]
for f in bad + low:
    print("testssl.sh:", f["severity"], f["id"], f["finding"])
text = open(out + "/sslscan.txt").read()
for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
    if not re.search(re.escape(version) + r"\s+disabled", text):
        bad.append(version)
        print("sslscan:", version, "is not disabled")
weak = re.findall(r"^(?:Accepted|Preferred).*(?:RC4|CBC|NULL|EXP|DES|SHA\s).*$", text, re.M)
for line in weak:
    print("sslscan:", line)
print(f"tls-scan: {port}: {len(found)} findings of testssl.sh, {len(bad)} of medium or worse, {len(weak)} weak suites; {out}")
sys.exit(1 if bad or weak else 0)
PYTHON
}
scan terminals "$port"
scan console "$console"
exit $failed
