SHELL := /bin/bash
.DEFAULT_GOAL := help

MAIN := server-a/dist/main.js
MAIN_SOURCES := $(shell find server-a/src -name '*.ts') server-a/tsconfig.build.json tsconfig.json package-lock.json \
	server-a/package.json server-a/openapi.yaml server-a/dev/build.ts $(wildcard server-a/dev/build/*.ts)
# The plugin, or else the program of the same age. Looked up only where it is used.
COMPOSE = $(or $(shell docker compose version >/dev/null 2>&1 && echo docker compose),\
	$(shell docker-compose version --short 2>/dev/null | grep -q '^v\?[2-9]' && echo docker-compose),\
	$(error Docker Compose 2.24 or newer is needed: install the plugin "docker compose"))

.PHONY: help run unit test chaos chaos-cluster simulate mutants fuzz bench check fmt lint docs build up down logs setup setup-with-services

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup $(MAIN) ## Serve on :8000, with a Redis and a RabbitMQ, until Ctrl-C (Docker is not needed)
	@cd server-a && exec node --import tsx dev/run.ts

unit: setup ## Run the unit tests: no services, no build, under ten seconds (ARGS='--watch')
	npm run unit -w server-a -- $(ARGS)

test: setup-with-services $(MAIN) ## Run all tests, on a private Redis and RabbitMQ, and each fault for a moment
	npm test
	npm run chaos -w server-a -- --short

chaos-cluster: setup-with-services $(MAIN) ## Let nodes of Redis and RabbitMQ clusters fail under load (ARGS='--only Sentinel')
	npm run chaos-cluster -w server-a -- $(ARGS)

chaos: setup-with-services $(MAIN) ## Make every fault under load, and show what was lost or doubled (ARGS='--seed 1')
	npm run chaos -w server-a -- $(ARGS)

simulate: setup ## Walk random orders of events in virtual time, without services (ARGS='--minutes 10')
	npm run simulate -w server-a -- $(ARGS)

mutants: setup ## Take each guard away in turn, and show that the simulator finds it missing (ARGS='--only lease')
	npm run mutants -w server-a -- $(ARGS)

fuzz: setup-with-services $(MAIN) ## Send hostile requests, and show what they could do (ARGS='--seed 1 --inputs 100000')
	npm run fuzz -w server-a -- $(ARGS)

bench: setup-with-services $(MAIN) ## Measure the gateway against the floor (ARGS='--quick --only comparison')
	npm run bench -w server-a -- $(ARGS)

check: setup ## Check format, lint, types and the generated documentation
	npm run check

fmt: setup ## Format, and fix what the linter can fix
	npm run fmt

docs: setup ## Write the tables of the documentation that follow from the code
	npm run docs

lint: setup ## Check format and lint
	npm run lint

build: ## Build the images
	COMMIT=$$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown) $(COMPOSE) build

up: ## Start the gateway, Redis and RabbitMQ in containers
	$(COMPOSE) up -d

down: ## Stop the containers and delete their data
	$(COMPOSE) down -v

logs: ## Follow the gateway's log
	$(COMPOSE) logs -f server-a

setup:
	@server-a/dev/setup.sh

setup-with-services:
	@server-a/dev/setup.sh --with-services

# Only when something has changed: what runs already may be reading these files.
$(MAIN): $(MAIN_SOURCES) | setup
	npm run build >&2
