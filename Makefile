# Every target sets up what it needs; nothing asks anything.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lock down

PYTHON ?= python3
UV_VERSION := $(shell sed -n 's/^ *"uv==\(.*\)",/\1/p' pyproject.toml)
BIN := .venv/bin

help: ## Say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 16

setup: .venv/.installed ## Set up the local target: find or build its parts, and start them
	@$(BIN)/python -m local setup

demo: setup ## Up on amd64, switch to arm64, table of what happened; leaves the stack running
	@$(BIN)/python -m local demo

test: setup ## Every test
	@$(BIN)/pytest

check: .venv/.installed ## Formatter, linter, type checker
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

lock: .venv/.installed ## Work out anew what pyproject.toml and app/requirements.in ask for
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.13 app/requirements.in \
		-o app/requirements.txt

down: ## Destroy the local stack, stop and remove what set-up started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local down; fi

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: $(PYTHON) is missing or older than 3.11; install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "error: $(PYTHON) can't make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = $(UV_VERSION) || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "  install the Python packages of requirements.lock …"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
