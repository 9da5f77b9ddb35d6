#!/bin/sh
# Recomputes the UnionPay ECB MAC (docs/protocol/unionpay-pos.md, sections 4.1 and 4.2) with nothing of
# Touchstone: a POSIX shell, od and the openssl command.
#
#   docs/verify-mac.sh KEYFILE MAB
#
# KEYFILE holds the MAC working key as hexadecimal digits: 16 of them are DES, 32 are SM4. MAB is a file
# with hexadecimal digits, the digits themselves, or - for standard input: all bytes of the message from
# its type to element 63, the bit of element 64 set. Printed is DE64, eight characters.
#
# The openssl command takes the key as an argument, which other users of the machine can read while it
# runs: use a machine of your own.
set -eu
export LC_ALL=C

fail() {
	echo "verify-mac: $1" >&2
	exit 1
}

[ $# -eq 2 ] || fail "usage: verify-mac.sh KEYFILE MAB"
[ -r "$1" ] || fail "the key file cannot be read"
key=$(tr -d ' \t\r\n' < "$1")
case $2 in
-) mab=$(tr -d ' \t\r\n') ;;
*) if [ -f "$2" ]; then mab=$(tr -d ' \t\r\n' < "$2"); else mab=$(printf %s "$2" | tr -d ' \t\r\n'); fi ;;
esac
case $key$mab in *[!0-9A-Fa-f]*) fail "want hexadecimal digits" ;; esac
[ -n "$mab" ] || fail "the MAB is empty"
[ $((${#mab} % 2)) -eq 0 ] || fail "the MAB has an odd number of digits"
case ${#key} in
16) cipher=des-ecb size=8 ;;
32) cipher=sm4-ecb size=16 ;;
*) fail "the key is neither 16 digits (DES) nor 32 (SM4)" ;;
esac

# OpenSSL 3 keeps single DES in a provider that must be asked for; versions before have no providers.
case $(openssl version) in
"OpenSSL 1."* | LibreSSL*) providers= ;;
*) providers="-provider default -provider legacy" ;;
esac

# encrypt HEX: one block. Its bytes are written in octal, which every printf knows.
encrypt() {
	rest=$1 octal=
	while [ -n "$rest" ]; do
		pair=${rest%"${rest#??}"} rest=${rest#??}
		octal=$octal\\$(printf %03o "0x$pair")
	done
	# shellcheck disable=SC2059,SC2086 # the octal digits are the format; providers is a list of words
	printf "$octal" | openssl enc "-$cipher" -nopad -K "$key" $providers | od -An -v -tx1 | tr -d ' \n'
}

# xor HEX HEX: byte by byte, for as long as the second is.
xor() {
	a=$1 b=$2 out=
	while [ -n "$b" ]; do
		x=${a%"${a#??}"} y=${b%"${b#??}"} a=${a#??} b=${b#??}
		out=$out$(printf %02X $((0x$x ^ 0x$y)))
	done
	printf %s "$out"
}

# Steps 1 and 2: zeros to a whole number of blocks, and the exclusive-or of all blocks.
while [ $((${#mab} % (2 * size))) -ne 0 ]; do mab=${mab}00; done
r=$(printf "%0$((2 * size))d" 0)
while [ -n "$mab" ]; do
	rest=$mab block= i=0
	while [ $i -lt $size ]; do
		block=$block${rest%"${rest#??}"} rest=${rest#??}
		i=$((i + 1))
	done
	r=$(xor "$r" "$block") mab=$rest
done

# Step 3: the upper-case digits as characters, twice a block of them. Steps 4 to 7.
h=$(printf %s "$r" | od -An -v -tx1 | tr -d ' \n')
first=$(printf %.$((2 * size))s "$h")
e1=$(encrypt "$first")
e2=$(encrypt "$(xor "$e1" "${h#"$first"}")")
[ ${#e2} -eq $((2 * size)) ] || fail "openssl enc -$cipher does not work here"
printf '%.8s\n' "$e2" | tr a-f A-F
