# Every target sets itself up on a fresh machine: a virtual environment in the tree, then the job.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.PHONY: demo test bench lint types clean

demo: $(READY)
	$(BIN)/python -m faceloom.headless.demo -o output

test: $(READY)
	$(BIN)/python -m pytest

bench: $(READY)
	$(BIN)/python -m faceloom.bench

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy wants the package under its own name, whatever the checkout's folder is called.
types: $(READY)
	cd $(VENV)/types && ../bin/mypy --config-file ../../pyproject.toml -p faceloom

$(READY): pyproject.toml requirements.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	mkdir -p $(VENV)/types && ln -sfn ../.. $(VENV)/types/faceloom
	touch $@

clean:
	rm -rf $(VENV) output
