#!/bin/sh
# Runs a command and says every 5 seconds that it is still at work: patient.sh WORDS COMMAND...
words=$1
shift
"$@" &
job=$!
trap 'kill $job 2>/dev/null' INT TERM
began=$(date +%s)
while kill -0 $job 2>/dev/null; do
	sleep 1
	now=$(date +%s)
	if kill -0 $job 2>/dev/null && [ $(((now - began) % 5)) -eq 0 ] && [ "$now" -ne "$began" ]; then
		echo "$words ... $((now - began)) s" >&2
	fi
done
wait $job
