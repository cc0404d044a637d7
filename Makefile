# Two commands on a fresh machine: `make demo` and `make test`. They need Python >= 3.11, make, and a package registry.
PYTHON ?= python3
BIN := .venv/bin
# Blender 4.5 to 5.0 is built for Python 3.11 and no other; 5.2: make test-blender BLENDERS=5.2.3 BLENDER_PYTHON=python3.13
BLENDERS ?= 5.0.1 4.5.15
BLENDER_PYTHON ?= python3.11

.PHONY: help demo test check slow test-slow test-programs test-blender benchmarks clean

help:
	@echo "make demo           install the base package into .venv and score the demo timeline"
	@echo "make test           install what tests need and run everything CI runs"
	@echo "make test-slow      the tests that take minutes"
	@echo "make test-programs  install programs beyond Python from Debian and run the tests that need them"
	@echo "make test-blender   install Blender as a Python module (1 GB each) and run the extension's tests in it"
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
	apt-get update -qq && apt-get install -y -qq melt chromium ffmpeg
	$(BIN)/pytest -m programs

build/blender-%/ready:
	$(BLENDER_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet bpy==$*
	touch $@

# -rP shows the measured onsets.
test-blender: .venv/test $(BLENDERS:%=build/blender-%/ready)
	$(BIN)/pytest -m programs -rP tests/blender

benchmarks: .venv/test
	$(BIN)/python benchmarks/cpu_sampler.py
	$(BIN)/python benchmarks/whole_job.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
