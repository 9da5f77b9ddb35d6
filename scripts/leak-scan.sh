#!/bin/sh
# Looks for planted secrets in everything a run of the program makes: files, outputs, metrics, memory, and
# a core file where gcore is installed. Four times the size of what make test does; some minutes.
set -eu
cd "$(dirname "$0")/.."
exec env TOUCHSTONE_LEAK_SCAN=full "${GO:-go}" test -count=1 -timeout 20m -v -run '^(TestLeakScan|TestLeakScannerFindsEveryEncoding|TestMemoryScanFindsAPlantedSecret|TestRepositoryHasNoCardNumbers)$' ./cmd/touchstone
