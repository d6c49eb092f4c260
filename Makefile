# Baton: the handful of commands. `make` alone lists them.
.PHONY: help tools lint test bench demo fuzz soak
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SOAK_SEEDS ?= 100000
SOAK_ROUNDS ?= 100
SOAK_MINUTES ?= 30

help: ## list these targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F "|" '{ printf "%-14s %s\n", $$1, $$2 }'

demo: ## a survey of 20 scripted respondents on this machine, in under a minute
	cargo run --release --locked -- demo

test: tools lint ## everything that CI checks: tools, lint, all tests (the first time some minutes more)
	cargo test --locked

lint: tools ## formatting, clippy, licences and sources of dependencies
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	.tools/bin/cargo-deny --locked --log-level error check --hide-inclusion-graph licenses bans sources

bench: ## criterion benchmarks, and ratios against peers
	cargo bench --locked

fuzz: ## fuzzers at every reader of foreign bytes, a minute each; needs nightly and cargo-fuzz, and says how to get them
	fuzz/run

soak: ## 100,000 seeds of all simulations, in release, 100 rounds of kill -9, a stop of half a minute, and half an hour of 500 calls in a cluster whose machine is too busy; SOAK_SEEDS=N, SOAK_ROUNDS=N, SOAK_MINUTES=N for others
	BATON_SIM_SEEDS=$(SOAK_SEEDS) BATON_MEMBERS_SEEDS=$(SOAK_SEEDS) cargo test --release --locked --test sim -- --nocapture
	BATON_SYNC_SEEDS=$(SOAK_SEEDS) cargo test --release --locked --lib sync::tests::no_two -- --nocapture
	BATON_CRASH_ROUNDS=$(SOAK_ROUNDS) cargo test --locked --test serve rounds -- --nocapture
	cargo test --locked --test interop partitions -- --ignored --nocapture
	MINUTES=$(SOAK_MINUTES) cargo bench --locked --bench cluster

tools: ## what the tests need: SIPp, tshark, Asterisk 22, cargo-deny; installed only if missing
	@tests/tools/install
