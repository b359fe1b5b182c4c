# All work happens in .venv/ of this checkout; a stamp file beside it says what is already installed.
#
#   make demo        the main job on bundled pictures          make setup   only install the core
#   make test        lint, types and the whole test suite      make lint    ruff and mypy only
#   make train-nano  train the small model, resumable          make bench   speed, into runs/bench/
#   make eval-nano   score it on the official test splits      make clean   remove caches and builds
#
# On a Linux laptop without an NVIDIA GPU, so that pip does not fetch several GB of CUDA:
#   make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu
#
# Everything is installed in the versions of constraints.txt, on which all tests passed. The newest versions that
# pyproject.toml allows, instead (say it to every target, or the next one puts the old ones back):
#   make setup LATEST=1
#
# Training and scoring read the data sets from $SKYMOE_DATA, else from ../shared/data.

PYTHON      ?= python3
TORCH_INDEX ?=
LATEST      ?=

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install -q
STAMPS := $(VENV)/.stamps
ifeq ($(LATEST),)
VERSIONS := pinned
# An index that is only for torch has what torch needs in few versions: the next step brings those to the pinned ones.
TORCH    := $(shell sed -n 's/^\(torch==.*\)/\1/p' constraints.txt)
TORCHED  := $(if $(TORCH_INDEX),,-c constraints.txt)
PINS     := -c constraints.txt
# The build backend is installed apart, where -c does not reach: older versions of pip listen to the one, newer to the other.
BUILD    := PIP_CONSTRAINT="$(CURDIR)/constraints.txt" PIP_BUILD_CONSTRAINT="$(CURDIR)/constraints.txt"
else
VERSIONS := latest
TORCH    := $(shell sed -n 's/.*"\(torch>=[^"]*\)".*/\1/p' pyproject.toml)
TORCHED  := --upgrade
# All but torch, whose build was chosen in the step before.
PINS     := --upgrade --upgrade-strategy eager -c $(STAMPS)/torch.txt
endif
# What every installation depends on.
CHOSEN := pyproject.toml constraints.txt $(STAMPS)/versions

export TOKENIZERS_PARALLELISM ?= false

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint format types train-nano ship-nano train-rs-moe-nano ship-rs-moe-nano eval-nano bench \
        clean distclean FORCE

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

setup: $(STAMPS)/core

demo: $(STAMPS)/core
	$(BIN)/skymoe demo

test: lint
	$(BIN)/python -m pytest -q

lint: $(STAMPS)/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMPS)/all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# glibc gives large freed tensors back to the system and faults them in again; keeping them for a while saves that time.
# jemalloc does so where it is installed (apt install libjemalloc2). glibc can be told to keep all, but its lists of free
# pieces grow: within a hundred steps a step took three times as long as at the start.
JEMALLOC := $(firstword $(wildcard /usr/lib/*/libjemalloc.so.2))
KEEPING := $(if $(JEMALLOC),LD_PRELOAD=$(JEMALLOC) MALLOC_CONF=dirty_decay_ms:20000)

train-nano: $(STAMPS)/train
	$(KEEPING) $(BIN)/skymoe train recipes/nano.yaml

# Puts the trained model where the package looks for it, in half precision.
ship-nano: $(STAMPS)/train
	$(BIN)/python -m skymoe.train.shipping runs/nano/stage2/model src/skymoe/assets/nano

# The small RS-MoE begins with nano's stage I.
train-rs-moe-nano: train-nano
	$(KEEPING) $(BIN)/skymoe train recipes/rs-moe-nano.yaml

ship-rs-moe-nano: $(STAMPS)/train
	$(BIN)/python -m skymoe.train.shipping runs/rs-moe-nano/specialists/model src/skymoe/assets/rs-moe-nano

eval-nano: $(STAMPS)/eval
	$(BIN)/skymoe eval nano

bench: $(STAMPS)/train
	@mkdir -p runs/bench
	@set -e; for script in benchmarks/*.py; do \
	  name=$$(basename $$script .py); case $$name in _*) continue;; esac; \
	  echo "$$script -> runs/bench/$$name.json"; \
	  $(BIN)/python $$script > runs/bench/$$name.json.part; \
	  mv runs/bench/$$name.json.part runs/bench/$$name.json; \
	done

# runs/ holds checkpoints that took hours: no clean target touches it.
clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis demo.html
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV)

# ---- installation ---------------------------------------------------------------------------------

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "skymoe needs Python 3.11 or newer; say which: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# Says which versions are installed, pinned or latest, and is newer than what was installed when that changes.
$(STAMPS)/versions: $(STAMPS)/venv FORCE
	@echo $(VERSIONS) | cmp -s - $@ || echo $(VERSIONS) > $@
FORCE:

# torch first and alone: an index that is only for torch must not serve the rest, and a build of torch
# that is already there keeps pip from choosing another one for the packages after it.
$(STAMPS)/torch: $(STAMPS)/venv $(CHOSEN)
	@echo "Installing $(TORCH) into $(VENV) (once; a minute or two)"
	@$(PIP) $(TORCHED) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	@$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' \
	  > $(STAMPS)/torch.txt
	@touch $@

$(STAMPS)/core: $(STAMPS)/torch $(CHOSEN)
	@echo "Installing skymoe into $(VENV)"
	@$(BUILD) $(PIP) $(PINS) -e .
	@touch $@

$(STAMPS)/train: $(STAMPS)/core $(CHOSEN)
	@echo "Installing skymoe[train]"
	@$(BUILD) $(PIP) $(PINS) -e ".[train]"
	@touch $@

$(STAMPS)/eval: $(STAMPS)/core $(CHOSEN)
	@echo "Installing skymoe[train,eval]"
	@$(BUILD) $(PIP) $(PINS) -e ".[train,eval]"
	@touch $@

$(STAMPS)/all: $(STAMPS)/torch $(CHOSEN)
	@echo "Installing skymoe[train,eval,data,augment,dev]"
	@$(BUILD) $(PIP) $(PINS) -e ".[train,eval,data,augment,dev]"
	@touch $(STAMPS)/core $(STAMPS)/train $(STAMPS)/eval $@
