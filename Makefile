# Every target sets itself up. `make` alone lists them.
#
#   make course PROFILE=smoke LESSONS="00 05"     a quick look at two lessons
#   make course PYTHON=python3.12                 another Python
#   make course TORCH_INDEX=<address>             another build of torch (CPU, CUDA, ROCm), see the README

PYTHON      ?= python3
VENV        ?= .venv
TORCH_INDEX ?=
PROFILE     ?= standard
LESSONS     ?=
FRESH       ?=
ALLOW_ROOT  ?=
JOBS        ?= 2
FRAMEWORKS  ?=
TORCH       ?= $(shell sed -nE 's/^torch==([^ ]+).*/\1/p' requirements.lock)

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
LEARN  := $(VENV)/.learner
STAMP  := $(VENV)/.stamp
COURSE := $(BIN)/python -m course_utils
PYTEST := $(BIN)/python -m pytest -q
NOT_UNIT := --ignore=tests/notebooks --ignore=tests/nightly --ignore=tests/web
OTHERS := build/frameworks
CLIENTS := build/clients
TIERS  := lint types unit structure smoke regression pages
NIGHTS := test full coverage mutants can-fail answers databases faults template newcomer frameworks clients test-web

export PIP_DISABLE_PIP_VERSION_CHECK := 1
test $(TIERS) $(NIGHTS): export OMP_NUM_THREADS := 1
test $(TIERS) $(NIGHTS): export MKL_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help course lab doctor nightly $(TIERS) $(NIGHTS) explored site editions notebooks report lock clean

help:  ## this list
	@echo "make <target>, for example make course"
	@sed -nE 's/^([a-z-]+):.*  ## (.*)$$/\1|\2/p' Makefile | awk -F'|' '{ printf "  %-12s %s\n", $$1, $$2 }'

course: doctor  ## run every lesson at PROFILE and write build/report/index.html
	@$(COURSE) run --profile $(PROFILE) --workers $(JOBS) $(LESSONS)

lab: $(LEARN)  ## copy the lessons to workspace/ and open JupyterLab there (FRESH=05, ALLOW_ROOT=1)
	@$(COURSE) lab $(addprefix --fresh ,$(FRESH)) $(if $(ALLOW_ROOT),--allow-root)

doctor: $(LEARN)  ## check Python, packages, kernel, memory, disk, GPU, port, write access
	@$(COURSE) doctor

# $(call each,<targets>): make them one after another, say what each took, fail at the end if one failed.
define each
	@failed=""; begun=$$(date +%s); \
	for tier in $(1); do \
	    echo "== $$tier"; start=$$(date +%s); state=ok; \
	    $(MAKE) --no-print-directory $$tier || { state=FAILED; failed="$$failed $$tier"; }; \
	    echo "== $$tier $$state in $$(( $$(date +%s) - start )) s"; \
	done; \
	echo "== all of $(1) in $$(( $$(date +%s) - begun )) s"; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi
endef

test: $(STAMP)  ## every tier below; says what each took, fails if one failed
	$(call each,$(TIERS))

nightly: $(STAMP)  ## test, then full, coverage, mutants, can-fail, answers, databases, faults, template, newcomer, frameworks, clients and test-web
	$(call each,$(NIGHTS))

lint: $(STAMP)  ## ruff: rules and format, lessons too; codespell; import-linter: arrows between modules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/codespell

types: $(STAMP)  ## mypy: strict on course_utils, nearly so on tests and benchmarks
	@$(BIN)/mypy

unit: $(STAMP)  ## tests of the package and the tools
	@$(PYTEST) -n $(JOBS) tests $(NOT_UNIT)

structure: $(STAMP)  ## the lessons as they are stored: order, headings, alt text, claims, numbers in prose
	@$(PYTEST) tests/notebooks/test_structure.py tests/notebooks/test_form.py

smoke: $(STAMP)  ## every lesson that changed at PROFILE=smoke (all with CI=1)
	@$(PYTEST) tests/notebooks/test_smoke.py

regression: $(STAMP)  ## every lesson that changed again, each stored output compared; a damaged one is noticed
	@$(PYTEST) tests/notebooks/test_regression.py tests/notebooks/test_anti_vacuity.py

pages: site editions  ## the site and the editions, built without a warning

full: $(STAMP)  ## every lesson at PROFILE=full
	@$(COURSE) run --all --profile full --workers $(JOBS)

coverage: $(STAMP)  ## unit tests once more, counting lines: 100% of the lesson modules, 90% of the tools
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q -n $(JOBS) tests $(NOT_UNIT)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage html --quiet -d build/coverage
	@$(BIN)/coverage report --include="course_utils/tools/*,course_utils/exercises/__init__.py,course_utils/exercises/engine/*" --fail-under=90
	@$(BIN)/coverage report --omit="course_utils/tools/*,course_utils/exercises/__init__.py,course_utils/exercises/engine/*" --fail-under=100 --skip-covered

mutants: $(STAMP)  ## a mistake in the package at a time: does a claim of the lessons turn red? writes docs/mutants.md
	@$(BIN)/python -m tests.nightly.lesson_mutants --workers $(JOBS)

can-fail: $(STAMP)  ## a mistake in what a claim measures at a time: does it turn red? writes build/claims_can_fail.md
	@$(BIN)/python -m tests.nightly.claims_can_fail --workers $(JOBS) $(LESSONS)

answers: $(STAMP)  ## a change in a solution at a time, every one of them: does check refuse it, is it misnamed?
	@EVERY_CHANGE=1 $(PYTEST) tests/exercises/test_one_change.py

databases: $(STAMP)  ## all of torch's own test inputs, on ours and on torch's; writes two tables in docs/
	@$(PYTEST) tests/nightly/test_module_and_op_databases.py tests/nightly/test_optimizer_database.py

faults: $(STAMP)  ## a full disk, a killed kernel, no network, a hostile class to grade, ...: is anything lost?
	@$(PYTEST) tests/nightly/test_faults.py tests/nightly/test_hostile_class.py

template: $(STAMP)  ## a new course made from this one: do its own tests pass?
	@$(PYTEST) tests/nightly/test_new_course.py

newcomer: $(STAMP)  ## a clone set up from nothing as README says, then the wheel alone; writes build/newcomer.json
	@$(PYTEST) -s tests/nightly/test_newcomer.py

frameworks:  ## docs/conventions.md against Optax, Flax, Keras and scikit-learn, installed for it in build/
	@test -d $(OTHERS) || $(PYTHON) -m venv $(OTHERS)
	@$(OTHERS)/$(notdir $(BIN))/python -m pip install --quiet -r tests/nightly/frameworks.txt
	@if [ -n "$(FRAMEWORKS)" ]; then $(OTHERS)/$(notdir $(BIN))/python -m pip install --quiet $(FRAMEWORKS); fi
	@$(OTHERS)/$(notdir $(BIN))/python -m pytest -q --noconftest tests/nightly/test_other_frameworks.py

clients: $(STAMP)  ## Lightning, Accelerate, Ignite, skorch and two DDP processes train and resume our parts
	@$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(CLIENTS) -r tests/nightly/clients.txt
	@PYTHONPATH="$(CLIENTS)" $(PYTEST) tests/nightly/clients

test-web: explored site  ## the site and a hub, in a real browser; says what is missing
	@$(PYTEST) tests/web

explored: $(STAMP)  ## every state of the sliders that no script computes, for the site, in build/explored/
	@$(COURSE) explored --workers $(JOBS)

site: $(STAMP)  ## the course as a website, in build/site/
	@$(COURSE) site

editions: $(STAMP)  ## answer key, hand-outs and slides, a zip for each, in build/editions/
	@$(COURSE) editions

notebooks: $(STAMP)  ## execute the lessons again in place, outputs normalised (LESSONS="05" for one)
	@$(COURSE) notebooks --workers $(JOBS) $(LESSONS)

report: $(STAMP)  ## write the report again from the records of the last run at PROFILE
	@$(COURSE) report --profile $(PROFILE)

lock:  ## resolve the three locks anew from pyproject.toml (TORCH=2.13.0 pins torch)
	@PYTHON="$(PYTHON)" TORCH="$(TORCH)" sh .ci/lock

clean:  ## remove build/ and the caches; .venv/ and workspace/ stay
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage course_utils.egg-info
	@find course_utils tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What the lessons need; then what tests, site and hub need besides.
$(LEARN): requirements-learner.lock requirements-cuda.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || \
	    { echo "No $(PYTHON) here. Install Python 3.11 or later, or name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is older than 3.11. Install a later one and name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) lacks its venv module. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@test -e $(BIN)/python || $(PYTHON) -c 'import shutil, sys; sys.exit(shutil.disk_usage(".").free < 3e9)' || \
	    { echo "Less than 3 GB of disk space is free here. Free some, or put the environment elsewhere: make VENV=<folder>"; exit 1; }
	@test ! -e $(BIN)/python || $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "The environment in $(VENV) does not work. Remove it and try again: rm -rf $(VENV)"; exit 1; }
	@echo "Setting up $(VENV) (once; a few minutes)"
	@test -e $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@TORCH_INDEX="$(TORCH_INDEX)" sh .ci/install $(BIN)/python requirements-learner.lock
	@touch $(LEARN)

$(STAMP): $(LEARN) requirements.lock
	@echo "Setting up what tests, site and hub need besides (once; a few minutes)"
	@TORCH_INDEX="$(TORCH_INDEX)" sh .ci/install $(BIN)/python requirements.lock
	@touch $(STAMP)
