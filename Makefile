# Nameplate: what there is to do. `make` lists it.
#
# RocksDB's C++ takes about 12 minutes on two cores. It is compiled once into an archive below
# CACHE that every profile, tool and checkout links; `make env` prints the variables for calls of
# cargo by hand.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nameplate
export CARGO_TARGET_DIR ?= $(CACHE)/target

# What an archive is good for: crate version, features, target CPU, host, compiler.
ROCKSDB_VERSION := $(shell sed -n '/^name = "rocksdb"/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
ROCKSDB_FEATURES := $(shell sed -n '/^rocksdb = /{s/.*features = \[\(.*\)\].*/\1/;s/"bindgen-runtime"//;s/[", ]\+/-/g;s/^-\|-$$//g;p}' Cargo.toml)
TARGET_CPU := $(shell sed -n 's/.*target-cpu=\([^"]*\)".*/\1/p' .cargo/config.toml)
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
# Asked for again with each use: the compiler may only just have been installed.
GCC = $(shell g++ -dumpversion 2>/dev/null | cut -d. -f1)
export ROCKSDB_LIB_DIR = $(CACHE)/rocksdb/$(ROCKSDB_VERSION)-$(ROCKSDB_FEATURES)-$(TARGET_CPU)-$(HOST)-gcc$(GCC)
export ROCKSDB_STATIC := 1
unexport ROCKSDB_COMPILE ROCKSDB_INCLUDE_DIR
ROCKSDB_BUILD := $(CACHE)/rocksdb-build

PROGRAM := $(CARGO_TARGET_DIR)/release/nameplate
ROUNDS ?= 1000
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard tests/fuzz/targets/*.rs)))
CARGO_FUZZ_VERSION := 0.13.2

.PHONY: help run build test lint bench fuzz torture env rust rocksdb needs-%

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) \
	    | awk -F'|' '{ printf "  make %-9s %s\n", $$1, $$2 }'

run: needs-data build ## build, start a node on ./data, load real equipment, show what to try
	@deploy/run.sh $(PROGRAM)

build: rocksdb ## build the program
	cargo build --release --locked
	@echo "built $(PROGRAM)"

test: needs-tests rocksdb ## install what the tests need, run all of them
	cargo test --release --locked --workspace

lint: rocksdb ## formatting, clippy, shell syntax, dependency policy
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	for script in .ci/run deploy/*.sh; do bash -n "$$script"; done
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check bans licenses sources; \
	    else echo "cargo-deny is not installed: tests/locks.rs holds deny.toml's bans and licences"; fi

bench: needs-bench needs-data build ## measure; writes bench/results.md
	cargo run --release --locked -p nameplate-bench

torture: needs-tests rocksdb ## kill -9 under load, ROUNDS=1000 times
	ROUNDS=$(ROUNDS) cargo test --release --locked --test main kill:: -- --nocapture

fuzz: rocksdb ## fuzz each target for FUZZ_SECONDS=60
	@command -v cargo-fuzz >/dev/null || { echo "installing cargo-fuzz $(CARGO_FUZZ_VERSION): runs the fuzz targets"; \
	    cargo install --locked --version $(CARGO_FUZZ_VERSION) cargo-fuzz; }
	@unset CARGO_TARGET_DIR; export RUSTC_BOOTSTRAP=1; \
	for target in $(FUZZ_TARGETS); do \
	    echo "fuzzing $$target for $(FUZZ_SECONDS) seconds"; \
	    mkdir -p "$(CACHE)/corpus/$$target" "tests/fuzz/corpus/$$target"; \
	    cargo fuzz run --fuzz-dir tests/fuzz --target-dir "$(CACHE)/fuzz" "$$target" \
	        "$(CACHE)/corpus/$$target" "tests/fuzz/corpus/$$target" -- \
	        -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=256 -timeout=1 -max_len=8192 \
	        -verbosity=0 -print_final_stats=1 2>&1 | sed '/ # Uses: /d'; \
	done

env: ## the variables for calling cargo by hand: eval "$(make env)"
	@printf 'export %s=%q\n' CARGO_TARGET_DIR "$(CARGO_TARGET_DIR)" \
	    ROCKSDB_LIB_DIR "$(ROCKSDB_LIB_DIR)" ROCKSDB_STATIC 1

needs-%:
	@deploy/needs.sh $*

rust:
	@command -v cargo >/dev/null || { echo "Rust is missing: see https://rustup.rs"; exit 1; }

# The archive is moved into place last, so that an interrupted build leaves nothing that looks done.
rocksdb: rust needs-build
	@archive="$(ROCKSDB_LIB_DIR)/librocksdb.a"; \
	[ ! -f "$$archive" ] || exit 0; \
	echo "compiling RocksDB $(ROCKSDB_VERSION) once for all builds: about 12 minutes on two cores"; \
	env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC CARGO_TARGET_DIR="$(ROCKSDB_BUILD)" \
	    cargo build --release --locked -p rocksdb; \
	built=$$(ls -t "$(ROCKSDB_BUILD)"/release/build/librocksdb-sys-*/out/librocksdb.a | sed -n 1p); \
	install -D "$$built" "$$archive.part"; \
	mv "$$archive.part" "$$archive"; \
	rm -rf "$(ROCKSDB_BUILD)"
