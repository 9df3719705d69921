SHELL := /bin/bash
.DEFAULT_GOAL := help

MAIN := server-a/dist/main.js
MAIN_SOURCES := $(shell find server-a/src -name '*.ts') server-a/tsconfig.build.json tsconfig.json package-lock.json \
	server-a/openapi.yaml server-a/dev/openapi-json.ts
# The plugin, or else the program of the same age. Looked up only where it is used.
COMPOSE = $(or $(shell docker compose version >/dev/null 2>&1 && echo docker compose),\
	$(shell docker-compose version --short 2>/dev/null | grep -q '^v\?[2-9]' && echo docker-compose),\
	$(error Docker Compose 2.24 or newer is needed: install the plugin "docker compose"))

.PHONY: help run test chaos bench check fmt lint build up down logs setup setup-with-services

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup $(MAIN) ## Serve on :8000, with a Redis and a RabbitMQ, until Ctrl-C (Docker is not needed)
	@cd server-a && exec node --import tsx dev/run.ts

test: setup-with-services $(MAIN) ## Run all tests, on a private Redis and RabbitMQ
	npm test

chaos: setup-with-services $(MAIN) ## Make every fault under load, and show what was lost or doubled (ARGS='--seed 1')
	npm run chaos -w server-a -- $(ARGS)

bench: setup-with-services $(MAIN) ## Measure the gateway against the floor (ARGS='--quick --only comparison')
	npm run bench -w server-a -- $(ARGS)

check: setup ## Check format, lint and types
	npm run check

fmt: setup ## Format, and fix what the linter can fix
	npm run fmt

lint: setup ## Check format and lint
	npm run lint

build: ## Build the images
	$(COMPOSE) build

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
