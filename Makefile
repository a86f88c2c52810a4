# `make demo` and `make test` do all their own set-up, in the folder .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test test-slow faults lint benchmark install constraints clean

demo: $(INSTALLED)
	$(BIN)/recolor demo

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: $(INSTALLED)
	$(PYTEST) -m "not slow and not faults"

test-slow: $(INSTALLED)
	$(PYTEST) -m "slow and not faults"

# RECOLOR_FAULTS_SEED chooses other moments and mutations.
faults: $(INSTALLED)
	$(BIN)/python -m pytest tests/faults -m faults --numprocesses 2 --dist worksteal

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

benchmark: $(INSTALLED)
	$(BIN)/python -m pytest benchmarks --benchmark-group-by=group --benchmark-columns=median,ops,rounds

install: $(INSTALLED)

$(INSTALLED): setup.py constraints.txt
	@sh -c ' \
	for python in $(PYTHON) python3.11 python3.12 python3.10 python3 python; do \
	    $$python -c "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))" 2>/dev/null \
	        && break; \
	    python=; \
	done; \
	test -n "$$python" || { echo "recolor needs Python 3.10, 3.11 or 3.12: install one, or name it:" \
	    "make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	$$python -m venv --clear $(VENV) || { echo "$$python can not make a virtual environment:" \
	    "on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	    --editable '.[test]'
	@touch $@

# Resolve the newest versions that go together, for all supported Pythons at once.
constraints: $(INSTALLED)
	$(BIN)/python -m pip install --quiet uv
	{ head -2 constraints.txt; printf 'setuptools>=77\nwheel\npip\n' | \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header \
	    --upgrade setup.py --extra test --extra ray -; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) demo build *.egg-info
