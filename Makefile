# Every target makes the environment it needs; the next one reuses it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-all lint format bench docs clean

demo: $(STAMP)          ## build the embedded benchmark, run methods on it, show the leaderboard
	$(BIN)/geobench demo --out demo

# One thread per worker: a worker per core is what -n auto makes, and threads of several would wait for each other.
test: $(STAMP)          ## every test that takes under half a minute
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadgroup

test-all: $(STAMP)      ## the slow ones too
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadgroup -m "slow or not slow"

lint: $(STAMP)          ## ruff (lint and format), mypy strict, and docs in step with the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)         ## measure; prints ratios against a stated reference
	for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file || exit 1; done

docs: $(STAMP)          ## regenerate the parts of docs/ that come from --help
	$(BIN)/python docs/generate.py

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,lint]"
	touch $@

clean:
	rm -rf demo runs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
