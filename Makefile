# make reproduce   set up, run the miniature study, print its table, write runs/mini/report.html
# make test        set up, check style and types, run the tests
# make docs        build/docs/index.html, the docs as a site with every link checked
# make browser     the tests of skythought view in a real browser; needs Chromium
# make gpu         the tests that need a GPU, in .venv
# make engines     the tests that start vLLM and Ray, in .venv-engines; pulls several GB the first time
#
# The first run makes .venv and installs into it; later runs start at once. Another Python:
# make reproduce PYTHON=python3.12

PYTHON ?= python3
ENGINES ?= .venv-engines
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.DELETE_ON_ERROR:
.PHONY: help reproduce test check format slow gpu docs browser engines base-model clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

reproduce: .venv/train.stamp
	$(BIN)/skythought reproduce mini

test: check
	$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

slow: .venv/slow.stamp
	$(BIN)/python -m pytest -q -m slow

gpu: .venv/dev.stamp
	@$(BIN)/python -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' || \
	  { echo "make gpu needs a GPU that PyTorch sees: see .venv/bin/skythought doctor" >&2; exit 1; }
	$(BIN)/python -m pytest -q -rs -m gpu

docs: .venv/dev.stamp
	$(BIN)/python -m sphinx -q -W docs build/docs
	@echo "build/docs/index.html: open it in a browser"

browser: .venv/dev.stamp
	@command -v chromium chromium-browser google-chrome >/dev/null || ls ~/.cache/ms-playwright/chromium-* >/dev/null 2>&1 || \
	  { echo "make browser needs Chromium: apt-get install chromium, or .venv/bin/playwright install chromium" >&2; exit 1; }
	$(BIN)/python -m pytest -q -rs tests/test_view_browser.py

# An environment that has pytest is taken as it is: make engines ENGINES=/where/it/is
engines: $(ENGINES)/bin/pytest
	PYTHONPATH=. $(ENGINES)/bin/python -m pytest -q -m engines

base-model: .venv/train.stamp
	$(BIN)/python recipes/mini/base_model.py

.venv/slow.stamp: .venv/dev.stamp
	@$(INSTALL) '.[train,dev,deepspeed]'
	@touch $@

clean:
	rm -rf .venv .venv-engines .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist

$(ENGINES)/bin/pytest:
	$(PYTHON) -m venv $(ENGINES)
	@echo "installing skythought[vllm,ray] into $(ENGINES)"
	@$(ENGINES)/bin/python -m pip install --quiet --constraint constraints-engines.txt \
	  --editable '.[vllm,ray]' hypothesis peft pytest

# Made last, so that an interrupted step is done again.
.venv/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "skythought needs Python 3.11 or newer; name one with: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/train.stamp: pyproject.toml constraints.txt | .venv/made.stamp
	@echo "installing skythought[train] into .venv; this takes some minutes the first time"
	@$(INSTALL) '.[train]'
	@touch $@

.venv/dev.stamp: .venv/train.stamp
	@echo "installing skythought[train,dev] into .venv"
	@$(INSTALL) '.[train,dev]'
	@touch $@
