# Everything needs only make and Python 3.11 or newer; each target builds or refreshes .venv by itself.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PACKAGES := .venv/packages.stamp
MESH := .venv/mesh.stamp
DEV := .venv/dev.stamp
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: demo test simulation up bench quality bench-faults bench-training chaos fuzz lint proto proto-check format lock clean help
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 16

demo: $(MESH) ## fit a model on real ratings, start the whole mesh, use it, break it, stop it
	@$(BIN)/python -u examples/demo.py

up: $(MESH) ## the same mesh, kept running until Ctrl-C
	@$(BIN)/python -u examples/up.py

test: $(DEV) ## the whole test suite
	$(BIN)/python -m pytest

simulation: $(DEV) ## the policies against every fault, a thousand processes and an hour of virtual time
	$(BIN)/python -m tests.simulation

bench: $(DEV) ## the benchmarks, as JSON in benchmarks/results/
	$(BIN)/python -m benchmarks

bench-faults: $(DEV) .venv-faults/stamp ## faults of a replica, seen through recmesh and through Envoy, side by side
	$(BIN)/python -m benchmarks.faults $(ARGS)

bench-training: $(DEV) .venv-training/stamp ## iALS to a given quality, ours and the implicit library's, side by side
	$(BIN)/python -m benchmarks.training $(ARGS)

chaos: $(DEV) ## break the processes and wires of a whole mesh under load, in some twenty minutes
	$(BIN)/python -m pytest -m chaos tests/chaos

quality: $(DEV) ## the quality table, as JSON; QUALITY_DATA=FOLDER for the data that does not ship
	$(BIN)/python -m training quality

fuzz: $(DEV) ## feed both ends of the wire with anything, for SECONDS=60
	$(BIN)/python -m tests.rpc.fuzz --seconds $(or $(SECONDS),60)

lint: $(DEV) proto-check ## style, types, boundaries, and that generated code is fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: .venv-proto/stamp ## regenerate the code of every .proto
	.venv-proto/bin/python proto/generate.py .

proto-check: .venv-proto/stamp
	.venv-proto/bin/python proto/generate.py --check .

lock: $(DEV) ## pin the newest versions pyproject.toml allows
	$(BIN)/uv pip compile -q pyproject.toml --extra mesh --extra tune --group dev $(COMPILE) -o requirements/dev.txt
	$(BIN)/uv pip compile -q pyproject.toml --extra mesh --group install -c requirements/dev.txt $(COMPILE) -o requirements/mesh.txt
	$(BIN)/uv pip compile -q pyproject.toml --extra spark -c requirements/dev.txt $(COMPILE) -o requirements/spark.txt
	$(BIN)/uv pip compile -q pyproject.toml --extra neural -c requirements/dev.txt $(COMPILE) -o requirements/neural.txt
	$(BIN)/uv pip compile -q --group proto $(COMPILE) -o requirements/proto.txt
	$(BIN)/uv pip compile -q --group faults $(COMPILE) -o requirements/faults.txt
	$(BIN)/uv pip compile -q --group training $(COMPILE) -o requirements/training.txt
COMPILE := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links

clean: ## forget the environments and everything generated
	rm -rf .venv .venv-proto .venv-faults .venv-training build dist .mypy_cache .ruff_cache .pytest_cache

# A stamp is stale when a lock file is newer, and when the interpreter behind the environment is gone.
ifneq ($(shell test -d .venv && ! .venv/bin/python -c '' 2>/dev/null && echo broken),)
$(shell rm -rf .venv)
endif

define need_python
	@test -n "$(PYTHON)" || { echo "recmesh needs Python 3.11 or newer, and none was found on PATH."; \
		echo "Install one (for example: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the venv module."; \
		echo "Install it (for example: apt install python3-venv), or name another Python: make PYTHON=/path/to/python3.11"; exit 1; }
endef

$(PACKAGES): requirements/mesh.txt
	$(need_python)
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python $(PIP) --require-hashes -r requirements/mesh.txt
	@touch $@

$(MESH): $(PACKAGES) pyproject.toml
	$(BIN)/python $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(MESH) requirements/dev.txt
	$(BIN)/python $(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

.venv-proto/stamp: requirements/proto.txt
	$(need_python)
	$(PYTHON) -m venv --clear .venv-proto
	.venv-proto/bin/python $(PIP) --require-hashes -r requirements/proto.txt
	@touch $@

.venv-faults/stamp: requirements/faults.txt
	$(need_python)
	$(PYTHON) -m venv --clear .venv-faults
	.venv-faults/bin/python $(PIP) --require-hashes -r requirements/faults.txt
	@touch $@

.venv-training/stamp: requirements/training.txt
	$(need_python)
	$(PYTHON) -m venv --clear .venv-training
	.venv-training/bin/python $(PIP) --require-hashes -r requirements/training.txt
	@touch $@
