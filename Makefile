# OpenMusic: everything that people run, in one place. `make` alone lists it.

VENV := .venv/bin
PACKAGES := kit testkit gateway $(wildcard *-service) deploy/local deploy/operations
TYPED := $(PACKAGES:=/src) bench contracts demo deploy/containers deploy/kubernetes

# Without it, every process compiles our code again, and pytest rewrites every test.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up down status logs reset demo test test-python test-bare test-faults test-faults-short interleavings mutation soak lint format openapi manifests new-service
.PHONY: conformance collection bench bench-mix bench-growth bench-soak bench-report bench-data requirements engine images e2e-compose audit

help: ## lists these commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: ## installs what is missing
	@sh deploy/local/bootstrap

up: install ## starts the whole stack, without Docker
	@$(VENV)/openmusic-local up

down: install ## stops all that `make up` started; the data stays
	@$(VENV)/openmusic-local down

status: install ## shows what runs
	@$(VENV)/openmusic-local status

logs: install ## follows the logs; PART=catalog shows one, REQUEST=id what all say of one request
	@$(VENV)/openmusic-local logs $(if $(PART),--part $(PART)) $(if $(REQUEST),--request $(REQUEST))

reset: install ## stops everything and deletes all data
	@$(VENV)/openmusic-local reset

demo: install ## plays the whole story against the running stack
	@$(VENV)/python demo/demo.py

test: install ## runs the tests of all services, on servers of their own, JOBS (3) at once
	@FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),8) $(VENV)/pytest --numprocesses $(or $(JOBS),3) --dist loadscope

SIDE_BY_SIDE := kit gateway $(patsubst %-service,%,$(wildcard *-service))

test-%: install ## runs the tests of one part, e.g. test-catalog
	@$(VENV)/pytest $(if $(filter $*,$(SIDE_BY_SIDE)),--numprocesses $(or $(WORKERS),2) --dist loadscope) $(firstword $(wildcard $*-service/tests $*/tests deploy/$*/tests tests/$*))

conformance: install ## shows which promises of the contract hold at URL=http://…; MAIL_URL=… tries mails as well
	@$(VENV)/python tests/conformance $(URL) $(if $(MAIL_URL),--mail-url $(MAIL_URL)) $(ARGS)

test-clients: install ## lets real clients of many languages play the contract (2 min)
	@tests/clients/install
	@$(VENV)/pytest tests/clients --timeout 300

test-pictures: install ## uploads pictures of many encoders, and has Chromium compare what it shows of them (1 min)
	@tests/pictures/install
	@$(VENV)/pytest tests/pictures --timeout 300

test-browser: install ## opens the pages for people in Chromium, at a desktop's and a phone's width (1 min)
	@tests/browser/install
	@$(VENV)/pytest tests/browser --timeout 300

test-python: ## runs them with another Python, e.g. PYTHON=python3.13, in an environment of its own
	@folder=.venv-$$($(PYTHON) -c 'import sys; print(sys.version_info.minor)'); \
		OPENMUSIC_VENV=$$folder $(MAKE) test VENV=$$folder/bin

test-bare: engine ## plays both commands of the README in bare containers; DEBIAN=trixie plays one, SHORT=1 the quick tests
	@tests/bare/run $(DEBIAN)

test-faults: install ## lets each part fail in each way while users work, and checks all they were promised (35 min)
	@$(VENV)/pytest tests/faults --timeout 300

test-faults-short: install ## the few of these faults that are tried with every change, with fewer users (3 min)
	@OPENMUSIC_PAIRS=$(or $(OPENMUSIC_PAIRS),40) $(VENV)/pytest tests/faults --timeout 300 -m smoke

interleavings: install ## runs what waits, joins, batches or wakes under more interleavings (TRIES, 1000) than make test does
	@OPENMUSIC_INTERLEAVINGS=$(or $(TRIES),1000) $(VENV)/pytest -q $$(grep -rlE "\bexplore\(" --include='test_*.py' */tests)

mutation: install ## puts bugs in on purpose and counts those that the tests notice; PART=catalog MODULE=… SAMPLE=20 SEED=1
	@$(VENV)/python tests/mutation $(if $(PART),--part $(PART)) $(if $(MODULE),--module $(MODULE)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(ARGS)

soak: install ## mixed load for MINUTES (20), in which no process may grow
	@OPENMUSIC_SOAK_MINUTES=$(or $(MINUTES),20) $(VENV)/pytest tests/faults/soak.py

lint: install ## ruff, types, and the rule that services do not import each other
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy $(TYPED)
	@$(VENV)/lint-imports

bench: install ## measures the hot paths on a stack of its own (needs wrk; 8 min)
	@$(VENV)/python bench/run.py

bench-mix: install ## measures a mix of real use beside a monolith of one process (needs wrk and npm; 15 min)
	@$(VENV)/python bench/side_by_side.py $(ARGS)

bench-growth: install ## measures with ten thousand, a hundred thousand and a million songs, and with more connections (10 min)
	@$(VENV)/python bench/growth.py

bench-soak: install ## ten minutes of load, and what each process holds meanwhile (12 min)
	@$(VENV)/python bench/soak.py

bench-report: install ## shows what these three measured in docs/performance.md
	@$(VENV)/python bench/report.py

bench-data: install ## fills the running stack with a million songs and what belongs to them (3 min); ARGS="--share 0.1" makes less
	@$(VENV)/python bench/data.py $(ARGS)

format: install ## formats the code
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .

engine: ## installs and starts a container engine where there is none
	@deploy/images/engine

images: engine ## makes stand-ins for the official images, for where no registry can be reached
	@deploy/images/build

e2e-compose: images install ## runs compose.yaml for real, and the tests of tests/e2e and tests/compose against it (14 min)
	@$(VENV)/pytest tests/compose --timeout 900 $(ARGS)

audit: install ## checks pins, hashes and what is installed; asks for known weaknesses where the network allows it
	@$(VENV)/pytest -q tests/architecture/test_requirements.py
	@requirements/audit

new-service: install ## makes a service from templates/service; NAME=reviews
	@$(VENV)/python templates/new_service.py $(NAME)
	@$(VENV)/ruff check --quiet --fix $(NAME)-service
	@$(MAKE) install manifests openapi

manifests: install ## renews the files of Kubernetes from the description of the system
	@$(VENV)/python deploy/kubernetes/manifests.py

openapi: install ## renews the documents of the public contract and of the events, and the collection, from what the services say
	@$(VENV)/python contracts/openapi.py
	@$(VENV)/python contracts/asyncapi.py
	@$(VENV)/python contracts/collection.py

collection: install ## renews the collection for Postman and Bruno, clients/openmusic.postman_collection.json
	@$(VENV)/python contracts/collection.py

requirements: install ## renews the pinned requirement files (needs uv)
	@requirements/compile
