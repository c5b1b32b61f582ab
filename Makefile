# Each target is one thing a person types; CONTRIBUTING.md lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# --inexact leaves uv itself in .venv; --frozen takes uv.lock as it stands; --system-certs trusts whom this machine trusts;
# --compile-bytecode spares every first start a minute of compiling.
SYNC := UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --quiet --frozen --inexact --system-certs --compile-bytecode
PACKAGES := plink2 bcftools tabix libopenblas0-pthread postgresql
DEMO := demo

.PHONY: help setup tools peers demo test lint types contracts parity bench bench-full clean

help:
	@echo "make demo       a simulated cohort from gVCFs to a callset, checked and reported, command by command"
	@echo "make test       the whole test suite (first without a JVM, then with one)"
	@echo "make setup      everything a developer needs, into .venv"
	@echo "make peers      other programs of polygenic scoring, into .peers (make setup does it too)"
	@echo "make lint types contracts parity bench clean"

$(BIN)/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv

$(BIN)/.core: $(BIN)/uv pyproject.toml uv.lock
	$(SYNC) --no-dev
	@touch $@

# The demonstration makes its people with msprime, and draws pictures of them.
$(BIN)/.demo: $(BIN)/uv pyproject.toml uv.lock
	$(SYNC) --no-dev --extra simulate --extra report --extra omop
	@touch $@ $(BIN)/.core

$(BIN)/.all: $(BIN)/uv pyproject.toml uv.lock
	$(SYNC) --all-extras
	@touch $@ $(BIN)/.core $(BIN)/.demo

# plink2, bcftools and tabix are what the tests compare with; OpenBLAS is what makes plink2 quick.
tools:
	@missing=""; for package in $(PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ] || ! command -v apt-get >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo -n"; else \
	  echo "not installed:$$missing (tests that compare with them are skipped). To mend: sudo apt-get install$$missing"; exit 0; fi; \
	echo "installing$$missing"; \
	{ $$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null \
	|| echo "apt-get could not install$$missing: tests that compare with them are skipped."

# Peers of polygenic scoring, in an environment of their own: they want older libraries than ours.
peers: $(BIN)/uv
	@wanted=benchmarks/peers/requirements.txt; \
	if cmp --silent $$wanted .peers/requirements.txt; then exit 0; fi; \
	echo "installing the peers of polygenic scoring into .peers"; \
	if { [ -x .peers/bin/python ] || $(BIN)/uv venv --quiet --python $(BIN)/python .peers; } && \
	  UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip sync --quiet --system-certs --compile-bytecode --python .peers/bin/python $$wanted; \
	then cp $$wanted .peers/requirements.txt; \
	else echo "the peers could not be installed (no network?): tests and benchmarks that compare with them are skipped."; fi

setup: tools $(BIN)/.all peers

# Less than a megabase of sequence: a few hundred unlinked sites, which tell first-degree relatives from strangers and not
# cousins; its few sites of ancestry are pruned less than a genome's.
demo: $(BIN)/.demo
	rm -rf $(DEMO)
	@run() { echo; echo "\$$ $$*"; $(BIN)/"$$@"; }; \
	run cohelix simulate cohort -o $(DEMO)/cohort --size demo --seed 1; \
	run cohelix simulate describe $(DEMO)/cohort -o $(DEMO)/cohort-report; \
	run cohelix joint lint $(DEMO)/cohort/wgs/manifest.tsv; \
	run cohelix joint ingest $(DEMO)/cohort/wgs/manifest.tsv -o $(DEMO)/cohort.calls; \
	run cohelix joint call $(DEMO)/cohort.calls -o $(DEMO)/cohort.callset --fasta $(DEMO)/cohort/reference/genome.fa.gz; \
	run cohelix genotypes describe $(DEMO)/cohort.callset; \
	run cohelix simulate compare $(DEMO)/cohort $(DEMO)/cohort.callset; \
	run cohelix qc arrays $(DEMO)/cohort/arrays/batch*.vcf.gz -o $(DEMO)/arrays-qc --callset $(DEMO)/arrays.callset \
	  --reference $(DEMO)/cohort/reference/genome.fa.gz; \
	run cohelix qc concordance $(DEMO)/arrays.callset $(DEMO)/cohort.callset --links $(DEMO)/cohort/links.tsv -o $(DEMO)/concordance; \
	run cohelix qc samples $(DEMO)/cohort.callset -o $(DEMO)/first-qc --arrays $(DEMO)/arrays-qc --concordance $(DEMO)/concordance; \
	run cohelix joint call $(DEMO)/cohort.calls -o $(DEMO)/cohort.callset --fasta $(DEMO)/cohort/reference/genome.fa.gz \
	  --sexes $(DEMO)/first-qc/sexes.tsv; \
	run cohelix genotypes import $(DEMO)/cohort/panel/genotypes.pgen -o $(DEMO)/panel.callset; \
	run cohelix ancestry panel $(DEMO)/panel.callset --labels $(DEMO)/cohort/panel/labels.tsv -o $(DEMO)/reference.callset \
	  --set genotypes.select.ld_r2=0.5; \
	run cohelix ancestry fit $(DEMO)/reference.callset -o $(DEMO)/pca --preset aou-v8; \
	run cohelix ancestry project $(DEMO)/pca $(DEMO)/cohort.callset -o $(DEMO)/projected; \
	run cohelix ancestry assign $(DEMO)/pca $(DEMO)/projected -o $(DEMO)/ancestry --preset aou-v8; \
	run cohelix genotypes select $(DEMO)/cohort.callset -o $(DEMO)/unlinked.callset --set genotypes.select.min_maf=0.05; \
	run cohelix relatedness estimate $(DEMO)/unlinked.callset -o $(DEMO)/relatedness --pcs $(DEMO)/projected/scores.tsv \
	  --set relatedness.estimate.min_kinship=0.0884; \
	run cohelix relatedness prune $(DEMO)/relatedness -o $(DEMO)/unrelated; \
	run cohelix simulate compare-ancestry $(DEMO)/cohort --relatedness $(DEMO)/relatedness --unrelated $(DEMO)/unrelated \
	  --ancestry $(DEMO)/ancestry; \
	run cohelix qc samples $(DEMO)/cohort.callset -o $(DEMO)/samples-qc --arrays $(DEMO)/arrays-qc --concordance $(DEMO)/concordance \
	  --pcs $(DEMO)/projected/scores.tsv --ancestry $(DEMO)/ancestry/ancestry_preds.tsv; \
	run cohelix simulate compare-qc $(DEMO)/cohort --samples $(DEMO)/samples-qc --arrays $(DEMO)/arrays-qc --concordance $(DEMO)/concordance; \
	run cohelix qc variants $(DEMO)/cohort.callset -o $(DEMO)/sites.qc --ancestry $(DEMO)/ancestry/ancestry_preds.tsv; \
	run cohelix qc report $(DEMO)/samples-qc $(DEMO)/sites.qc $(DEMO)/arrays-qc $(DEMO)/concordance $(DEMO)/relatedness \
	  $(DEMO)/unrelated $(DEMO)/pca $(DEMO)/projected $(DEMO)/ancestry -o $(DEMO)/qc/index.html; \
	run cohelix prs score $(DEMO)/cohort.callset --scores $(DEMO)/cohort/prs/scores -o $(DEMO)/prs --preset plink2; \
	run cohelix prs adjust $(DEMO)/prs -o $(DEMO)/prs-adjusted --pcs $(DEMO)/projected/scores.tsv \
	  --ancestry $(DEMO)/ancestry/ancestry_preds.tsv --train $(DEMO)/unrelated/unrelated.tsv; \
	run cohelix prs evaluate $(DEMO)/prs -o $(DEMO)/prs-evaluated --phenotypes $(DEMO)/cohort/phenotypes.tsv \
	  --pcs $(DEMO)/projected/scores.tsv --ancestry $(DEMO)/ancestry/ancestry_preds.tsv \
	  --set prs.evaluate.centre_group=eur --set prs.evaluate.distance_bins=4; \
	run cohelix simulate compare-prs $(DEMO)/cohort --scores $(DEMO)/prs --adjusted $(DEMO)/prs-adjusted \
	  --evaluation $(DEMO)/prs-evaluated; \
	run cohelix prs export $(DEMO)/prs -o $(DEMO)/aggregated_scores.txt.gz; \
	run cohelix pgx call $(DEMO)/cohort.calls -o $(DEMO)/pgx.parquet --fasta $(DEMO)/cohort/reference/genome.fa.gz \
	  --sexes $(DEMO)/first-qc/sexes.tsv --set pgx.call.indels_of_blocks=reference; \
	run cohelix simulate compare-pgx $(DEMO)/cohort --calls $(DEMO)/pgx.parquet; \
	run cohelix pgx frequencies $(DEMO)/pgx.parquet -o $(DEMO)/pgx-frequencies --groups $(DEMO)/ancestry/ancestry_preds.tsv; \
	run cohelix pgx export $(DEMO)/pgx.parquet -o $(DEMO)/pgx.tsv.gz; \
	run cohelix omop validate $(DEMO)/cohort/omop -o $(DEMO)/omop-findings.tsv; \
	cp pipelines/inputs/release.toml $(DEMO)/inputs.toml; cp pipelines/inputs/trust.toml $(DEMO)/trust.toml; touch $(DEMO)/revoked.txt; \
	run cohelix release keys -o $(DEMO)/keys; \
	run cohelix release build $(DEMO)/inputs.toml --tier public -o $(DEMO)/releases/public --name P2026Q4R1 --keys $(DEMO)/keys; \
	run cohelix release build $(DEMO)/inputs.toml --tier registered -o $(DEMO)/releases/registered --name R2026Q4R1 --keys $(DEMO)/keys; \
	run cohelix release build $(DEMO)/inputs.toml --tier controlled -o $(DEMO)/releases/controlled --name C2026Q4R1 --keys $(DEMO)/keys; \
	run cohelix release verify $(DEMO)/releases/controlled/C2026Q4R1 --keys $(DEMO)/keys; \
	run cohelix release scan $(DEMO)/releases --ids $(DEMO)/relatedness/samples.tsv --keys $(DEMO)/keys; \
	run cohelix release issuer -o $(DEMO)/dac; \
	run cohelix release grant $(DEMO)/dac -o $(DEMO)/visa.jwt --iss https://dac.cohort.example --subject researcher-7 \
	  --audience https://cohort.example/cohelix --dataset https://cohort.example/releases --tier controlled --training extended \
	  --trained $$(date +%F) --agreement 1 --institution "A university" --review-board IRB-17 --not-commercial; \
	export COHELIX_PASSPORT=$(DEMO)/visa.jwt COHELIX_TRUST=$(DEMO)/trust.toml; \
	run cohelix release who-can $(DEMO)/releases/controlled/C2026Q4R1; \
	run cohelix release open $(DEMO)/releases/controlled/C2026Q4R1 -o $(DEMO)/workspace; \
	run cohelix prs score $(DEMO)/workspace/wgs/short_read/snpindel/callset --scores $(DEMO)/cohort/prs/scores \
	  -o $(DEMO)/workspace-prs --preset plink2; \
	run cohelix release audit $(DEMO)/audit
	@echo; echo "Quality control is $(DEMO)/qc/index.html: open it in a browser."
	@echo "Who was flagged, why and at which cut-off: $(DEMO)/samples-qc/sample_flags.parquet; TSVs beside it have All of Us's columns."
	@echo "Pictures of the people are in $(DEMO)/cohort-report: *.png, and statistics.tsv beside what is published."
	@echo "Relatives: $(DEMO)/relatedness/relatedness.tsv; ancestry groups: $(DEMO)/ancestry/ancestry_preds.tsv."
	@echo "Accuracy of polygenic scores by ancestry is $(DEMO)/prs-evaluated/index.html: open it in a browser."
	@echo "The scores are $(DEMO)/prs/scores.parquet; comparable across ancestries: $(DEMO)/prs-adjusted/adjusted.parquet."
	@echo "Star alleles and phenotypes are $(DEMO)/pgx.parquet, one row a person and gene; what was called and not: $(DEMO)/pgx.parquet/_pgx/summary.tsv."
	@echo "Releases of three tiers are $(DEMO)/releases, each with its README.md; the controlled one, opened with a grant: $(DEMO)/workspace."
	@echo "The callset is $(DEMO)/cohort.callset: genotypes/*.pgen (open them with plink2), sites/*.parquet, samples-*.parquet."

test: setup
	$(BIN)/pytest -n auto --dist loadfile -m "not jvm"
	$(BIN)/pytest -m jvm

lint: $(BIN)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.all
	$(BIN)/mypy

contracts: $(BIN)/.all
	$(BIN)/lint-imports

parity: setup
	$(BIN)/pytest tests/parity tests/external

# Scores of 5,000 made people against the truth: a quarter of an hour; fails where one thing that must be shown is not.
prove-prs: setup
	@$(BIN)/python benchmarks/prove_prs.py

# On little data, in minutes, nothing recorded; bench-full takes hours and adds to benchmarks/results.
bench: setup
	@$(BIN)/python benchmarks/jobs.py all --quick

bench-full: setup
	$(BIN)/python benchmarks/jobs.py all --cold

clean:
	rm -rf $(DEMO) dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
