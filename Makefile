# Two commands: `make run` and `make test`. Neither needs anything prepared but Python 3.11 to 3.13.
PYTHON ?= python3
PORT ?= 8501
HEADLESS ?=
TORCH_INDEX ?=
VLLM ?=
PYTEST_ARGS ?=

# torch's index is the environment's affair; everything else runs in it.
export TORCH_INDEX
VENV_PYTHON := .venv/bin/python
# Both fetch much, and neither waits for the other.
TOOLS = $(VENV_PYTHON) -m tools.clients & clients=$$!; $(VENV_PYTHON) -m tools.browser && wait $$clients
SETUP = $(PYTHON) -m tools.setup_env $(if $(filter-out 0 no false,$(VLLM)),--vllm)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check soak

help: ## print this list
	@echo "make TARGET [NAME=VALUE ...]"
	@awk -F ':[^#]*## ' '/^[a-z]+:.*## / {printf "  %-7s %s\n", $$1, $$2}' Makefile

setup: ## make .venv and install what the product needs (VLLM=1: vLLM too; PYTHON=python3.12; TORCH_INDEX=URL of torch's build)
	@$(SETUP)

run: setup ## set up, read data/samples and serve the page on 127.0.0.1 (PORT=8501; HEADLESS=1 opens no browser)
	@$(VENV_PYTHON) -m app ingest data/samples || \
		{ code=$$?; [ $$code -eq 1 ] && echo "run: not every sample was read (see above); serving what was" >&2 || exit $$code; }
	@exec $(VENV_PYTHON) -m app serve --port $(PORT) $(if $(filter-out 0 no false,$(HEADLESS)),--headless)

setup-dev:
	@$(SETUP) --dev

test: setup-dev ## run every test but the long ones (PYTEST_ARGS="-k name")
	@$(TOOLS)
	@PYTHONHASHSEED=0 $(VENV_PYTHON) -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

check: setup-dev ## lint, check types and check that the packages fit together
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m mypy --strict app
	@$(VENV_PYTHON) -m tools.packages

soak: setup-dev ## run the long tests: many kills, many damaged files, minutes of load
	@$(TOOLS)
	@PYTHONHASHSEED=0 $(VENV_PYTHON) -m pytest -m soak $(PYTEST_ARGS)
