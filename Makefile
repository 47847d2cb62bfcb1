# Lockkeeper. `make help` lists what there is; `make demo` and `make test` are
# the two to begin with.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BIN      := bin/lockkeeper
FUZZTIME ?= 30s
BENCH    ?= all

# Many tests wait for a clock and bound the wait, so packages are tested one
# after the other (-p 1); what they share is compiled before, on all cores.

# One set of flags for builds, tests and lint: the SQL grammar is C and takes a
# minute to compile, once.
export GOFLAGS := -trimpath $(GOFLAGS)

# Tools run at a pinned version, outside go.mod: it keeps only what the product needs.
GOFUMPT  := go run mvdan.cc/gofumpt@v0.12.0
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VULN     := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use
.PHONY: build
build: ui ## build bin/lockkeeper
	@go build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/lockkeeper

# The page is built when its sources are newer. Without npm the server builds all
# the same, and its page says what is missing.
WEB := admin/ui/web
.PHONY: ui
ui: ## build the web page into admin/ui/dist, where the binary takes it from
	@if command -v npm >/dev/null; then $(MAKE) -s --no-print-directory admin/ui/dist/index.html; \
	  else echo "ui: npm is not installed: the binary is built without its web page"; fi
admin/ui/dist/index.html: $(shell git ls-files -c -o --exclude-standard $(WEB) | grep -v -e /e2e/ -e /mock/) | $(WEB)/node_modules/.package-lock.json
	@cd $(WEB) && npm run --silent build
	@touch $@
$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	@cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: demo
demo: deps-demo build ## a sample warehouse behind Lockkeeper, on this machine, until Ctrl-C
	@$(BIN) demo $(DEMO)

##@ Test
.PHONY: test
test: deps-test check ui-check unit smoke browser ## everything a change must pass: check, tests on a real Postgres, one smoke per driver

.PHONY: check
check: fmt lint arch race verify ## what to run before each commit

.PHONY: unit
unit: build ## all Go tests; those that need Postgres start their own
	@go vet ./... && go test -p 1 -shuffle=on -count=1 -timeout 10m ./...

.PHONY: ui-check
ui-check: ui ## the web page: types, lint, unit tests, size budgets
	@cd $(WEB) && npm run --silent check && npm test --silent && npm run --silent budget

.PHONY: browser
browser: build ## the page in a real Chromium, against the real server
	@go test -count=1 -tags browser -timeout 10m -run '^TestBrowser' ./cmd/lockkeeper

.PHONY: smoke
smoke: build ## one short run of each client driver that is installed
	@./proxy/proxytest/drivers/run --smoke

.PHONY: race
race: ## the packages with goroutines under the race detector
	@go build -race $(RACE) && go test -race -p 1 -short -shuffle=on -count=1 -timeout 10m $(RACE)
RACE = $(shell go list ./... | grep -v -e /bench -e /policy/sqlparse -e /cmd/ -e /admin/api -e /admin/backup -e /admin/store)

.PHONY: race-all
race-all: ## the race detector on those of the office, too, that take minutes under it
	@go test -race -p 1 -shuffle=on -count=1 -timeout 20m ./admin/...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each
	@go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r pkg; do \
	  for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
	  done; done

.PHONY: drivers
drivers: deps-drivers build ## the whole matrix of client drivers
	@./proxy/proxytest/drivers/run

.PHONY: conformance
conformance: deps-conformance build ## Postgres' own regression and isolation suites through the proxy
	@./proxy/proxytest/conformance/run

.PHONY: bench
bench: deps-bench build ## direct, Lockkeeper and PgBouncer side by side
	@go run ./bench -run $(BENCH)

.PHONY: golden
golden: ## rewrite the golden files; read the diff before you commit it
	@go list -f '{{$$d := .Dir}}{{range .TestGoFiles}}{{$$d}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$$d}}/{{.}} {{end}}' ./... | tr ' ' '\n' \
	  | xargs -r grep -l 'flag.Bool("rewrite"' | xargs -r -n1 dirname | sort -u | while read -r dir; do go test "$$dir" -count=1 -rewrite; done

.PHONY: cover
cover: ## statement coverage per package
	@go test -short -count=1 -cover ./... | awk '{print $$2, $$0 ~ /coverage:/ ? substr($$0, index($$0, "coverage:")) : ""}' | column -t

##@ House
.PHONY: fmt
fmt: ## formatting is gofumpt's; fails on a file that is not
	@out=$$($(GOFUMPT) -extra -l $$(git ls-files -c -o --exclude-standard '*.go')); \
	  if [ -n "$$out" ]; then echo "not formatted (run make format):"; echo "$$out"; exit 1; fi

.PHONY: format
format: ## write gofumpt's formatting
	@$(GOFUMPT) -extra -w $$(git ls-files -c -o --exclude-standard '*.go')

.PHONY: lint
lint: ## golangci-lint, go vet among it
	@$(GOLANGCI) run

.PHONY: arch
arch: ## the walls between the packages
	@go test -count=1 -run '^TestArch' ./cmd/lockkeeper

.PHONY: verify
verify: ## the checksums of all modules
	@go mod verify

.PHONY: vuln
vuln: verify ## the same, and known vulnerabilities when their database can be reached
	@code=0; timeout 120 $(VULN) ./... || code=$$?; \
	  if [ $$code -eq 3 ]; then exit 3; fi; \
	  if [ $$code -ne 0 ]; then echo "vuln: SKIPPED, NOT CHECKED: govulncheck could not reach its database (exit $$code)"; fi

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin .cache coverage.out

.PHONY: deps-demo deps-test deps-drivers deps-conformance deps-bench
deps-demo deps-test deps-drivers deps-conformance deps-bench: deps-%:
	@.ci/deps $*
