# `make` lists what there is. Every target is a thin word for a command that works without make.

.DEFAULT_GOAL := help
PYTHON := .venv/bin/python

.PHONY: help setup check fmt test lock bench clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install everything that development needs
	./scripts/test house

check: ## All that needs no root: lint, types, layers, house rules, unit tests
	./scripts/test lint types layers house unit

fmt: ## Format the code
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

test: ## Everything, as continuous integration runs it
	./scripts/test

bench: ## Measure this engine; SOCKETS="naru=/run/naru.sock docker=/run/docker.sock"
	$(PYTHON) bench/engine.py $(SOCKETS)

lock: ## Renew requirements/*.lock from pyproject.toml
	./scripts/lock

clean: ## Remove what was built
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
