# Everything that is done with this repository. `make demo` and `make test` need nothing but this checkout.
PYTHON := .venv/bin/python
SHELL := /bin/bash
PYTEST := $(PYTHON) -m pytest -q -n 2 --dist loadfile
FAST := not engine and not box and not nginx

.PHONY: help setup demo check generated lint test bench clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

setup: ## the Python environment in .venv, and on Debian as root what the bench needs
	@bench/setup.sh

demo: setup ## a client from nothing to a login, on the bench (KEEP=1 leaves it running)
	@$(PYTHON) -m bench demo $(if $(KEEP),--keep)

generated: setup ## write the files that are generated anew
	@$(PYTHON) -m tools

lint: setup ## format, lint, types
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

check: lint ## lint, types and the fast tests of the product, below a minute
	@$(PYTEST) tests -m "$(FAST)"

test: check ## all tests, the product's and the bench's, the fast ones first
	@$(PYTEST) bench/tests -m "$(FAST)"
	@$(PYTEST) tests bench/tests -m "(engine or nginx) and not box"
	@$(PYTHON) -m pytest -q tests bench/tests -m "box"

bench: setup ## what gatehouse costs, as ratios against programs that do nothing more than they must
	@$(PYTHON) -m bench figures

clean: ## what a killed bench left: processes, namespaces, mounts (caches stay)
	@$(PYTHON) -m bench clean
