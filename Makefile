# The words of this project. `make run` is all that a newcomer needs.
#
#   make run                     the whole shop; Ctrl-C ends it
#   make run PORT=9080 REALM_PORT=9090 VALKEY_PORT=6380
#   make run IDP=keycloak        with a real Keycloak (Java 17+ and Maven)
#   make run KEYCLOAK_SERVER_URL=http://localhost:9999   with a realm that runs there
#   make run-copy PORT=8081      a second copy of the shop beside it
#   make keycloak                only a real Keycloak
#   make test                    every test that can run here
#   make test REQUIRE=keycloak,browser,packages,servers,postgresql   ... and fail where one cannot
#   make coverage                the engine's tests; fails below 100 % of its branches
#   make mutants                 changes what decides in the engine; the tests must notice
#   make bench QUICK=1           what a session costs; without QUICK about ten minutes
#   make screenshots             draw docs/pages/ anew, with Chromium
#   make screenshots PAGES="cart menu"   ... only these
#   make check                   everything that CI checks besides the tests
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/python
# Two workers suit two cores; 0 runs the tests in one process.
TEST_PROCESSES ?= 2
# Options for pytest, for example TESTS="tests/mario -k login".
TESTS ?= tests
SOURCES := manage.py mario pizzeria sessions_backend tests
LOCK := $(VENV)/bin/uv pip compile --generate-hashes --python-version 3.12 \
	--universal --no-emit-index-url --no-strip-extras

# Libraries that this project is compared with are not among the locked tools: uv gets
# them for the run, beside the locked ones.
WITH_PEERS := VIRTUAL_ENV=$(abspath $(VENV)) UV_CONSTRAINT=requirements.txt \
	$(VENV)/bin/uv run --quiet --no-project --active

# Settings as a deployment has them, for tools that import the project. They name
# every variable that a `.env` of this checkout might set.
LIKE_PRODUCTION := env DEV_REALM=false DEBUG=false LOG_LEVEL=INFO \
	SECRET_KEY=only-for-make-check-$$(printf '%050d' 7) \
	APP_URL=https://pizzeria.example.com ALLOWED_HOSTS=pizzeria.example.com \
	KEYCLOAK_SERVER_URL=https://login.example.com \
	KEYCLOAK_PUBLIC_URL=https://login.example.com \
	KEYCLOAK_CLIENT_SECRET=a-secret-only-for-make-check \
	REDIS_URL=rediss://:only-for-make-check@redis.example.com:6379/0 DATABASE_URL=sqlite:///:memory:

.PHONY: help run run-copy keycloak test coverage mutants lint types docs bench matrix screenshots check lock

help:
	@sed -n 's/^#   \(make .*\)/  \1/p' Makefile

run: $(INSTALLED)
	@exec $(RUN) manage.py demo --end-with-parent

run-copy: $(INSTALLED)
	@exec $(RUN) manage.py demo --copy --end-with-parent

keycloak: $(INSTALLED)
	@exec $(RUN) manage.py demo --only-keycloak --end-with-parent

test: $(INSTALLED)
	$(RUN) -m pytest -n $(TEST_PROCESSES) --dist loadgroup $(TESTS)

# Every line and branch of the engine; its own tests are enough for that.
coverage: $(INSTALLED)
	$(RUN) -m pytest -n $(TEST_PROCESSES) --dist loadgroup --cov=sessions_backend \
		--cov-report=term-missing:skip-covered --cov-fail-under=100 \
		tests/sessions_backend

# Not among the locked tools: it is needed here alone, and uv gets it for the run.
mutants: $(INSTALLED)
	rm -rf mutants
	VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/uv run --quiet --no-project --active \
		--with mutmut==3.8.1 mutmut run --max-children $(TEST_PROCESSES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/uv run --quiet --no-project --active \
		--with mutmut==3.8.1 mutmut results

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

types: $(INSTALLED)
	$(LIKE_PRODUCTION) $(VENV)/bin/mypy $(SOURCES)

# Writes the generated part of the reference, then compares docs and code.
docs: $(INSTALLED)
	$(RUN) -m docs.reference --write
	$(LIKE_PRODUCTION) $(RUN) -m docs.access --write
	$(LIKE_PRODUCTION) APP_URL=http://localhost:8080 $(RUN) manage.py spectacular --file docs/openapi.yaml
	$(RUN) -m pytest -q tests/test_docs.py

check: lint types
	$(LIKE_PRODUCTION) $(RUN) manage.py makemigrations --check --dry-run
	$(LIKE_PRODUCTION) $(RUN) manage.py check --deploy --fail-level WARNING
	$(RUN) -m pytest -q tests/test_docs.py

# About ten minutes; QUICK=1 makes a tenth of the rounds. Debian's redis-server is
# measured, too, where it is installed; the pages need wrk.
bench: $(INSTALLED)
	$(RUN) -m tests.performance.bench_engine
	@if command -v redis-server >/dev/null; then \
		$(RUN) -m tests.performance.bench_engine $(if $(QUICK),50,500) redis-server; fi
	$(RUN) -m tests.performance.bench_layers
	$(RUN) -m tests.performance.bench_mistakes
	$(RUN) -m tests.performance.bench_load
	$(RUN) -m tests.performance.bench_memory $(if $(QUICK),8,64)
	$(RUN) -m tests.performance.bench_pages
	$(RUN) -m tests.performance.bench_paint
	$(RUN) -m tests.performance.bench_orders
	$(WITH_PEERS) --with djangorestframework-simplejwt==5.5.1 \
		python -m tests.performance.bench_identity
	$(RUN) -m tests.performance.bench_refresh

matrix: $(INSTALLED)
	$(WITH_PEERS) --with djangorestframework-simplejwt==5.5.1 \
		--with drf-oidc-auth==4.0.0 --with 'django-allauth[socialaccount]==65.21.1' \
		python -m tests.performance.matrix --write

screenshots: $(INSTALLED)
	mkdir -p docs/pages
	SCREENSHOTS="$(or $(PAGES),all)" $(RUN) -m pytest -q tests/browser/test_every_page.py -k pictures_are_drawn

lock: $(INSTALLED)
	$(LOCK) --group app --group demo --group dev -o requirements.txt
	$(LOCK) --group app --constraint requirements.txt \
		--no-annotate -o deployment/docker/requirements.txt

$(INSTALLED): requirements.txt
	@if ! $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
		python=; \
		for candidate in $${PYTHON:-} python3.12 python3.13 python3.14 python3 python \
				$${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[2-9]*/bin/python3; do \
			if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
				python=$$candidate; break; \
			fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "This project needs Python 3.12 or newer with venv and pip, and none was found." >&2; \
			echo "Tried: python3.12, python3.13, python3.14, python3, python. Install one (Debian and" >&2; \
			echo "Ubuntu: python3.12 and python3.12-venv) or name it: make run PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); \
	fi
	@echo "Installing what requirements.txt names; this happens once."
	@$(RUN) -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements.txt
	@touch $@
