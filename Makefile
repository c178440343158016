# Everything that people do here. Needs Python 3.11+ and make; nothing else has to be installed.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV_DIR = .venv
VENV = $(VENV_DIR)/bin/python
DEVSTACK = env PYTHONPATH=libs/devstack/src VENV_DIR=$(VENV_DIR) $(PYTHON) -m
MEMBERS = contracts/src libs/*/src services/*/src

.PHONY: help setup run story test test-real test-all lint format types imports contracts lock clean \
	bench-revocation bench bench-peers bench-regression fire fire-short fire-fresh fire-tests fire-recovery \
	fire-brokers fire-disk fire-outage ci python run-environment dev-environment

help: python ## This list.
	@$(PYTHON) -c "import re; print(*('%-18s%s' % found for found in re.findall(r'(?m)^([a-z-]+):.*?## (.*)', open('Makefile').read())), sep='\n')"

setup: dev-environment ## Make .venv with everything to develop with (the other targets do it too).

run: run-environment ## Start the whole system, play one story, serve until Ctrl-C.
	@exec env REVOCAST_END_WITH_PARENT=1 $(VENV) -m cli up

story: run-environment ## Start the whole system, play one story, stop; exit 0 only if it all happened.
	@exec env REVOCAST_END_WITH_PARENT=1 $(VENV) -m cli story

test: dev-environment ## All tests on embedded parts: real PostgreSQL and Kafka, nothing to install.
	@exec $(VENV) -m pytest

test-real: dev-environment ## The tests that touch servers, on servers that are not ours (it says which).
	@exec env REVOCAST_TEST_PARTS=real $(VENV) -m pytest

test-all: test test-real ## All tests on both kinds of servers.

lint: dev-environment ## Style and likely mistakes (ruff), format included.
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .

format: dev-environment ## Put the code in the one format.
	@$(VENV) -m ruff check --fix .
	@$(VENV) -m ruff format .

types: dev-environment ## Type check (mypy, strict).
	@$(VENV) -m mypy $(MEMBERS) tests bench examples

imports: dev-environment ## Who may import whom (import-linter).
	@$(VENV_DIR)/bin/lint-imports

contracts: dev-environment ## Generate schemas, AsyncAPI and the table of topics from the event models.
	@$(VENV) -m revocast_contracts

lock: python ## Lock all dependencies again, with hashes.
	@$(DEVSTACK) devstack.lock

clean: python ## Remove all state, data and secrets (.revocast); refuses while the system runs.
	@$(DEVSTACK) devstack.clean

bench-revocation: run-environment ## How long from a replayed token to its denial, over 200 thefts.
	@exec $(VENV) -m bench.revocation

bench: run-environment ## What a CPU-second of the issuer does; latency; workers; growth (ARGS="--families 5000000").
	@$(VENV) -m bench.throughput
	@$(VENV) -m bench.latency
	@$(VENV) -m bench.workers
	@exec $(VENV) -m bench.growth $(ARGS)

bench-peers: run-environment ## The same beside Keycloak and Ory Hydra (JDK, Maven, Go): docs/benchmarks.md; ARGS=.
	@exec $(VENV) -m bench.peers $(or $(ARGS),--anew)

bench-regression: run-environment ## Fails if the issuer became slower than a bare handler and UPDATE allow.
	@exec $(VENV) -m bench.regression

fire: dev-environment ## Random kills under load, promises checked: SEED=, MINUTES=10, KILLS=300, EVERY=1.5, BROKERS=1.
	@exec $(VENV) -m tests.fire $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),10) \
		--kills $(or $(KILLS),300) --every $(or $(EVERY),1.5) --brokers $(or $(BROKERS),1)

fire-short: dev-environment ## The same for 3.5 minutes with a seed that never changes; the pipeline runs it.
	@exec $(VENV) -m tests.fire --seed 7 --minutes 3.5 --kills 1000 --every 1.5

fire-fresh: dev-environment ## The same for 2 minutes with a seed of its own, which it prints; the pipeline too.
	@exec $(VENV) -m tests.fire --minutes 2 --kills 1000 --every 1.5

fire-tests: dev-environment ## The tests in tests/fire, about 15 minutes; some need root for a mount.
	@exec $(VENV) -m pytest tests/fire

fire-recovery: dev-environment ## One kill at a time, until all is ready and stays so: SEED=, KILLS=9, ONLY="kafka audit".
	@exec $(VENV) -m tests.fire $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),10) \
		--kills $(or $(KILLS),9) --brokers $(or $(BROKERS),1) --one-by-one $(ONLY)

fire-brokers: dev-environment ## Three Kafka nodes under load: leaders killed, then each restarted in turn: SEED=.
	@exec $(VENV) -m tests.fire $(if $(SEED),--seed $(SEED)) --rolling

fire-disk: dev-environment ## PostgreSQL's disk full, slow and stuck under load; needs root for a mount: SEED=.
	@exec $(VENV) -m tests.fire $(if $(SEED),--seed $(SEED)) --bad-disk

fire-outage: dev-environment ## Kafka is away under load, and how soon afterwards all is enforced: SEED=, SECONDS=60.
	@exec $(VENV) -m tests.fire $(if $(SEED),--seed $(SEED)) --outage $(or $(SECONDS),60)

ci: ## What the pipeline runs, whole: checks and both test tiers in an environment of its own.
	@exec .ci/run

python:
	@$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'Revocast needs Python 3.11 or later, this is %d.%d: make PYTHON=python3.12 ...' % sys.version_info[:2])"

run-environment: python
	@$(DEVSTACK) devstack.bootstrap run

dev-environment: python
	@$(DEVSTACK) devstack.bootstrap dev
