VENV ?= .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## everything that CI runs: formatter, linter, types, imports, tests
	./run test

quick: ## the tests alone, without the slow and the live ones
	$(BIN)/python -m pytest -q -n 2 -m "not live"

live: ## tests on the running kernel (root, a memory cgroup of their own)
	$(BIN)/python -m pytest -q -m live

lint: ## formatter and linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: ## strict types, source and tests
	$(BIN)/mypy

imports: ## every import points down, the core is pure
	$(BIN)/lint-imports

score: ## how much of the shared corpora's truth is right (needs ../shared): make score [CORPUS="FOLDER…"] [ARGS=-v]
	$(BIN)/python tools/score.py $(ARGS) $(CORPUS)
	$(BIN)/python tools/score_causes.py $(ARGS) $(CORPUS)

accept: ## rewrite the full decodes beside the cases (never their headers); review them like code
	$(BIN)/python tools/accept.py

bench: ## oomlens beside grep, ripgrep, decompressors, ps and psutil, as ratios (1 GB of log in the temporary folder)
	$(BIN)/python bench/run.py
	$(BIN)/python bench/snapshot.py

bench-guard: ## every out-of-memory guard beside every workload, in a virtual machine (QEMU, a Debian's apt; 25 minutes): make bench-guard [ARGS="--guard oomlens"]
	$(BIN)/python bench/guard/guardbench.py run --keep bench/guard/results.json --out build/guard-bench.json $(ARGS)
	$(BIN)/python bench/guard/native.py
	$(BIN)/python bench/guard/table.py

soak: ## repeated memory pressure beside our guard in one boot of a virtual machine: make soak [ROUNDS=50]
	$(BIN)/python bench/guard/guardbench.py soak --rounds $(or $(ROUNDS),50) --limit 30 --wall 7200 --out build/guard-soak.json

prove-predict: ## predicted victim = killed victim, on five kernels in virtual machines (needs ../shared/lab; hours): make prove-predict [ARGS=…]
	$(BIN)/python tools/prove_predict.py --here 100 $(ARGS)
	$(BIN)/python tools/proof_table.py

prove-systemd: ## units, scores and tasks on real systemd in virtual machines (root, QEMU, debootstrap; half an hour): make prove-systemd [SUITES=bookworm,trixie]
	OOMLENS_SYSTEMD=$(or $(SUITES),bookworm) OOMLENS_PROOF=docs/proof $(BIN)/python -m pytest -q tests/vm
	$(BIN)/python tools/proof_table.py

manual: ## the static manual in both languages: build/manual
	$(BIN)/python tools/manual_site.py

proof: ## docs/proof.md from the rows of the proof runs (CONTRIBUTING says which commands those are)
	$(BIN)/python tools/proof_table.py

messages: ## collect the texts for translators and compile the catalogues
	$(BIN)/python tools/messages.py

.PHONY: help test quick live lint types imports score accept bench manual proof messages prove-predict prove-systemd bench-guard soak
