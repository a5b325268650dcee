# The door: `make demo` and `make test` set up all they need in .venv, from the locks in requirements/.

PYTHON ?= python3
# Tests run on this many processes; `make test JOBS=0` runs them in one.
JOBS ?= auto

PY      := .venv/bin/python
DEMO    := .venv/demo.stamp
DEV     := .venv/dev.stamp
SOURCES := src tests scripts $(wildcard benchmarks)

export PYTHON

# A virtual environment holds absolute paths: a copied or moved tree makes its own.
ifneq ($(shell cat .venv/made-in 2>/dev/null),$(realpath .))
.PHONY: $(DEMO) $(DEV)
endif

.PHONY: help demo test check lint types imports report bench lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO) ## attest simulated guests; open an encrypted image in one; show each verdict with its reason
	@$(PY) -m eaa.cli.demo

test: $(DEV) ## run all tests
	$(PY) -m pytest -n $(JOBS) tests

check: lint types imports report ## style, types, import direction, size and coverage

lint: $(DEV)
	$(PY) -m ruff check $(SOURCES)
	$(PY) -m ruff format --check $(SOURCES)

types: $(DEV)
	$(PY) -m mypy $(SOURCES)

imports: $(DEV)
	.venv/bin/lint-imports --no-logo

# Of the pure rooms, measured by the tests that need neither socket nor process.
report: $(DEV)
	@rm -f .coverage .coverage.* && mkdir -p build
	$(PY) -m pytest -q -n $(JOBS) --cov --cov-branch --cov-report= --cov-report=json:build/coverage.json \
		tests/unit tests/property tests/vectors
	@$(PY) -m scripts.report_rooms build/coverage.json

bench: $(DEV) ## measure beside the peer, and print medians and ratios
	$(PY) -m benchmarks

lock: ## write requirements/*.txt anew from pyproject.toml (needs uv)
	scripts/lock $(LOCKFLAGS)

clean: ## remove what make made
	rm -rf .venv .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(DEMO): requirements/runtime.txt requirements/build.txt requirements/skopeo.txt pyproject.toml scripts/venv
	@scripts/venv demo

$(DEV): requirements/dev.txt pyproject.toml scripts/venv
	@scripts/venv dev
