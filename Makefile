# make help names the targets.
PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
DEMO_SECONDS ?=
PARTS ?=
SEEDS ?=
FIRST_SEED ?=
HOURS ?=
SEED ?=
BASELINE ?=
export SWIFT PREFIX DESTDIR DEMO_SECONDS SEEDS FIRST_SEED HOURS SEED BASELINE

.DEFAULT_GOAL := build
.PHONY: help deps build test sim mutants soak demo bench lint format install uninstall clean

help:
	@echo 'make build    release build; .build/release/librenms-dispatcher runs from there'
	@echo 'make test     lint, build with warnings as errors, unit and integration tests'
	@echo 'make sim      whole clusters in virtual time (SEEDS=100 FIRST_SEED=1 HOURS=1; SEED=n: one with its trace);  make mutants  tries its checkers'
	@echo 'make soak     what takes longer: Debian 13 in a private root, the long tests at full length (PARTS="kernel longrun": only these)'
	@echo 'make demo     200 sample devices on a throw-away database, with a live status (DEMO_SECONDS=60: ends by itself)'
	@echo 'make bench    CPU, memory, query times and jobs per second, measured now (PARTS="idle scale": only these; BASELINE=COMMIT: beside that one)'
	@echo 'make lint     style check;  make format  applies the style'
	@echo 'make install  to $$DESTDIR$$PREFIX (PREFIX=$(PREFIX));  make uninstall  removes it'
	@echo 'make deps     installs the Debian packages that test, demo and bench need; these targets do it by themselves'

deps:
	@misc/build/deps

build:
	@misc/build/deps build
	$(SWIFT) build -c release
	@$(SWIFT) --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1 >.build/release/swift-version

test: deps
	@misc/build/run-tests

sim:
	@misc/build/deps build
	@misc/build/simulate seeds

mutants:
	@misc/build/deps build
	@misc/build/simulate mutants

soak:
	@misc/build/deps soak
	@misc/build/soak

demo: deps build
	@misc/demo

bench: deps build
	@misc/build/bench $(PARTS)

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

install:
	@misc/build/deps install
	@misc/build/install

uninstall:
	@misc/build/uninstall

clean:
	rm -rf .build .build-simulation
