# Everything starts from nothing: Python 3.11 or newer, make and a compiler, as a user without root.
#
#   make demo              a daemon on sample photos, and a few searches
#   make demo PHOTOS=DIR   the same on your own photos; they are only read
#   make test              lint, types, tests; brings PyTorch, without which: make test TORCH=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo run test fuzz lint format bench constraints clean

PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
BIN := .venv/bin
STAMP := .venv/.set-up
TORCH ?= .venv/.torch
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
EXTRAS := plugins/imgd-faces[dlib]
TORCH_EXTRAS := plugins/imgd-clip[torch] plugins/imgd-caption[torch]
TYPED := imgd bench contrib/demo $(foreach plugin,$(PLUGINS),$(plugin)/$(subst -,_,$(notdir $(plugin))))
MODELS := $(CURDIR)/.cache/models
APART := tests/daemon tests/watch

export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:
	@sed -n 's/^#   //p' Makefile
	@echo
	@echo "Also: setup, lint, format, fuzz (MINUTES=15), bench, run (ARGS=...), constraints, clean"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(PLUGINS:%=%/pyproject.toml)
	@if [ -z "$(PYTHON)" ]; then echo "imgd needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; fi
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making .venv with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear .venv || { \
			echo "Python's venv does not work here (on Debian it is the package python3-venv)." >&2; exit 1; }; \
	fi
	@echo "Installing imgd, its plugins and the tools of its tests into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt pip
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e '.[demo]' $(PLUGINS:%=-e %) $(EXTRAS:%=-e '%')
	@touch $@

# The demo needs none of it.
.venv/.torch: $(STAMP)
	@echo "Installing PyTorch into .venv, for the tests of the plugins that can use it"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet -c constraints.txt $(TORCH_EXTRAS:%=-e '%')
	@touch $@

demo: setup
	@$(BIN)/python contrib/demo/demo.py --models "$(MODELS)" $(if $(PHOTOS),--photos "$$PHOTOS") $(if $(KEEP),--keep)

run: setup
	$(BIN)/imgd run $(ARGS)

test: export IMGD_TEST_MODELS ?= $(MODELS)
test: $(TORCH) lint
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@# Two halves side by side, for much of their time goes by in waiting. The tests of the watcher change a limit
	@# of the kernel for a moment, so they are in the half of the other tests that count what is watched.
	@mkdir -p .cache
	@$(BIN)/python -m pytest plugins $(APART) >.cache/tests.txt 2>&1 & others=$$!; \
	trap 'kill $$others 2>/dev/null || true' EXIT; \
	failed=0; $(BIN)/python -m pytest tests $(APART:%=--ignore=%) || failed=1; \
	wait $$others || failed=1; \
	cat .cache/tests.txt; exit $$failed
endif

# Hostile files, for longer than the tests try them. What did harm is kept, and told by name and number.
fuzz: MINUTES ?= 15
fuzz: setup
	PYTHONPATH=tests/support $(BIN)/python -m fuzzing --minutes $(MINUTES) --finds .cache/fuzz $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Benchmarks that need the photo corpus say so, and the rest go on. floor.py runs as a part of pipeline.py.
bench: setup
	@failed=""; for script in $$(grep -l __main__ bench/*.py | grep -v floor.py); do \
		echo "== $$script" >&2; \
		$(BIN)/python "$$script" </dev/null || failed="$$failed $$script"; \
	done; \
	if [ -n "$$failed" ]; then echo "without a result:$$failed" >&2; fi

# uv is a tool here, in an environment of its own; neither imgd nor its tests need it. It overlooks that
# backports.strenum 1.3 is not for Python 3.11 and later, which pip does not.
constraints:
	@test -x .cache/uv/bin/uv || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/python -m pip install --quiet uv; }
	@printf '%s\n' pip 'backports.strenum<1.3' torch==2.13.0 torchvision==0.28.0 '-e .[demo]' $(PLUGINS:%='-e %') \
		$(EXTRAS:%='-e %') $(TORCH_EXTRAS:%='-e %') | .cache/uv/bin/uv pip compile - --upgrade \
		--universal --python-version 3.11 --group pyproject.toml:dev --no-header --no-annotate \
		--no-emit-package imgd $(PLUGINS:plugins/%=--no-emit-package %) --quiet -o .cache/resolved.txt
	@{ echo "# The versions that imgd is tested with. Made by: make constraints"; cat .cache/resolved.txt; } > constraints.txt
	@echo "Wrote constraints.txt: $$(grep -c == constraints.txt) versions"

clean:
	@test ! -x $(BIN)/python || $(BIN)/python contrib/demo/demo.py --stop
	rm -rf .venv .demo .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build bench/out
	rm -rf *.egg-info plugins/*/*.egg-info plugins/*/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
