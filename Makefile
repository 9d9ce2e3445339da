# Three commands for a fresh clone: `make demo`, `make test` and `make docs`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test docs install install-test install-docs

demo: install
	$(BIN)/mstar train --out runs/demo

# One worker a core, and one thread a worker. A file's tests stay together, as they share models and
# runs; the slow files are those of tests/agents, which come first.
test: install-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest \
		--numprocesses auto --maxprocesses 8 --dist loadscope --no-loadscope-reorder

# A site in build/docs/site. It fails at a link that leads nowhere.
docs: install-docs
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python docs/build_site.py

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test
install-docs: $(VENV)/.installed-docs

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@
