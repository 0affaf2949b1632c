# The one door. CI calls these targets and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export PATH := $(CURDIR)/target/tools/bin:$(PATH)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
CARGO_HOME_DIR := $(or $(CARGO_HOME),$(HOME)/.cargo)

# Seconds for each fuzz target.
FUZZ_SECONDS ?= 60

MUSL := x86_64-unknown-linux-musl
GNU := x86_64-unknown-linux-gnu
# A released binary is the same wherever it was built, and does not name the folders of the machine that built it.
REMAP := --remap-path-prefix=$(CURDIR)=dvkey --remap-path-prefix=$(CARGO_HOME_DIR)=cargo

# `dvkey self` names the commit. Without a repository there is none to name.
COMMIT := $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
ifneq ($(COMMIT),)
build dist dist-gnu: export DVKEY_COMMIT := $(COMMIT)
endif

.PHONY: help
help: ## This list
	@echo 'make TARGET'
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)$$/  \1\t\2/p' Makefile | expand -t 14

.PHONY: build
build: ## The release binary for this machine, in target/release
	cargo build --release --locked

.PHONY: demo
demo: build ## Split a demonstration keystore for four demonstration operators, and verify the result
	@rm -rf target/demo
	target/release/dvkey split fixtures/split/keystore-demo.json \
		--operators fixtures/split/operators.json --network hoodi \
		--owner 0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494 --nonce 0 \
		--password-file fixtures/split/password.txt --no-input --out target/demo
	target/release/dvkey verify target/demo --operators fixtures/split/operators.json --network hoodi \
		--owner 0x81592c3DE184A3E2c0DCB5a261BC107Bfa91f494 --nonce 0

.PHONY: check
check: fmt-check lint test ## Format check, lints and all tests

.PHONY: test
test: ## All tests of the workspace
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo 'cargo test --doc --workspace --locked'; cargo test --doc --workspace --locked; \
		echo 'cargo nextest run --workspace --locked'; cargo nextest run --workspace --locked; \
	else \
		echo 'cargo test --workspace --locked'; cargo test --workspace --locked; \
	fi

.PHONY: lint
lint: ## Clippy; a warning is an error
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: fmt
fmt: ## Format the sources
	cargo fmt --all

.PHONY: fmt-check
fmt-check: ## Fail if a source is not formatted
	cargo fmt --all -- --check

.PHONY: deny
deny: ## Dependencies: bans, licences, sources, advisories (deny.toml)
	@if ! cargo deny --version >/dev/null 2>&1; then \
		echo 'deny: NOT CHECKED: cargo-deny is not installed. cargo install --locked cargo-deny' >&2; exit 1; \
	fi
	cargo deny --locked check bans licenses sources
	@if cargo deny --locked fetch db; then \
		echo 'cargo deny check advisories'; cargo deny --locked check advisories; \
	else \
		echo; echo 'deny: advisories NOT CHECKED: the advisory database could not be fetched'; echo; \
	fi

.PHONY: doc
doc: ## The documentation of the sources, in target/doc
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: bench
bench: ## Benchmarks: the parts, whole runs of split, batches, and the walks of a ceremony
	cargo bench --locked --bench parts --bench whole --bench batch
	cargo bench --locked --package dvkey-ceremony --features testing --bench ceremony

# Ceremonies that the other implementation checks: threshold, participants, validators, profile, seed.
CEREMONIES ?= 3,4,1,ssv,a 3,4,3,ssv,b 5,7,5,ssv,c 9,13,1,ssv,d 2,2,3,generic,e 6,9,5,generic,f
PYTHON ?= python3

.PHONY: cross-check
cross-check: ## Random ceremonies, checked by an implementation in Python (needs cryptography, pycryptodome, blspy)
	@for ceremony in $(CEREMONIES); do \
		cargo run --quiet --locked --package dvkey-ceremony --features testing --example make_ceremony -- \
			$${ceremony//,/ } | $(PYTHON) ceremony/check_ceremony.py; \
	done

.PHONY: fuzz
fuzz: ## Every fuzz target, FUZZ_SECONDS (60) each
	@if ! cargo fuzz --version >/dev/null 2>&1; then \
		echo 'fuzz: cargo-fuzz is not installed. cargo install --locked cargo-fuzz' >&2; exit 1; \
	fi
	@# The pinned toolchain is a stable one: coverage needs the bootstrap switch; the sanitizers need a nightly.
	@targets=$$(cargo fuzz list --fuzz-dir tests/fuzz); \
	for target in $$targets; do \
		echo "fuzz: $$target, $(FUZZ_SECONDS) s"; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target -- \
			-max_total_time=$(FUZZ_SECONDS); \
	done

# $(call stage,TARGET): copies the binary to dist/, refuses one that needs a loader, and writes its SHA-256.
define stage
	@mkdir -p dist
	@cp $(TARGET_DIR)/$(1)/release/dvkey dist/dvkey-$(1)
	@if readelf --program-headers dist/dvkey-$(1) | grep -q INTERP; then \
		echo 'dist: dvkey-$(1) is not static: it asks for a loader' >&2; rm dist/dvkey-$(1); exit 1; \
	fi
	@cd dist && sha256sum dvkey-$(1) | tee dvkey-$(1).sha256
endef

.PHONY: dist
dist: ## The static release binary (musl) with its SHA-256, in dist/
	@if [ ! -d "$$(rustc --print target-libdir --target $(MUSL))" ]; then \
		echo 'dist: the Rust target $(MUSL) is missing. rustup target add $(MUSL)' >&2; exit 1; \
	fi
	@if ! command -v musl-gcc >/dev/null; then \
		echo 'dist: musl-gcc is missing. On Debian: apt-get install musl-tools' >&2; exit 1; \
	fi
	CC_x86_64_unknown_linux_musl=musl-gcc RUSTFLAGS='-C target-feature=+crt-static $(REMAP)' \
		cargo build --release --locked --target $(MUSL)
	$(call stage,$(MUSL))

.PHONY: dist-gnu
dist-gnu: ## The same, static with glibc, where musl cannot be had
	RUSTFLAGS='-C target-feature=+crt-static $(REMAP)' cargo build --release --locked --target $(GNU)
	$(call stage,$(GNU))

.PHONY: sums
sums: ## Write fixtures/SHA256SUMS anew after a change below fixtures/
	cd fixtures && find . -type f ! -path ./SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum > SHA256SUMS

.PHONY: ci
ci: ## Everything that CI runs (.ci/run), on this machine
	.ci/run

.PHONY: clean
clean: ## Remove what was built
	cargo clean
	rm -rf dist
