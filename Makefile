# Everything runs in .venv, made from the locks with hashes. Needs git, make and Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help demo test check fmt docs coverage mutants bench soak lock clean .venv
.DELETE_ON_ERROR:

BIN := .venv/bin
RUNTIME := .venv/.runtime
TESTING := .venv/.testing
NODE_MODULES := tests/interop/node_modules/.package-lock.json
UV_VERSION := 0.13.8

# The locks are complete and hashed, so pip has nothing to resolve and nothing to build.
# Bytecode is written at the first import, for the modules that are used, instead of for every file now.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
LOCKED := --require-hashes --only-binary=:all:
COMPILE := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links pyproject.toml --group build

# node and npm come from the environment too; the tests and npm's own scripts look for them by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
NPM := NODE_OPTIONS=--use-system-ca npm

# Where the environment forbids to keep bytecode, each of the many processes here would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@awk -F ':.*## ' '/^[.a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(RUNTIME) ## the whole thing on this machine, no configuration (DEMO="--once" passes options)
	@$(BIN)/satmachine demo $(DEMO)

test: $(TESTING) $(NODE_MODULES) ## every test (PYTEST="-k fees" passes options)
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST)

check: $(TESTING) ## format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(TESTING) ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(TESTING) ## write the table of orders and the guides' answers again
	@$(BIN)/python -m tests.handlers.reference

coverage: $(TESTING) ## fails where a branch of ledger or nwc is not tested by their own tests
	@$(BIN)/coverage run -m pytest -q -p no:cacheprovider tests/ledger tests/nwc
	@$(BIN)/coverage report

mutants: $(TESTING) ## how strong the tests are (MUTANTS="ledger.fees nwc" chooses modules)
	@$(BIN)/python -m tests.mutants $(MUTANTS)

bench: $(TESTING) ## how fast
	@$(BIN)/python -m tests.bench

soak: $(TESTING) $(NODE_MODULES) ## the hour-long tests
	@$(BIN)/python -m tests.soak

.venv: $(RUNTIME) ## the environment alone
	@:

# A python that runs, is new enough and can make environments. A name in PATH is not enough: version managers
# put names there for versions that are not chosen.
$(BIN)/python:
	@set -e; \
	for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			exec "$$python" -m venv --clear .venv; \
		fi; \
	done; \
	echo "satmachine needs Python 3.11 or newer with its venv module (Debian: apt install python3-venv)." >&2; \
	echo "None found in PATH. Name one: make PYTHON=/path/to/python3.11" >&2; \
	exit 1

$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing into .venv ..."
	@$(INSTALL) $(LOCKED) -r requirements.txt
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(TESTING): requirements-test.txt $(RUNTIME)
	@echo "Installing what the tests need ..."
	@$(INSTALL) $(LOCKED) -r requirements-test.txt
	@touch $@

$(NODE_MODULES): tests/interop/package-lock.json tests/interop/.npmrc | $(TESTING)
	@echo "Installing the peers of tests/interop ..."
	@cd tests/interop && $(NPM) ci --loglevel=error
	@touch $@

lock: $(TESTING) ## write the locks again from pyproject.toml and tests/interop/package.json
	@test -x .venv-lock/bin/uv || { $(BIN)/python -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv==$(UV_VERSION); }
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --extra test --constraint requirements.txt --output-file requirements-test.txt
	cd tests/interop && $(NPM) install --package-lock-only --loglevel=error
	@! grep -nE '://|--find-links' requirements.txt requirements-test.txt

clean: ## everything that can be made again
	rm -rf .venv .venv-lock tests/interop/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
