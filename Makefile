# Everything that is done with this repository. `make demo` and `make test` need nothing but this checkout.
PYTHON := .venv/bin/python
SHELL := /bin/bash
# One worker more than the two cores that this is meant for: tests wait as well. All boxes are one worker's.
PYTEST := $(PYTHON) -m pytest -q -n 3
FAST := not engine and not box and not nginx
# Bytecode is worth a third of the start of each of the many processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo check generated lint fast test test-nightly bench clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

setup: ## the Python environment in .venv, and on Debian as root what the bench needs
	@bench/setup.sh

demo: setup ## a client from nothing to a login, on the bench (KEEP=1 leaves it running)
	@$(PYTHON) -m bench demo $(if $(KEEP),--keep)

generated: setup ## write the files that are generated anew
	@$(PYTHON) -m tools

lint: ## format, lint, types
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

fast: ## the fast tests of the product
	@$(PYTEST) tests -m "$(FAST)"

check: setup ## lint, types and the fast tests of the product, side by side
	@$(MAKE) --no-print-directory --jobs=2 lint fast

test: check ## the tests of the product and the bench, the fast ones first
	@$(PYTEST) bench/tests -m "$(FAST)"
	@$(PYTEST) tests bench/tests -m "not ($(FAST)) and not nightly"

test-nightly: check ## all tests, also those that repeat at length what a shorter one shows
	@$(PYTEST) bench/tests -m "$(FAST)"
	@$(PYTEST) tests bench/tests -m "not ($(FAST))"

bench: setup ## what gatehouse costs, as ratios against programs that do nothing more than they must (APPS=12: minutes)
	@$(PYTHON) -m bench figures $(addprefix --apps ,$(APPS))

clean: ## what a killed bench left: processes, namespaces, mounts (caches stay)
	@$(PYTHON) -m bench clean
