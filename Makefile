# Every target sets itself up on a fresh machine: a virtual environment in the tree, then the job.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
# The checkout for test-host; the last one is where this pack is cloned into a custom_nodes.
COMFYUI_PATH ?= $(firstword $(patsubst %/main.py,%,$(wildcard ~/comfy/ComfyUI/main.py ../../main.py)))
HOST   := .venv-host
# torchaudio runs with the torch of its own version only, and does not tell pip.
AUDIO  := from importlib.metadata import version; print(version("torchaudio"))

.PHONY: demo test test-host bench lint types clean

demo: $(READY)
	$(BIN)/python -m faceloom.headless.demo -o output

test: $(READY)
	$(BIN)/python -m pytest

# Against a real ComfyUI, and its page in Chromium; these tests skip in `make test`.
test-host: $(HOST)/ready
	COMFYUI_PATH="$(COMFYUI_PATH)" $(HOST)/bin/python -m pytest tests/host tests/browser

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

$(HOST)/ready: pyproject.toml requirements.txt setup.py $(wildcard $(COMFYUI_PATH)/requirements.txt)
	@test -f "$(COMFYUI_PATH)/main.py" || { echo "There is no ComfyUI at '$(COMFYUI_PATH)'; name a checkout with COMFYUI_PATH=..."; exit 1; }
	$(PYTHON) -m venv $(HOST)
	$(HOST)/bin/python -m pip install --quiet --no-deps torchaudio
	$(HOST)/bin/python -m pip install --quiet "torch==$$($(HOST)/bin/python -c '$(AUDIO)')" -r "$(COMFYUI_PATH)/requirements.txt" --editable '.[dev,host]'
	touch $@

clean:
	rm -rf $(VENV) $(HOST) output
