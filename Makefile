# `make demo` and `make test` do everything on a fresh machine; each makes .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint format docs clean
.DELETE_ON_ERROR:

# torch comes first and alone: its pinned CPU build must be there before anything that depends on it
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/lvm run next
	$(BIN)/lvm run --arch transformer --loss mse+dir:0.002 --data factbook --epochs 3 --precision auto
	$(BIN)/lvm compare

# a process a core, each of one thread
test: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/cog --check --diff -I docs -I examples -I examples/reproduction docs/*.md README.md
	$(BIN)/pyright

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# the generated tables of the documentation, from the code
docs: $(VENV)/installed
	$(BIN)/cog -r -I docs -I examples -I examples/reproduction docs/*.md README.md

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
