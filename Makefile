# OpenMusic: everything that people run, in one place. `make` alone lists it.

VENV := .venv/bin
PACKAGES := kit gateway auth-service catalog-service playlist-service media-service export-service deploy/local

.DEFAULT_GOAL := help
.PHONY: help install up down status logs reset demo test lint bench format requirements

help: ## lists these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: ## installs what is missing
	@sh deploy/local/bootstrap

up: install ## starts the whole stack, without Docker
	@$(VENV)/openmusic-local up

down: install ## stops all that `make up` started; the data stays
	@$(VENV)/openmusic-local down

status: install ## shows what runs
	@$(VENV)/openmusic-local status

logs: install ## follows the logs; PART=catalog shows one
	@$(VENV)/openmusic-local logs $(if $(PART),--part $(PART))

reset: install ## stops everything and deletes all data
	@$(VENV)/openmusic-local reset

demo: install ## plays the whole story against the running stack
	@$(VENV)/python demo/demo.py

test: install ## runs every test, on servers of its own
	@$(VENV)/pytest

test-%: install ## runs the tests of one part, e.g. test-catalog
	@$(VENV)/pytest $(firstword $(wildcard $*-service/tests $*/tests deploy/$*/tests tests/$*))

lint: install ## ruff, types, and the rule that services do not import each other
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@for package in $(PACKAGES); do $(VENV)/mypy $$package/src || exit 1; done
	@$(VENV)/lint-imports

bench: install ## measures the hot paths on a stack of its own (needs wrk)
	@$(VENV)/python bench/run.py

format: install ## formats the code
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .

requirements: install ## renews the pinned requirement files (needs uv)
	@requirements/compile
