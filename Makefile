# Two commands on a fresh machine: `make demo` and `make test`. They need Python >= 3.11, make, and a package registry.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test check slow test-slow test-programs benchmarks clean

help:
	@echo "make demo           install the base package into .venv and score the demo timeline"
	@echo "make test           install what tests need and run everything CI runs"
	@echo "make test-slow      the tests that take minutes"
	@echo "make test-programs  install programs beyond Python from Debian and run the tests that need them"
	@echo "make benchmarks     print the speed figures of this machine"

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "V2S needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/base: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# torch and torchvision in one step, so that their versions agree.
.venv/test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ .venv/base

demo: .venv/base
	$(BIN)/v2s demo --force

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

test-slow: .venv/test
	$(BIN)/pytest -m slow

test-programs: .venv/test
	apt-get update -qq && apt-get install -y -qq melt
	$(BIN)/pytest -m programs

benchmarks: .venv/test
	$(BIN)/python benchmarks/cpu_sampler.py
	$(BIN)/python benchmarks/whole_job.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
