# make run    build and watch the demonstration     (make run LANG=zh: 中文)
# make test   everything that must hold, in about sixteen minutes; two of them are fuzzing, FUZZSHORT a target
# make bench  one table of this machine's figures; pages take 19 minutes, failures 9, the rest some ten (QUICK=1: to try; ONLY=idle: one part)
# make fuzz   every fuzz target for FUZZTIME each   (default 1m)
# make crash  the long form of the crash tests: kill -9, disk faults, torn writes, flipped bytes, a day's recovery
# make test-all   test, the race detector everywhere, the long forms, scanners and attacks of others, and fuzz

GO       ?= go
FUZZTIME ?= 1m
FUZZSHORT ?= 6s
LANGUAGE_FLAG = $(if $(filter zh%,$(LANG)),--lang zh,)
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -o -name '*.json' -path './explain/*') go.mod go.sum
RACE = ./tracing ./admission ./faultproxy ./journal ./ledger ./listener ./host ./hsm/soft ./terminal ./observe ./staff ./fleet ./lab ./lab/attest ./lab/probe ./incident ./redress ./web ./web/api ./web/check ./web/console ./estate ./releases ./cmd/touchstone

.PHONY: run build test test-all tls-scan attack-tools crash check unit flaw race bench fuzz fuzz-short need clean

run: build
	@exec bin/touchstone demo $(LANGUAGE_FLAG) $(ARGS)

build: bin/touchstone

bin/touchstone: $(SOURCES)
	@scripts/patient.sh "building" env CGO_ENABLED=0 $(GO) build -trimpath -o bin/touchstone ./cmd/touchstone

test: need check unit flaw race fuzz-short
	@echo "make test: all passed"

need:
	@scripts/need.sh gcc=gcc openssl=openssl python3=python3 sqlite3=sqlite3 xxd=xxd curl=curl sslscan=sslscan testssl=testssl.sh tshark=tshark tcpdump=tcpdump strace=strace mkfs.ext4=e2fsprogs argon2=argon2 \
		/usr/lib/python3/dist-packages/securesystemslib=python3-securesystemslib /usr/lib/python3/dist-packages/jsonschema=python3-jsonschema
	@scripts/need.sh age=age zbarimg=zbar-tools oathtool=oathtool aiosmtpd=python3-aiosmtpd pdftotext=poppler-utils chromium=chromium /usr/sbin/haproxy=haproxy /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc=fonts-noto-cjk
	@scripts/promtool.sh .cache/prometheus

check:
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w is due:"; gofmt -l .; exit 1; }
	@scripts/patient.sh "vetting" $(GO) vet ./...

unit:
	@scripts/patient.sh "testing" $(GO) test -timeout 15m ./...

flaw:
	@$(GO) vet -tags flaw ./proof ./host ./hsm/soft ./cmd/touchstone
	@scripts/patient.sh "switching off one proof after the other" $(GO) test -tags flaw -timeout 5m ./cmd/touchstone -run Flaw

race:
	@scripts/patient.sh "testing for races" env CGO_ENABLED=1 $(GO) test -race -short -timeout 15m $(RACE)

test-all: test
	@scripts/patient.sh "testing for races" env CGO_ENABLED=1 $(GO) test -race -timeout 30m ./...
	@scripts/patient.sh "testing the long forms" env TOUCHSTONE_LONG=1 $(GO) test -timeout 2h ./...
	@$(MAKE) tls-scan
	@$(MAKE) attack-tools
	@$(MAKE) fuzz

crash: need
	@mkdir -p .cache/crash/tmp
	@scripts/patient.sh "crashing" env TMPDIR=$(CURDIR)/.cache/crash/tmp TOUCHSTONE_LONG=1 $(GO) test -timeout 2h -v \
		-run 'KillNine|KillAtEvery|DiskFault|FullDisk|RecoveryOfADay|TornWrites|Flipped' ./cmd/touchstone ./sqlite

tls-scan: need build
	@scripts/patient.sh "scanning TLS" scripts/tls-scan.sh bin/touchstone .cache/tls-scan

attack-tools: build
	@scripts/need.sh sqlmap=sqlmap hydra=hydra slowhttptest=slowhttptest curl=curl python3=python3 nmap=nmap
	@scripts/patient.sh "attacking with the tools of others" scripts/attack-tools.sh bin/touchstone .cache/attack-tools

bench: build
	@$(GO) run ./scripts/bench -binary bin/touchstone -dir .cache/bench $(if $(QUICK),-quick) $(if $(ONLY),-only $(ONLY))

fuzz:
	@scripts/patient.sh "fuzzing" scripts/fuzz.sh $(FUZZTIME) all

fuzz-short:
	@scripts/patient.sh "fuzzing" scripts/fuzz.sh $(FUZZSHORT) short

clean:
	rm -rf bin .cache
