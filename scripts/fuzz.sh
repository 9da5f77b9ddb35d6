#!/bin/sh
# Runs fuzz targets, two at a time, and says what each did: fuzz.sh TIME short|all
#
# short is what every `make test` runs: the parsers of what comes from outside and the live line. all is
# every target there is. A target without a committed corpus (testdata/fuzz/TARGET) is an error: a failing
# input is written there, and stays as a regression. Exit code 1 when any target failed.
set -eu
cd "$(dirname "$0")/.."

if [ "$1" = --one ]; then # TIME WORK DIRECTORY/TARGET
	time=$2 work=$3 target=${4##*/} dir=${4%/*}
	name=$(echo "$4" | tr / _)
	cache=$(go env GOCACHE)/fuzz/touchstone/$dir
	began=$(date +%s)
	code=0
	before=$(ls "$dir/testdata/fuzz/$target")
	(cd "$dir" && "$work/bin/$(echo "$dir" | tr / _)" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$time" \
		-test.fuzzminimizetime 20x -test.parallel 1 -test.timeout 0 -test.fuzzcachedir "$cache") >"$work/$name.out" 2>&1 || code=$?
	took=$(($(date +%s) - began))
	# The time being up is reported as a failure of no input where a worker ends between the deadline and its being passed on, as it
	# does on a busy machine: golang/go issue 75804, mended in Go 1.27. It is no failure when that is all that is said, and no input was
	# written; and the corpus is run again, for a failure that a worker took with it.
	if [ $code != 0 ] && grep -q '^ *context deadline exceeded$' "$work/$name.out" && [ "$before" = "$(ls "$dir/testdata/fuzz/$target")" ] &&
		! grep -q 'Failing input\|panic:\|fatal error:\|failure while testing\|hung or terminated' "$work/$name.out"; then
		code=0
		echo "fuzz: $4: only the deadline was reported" >&2
		(cd "$dir" && "$work/bin/$(echo "$dir" | tr / _)" -test.run "^$target\$" -test.timeout 0) >>"$work/$name.out" 2>&1 || code=$?
	fi
	last=$(grep '^fuzz: elapsed' "$work/$name.out" | tail -1)
	execs=$(echo "$last" | sed -n 's/.*execs: \([0-9]*\).*/\1/p')
	new=$(echo "$last" | sed -n 's/.*new interesting: \([0-9]*\).*/\1/p')
	corpus=$(find "$dir/testdata/fuzz/$target" -type f | wc -l)
	printf '%-16s %-20s %12s %8s %8s %6s s  %s\n' "$dir" "$target" "${execs:-0}" "${new:-0}" "$corpus" "$took" \
		"$([ $code = 0 ] && echo passed || echo FAILED)" >"$work/$name.row"
	cat "$work/$name.row" >&2
	if [ $code != 0 ]; then
		cat "$work/$name.out" >&2
		touch "$work/failed"
	fi
	exit 0
fi

time=$1 set=${2:-all}
short="explain/anatomy/FuzzAnatomy iso8583/FuzzFrame iso8583/FuzzParse iso8583/FuzzDE59 iso8583/FuzzTLV journal/FuzzBlock journal/FuzzExchange
ledger/FuzzSlab ledger/FuzzLine cmd/touchstone/FuzzTerminalFixture cmd/touchstone/FuzzConfiguration
capture/FuzzRead
fleet/FuzzPolicy fleet/FuzzAdvisory fleet/FuzzRange fleet/FuzzReport"
all=$(grep -rn --include='*_test.go' '^func Fuzz' . | sed 's|^\./\(.*\)/[^/]*:[0-9]*:func \(Fuzz[A-Za-z0-9]*\).*|\1/\2|' | sort)
case $set in
short) targets=$short ;;
all) targets=$all ;;
*) echo "usage: fuzz.sh TIME short|all" >&2 && exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
for t in $targets; do
	echo "$all" | grep -qx "$t" || { echo "fuzz: there is no target $t" >&2 && exit 1; }
	[ -n "$(ls "${t%/*}/testdata/fuzz/${t##*/}" 2>/dev/null)" ] || { echo "fuzz: $t has no corpus in testdata/fuzz" >&2 && exit 1; }
done
for dir in $(for t in $targets; do echo "${t%/*}"; done | sort -u); do
	guided="-fuzz Fuzz"
	# The whole program with coverage counters takes minutes to compile, SQLite above all: not in every `make test`.
	[ "$set/$dir" = short/cmd/touchstone ] && guided=
	# shellcheck disable=SC2086 # two words or none
	go test -c $guided -o "$work/bin/$(echo "$dir" | tr / _)" "./$dir"
done
for t in $targets; do echo "$t"; done | xargs -P 2 -n 1 "$PWD/scripts/fuzz.sh" --one "$time" "$work"
echo
printf '%-16s %-20s %12s %8s %8s %8s\n' package target executions new corpus time
cat "$work"/*.row
awk '{ n += $3 } END { printf "%-37s %12d\n", "in all", n }' "$work"/*.row
[ ! -e "$work/failed" ]
