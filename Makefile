# Two commands matter: `make demo` and `make test`. Both set up .venv by themselves.
#
# Settings:
#   PYTHON=python3.12     the interpreter that .venv is made with (3.11 or newer)
#   TORCH_INDEX=URL       where torch comes from; https://download.pytorch.org/whl/cpu has the small
#                         CPU build, which a plain install replaces by several GB of CUDA on Linux

PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
OFFLINE := $(BIN)/python tests/offline $(RUN)
# Two at once share two cores well only when each keeps to one thread: torch's threads wait for one
# another by spinning.
TWO := OMP_NUM_THREADS=1
COLAB = .venv-colab-$(shell $(PYTHON) -c "import sys; print(*sys.version_info[:2], sep='.')")

NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: help demo test unit lint format notebooks check-notebooks book browser look links address test-colab clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@echo "make demo       make three videos from shipped recordings, in demo/"
	@echo "make test       every check: style, tests, notebooks, book, and the book in a browser"
	@echo "make unit       the quick tests only"
	@echo "make book       build the book in book/_build/html"
	@echo "make browser    look at every page of the built book with Chromium"
	@echo "make links      ask every link of the book whether it still leads somewhere"
	@echo "make address URL=https://github.com/me/spa2v   set the project's public address everywhere"
	@echo "make notebooks  execute the notebooks again and keep their outputs"
	@echo "make test-colab run each notebook alone on what Colab ships; PYTHON=python3.13 is its Python"
	@echo "make lint       style only;  make format  mends it"
	@echo "make clean      remove everything that was made"

# --- set-up: one stamp for what the demo needs, one for everything -------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=, e.g. make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch goes first and alone, so that its index is asked for nothing else.
$(VENV)/.torch: constraints.txt | $(BIN)/python
	$(RUN) pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) --no-deps -c constraints.txt torch
	@touch $@

$(VENV)/.library: pyproject.toml constraints.txt $(VENV)/.torch
	$(RUN) pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.everything: $(VENV)/.library
	$(RUN) pip install --quiet -c constraints.txt -e '.[bench,book,browser,test,models,local,batch,ray]'
	@touch $@

# --- use -----------------------------------------------------------------------------------------

demo: $(VENV)/.library
	$(RUN) spa2v_lab.demo --out demo

# --- checks --------------------------------------------------------------------------------------

test: lint $(VENV)/.everything
	$(TWO) $(RUN) pytest -n 2 -m "not slow"
	$(TWO) $(RUN) pytest -n 2 --dist loadfile -m slow
	$(TWO) $(MAKE) -j2 look check-notebooks
	$(RUN) pytest tests/test_security.py -k holds_a_key  # once more, in what was just made

unit: $(VENV)/.everything
	$(TWO) $(RUN) pytest -n 2 -m "not slow"

lint: $(VENV)/.everything
	$(RUN) ruff check .
	$(RUN) ruff format --check .

format: $(VENV)/.everything
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

# --- notebooks: NAME.py is edited; NAME.ipynb is made from it and kept with its outputs ---------

notebooks: $(VENV)/.everything
	$(BIN)/python book/execute.py

# Each notebook runs with other parameters than the committed ones; then its committed outputs are
# compared with those of a fresh run; `make -j2 check-notebooks` has two at once. A run fails if
# anything in it tried to leave this machine.
check-notebooks: $(NOTEBOOKS:notebooks/%.ipynb=check-%)

check-%: notebooks/%.ipynb notebooks/parameters/%.yaml $(VENV)/.everything
	@mkdir -p build/notebooks
	$(OFFLINE) papermill --no-progress-bar --cwd notebooks -f notebooks/parameters/$*.yaml $< build/$<
	$(OFFLINE) pytest -p no:cacheprovider --nbval --nbval-current-env $<

# What a notebook that is opened alone meets: Colab's packages, and the library only once its own
# install cell has brought it, here from a wheel. FEW=1 takes fewer steps, seconds and scenes;
# NOTEBOOK=NAME runs one.
test-colab: $(COLAB)/.versions
	rm -rf build/wheel
	$(COLAB)/bin/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(COLAB)/bin/python book/colab.py build/wheel/*.whl $(NOTEBOOK) $(if $(FEW),--few)

$(COLAB)/.versions: book/colab-constraints.txt
	$(PYTHON) -m venv $(COLAB)
	$(COLAB)/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) --no-deps -c book/colab-constraints.txt torch
	$(COLAB)/bin/python -m pip install --quiet -c book/colab-constraints.txt papermill ipykernel accelerate diffusers ipywidgets librosa matplotlib plotly pydantic rich torch transformers typer
	@touch $@

# --- book ----------------------------------------------------------------------------------------

book: $(VENV)/.everything
	$(BIN)/python book/api_pages.py
	$(BIN)/jupyter-book build . --toc book/_toc.yml --path-output book --all -W --keep-going
	$(BIN)/python book/check.py book/_build/html
	@echo "the book: book/_build/html/index.html"

# Where packages may be installed (a container's root on Debian), a missing Chromium is.
browser: book
	@command -v chromium google-chrome >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	  { echo "installing chromium"; apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || true
	$(RUN) pytest tests/browser

# The same as one job, which others can run beside: make would put off the tests of a book that it
# has built until every notebook was begun.
look:
	$(MAKE) browser

# The project's public address, in the book's settings and in every notebook's install cell.
address: $(VENV)/.everything
	$(BIN)/python book/address.py $(URL)

links: $(VENV)/.everything
	$(BIN)/python book/api_pages.py
	$(BIN)/jupyter-book build . --toc book/_toc.yml --path-output build/links --builder linkcheck

clean:
	rm -rf $(VENV) .venv-colab-* book/_build book/api build demo dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
