# `make` lists the targets. Nothing is needed but Python 3.11+, make and the package index.

VENV := .venv
BIN := $(VENV)/bin

# The first of these that runs and is new enough; name another with `make PYTHON=...`.
CANDIDATES := python3 python3.13 python3.12 python3.11 python3.14 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in $(CANDIDATES); do \
	$$name -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$name; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser check format bench casebook clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.has-core ## run the main job on generated scenes: writes a report and a road map under demo/
	$(BIN)/rareseg demo -o demo --overwrite

test: $(VENV)/.has-dev ## run all tests
	$(BIN)/python -m pytest

test-browser: $(VENV)/.has-browser ## look at the report page in headless Chromium (Debian: chromium, chromium-driver)
	$(BIN)/python -m pytest tests/browser

check: $(VENV)/.has-dev ## format, lint, strict types, import contracts, sizes and public names
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/architecture

format: $(VENV)/.has-dev ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.has-bench ## measure against peers: one table per script in benchmarks/
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

casebook: $(VENV)/.has-dev ## diagnose trainings whose disease is known: prints how often it is named (DRAWS=5)
	$(BIN)/python -W ignore -m casebook --report --draws $(or $(DRAWS),5) --jobs 2

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# One stamp per set of packages: a second call installs nothing, a changed pyproject.toml installs again.
define install
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c '$(NEW_ENOUGH)' || { \
		echo "rareseg needs Python 3.11 or newer, but found $$($(or $(PYTHON),python3) --version 2>&1 || true)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '$(1)'
	@touch $@
endef

$(VENV)/.has-core: pyproject.toml
	$(call install,.)

$(VENV)/.has-dev: pyproject.toml
	$(call install,.[smp$(comma)dev])
	@touch $(VENV)/.has-core

$(VENV)/.has-browser: $(VENV)/.has-dev
	$(BIN)/python -m pip install --quiet --editable '.[browser]'
	@touch $@

$(VENV)/.has-bench: pyproject.toml
	$(call install,.[bench])
	@touch $(VENV)/.has-core

comma := ,
