# Every target sets up what it needs; a second run starts at once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamp

.PHONY: help setup demo test check wheel-check bench bench-peers interop soak docs lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## a virtual environment from the locked requirements, the project in it, editable

$(STAMP): requirements/boot.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"Halocline needs Python 3.11 or newer, {sys.executable} is {v[0]}.{v[1]}. Try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@echo "setting up $(VENV) (once; about a minute)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/boot.txt
	@$(BIN)/uv pip sync -q --require-hashes --python $(BIN)/python requirements/dev.txt
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

lock: $(STAMP) ## renew the locked requirements (hashes, no addresses)
	$(BIN)/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra dev -o requirements/dev.txt
	echo 'uv==0.13.9' | $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --no-annotate - -o requirements/boot.txt

clean: ## remove what the other targets made
	rm -rf $(VENV) $(VENV)-peers build dist .mypy_cache .ruff_cache .pytest_cache
