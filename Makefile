# Targets: demo (a conversation), test (everything), check (test without pytest), bench (how fast it is;
# writes docs/performance.md), test-oldest (pytest with the oldest dependencies),
# compat (held against the official packages), docs (the pages as a site),
# integrations (with vcrpy, FastAPI, Gradio, Sentry and others),
# soak (100,000 calls through a proxy that harms connections), mutants (whether the tests notice small changes), clean.
# Another Python or place: make test PYTHON=python3.10 VENV=.venv-3.10

PYTHON ?= python3
VENV ?= .venv
OLDEST_VENV ?= .venv-oldest
COMPAT_VENV ?= .venv-compat
BENCH_VENV ?= .venv-bench
DOCS_VENV ?= .venv-docs
INTEGRATIONS_VENV ?= .venv-integrations

BIN := $(VENV)/bin
METADATA := pyproject.toml requirements.txt setup.py

.PHONY: test
test: check
	$(BIN)/python -m pytest

.PHONY: demo
demo: $(VENV)/installed
	@$(BIN)/python docs/examples/demo.py

.PHONY: bench
bench: $(VENV)/bench-installed $(BENCH_VENV)/installed
	@FREECHAT_BENCH_PYTHON=$(abspath $(BENCH_VENV))/bin/python \
		$(BIN)/python -m pytest -q --no-header --benchmark-enable --benchmark-quiet test/benchmarks

.PHONY: check
check: $(VENV)/installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python -m mypy
	$(BIN)/python -m test.snippets build/snippets
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m codegen --check

.PHONY: test-oldest
test-oldest: $(OLDEST_VENV)/installed
# dateutil 2.8 calls what Python 3.12 deprecates.
	$(OLDEST_VENV)/bin/python -m pytest -W "ignore:datetime:DeprecationWarning:dateutil"

.PHONY: compat
compat: $(VENV)/installed $(COMPAT_VENV)/2.0.0/installed $(COMPAT_VENV)/2.10.0/installed
	FREECHAT_COMPAT_VENV=$(abspath $(COMPAT_VENV)) $(BIN)/python -m pytest test/compat

.PHONY: docs
docs: $(DOCS_VENV)/installed
	$(DOCS_VENV)/bin/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet --conf-dir docs . build/site
	@echo "The site is in build/site/index.html."

.PHONY: integrations
integrations: $(INTEGRATIONS_VENV)/installed
	$(INTEGRATIONS_VENV)/bin/python -m pytest test/integrations

.PHONY: soak
soak: $(VENV)/installed
	@$(BIN)/python -X dev -W error -m test.soak

.PHONY: mutants
mutants: $(VENV)/installed
	$(BIN)/python -m test.mutants $(MODULES)

.PHONY: clean
clean:
	rm -rf $(VENV) $(OLDEST_VENV) $(COMPAT_VENV) $(BENCH_VENV) $(DOCS_VENV) $(INTEGRATIONS_VENV)
	rm -rf build dist *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find codegen freechat_sdk test -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/installed: $(METADATA)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[codegen,sandbox,test]'
	touch $@

$(VENV)/bench-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

# The official client has the name of this package, so the other clients have an environment of their own.
$(BENCH_VENV)/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check freechat-sdk==2.10.0 httpx msgspec openai
	touch $@

$(DOCS_VENV)/installed: $(METADATA)
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs,sandbox]'
	touch $@

$(COMPAT_VENV)/%/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check freechat-sdk==$*
	touch $@

$(INTEGRATIONS_VENV)/installed: $(METADATA) test/integrations/requirements.txt
	$(PYTHON) -m venv $(INTEGRATIONS_VENV)
	$(INTEGRATIONS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement test/integrations/requirements.txt --editable '.[sandbox]'
	touch $@

$(OLDEST_VENV)/installed: $(METADATA)
	$(PYTHON) -m venv $(OLDEST_VENV)
	sed -n 's/^\([a-z0-9-]*\)>=\([^,]*\),.*/\1==\2/p' requirements.txt > $(OLDEST_VENV)/oldest.txt
	$(OLDEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(OLDEST_VENV)/oldest.txt --editable '.[codegen,sandbox,test]'
	touch $@
