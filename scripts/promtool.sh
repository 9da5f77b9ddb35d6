#!/bin/sh
# Takes promtool out of Debian's package prometheus, into the directory that is given: promtool.sh DIRECTORY. The package itself is not
# installed, because it brings a service that starts, and 100 MB.
set -e
command -v promtool >/dev/null 2>&1 && exit 0
[ -x "$1/promtool" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "without promtool the alert rules are not tried: install Prometheus" >&2
	exit 0
fi
echo "fetching promtool" >&2
mkdir -p "$1"
at=$(mktemp -d)
trap 'rm -rf "$at"' EXIT
chmod 755 "$at"
cd "$at"
apt-get download -qq prometheus >/dev/null 2>&1 || { # the lists may be old, which only root can mend
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -qq
	apt-get download -qq prometheus >/dev/null
} || {
	echo "without promtool the alert rules are not tried: Debian's package prometheus cannot be had" >&2
	exit 0
}
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
cd - >/dev/null
mv "$at/usr/bin/promtool" "$1/promtool"
