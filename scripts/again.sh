#!/bin/sh
# Runs a command that needs a network, up to four times: again.sh WORDS COMMAND...
# AGAIN is the pauses between, in seconds.
words=$1
shift
for pause in ${AGAIN:-3 10 30} no; do
	"$@" && exit 0
	[ "$pause" = no ] && break
	echo "$words failed: again in $pause s" >&2
	sleep "$pause"
done
echo "$words failed again and again: is there a network, and a mirror that answers?" >&2
exit 1
