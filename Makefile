# make run    build and watch the demonstration     (make run LANG=zh: 中文)
# make test   everything that must hold, under six minutes
# make bench  the figures of docs/design, on this machine
# make fuzz   every fuzz target for FUZZTIME each   (default 1m)
# make crash  the long form of the crash tests: kill -9, disk faults, torn writes, flipped bytes, a day's recovery
# make test-all   test, the race detector everywhere, and fuzz

GO       ?= go
FUZZTIME ?= 1m
LANGUAGE_FLAG = $(if $(filter zh%,$(LANG)),--lang zh,)
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -o -name '*.json' -path './explain/*') go.mod go.sum
RACE = ./journal ./ledger ./listener ./host ./hsm/soft ./terminal ./cmd/touchstone

.PHONY: run build test test-all tls-scan crash check unit race bench fuzz need clean

run: build
	@exec bin/touchstone demo $(LANGUAGE_FLAG) $(ARGS)

build: bin/touchstone

bin/touchstone: $(SOURCES)
	@scripts/patient.sh "building" env CGO_ENABLED=0 $(GO) build -trimpath -o bin/touchstone ./cmd/touchstone

test: need check unit race
	@echo "make test: all passed"

need:
	@scripts/need.sh gcc=gcc openssl=openssl python3=python3 sqlite3=sqlite3 xxd=xxd sslscan=sslscan testssl=testssl.sh strace=strace mkfs.ext4=e2fsprogs

check:
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w is due:"; gofmt -l .; exit 1; }
	@scripts/patient.sh "vetting" $(GO) vet ./...

unit:
	@scripts/patient.sh "testing" $(GO) test -timeout 5m ./...

race:
	@scripts/patient.sh "testing for races" env CGO_ENABLED=1 $(GO) test -race -short -timeout 5m $(RACE)

test-all: test
	@scripts/patient.sh "testing for races" env CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...
	@$(MAKE) tls-scan
	@$(MAKE) crash
	@$(MAKE) fuzz

crash: need
	@mkdir -p .cache/crash/tmp
	@scripts/patient.sh "crashing" env TMPDIR=$(CURDIR)/.cache/crash/tmp TOUCHSTONE_LONG=1 $(GO) test -timeout 2h -v \
		-run 'KillNine|KillAtEvery|DiskFault|FullDisk|RecoveryOfADay|TornWrites|Flipped' ./cmd/touchstone ./sqlite

tls-scan: need build
	@scripts/patient.sh "scanning TLS" scripts/tls-scan.sh bin/touchstone .cache/tls-scan

bench:
	@mkdir -p .cache/bench
	@uname -srm; nproc; grep -m1 'model name' /proc/cpuinfo
	$(GO) test -run '^$$' -bench 'ParseSale|PackSale|ReadFrame' -benchmem ./iso8583
	$(GO) test -run '^$$' -bench . -benchmem ./paycrypto/mac ./hsm/soft ./host
	TMPDIR=$(CURDIR)/.cache/bench $(GO) test -run '^$$' -bench . -benchtime 3s ./sqlite
	TMPDIR=$(CURDIR)/.cache/bench $(GO) test -run '^$$' -bench 'WholeLine|Ledger256' -benchtime 10s -count 3 ./cmd/touchstone

fuzz:
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

clean:
	rm -rf bin .cache
