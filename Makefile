# Every task has a target here; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# The flags of the deployed functions, for every build: tests and lint then share their build cache, and what is tested is
# what is deployed.
export CGO_ENABLED ?= 0
export GOFLAGS ?= -trimpath -buildvcs=false
# The Go version is part of its name: it reads what that version compiles.
LINT := .tools/bin/lint-$(shell $(GO) env GOVERSION 2>/dev/null)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: lint
lint: $(LINT) ## gofmt, go vet, staticcheck, import directions, and words that our texts avoid
	@unformatted=$$(git ls-files "*.go" | xargs gofmt -l); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	@# fewer garbage collections than Go's default, in at most some 2 GB
	@GOGC=400 GOMEMLIMIT=2GiB $< ./... || { echo "lint failed, see above" >&2; exit 1; }
	@$(GO) run ./shared/dev/words
	@echo "lint: nothing found"

.PHONY: words
words: ## List the words that our texts avoid, as file:line, with what to say instead: WORDS='docs shared/core'
	@$(GO) run ./shared/dev/words $(WORDS)

# A module of its own, so that our go.mod holds no linters.
$(LINT): $(wildcard shared/dev/lint/*.go shared/dev/lint/go.*)
	@echo "building and testing our linter, once"
	@cd shared/dev/lint && GOGC=800 $(GO) test . && GOGC=800 $(GO) build -ldflags='-s -w' -o $(CURDIR)/$@ .

.PHONY: tools
tools: ## Install what the tests need (mongod, moto, ministack, Redis, anvil, schemathesis, the CDK ...) from the registries into .tools
	@shared/dev/tools/install

.PHONY: test
test: ## Install what the tests need and run them
	@GO='$(GO)' shared/dev/tools/test

.PHONY: test-api
test-api: tools ## Test the HTTP API with schemathesis (API_EXAMPLES=300 requests an operation)
	ORCHESTRATOR_REQUIRE_TOOLS=1 ORCHESTRATOR_API_EXAMPLES=$(or $(API_EXAMPLES),300) $(GO) test -count=1 -v -run 'Schemathesis|OpenAPI' ./shared/controller/api

.PHONY: test-permissions
test-permissions: tools ## Record what the deployed functions ask of AWS and compare it with the synthesized policies, in both directions
	ORCHESTRATOR_REQUIRE_TOOLS=1 $(GO) test -count=1 -timeout 20m -v -run 'TestDeploy$$|TestSettlesOnBatch|TestEvaluator|TestCallsOf|TestUnused' ./scripts/e2e

# StarkWare's own core contract, of a checkout.
STARKNET_SOL := $(CURDIR)/.tools/starknet-sol
COMPILE_STARKNET_SOL = cd shared/dev/ethereum/contracts && npm ci --no-fund --no-audit --silent && \
  node compile-starknet.js "$(abspath $(SOLIDITY))" $(STARKNET_SOL)

.PHONY: contracts
contracts: ## Compile the development contracts (npm solc); their bytecode is committed
	cd shared/dev/ethereum/contracts && npm ci --no-fund --no-audit && node compile.js

.PHONY: deploy-contracts
deploy-contracts: ## Deploy contracts on anvil or Sepolia: RPC=URL KEY=FILE, ARGS=-help
	@$(if $(SOLIDITY),$(COMPILE_STARKNET_SOL))
	@mkdir -p build && $(GO) build -o build/contracts ./scripts/contracts
	@build/contracts $(if $(RPC),-rpc '$(RPC)') $(if $(KEY),-key '$(KEY)') $(if $(ENV),-env '$(ENV)') $(if $(LAYER),-layer '$(LAYER)') \
	  $(if $(CORE),-core '$(CORE)',$(if $(SOLIDITY),-core $(STARKNET_SOL)/Starknet.json)) $(if $(VERIFIER),-verifier '$(VERIFIER)') \
	  $(if $(OPERATOR),-operator '$(OPERATOR)') $(if $(REGISTRAR),-registrar '$(REGISTRAR)') $(if $(SETTLED),-settled '$(SETTLED)') \
	  $(if $(CHAIN_RPC),-chain-rpc '$(CHAIN_RPC)') $(if $(VERSION),-starknet-version '$(VERSION)') $(if $(FUND),-fund '$(FUND)') \
	  $(if $(ANOTHER),-another) $(if $(DRY_RUN),-dry-run) $(ARGS)

.PHONY: docs
docs: ## Write the generated parts of docs/ (job states, settings) from the code; a test compares them
	$(GO) run ./shared/dev/docs

.PHONY: run
run: ## Settle a development chain on this machine: BLOCKS=N|PATH SEED= VERSION= LAYER= SETTLE= CONTRACT= DA= SPEED= SNOS= PROVER= API= FAIL= OTLP= DRY_RUN=1 MONGO= QUEUE= ...
	@mkdir -p build && $(GO) build -o build/run ./scripts/run
	@build/run $(if $(BLOCKS),-blocks '$(BLOCKS)') $(if $(SEED),-seed '$(SEED)') $(if $(VERSION),-starknet-version '$(VERSION)') $(if $(LAYER),-layer '$(LAYER)') \
	  $(if $(SPEED),-speed '$(SPEED)') $(if $(SNOS),-snos '$(SNOS)') $(if $(PROVER),-prover '$(PROVER)') \
	  $(if $(DRY_RUN),-dry-run) $(if $(FAIL),-fail '$(FAIL)') $(if $(API),-api '$(API)') $(if $(OTLP),-otlp '$(OTLP)') $(if $(TIMEOUT),-timeout '$(TIMEOUT)') $(if $(V),-v) \
	  $(if $(MONGO),-mongo '$(MONGO)') $(if $(REDIS),-redis '$(REDIS)') $(if $(AWS),-aws '$(AWS)') $(if $(KEEP),-keep) $(if $(QUEUE),-queue '$(QUEUE)') \
	  $(if $(ETHEREUM),-ethereum '$(ETHEREUM)') $(if $(ETHEREUM_KEY),-ethereum-key '$(ETHEREUM_KEY)') \
	  $(if $(STARKNET),-starknet '$(STARKNET)') $(if $(WEBSOCKET),-websocket '$(WEBSOCKET)') $(if $(SETTLE),-settle '$(SETTLE)') $(if $(CONTRACT),-contract '$(CONTRACT)') $(if $(DA),-da '$(DA)') $(if $(DA_ETHEREUM),-da-ethereum '$(DA_ETHEREUM)') \
	  $(if $(CORE),-core '$(CORE)') $(if $(VERIFIER),-verifier '$(VERIFIER)') $(ARGS)

GRPCRUNNER := shared/client/snosrunner/grpcrunner
.PHONY: proto
proto: ## Write the Go code of the SNOS runner's .proto (protoc from PyPI); it is committed
	@python3 -m venv .tools/proto && .tools/proto/bin/pip install --quiet --disable-pip-version-check -r $(GRPCRUNNER)/proto.txt
	@GOBIN=$(CURDIR)/.tools/proto/bin $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
	@GOBIN=$(CURDIR)/.tools/proto/bin $(GO) install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0
	@PATH=$(CURDIR)/.tools/proto/bin:$$PATH .tools/proto/bin/python -m grpc_tools.protoc -I $(GRPCRUNNER) --go_out=$(GRPCRUNNER)/runnerpb \
	  --go_opt=paths=source_relative --go-grpc_out=$(GRPCRUNNER)/runnerpb --go-grpc_opt=paths=source_relative runner.proto

ORACLE := .tools/oracle
PIE_TESTDATA := shared/starknet/pie/testdata

$(ORACLE)/oracle.txt: $(PIE_TESTDATA)/oracle.txt
	@command -v python3 >/dev/null || { echo "test-oracle: python3 is missing" >&2; exit 1; }
	@python3 -m venv $(ORACLE) || { echo "test-oracle: python3 can't make a venv; on Debian: apt install python3-venv" >&2; exit 1; }
	@$(ORACLE)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $< || \
	  { echo "test-oracle: cairo-lang can't be installed from PyPI, see $<" >&2; exit 1; }
	@cp $< $@

.PHONY: test-oracle
test-oracle: $(ORACLE)/oracle.txt ## Compare Cairo PIEs and facts with cairo-lang, which is installed from PyPI
	ORCHESTRATOR_ORACLE=$(CURDIR)/$(ORACLE)/bin/python $(GO) test -count=1 -run Oracle ./shared/starknet/pie/...

.PHONY: test-starknet-sol
test-starknet-sol: tools ## Settle recorded batches on StarkWare's own core contract: SOLIDITY=CHECKOUT of github.com/starkware-libs/cairo-lang
	@[ -n "$(SOLIDITY)" ] || { echo "test-starknet-sol: say where: SOLIDITY=CHECKOUT of github.com/starkware-libs/cairo-lang (no package registry has the contract)" >&2; exit 1; }
	@$(COMPILE_STARKNET_SOL)
	ORCHESTRATOR_REQUIRE_TOOLS=1 ORCHESTRATOR_STARKNET_SOL=$(STARKNET_SOL) $(GO) test -count=1 -v -run TestStarknetSol ./shared/client/ethereum ./scripts/contracts

.PHONY: test-devnet
DEVNET := .tools/devnet/bin/starknet-devnet
$(DEVNET):
	@command -v cargo >/dev/null || { echo "test-devnet: cargo is missing: https://rustup.rs" >&2; exit 1; }
	@echo "building starknet-devnet, once (some 10 minutes)"
	@CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$(CURDIR)/.tools/devnet/target nice -n 15 \
	  cargo install starknet-devnet --version 0.8.1 --locked --debug --quiet --root $(CURDIR)/.tools/devnet
	@rm -rf .tools/devnet/target

# starknet.js, beside the node
.tools/devnet/node_modules: shared/dev/devnet/package-lock.json
	@cp shared/dev/devnet/package*.json .tools/devnet/ && cd .tools/devnet && npm ci --no-fund --no-audit --silent && touch node_modules

test-devnet: $(DEVNET) .tools/devnet/node_modules ## On starknet-devnet, a real Starknet node that cargo builds once: test the wallet and new heads on it, and settle its blocks
	@cp shared/dev/devnet/*.mjs .tools/devnet/
	ORCHESTRATOR_DEVNET=$(CURDIR)/$(DEVNET) $(GO) test -count=1 -timeout 30m -v -run Devnet -parallel 4 ./shared/client/starknet ./shared/client/appchain ./scripts/run

.PHONY: test-saya
test-saya: $(DEVNET) .tools/devnet/node_modules ## On starknet-devnet, with the core contract that Saya deploys: SAYA=CHECKOUT of github.com/dojoengine/saya
	@[ -n "$(SAYA)" ] || { echo "test-saya: say where: SAYA=CHECKOUT of github.com/dojoengine/saya" >&2; exit 1; }
	@cp shared/dev/devnet/*.mjs .tools/devnet/
	ORCHESTRATOR_DEVNET=$(CURDIR)/$(DEVNET) ORCHESTRATOR_SAYA=$(abspath $(SAYA)) $(GO) test -count=1 -v -run Saya ./shared/client/starknet

.PHONY: cost
cost: ## What a deployment costs a month, counted in the simulation: ARGS='-layer l3 -snos-blocks 50 -pie 40 ...'
	@mkdir -p build && $(GO) build -o build/cost ./scripts/cost && build/cost $(ARGS)

.PHONY: adopt
adopt: ## Take a chain over from Madara's own orchestrator: OLD=its .env, ENV=settings, ARGS=-apply (without: only look)
	@mkdir -p build && $(GO) build -o build/adopt ./scripts/adopt && build/adopt $(if $(OLD),-old '$(OLD)') $(if $(ENV),-env '$(ENV)') $(ARGS)

.PHONY: inspect
inspect: ## Encode and decode blobs, PIEs, outputs and calldata: make inspect ARGS='pie FILE --aggregator' (ARGS=help lists all)
	@mkdir -p build && $(GO) build -o build/inspect ./scripts/inspect && build/inspect $(ARGS)

.PHONY: invoke
invoke: ## Run a function once behind the Lambda Runtime API: FN=snosrun EVENT=events/sqs/snosrun_process.json [ENV=FILE] [TIMEOUT=5s]
	@$(if $(ENV),,shared/dev/tools/install >&2)
	@mkdir -p build && $(GO) build -o build/invoke-cli ./scripts/invoke
	@build/invoke-cli $(if $(FN),-fn '$(FN)') $(if $(EVENT),-event '$(EVENT)') $(if $(ENV),-env '$(ENV)') $(if $(TIMEOUT),-timeout '$(TIMEOUT)') $(ARGS)

SOAK ?= 50
.PHONY: soak
soak: tools ## 100 times SOAK (50) simulated seeds a layer, every crash point, then real processes killed for 10 minutes
	ORCHESTRATOR_SOAK=$(SOAK) $(GO) test -count=1 -timeout 6h -v -run 'TestRandomFaults|TestCrashSweep' ./shared/simulation
	ORCHESTRATOR_REQUIRE_TOOLS=1 ORCHESTRATOR_SOAK_TIME=10m $(GO) test -count=1 -timeout 40m -v -run TestKilled ./scripts/e2e
	ORCHESTRATOR_REQUIRE_TOOLS=1 ORCHESTRATOR_SOAK_TIME=10m $(GO) test -count=1 -timeout 40m -v -run 'TestBrokerIsKilled|TestBrokerKilledDuringARun' \
		./shared/client/kafka ./scripts/run

.PHONY: mutations
mutations: ## Compile deliberate bugs into the simulation; each must be caught within 200 seeds: BUGS='no_fee_cap|...' for some of them
	ORCHESTRATOR_MUTATIONS=1 $(GO) test -count=1 -timeout 2h -v -run 'TestMutations/$(if $(BUGS),^($(BUGS))$$)' ./shared/simulation

.PHONY: rehearse
rehearse: tools ## Rehearse upgrading from commit 5030cc5, and rolling back to it and going on: both builds' functions on one database
	ORCHESTRATOR_REQUIRE_TOOLS=1 ORCHESTRATOR_REHEARSE=1 $(GO) test -count=1 -timeout 20m -v -run TestRehearse ./scripts/e2e

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg | tail -1; \
	  done; \
	done

.PHONY: bench
bench: ## Run the benchmarks of the protocol arithmetic
	$(GO) test -run '^$$' -bench . -benchtime 20x ./shared/starknet/...

.PHONY: bench-settlement
bench-settlement: tools ## Batches a block of the settlement layer, one state update at a time and several: in the simulation, on go-ethereum's chain, on anvil
	$(GO) test -count=1 -v -run TestBacklog ./shared/simulation
	@mkdir -p build && $(GO) build -o build/run ./scripts/run
	@bash scripts/run/backlog.sh build/run .tools/node/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil

.PHONY: bench-queues
bench-queues: tools ## Wake-ups a second through a Kafka broker and through SQS as ministack has it, in one run, and their ratio
	$(GO) test -run '^$$' -bench Wakeups -benchtime 3x ./shared/client/kafka

JOBS ?= 1000000
.PHONY: bench-retention
bench-retention: tools ## Move JOBS (1000000) jobs with their batches from a real mongod into files: time, memory, and a line for each document
	ORCHESTRATOR_REQUIRE_TOOLS=1 ORCHESTRATOR_RETENTION_JOBS=$(JOBS) $(GO) test -count=1 -timeout 3h -v -run TestMeasure ./shared/service/retention

.PHONY: bench-fees
bench-fees: ## What settling while fees are low (SETTLEMENT_FEE_TARGET) costs as a part of settling at once, on generated fees
	$(GO) test -run '^$$' -bench Fees -benchtime 1x ./shared/core/tx

# CDK: CHAINS is the file of chains (infra/chains.yaml), STACKS which stacks (all), APPROVAL as cdk deploy has it. infra/cdk.sh checks them: make
# takes them as they are, expands nothing in them and hands them over in the environment.
CHAINS ?= infra/chains.yaml
STACKS ?= --all
APPROVAL ?= broadening
MAP ?=
override CHAINS := $(value CHAINS)
override STACKS := $(value STACKS)
override APPROVAL := $(value APPROVAL)
override MAP := $(value MAP)
export CHAINS STACKS APPROVAL MAP

.tools/cdk/node_modules/.bin/cdk: infra/package.json infra/package-lock.json
	@shared/dev/tools/install cdk && touch $@

.PHONY: synth deploy diff destroy import
synth: .tools/cdk/node_modules/.bin/cdk ## Check the chains' configuration and write their templates to cdk.out (CHAINS=infra/chains.yaml)
	@infra/cdk.sh synth

deploy: .tools/cdk/node_modules/.bin/cdk ## Deploy the chains' stacks into your AWS account (once before: make bootstrap)
	@infra/cdk.sh deploy

diff: .tools/cdk/node_modules/.bin/cdk ## Show what deploy would change
	@infra/cdk.sh diff

destroy: .tools/cdk/node_modules/.bin/cdk ## Remove the stacks (prod: protected, and its data stay: infra/README.md, Remove)
	@infra/cdk.sh destroy

import: .tools/cdk/node_modules/.bin/cdk ## Begin a stack with what stayed of a removed one: STACKS=Orchestrator-mychain MAP=FILE (infra/README.md, Restore)
	@infra/cdk.sh import

.PHONY: cloud
cloud: ## Deploy and settle on this machine: the stack that goes to AWS, in an AWS emulator: LAYER=l2|l3 WALLET=key|kms BLOCKS= SPEED= FAIL=prover@3|l1|mongo KEEP=1 V=1 TIMEOUT=
	@shared/dev/tools/install mongod ministack anvil cdk
	@mkdir -p build && $(GO) build -o build/cloud ./scripts/cloud
	@build/cloud $(if $(LAYER),-layer '$(LAYER)') $(if $(WALLET),-wallet '$(WALLET)') $(if $(BLOCKS),-blocks '$(BLOCKS)') $(if $(KEEP),-keep) $(if $(V),-v) \
	  $(if $(SPEED),-speed '$(SPEED)') $(if $(FAIL),-fail '$(FAIL)') $(if $(TIMEOUT),-timeout '$(TIMEOUT)') $(ARGS)

.PHONY: ops
ops: ## Operate a deployment: CHAIN=mychain ARGS='status' (ARGS=help lists the commands); of make run API=: ARGS='-url http://127.0.0.1:8080 status'
	@mkdir -p build && $(GO) build -o build/ops ./scripts/ops
	@build/ops $(if $(CHAIN),-chain '$(CHAIN)') $(ARGS)

.PHONY: bootstrap
bootstrap: .tools/cdk/node_modules/.bin/cdk ## Prepare an account and region for the CDK, once
	@infra/cdk.sh bootstrap
