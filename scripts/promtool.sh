#!/bin/sh
# Takes promtool out of Debian's package prometheus, into the directory that is given: promtool.sh DIRECTORY. The package itself is not
# installed, because it brings a service that starts, and 100 MB. A mirror that does not answer is asked again; see again.sh.
set -e
once=
if [ "$1" = --once ]; then
	once=yes
	shift
fi
command -v promtool >/dev/null 2>&1 && exit 0
[ -x "$1/promtool" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "without promtool the alert rules are not tried: install Prometheus" >&2
	exit 0
fi
if [ -z "$once" ]; then
	echo "fetching promtool" >&2
	"$(dirname "$0")/again.sh" "fetching promtool" "$0" --once "$1" ||
		echo "without promtool the alert rules are not tried: Debian's package prometheus cannot be had" >&2
	exit 0
fi
mkdir -p "$1"
to=$(realpath "$1")
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
chmod 755 "$at"
cd "$at"
apt-get download -qq -o Acquire::Retries=3 prometheus >/dev/null 2>&1 || { # the lists may be old, which only root can mend
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 || echo "the lists of packages could not be renewed" >&2
	apt-get download -qq -o Acquire::Retries=3 prometheus >/dev/null
}
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
mv usr/bin/promtool "$to/promtool"
