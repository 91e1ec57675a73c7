# Every target runs in $(VENV); nothing else is touched. `make` alone lists the targets.

PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= 2
DOCKER  ?= docker
IMAGE   ?= graft
THREADS ?= $(shell getconf _NPROCESSORS_ONLN)

BIN := $(VENV)/bin
LATEST := .venv-latest
AUDIT := .venv-audit
# Neighbors stay on one process: what a module trains or loads is shared.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
PIP := $(BIN)/pip install --no-input --disable-pip-version-check -c requirements.lock
# Without these, accelerate prints a block of notes and gives a CPU run one thread.
LAUNCH := $(BIN)/accelerate launch --quiet --num_processes 1 --num_machines 1 --mixed_precision no \
	--dynamo_backend no --num_cpu_threads_per_process $(THREADS)

.PHONY: help setup quickstart test test-fast test-cpus test-latest lint audit docs lock checkpoint \
	docker docker-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## install everything that the tests and the linters need

quickstart: $(VENV)/.runtime ## fine-tune something small; needs no network once installed
	$(LAUNCH) pipelines/run.py recipes/quickstart.yaml

test: setup ## run all tests (WORKERS=8 for more processes)
	$(PYTEST) $(ARGS)

test-fast: setup ## run the tests that take no more than seconds
	$(PYTEST) -m "not slow" $(ARGS)

# What a CPU computes hangs on its instructions and on how many threads share a sum.
test-cpus: setup ## run what compares numbers as other CPUs, and 1, 2 and 4 threads, compute them
	ATEN_CPU_CAPABILITY=default $(PYTEST) -m numerical $(ARGS)
	ATEN_CPU_CAPABILITY=avx2 $(PYTEST) -m numerical $(ARGS)
	ONEDNN_MAX_CPU_ISA=AVX2 $(PYTEST) -m numerical $(ARGS)
	for threads in 1 2 4; do \
		OMP_NUM_THREADS=$$threads OMP_WAIT_POLICY=passive $(PYTEST) -m numerical $(ARGS) || exit; \
	done

# Upper bounds of pyproject.toml hold; nothing else does. The environment is its own.
test-latest: ## run the fast tests with the newest of everything
	$(MAKE) VENV=$(LATEST) $(LATEST)/bin/pip
	$(LATEST)/bin/pip install --no-input --disable-pip-version-check \
		--upgrade --upgrade-strategy eager -e '.[dev]'
	$(LATEST)/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

lint: setup ## check style, types and the Dockerfile
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

# Its tools have dependencies of their own, which nothing else needs.
audit: $(AUDIT)/.tools ## look for secrets and vulnerable packages (ARGS=--offline: secrets alone)
	$(AUDIT)/bin/python .ci/audit.py $(ARGS)

lock: setup ## resolve pyproject.toml again (ARGS=--upgrade for newer versions)
	$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras pyproject.toml \
		--no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock $(ARGS)

docs: setup ## write every generated table and recipes/schema.json, and build the site in build/docs
	$(BIN)/python docs/generate.py $(ARGS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

checkpoint: $(VENV)/.runtime ## rebuild the embedded checkpoint from drawn letters, in some minutes
	rm -rf build/letters_pretrain
	$(LAUNCH) pipelines/run.py recipes/letters_pretrain.yaml training.output_dir=build
	cp build/letters_pretrain/1/model/* recipes/embedded/letters_resnet/

docker: ## build the image
	$(DOCKER) build -t $(IMAGE) --build-arg REVISION=$$(git rev-parse HEAD) .

docker-test: ## build the image and run a recipe in it
	bash tests/docker_test.sh

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.runtime: pyproject.toml requirements.lock | $(BIN)/pip
	$(PIP) -e .
	@touch $@

$(AUDIT)/.tools: .ci/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --no-input --disable-pip-version-check --quiet -r .ci/audit.txt
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Graft needs Python 3.11 or newer; $(PYTHON) is {}.{}. Try: make setup PYTHON=python3.11".format(*sys.version_info))'
	$(PYTHON) -m venv $(VENV)
