# Concord. `make` shows what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := bin/concord
CACHE := $(CURDIR)/.cache
LINT_VERSION := v2.15.0
LINT := $(CACHE)/golangci-lint-$(LINT_VERSION)
PLANTED := skipsync answerearly forgetdedup dropoutbox staleread breakchain skipmark \
	skipfence skipqueue keepexpired losepark \
	mergeblind dropconflict stalescript skipsecond \
	skiplink dropcorrection halfjob droplinks \
	applytwice overtake lostitem stickycancel staleindex \
	ignoreforeign lostundo wrongmark unpinned othersession
FUZZTIME ?= 10s
GO_FILES := $(shell git ls-files '*.go' 2>/dev/null)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build bin/concord
	go build -trimpath -o $(BIN) ./cmd/concord

.PHONY: demo
demo: build ## The main job: start the service, import a sample, update it from many clients, show its history
	./deploy/demo.sh $(BIN)

.PHONY: check
check: vet lint plain race faults fuzz planted ## Everything that CI runs, in about 14 minutes on two quiet cores

.PHONY: vet
vet: build ## Build and vet
	go vet ./...

$(LINT):
	mkdir -p $(CACHE)/install
	GOBIN=$(CACHE)/install go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(CACHE)/install/golangci-lint $(LINT)

.PHONY: lint
lint: $(LINT) ## Style, import directions, purity; then that each import rule catches a planted violation
	$(LINT) run
	./deploy/planted-lint.sh $(LINT)

.PHONY: test
test: build ## All tests but those of the faults
	go test -shuffle=on $$(go list ./... | grep -v internal/faults)

# What has goroutines of its own is tested once, under the race detector; without it, too: the workers of scripts, whose memory it
# distorts, and the tests of the doors that are large, of which it sees a part.
RACED := ./persistence/ ./actors/... ./transport/... ./internal/node/

.PHONY: plain
plain: build
	go test -shuffle=on $$(go list ./... | grep -v internal/faults | grep -vxFf <(go list $(RACED))) ./actors/script/quickjs ./transport/operations ./transport/httpapi

.PHONY: race
race: ## The packages with goroutines of their own, under the race detector
	go test -race -shuffle=on $(RACED)

.PHONY: faults
faults: ## Kill and pause a real process under load, and judge what is left
	go test -count=1 -timeout 10m ./internal/faults

.PHONY: torture
torture: ## 300 kills, ten times the linearizability histories, 30,000 crash clones
	CONCORD_KILL_CYCLES=300 CONCORD_LINEARIZABLE_ROUNDS=30 CONCORD_LINKED_DOCUMENTS=100000 CONCORD_BULK_ITEMS=100000 CONCORD_EDIT_RECORDS=100000 go test -count=1 -timeout 120m -v ./internal/faults
	CONCORD_CRASH_CLONES=30000 go test -count=1 -timeout 60m ./persistence/... ./actors/...

.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZTIME (10s)
	./deploy/fuzz.sh $(FUZZTIME)

.PHONY: planted
planted: ## Plant each known bug, and see the suite fail
	./deploy/planted.sh $(PLANTED)

.PHONY: ci-long
ci-long: ## What is too long for each change: torture, fuzz for minutes
	$(MAKE) torture fuzz FUZZTIME=5m

.PHONY: bench
bench: build ## The speed table of docs/BENCHMARKS.md, side by side with the contenders
	./deploy/bench.sh $(BIN)

.PHONY: docs
docs: ## Write docs/WIRE.md and the README's table, as the code has them
	go run ./internal/docs wire > docs/WIRE.md
	sed -i '/^## Settings and bounds/,$$!b;/^| setting/,$$d' README.md
	go run ./internal/docs bounds >> README.md

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin .demo
