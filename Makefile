# Every target sets up what it needs; a second run starts at once.
# The first that is new enough, or say which: make PYTHON=/path/to/python3.12 …
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done),python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamp
# Arguments for the program behind a target: make demo ARGS=--json, make test ARGS="-k gate".
ARGS   ?=

# Whoever asks Python for no bytecode would have each program that a test starts compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check wheel-check fuzz bench bench-peers soak docs lock support clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## a virtual environment from the locked requirements, the project in it, editable

# An environment that lost its interpreter, or that a run broke off half-way, is made anew.
$(STAMP): requirements/boot.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit("this is %d.%d" % v)' || { echo \
    "Halocline needs Python 3.11 or newer: $(PYTHON) is not. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up $(VENV) (once; about a minute)" >&2
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/boot.txt
	@$(BIN)/uv pip sync -q --require-hashes --python $(BIN)/python requirements/dev.txt
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

demo: $(STAMP) ## the whole loop on this machine, with faults and a scorecard
	@$(BIN)/halocline demo $(ARGS)

test: check wheel-check ## everything that must hold before a change lands
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## lint, format, types, import contracts, generated pages
	@$(BIN)/ruff check -q
	@$(BIN)/ruff format -q --check
	@$(BIN)/python -m mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache --no-logo >$(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/python tools/docs.py --check
	@echo "check: lint, format, types, import contracts and generated pages hold" >&2

wheel-check: $(STAMP) ## build the wheel and try it in an environment that holds nothing else
	@$(BIN)/python tools/wheel_check.py

fuzz: $(STAMP) ## 200,000 changed inputs for each decoder of the channel; make test takes 10,000 of each
	@FUZZ_INPUTS=$${FUZZ_INPUTS:-200000} $(BIN)/python -m pytest --timeout 1200 tests/properties/test_channel_fuzz.py $(ARGS)

BENCHMARKS = $(filter-out $(addprefix benchmarks/,common.py models.py load.py pools.py hubs.py soak_hub.py \
    soak_away.py), $(wildcard benchmarks/*.py))

bench: $(STAMP) ## every benchmark, alone, into benchmarks/results
	@failed=""; for file in $(BENCHMARKS); do echo "$$file" >&2; \
	    $(BIN)/python "$$file" --json --write $(ARGS) || failed="$$failed $$file"; done; \
	    test -z "$$failed" || { echo "over a limit, or invalid:$$failed" >&2; exit 1; }

soak: $(STAMP) ## kill a hub 200 times, take it away for ten minutes: nobody locked out, nothing taken back
	@$(BIN)/python benchmarks/soak_hub.py --write
	@$(BIN)/python benchmarks/soak_away.py --write

PEERS := $(VENV)-peers/.stamp

bench-peers: $(STAMP) $(PEERS) ## beside other servers, in an environment of their own: benchmark, interoperability
	@$(BIN)/python benchmarks/serve.py $(ARGS)
	@$(BIN)/python -m pytest -m peers

$(PEERS): requirements/peers.txt
	@echo "setting up $(VENV)-peers (once)" >&2
	@test -x $(VENV)-peers/bin/python || $(PYTHON) -m venv $(VENV)-peers
	@$(BIN)/uv pip sync -q --require-hashes --python $(VENV)-peers/bin/python requirements/peers.txt
	@touch $@

docs: $(STAMP) ## write the generated pages of docs/reference anew
	@$(BIN)/python tools/docs.py

COMPILE = $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --no-annotate

lock: $(STAMP) ## renew the locked requirements (hashes, no addresses)
	$(COMPILE) --upgrade pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) --upgrade pyproject.toml -c requirements/dev.txt -o requirements/bare.txt
	$(COMPILE) --upgrade requirements/peers.in -o requirements/peers.txt
	echo 'uv==0.13.9' | $(COMPILE) - -o requirements/boot.txt

support: $(STAMP) ## ask the package index on which systems every dependency has a wheel
	@$(BIN)/python tools/support.py

clean: ## remove what the other targets made
	rm -rf $(VENV) $(VENV)-peers build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
