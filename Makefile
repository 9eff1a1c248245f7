PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

setup: $(BIN)/.ready ## a virtual environment with everything in it

test: setup ## the tests that need nothing special (under a minute)
	$(BIN)/python -m pytest -q -n 2 -m "not live"

live: setup ## tests on the running kernel (root, a memory cgroup of their own)
	$(BIN)/python -m pytest -q -m live

lint: setup ## formatter and linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup ## strict types, source and tests
	$(BIN)/mypy

imports: setup ## every import points down, the core is pure
	$(BIN)/lint-imports

check: lint types imports test live ## everything that CI runs

.PHONY: help setup test live lint types imports check
