# The Python that the environment is made with, e.g. make lab PYTHON=python3.12
PYTHON ?= python3
PY := .venv/bin/python
# JupyterLab refuses to start as root, the user of most containers, unless told to.
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab train test weekly bench soak notebooks pins student-zip slides wheels classroom site site-test grade-test browser-test jobs-test memory

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile

lab: .venv/installed  ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(ROOT) $(ARGS)

train: .venv/installed  ## train with four workers, e.g. make train ARGS=--help
	$(PY) -m ps_helpers.parameter_server --num-workers=4 $(ARGS)

# More than cores: much of the time they wait, for Ray to start and for stragglers.
THREE_FILES_AT_ONCE = -n 3 --dist loadfile --max-worker-restart=0

test: .venv/installed  ## run all tests and compare all notebooks, e.g. ARGS=tests
	$(PY) -m pytest $(THREE_FILES_AT_ONCE) $(ARGS)

# Both variants and the template, with other random inputs in every run.
weekly: .venv/installed  ## run both variants, the template and other random inputs
	$(PY) -m pytest $(THREE_FILES_AT_ONCE) --hypothesis-profile=weekly -m "" tests notebooks $(ARGS)

bench: .venv/installed  ## compare with Ray's documentation; ARGS=--store fills in README
	$(PY) -m pytest -s -o faulthandler_timeout=0 tests/benchmarks $(ARGS)

soak: .venv/installed  ## kill at random for half an hour, e.g. ARGS=120 seconds
	$(PY) tests/benchmarks/soak.py $(ARGS)

# Without ARGS, those that changed, or all if the package or the pins did.
TEACHER := $(wildcard notebooks/teacher/*.ipynb)
PACKAGE := $(wildcard ps_helpers/*.py $(addprefix ps_helpers/,lab/*.* lab/*/*.py checks/*.py))

build/executed/%: notebooks/teacher/%.ipynb $(PACKAGE) requirements.txt | .venv/installed
	$(PY) -m ps_helpers.tools.student_notebooks $*
	mkdir -p $(@D) && touch $@

notebooks: $(if $(ARGS),.venv/installed,$(TEACHER:notebooks/teacher/%.ipynb=build/executed/%))  ## write the student notebooks, e.g. ARGS=--check
	$(if $(ARGS),$(PY) -m ps_helpers.tools.student_notebooks $(ARGS))
	$(PY) -m ps_helpers.tools.glossary $(filter --check,$(ARGS))
	$(PY) -m ps_helpers.tools.paper_claims $(filter --check,$(ARGS))

student-zip: .venv/installed  ## pack the project without solutions into build/students.zip
	$(PY) -m ps_helpers.tools.student_zip

slides: .venv/installed  ## write slides, figures to print and cards into build/slides
	$(PY) -m ps_helpers.tools.slides

wheels: .venv/installed  ## gather what an installation without network needs
	$(PY) -m pip wheel --disable-pip-version-check -r requirements.txt -w build/wheels

# uv, because pip cannot resolve for other systems and Pythons than its own.
pins:  ## refresh the pins in requirements.txt and environment.yml
	$(PYTHON) -m venv --clear build/pins
	build/pins/bin/python -m pip install --quiet uv
	build/pins/bin/uv --no-config pip compile pyproject.toml --extra test \
	    --universal --python-version 3.11 --fork-strategy fewest --upgrade --no-annotate \
	    --custom-compile-command "make pins" --quiet --output-file requirements.txt
	build/pins/bin/uv --no-config pip compile --group classroom --constraint requirements.txt \
	    --universal --python-version 3.11 --fork-strategy fewest --no-annotate \
	    --custom-compile-command "make pins" --quiet \
	    --output-file tests/classroom/requirements.txt
	build/pins/bin/uv --no-config pip compile --group jobs --constraint requirements.txt \
	    --universal --python-version 3.11 --fork-strategy fewest --no-annotate \
	    --custom-compile-command "make pins" --quiet --output-file tests/classroom/jobs.txt
	sed '/^  - pip:$$/q' environment.yml > build/environment.yml
	sed -n 's/^[a-z0-9]/      - &/p' requirements.txt >> build/environment.yml
	mv build/environment.yml environment.yml

# The stamp goes first and comes last: an interrupted install is made anew, and so
# is one with another Python; otherwise only what the pins changed is installed.
.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	    "This needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: try make PYTHON=python3.12" % v)'
	test -e $@ && test "$$($(PY) -V)" = "$$($(PYTHON) -V)" || $(PYTHON) -m venv --clear .venv
	rm -f $@
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	$(PY) -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# What teachers and maintainers use lives in an environment of its own: a student's
# JupyterLab has none of it. It runs the notebooks with the kernel of .venv.
CLASSROOM := build/classroom/bin/python
CLASSROOM_TEST = JUPYTER_PATH=$(CURDIR)/.venv/share/jupyter $(CLASSROOM) -m pytest -p no:cacheprovider

build/classroom/installed: tests/classroom/requirements.txt .venv/installed
	test -e $@ || $(PYTHON) -m venv --clear build/classroom
	rm -f $@
	$(CLASSROOM) -m pip install --disable-pip-version-check --quiet -r $<
	touch $@

classroom: site-test grade-test browser-test  ## these three, in about 20 minutes

site: build/classroom/installed  ## render the series to build/site
	$(CLASSROOM) site/build.py

site-test: build/classroom/installed  ## render it, and check every page in a browser
	$(CLASSROOM_TEST) tests/classroom/test_site.py $(ARGS)

grade-test: build/classroom/installed  ## hand out, submit and grade the notebooks
	$(CLASSROOM_TEST) tests/classroom/test_nbgrader.py $(ARGS)

browser-test: build/classroom/installed  ## run the notebooks in a real browser
	$(CLASSROOM_TEST) tests/classroom/test_browser.py $(ARGS)

# A head that takes jobs needs more than the notebooks do; the rest it takes from .venv,
# whose Python it has.
build/jobs/installed: tests/classroom/jobs.txt .venv/installed
	test -e $@ && test "$$(build/jobs/bin/python -V)" = "$$($(PY) -V)" || $(PY) -m venv --clear build/jobs
	rm -f $@
	echo "import site; site.addsitedir('$$(echo $(CURDIR)/.venv/lib/python*/site-packages)')" \
	    > $$(echo build/jobs/lib/python*/site-packages)/venv.pth
	build/jobs/bin/python -m pip install --disable-pip-version-check --quiet -r $<
	touch $@

jobs-test: build/jobs/installed  ## submit a job to a head that asks for a token
	PYTHONPATH=tests build/jobs/bin/python -m pytest -p no:cacheprovider tests/classroom/test_jobs.py $(ARGS)

memory: .venv/installed  ## measure the notebooks in 2 GB; fills in README's table
	$(PY) tests/classroom/memory.py $(ARGS)
