# All targets run npm scripts, which use Node 24 from node_modules/.bin, whatever version the machine has.
RUN := npm run --silent

.DEFAULT_GOAL := help
.PHONY: help docs figures up down status logs test test-cluster test-containers check audit checkouts upgrade verify lambda lambda-bench bench compare streams assistants-eval retrieval-eval documents cache simulate rollback fairness overload neighbours fuzz faults soak

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: node_modules ## Install and start everything in the background, then send one chat request
	@$(RUN) up

down: node_modules ## Stop everything
	@$(RUN) down

status: node_modules ## Show the processes: pid, port, health, uptime, memory
	@$(RUN) status

logs: node_modules ## Follow the log of all services
	@$(RUN) logs

test: node_modules ## Run all tests with real Kafka, Redis and LiteLLM
	@$(RUN) test

test-cluster: node_modules ## Run the core tests on a Redis Cluster of three nodes
	@$(RUN) test:on-cluster

test-containers: node_modules ## Run the integration tests on testcontainers, and test docker-compose.yml; needs a Docker engine
	@$(RUN) test:on-containers && $(RUN) test:composition

lambda: node_modules ## Bundle the Lambda function into .turnout/lambda, and print its size
	@$(RUN) lambda

lambda-bench: node_modules ## Measure the Lambda function: cold starts, 1,000 warm invocations; exits with 1 if a job was lost
	@$(RUN) lambda-bench

check: node_modules ## Check format, lint, types, architecture rules and dead code; run the unit tests
	@$(RUN) check

bench: node_modules ## Measure latency, throughput and single hops; exits with 1 if a request failed
	@$(RUN) bench

compare: node_modules ## Compare first token and throughput with the last release; exits with 1 if this version is slower (RELEASE=x.y.z: with that release)
	@$(RUN) compare

streams: node_modules ## Hold 2,000 streams open on one ingress, some with slow readers; exits with 1 if a promise is broken
	@$(RUN) streams

assistants-eval: node_modules ## Measure quality and speed of assistant selection on CLINC150; exits with 1 if it is too slow (DATA=file: use a local copy)
	@$(RUN) assistants-eval -- $(DATA)

retrieval-eval: node_modules ## Measure how often retrieval finds the answer on XQuAD, by words, embeddings and both (DATA=file: use a local copy)
	@$(RUN) retrieval-eval -- $(DATA)

documents: node_modules ## Measure 200-page PDFs from upload to answer, and the memory; exits with 1 if an answer was wrong
	@$(RUN) documents

cache: node_modules ## Measure the per-user cache: limits, times, hit rates on public traces; exits with 1 if a limit is broken (DATA=folder: use local copies)
	@$(RUN) cache -- $(DATA)

simulate: node_modules ## Judge thousands of simulated rollouts: false rollbacks, time to detect a fault; exits with 1 if a promise is broken
	@$(RUN) simulate

rollback: node_modules ## Measure rollbacks under load: time until no job starts on LiteLLM any more; exits with 1 if that is too late
	@$(RUN) rollback

fairness: node_modules ## Measure how evenly users share the model, and how long jobs wait while another user has 10,000 jobs queued; exits with 1 if a promise is broken
	@$(RUN) fairness

overload: node_modules ## Send three times the model's capacity for five minutes; exits with 1 if a promise is broken
	@$(RUN) overload

neighbours: node_modules ## Measure ten users' streams while another user sends harmful requests; exits with 1 if a promise is broken (TROUBLES=text,text: only matching kinds)
	@$(RUN) neighbours

checkouts: node_modules ## Start four clones of this commit at the same time; exits with 1 if one does not start with its own processes
	@$(RUN) checkouts

upgrade: node_modules ## Upgrade from the last release and downgrade again under load; exits with 1 if a client noticed
	@$(RUN) upgrade

verify: node_modules ## Run the release checks that take too long for CI, with one report; takes hours (STEPS=name,name: only these)
	@$(RUN) verify

audit: node_modules ## Check production dependencies for known vulnerabilities; exits with 1 if one is high or critical
	@log=$$(mktemp); trap 'rm -f $$log' EXIT; \
	if npm audit --omit=dev --audit-level=high >$$log 2>&1; then tail -1 $$log; \
	elif grep -q 'audit endpoint returned an error' $$log; then echo 'Not audited: this registry has no advisories.'; \
	else cat $$log; exit 1; fi

fuzz: node_modules ## Send invalid requests and messages for ten minutes; exits with 1 if a promise is broken
	@$(RUN) fuzz

faults: node_modules ## Kill and freeze processes and cut connections under load; exits with 1 if a promise is broken (FULL=1: long run)
	@$(RUN) faults

soak: node_modules ## Run half load with restarts and kills for ten minutes; exits with 1 if something leaks or fails (FULL=1: an hour; MINUTES=n: n minutes)
	@$(RUN) soak

# Not `npm ci`: it refuses a lock file that was created with a registry that lacks the binaries of other platforms.
# `npm install --no-save` installs the locked versions, checks the same hashes and does not change the lock file.
node_modules: package-lock.json
	@echo "installing npm packages"
	@npm install --no-save --no-fund --no-audit --loglevel=error
	@touch node_modules

docs: node_modules ## Write the reference pages that are made from the code
	@$(RUN) docs

figures: node_modules ## Publish the reports that pages cite in docs/figures, and update their numbers; exits with 1 if a report is refused
	@$(RUN) figures
