# vaectl: "make run" makes a manifold, "make test" tests everything.

GO          ?= go
BINARY      := vaectl
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s
SEED        ?= 1
# Debian's, the one that sees its packages python3-numpy and python3-torch.
PYTHON      ?= /usr/bin/python3

.PHONY: all build run test test-mnist test-python lint race torture fuzz hostile bench bench-go bench-peers man dist dist-check clean

all: build

# One static binary: no cgo, no Python, no C toolchain.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BINARY) ./cmd/vaectl

# From nothing to a picture: train on the built-in sample, draw the manifold.
run: build
	./$(BINARY) train --data sample
	./$(BINARY) grid --n 15 > manifold.png
	@echo "look at manifold.png"

test:
	$(GO) test ./...

# The checks on the full MNIST, whose four files $$VAECTL_DATA names.
test-mnist:
	$(GO) test -tags mnist -run 'FullMNIST' -timeout 60m -v ./cmd/vaectl

# The README's Python snippet, with an interpreter that has numpy.
test-python:
	PYTHON=$(PYTHON) $(GO) test -tags python -run PythonSnippet ./cmd/vaectl

lint:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not gofmt'd:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) -C internal/gemm/asm vet ./...
	$(GO) -C internal/vec/asm vet ./...
	GOARCH=arm64 $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) generate ./...
	git diff --exit-code -- '*_amd64.s' '*_amd64.go'

race:
	$(GO) test -race ./internal/parallel ./conv ./nn ./internal/train ./internal/gemm ./internal/vec ./internal/fetch ./optim

# Trainings that are killed at random moments and resumed, 50 of them: some minutes.
# Then one whose disk fails at each of its operations.
torture:
	$(GO) test ./cmd/vaectl -run KilledTrainings -count 1 -timeout 60m -v -trainings 50 -killseed $(SEED)
	$(GO) test ./cmd/vaectl -run TrainingOnFailingDisk -count 1 -v -everywrite

# Every fuzz target for FUZZTIME each, little of which goes into making inputs smaller.
fuzz:
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$pkg || exit 1; \
		done; \
	done

# The largest resident size over files from a stranger, each given to the binary;
# "make test" does it with smaller ones.
hostile: build
	$(GO) test -count=1 -run '^TestHostileFiles$$' -v ./cmd/vaectl -hostile $(CURDIR)/$(BINARY)

# What this machine does: the ceiling of its CPU, products, layers, a step.
bench: build
	./$(BINARY) bench

# The benchmarks of Go's own kind.
bench-go:
	$(GO) test -run '^$$' -bench . ./...

# PyTorch beside vaectl, in one run; $$VAECTL_DATA may name the full MNIST. The
# script says what it needs.
bench-peers: build
	$(PYTHON) scripts/peers/compare.py --vaectl ./$(BINARY)

# The man pages, for $$MANPATH: man/man1 and man/man7.
man: build
	./$(BINARY) man man

# The binaries of a release for all platforms, with their checksums, in dist.
dist:
	GO=$(GO) scripts/dist.sh dist

# That two builds of this commit give the same bytes, on this platform.
dist-check:
	GO=$(GO) scripts/dist-check.sh

clean:
	rm -f $(BINARY) manifold.png
	rm -rf dist man
