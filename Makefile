# Everything runs through npm scripts: they put Node 24 from node_modules/.bin first, whatever Node the machine has.
RUN := npm run --silent

.DEFAULT_GOAL := help
.PHONY: help docs up down status logs test test-cluster test-containers check audit checkouts upgrade verify lambda lambda-bench bench compare streams assistants-eval retrieval-eval documents cache simulate rollback fairness overload neighbours fuzz faults soak

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: node_modules ## Install, start everything in the background, send one chat request through it
	@$(RUN) up

down: node_modules ## Stop everything
	@$(RUN) down

status: node_modules ## What runs: process, pid, port, health, uptime, memory
	@$(RUN) status

logs: node_modules ## Follow the log of all services
	@$(RUN) logs

test: node_modules ## Every test, on real Kafka, Redis and LiteLLM
	@$(RUN) test

test-cluster: node_modules ## The core of the tests on a Redis Cluster of three nodes
	@$(RUN) test:on-cluster

test-containers: node_modules ## The integration tests on testcontainers, and docker-compose.yml itself; needs a Docker engine
	@$(RUN) test:on-containers && $(RUN) test:composition

lambda: node_modules ## Bundle the Lambda into .turnout/lambda, and say how large it is
	@$(RUN) lambda

lambda-bench: node_modules ## The Lambda's cold start, and 1,000 warm invocations; 1 when a job was lost
	@$(RUN) lambda-bench

check: node_modules ## Format, lint, types, architecture rules, dead code, unit tests
	@$(RUN) check

bench: node_modules ## Measure latency, throughput and the bare hops
	@$(RUN) bench

compare: node_modules ## The last release and this version in turn: first token and throughput; 1 when this version is slower (RELEASE=x.y.z: another one)
	@$(RUN) compare

streams: node_modules ## Hold 2,000 streams open on one ingress, with slow readers among them; 1 when a promise did not hold
	@$(RUN) streams

assistants-eval: node_modules ## How well and how fast assistants are chosen, on CLINC150 (DATA=file: a copy of it)
	@$(RUN) assistants-eval -- $(DATA)

retrieval-eval: node_modules ## How often the passage with the answer is found, by words, by meaning and by both, on XQuAD (DATA=file: a copy of it)
	@$(RUN) retrieval-eval -- $(DATA)

documents: node_modules ## 200 pages of PDF, from upload to answer, and the memory that takes; 1 when an answer was wrong
	@$(RUN) documents

cache: node_modules ## The users' cache: its limits, hit rates on public traces (DATA=folder: copies of them), times; 1 when one was broken
	@$(RUN) cache -- $(DATA)

simulate: node_modules ## Thousands of simulated rollouts, judged: false rollbacks, and how soon a fault is found; 1 when one was wrong
	@$(RUN) simulate

rollback: node_modules ## Roll back again and again under load: how soon nothing begins on LiteLLM any more; 1 when it was too late
	@$(RUN) rollback

fairness: node_modules ## How evenly users share the model, and how long one waits beside another's 10,000 jobs; 1 when a promise did not hold
	@$(RUN) fairness

overload: node_modules ## Three times what the model can take, for five minutes; 1 when a promise did not hold
	@$(RUN) overload

neighbours: node_modules ## Ten users read streams beside another one's every trouble; 1 when a promise did not hold (TROUBLES=words,words: some)
	@$(RUN) neighbours

checkouts: node_modules ## Four clones of this commit start at the same moment; 1 when one did not come up with its own processes
	@$(RUN) checkouts

upgrade: node_modules ## The last release and this version side by side under load, there and back; 1 when a client noticed
	@$(RUN) upgrade

verify: node_modules ## All that a release must pass and CI has no time for, with one report; hours (STEPS=name,name: some)
	@$(RUN) verify

audit: node_modules ## Known vulnerabilities of the dependencies that run in production; 1 for a high one
	@log=$$(mktemp); trap 'rm -f $$log' EXIT; \
	if npm audit --omit=dev --audit-level=high >$$log 2>&1; then tail -1 $$log; \
	elif grep -q 'audit endpoint returned an error' $$log; then echo 'Not audited: this registry has no advisories.'; \
	else cat $$log; exit 1; fi

fuzz: node_modules ## Ten minutes of wrong requests and messages; 1 when a promise did not hold
	@$(RUN) fuzz

faults: node_modules ## Kill, freeze and cut everything under load; 1 when a promise did not hold (FULL=1: the long run)
	@$(RUN) faults

soak: node_modules ## Ten minutes of half load with restarts and kills; 1 when something leaks or fails (FULL=1: an hour; MINUTES=n)
	@$(RUN) soak

# Not `npm ci`: it refuses a lock file that was made where a registry lacks the binaries of other platforms.
# This installs what the lock file names, checks the same hashes, and leaves the lock file as it is.
node_modules: package-lock.json
	@echo "installing npm packages"
	@npm install --no-save --no-fund --no-audit --loglevel=error
	@touch node_modules

docs: node_modules ## Write the reference pages that are made from the code
	@$(RUN) docs
