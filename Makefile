# From a clean clone this needs only make and Python 3.11 or newer; everything else goes into .venv.
#   make validate ARGS=--quick      passes options on (validate, test, bench)
#   make test PYTHON=python3.12     chooses the interpreter of a new .venv
PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
SCRIPTS = $(filter-out benchmarks/_%,$(sort $(wildcard benchmarks/*.py)))

.DEFAULT_GOAL := help
.PHONY: help validate test lint docs bench clean distclean
.DELETE_ON_ERROR:

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

validate: $(VENV)/.installed  ## measure every scheme; table here, figures in build/validation
	$(BIN)/stochsim validate --html build/validation $(ARGS)

test: $(VENV)/.installed-test  ## the tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

lint: $(VENV)/.installed-test  ## ruff (lint, format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-docs  ## the documentation, in build/docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

bench: $(VENV)/.installed-bench  ## side by side with other libraries, one script a family
	@set -e; for script in $(SCRIPTS); do echo "== $$script"; $(BIN)/python $$script $(ARGS); done

clean:  ## remove what was built, keep .venv
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find stochsim tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove .venv too
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "stochsim needs Python 3.11 or newer, and $(PYTHON) is older or missing: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -e .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -e ".[$*]"
	@touch $@
