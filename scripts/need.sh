#!/bin/sh
# Installs the Debian packages that are missing: need.sh COMMAND=PACKAGE... A COMMAND that begins with / is a file.
# A mirror that does not answer is asked again; see again.sh.
once=
if [ "$1" = --once ]; then
	once=yes
	shift
fi
missing=
for pair in "$@"; do
	[ -e "${pair%%=*}" ] || command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "please install:$missing" >&2
	exit 1
fi
if [ -z "$once" ]; then
	echo "installing:$missing" >&2
	exec "$(dirname "$0")/again.sh" "installing$missing" "$0" --once "$@"
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
# Another installation on this machine is waited for. The lists that are there may do where new ones cannot be had: only what is
# installed in the end counts.
patient="-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086 # several words each
$sudo apt-get update -qq $patient || echo "the lists of packages could not be renewed" >&2
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $patient $missing >/dev/null
