# Touchstone. `make` lists the targets; arguments for the program go into ARGS,
# as in: make demo ARGS=--keep

GO          ?= go
BIN         := bin
FUZZTIME    ?= 20s
REALDATA    ?= ../shared/data
TESTTIMEOUT ?= 20m
COUNT       ?= 10

STATICCHECK   := v0.8.2
WORKFLOWCHECK := v0.6.0
SQLC          := v1.31.1

# A clone that belongs to another user makes git, and so version stamping, refuse.
BUILDVCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)

.DEFAULT_GOAL := help
.PHONY: help demo dev build test check fmt vet staticcheck workflowcheck race faults bench prove fuzz generate generate-check realdata clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## watch a season of marketing on real engines, in about three minutes
	@$(BIN)/touchstone demo $(ARGS)

dev: build ## start everything on this machine and print the links; Ctrl-C stops it
	@$(BIN)/touchstone dev $(ARGS)

build: ## build bin/touchstone
	@mkdir -p $(BIN)
	$(GO) build -buildvcs=$(BUILDVCS) -o $(BIN)/touchstone ./cmd/touchstone

test: ## run the tests, on engines that are found, built or installed first
	$(GO) test -timeout $(TESTTIMEOUT) -p 2 ./...

check: fmt vet staticcheck workflowcheck generate-check race ## everything a change must pass; needs a C compiler for the race detector

fmt: ## fail on files that gofmt would change
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go' 2>/dev/null || find . -name '*.go' -not -path './bin/*')); \
	if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi

vet: ## go vet
	$(GO) vet ./...

staticcheck: $(BIN)/.staticcheck-$(STATICCHECK) ## staticcheck
	$(BIN)/staticcheck ./...

workflowcheck: $(BIN)/.workflowcheck-$(WORKFLOWCHECK) ## fail on workflow code that could not be replayed
	$(GO) vet -vettool=$(abspath $(BIN))/workflowcheck ./workflows/...

race: ## run the tests, replay included, under the race detector
	$(GO) test -race -timeout 40m -p 2 ./...

faults: ## run the fault suite COUNT (10) times in a row
	$(GO) test -count=$(COUNT) -timeout 60m -run '^TestFault' -v ./internal/onebox

bench: build ## measure against minimal code in the same run and print the ratios
	@$(BIN)/touchstone bench $(ARGS)

prove: build ## measure what the experiment engine promises; misses exit non-zero (REALDATA names the data sets)
	@$(BIN)/touchstone experiment prove $(if $(wildcard $(REALDATA)),--realdata $(REALDATA)) $(ARGS)

fuzz: ## fuzz every parser for FUZZTIME (20s) each
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done

generate: $(BIN)/.sqlc-$(SQLC) ## write generated code anew
	$(BIN)/sqlc generate -f internal/postgres/sqlc.yaml

generate-check: $(BIN)/.sqlc-$(SQLC) ## fail when generated code is not what its sources say
	$(BIN)/sqlc diff -f internal/postgres/sqlc.yaml

realdata: ## run a win-back on real purchase histories and check its figures (REALDATA names the folder)
	@if [ -d "$(REALDATA)" ]; then \
		TOUCHSTONE_REALDATA="$(abspath $(REALDATA))" $(GO) test -count=1 -v -timeout 30m -run '^TestRealData' ./internal/realdata; \
	else echo "realdata: skipped, there is no folder $(REALDATA)"; fi

clean: ## remove what was built; data in .touchstone stay
	rm -rf $(BIN) demo-report.html

# Tools are installed on demand; the dotted file records the version.
$(BIN)/.staticcheck-$(STATICCHECK):
	$(call install,honnef.co/go/tools/cmd/staticcheck,$(STATICCHECK))

$(BIN)/.workflowcheck-$(WORKFLOWCHECK):
	$(call install,go.temporal.io/sdk/contrib/tools/workflowcheck,$(WORKFLOWCHECK))

$(BIN)/.sqlc-$(SQLC):
	$(call install,github.com/sqlc-dev/sqlc/cmd/sqlc,$(SQLC))

define install
	@mkdir -p $(BIN); rm -f $(BIN)/.$(notdir $(1))-*
	@echo "installing $(notdir $(1)) $(2) into $(BIN)"
	@GOBIN=$(abspath $(BIN)) GOFLAGS=-mod=mod $(GO) install $(1)@$(2)
	@touch $@
endef
