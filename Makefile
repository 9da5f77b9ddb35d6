# make run    build and watch the demonstration     (make run LANG=zh: 中文)
# make test   everything that must hold, in about seven minutes; three of them are fuzzing, FUZZSHORT a target
# make bench  one table of this machine's figures, ten minutes (QUICK=1: two, to try; ONLY=idle: one part)
# make fuzz   every fuzz target for FUZZTIME each   (default 1m)
# make crash  the long form of the crash tests: kill -9, disk faults, torn writes, flipped bytes, a day's recovery
# make test-all   test, the race detector everywhere, the long forms, and fuzz

GO       ?= go
FUZZTIME ?= 1m
FUZZSHORT ?= 20s
LANGUAGE_FLAG = $(if $(filter zh%,$(LANG)),--lang zh,)
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -o -name '*.json' -path './explain/*') go.mod go.sum
RACE = ./admission ./faultproxy ./journal ./ledger ./listener ./host ./hsm/soft ./terminal ./observe ./cmd/touchstone

.PHONY: run build test test-all tls-scan crash check unit flaw race bench fuzz fuzz-short need clean

run: build
	@exec bin/touchstone demo $(LANGUAGE_FLAG) $(ARGS)

build: bin/touchstone

bin/touchstone: $(SOURCES)
	@scripts/patient.sh "building" env CGO_ENABLED=0 $(GO) build -trimpath -o bin/touchstone ./cmd/touchstone

test: need check unit flaw race fuzz-short
	@echo "make test: all passed"

need:
 argon2=argon2
