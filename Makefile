# The targets do all the set-up they need; the second time they are quick.
#   make demo    runs the whole story on the embedded default
#   make test    checks style and types, and runs every test; SYSTEM_PACKAGES= keeps root from installing Debian packages
#   make bench   measures what docs/reference/performance.md says
#   make docs    writes what is generated from the schema of the configuration
# Another Python: make test PYTHON=python3.12
# All paths are relative, so that the folder may have any name.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
SYSTEM_PACKAGES := libwbxml2-utils postgresql openssl curl postfix libsasl2-modules db5.3-util
SMSC := smpp@0.5.1

.DELETE_ON_ERROR:
.PHONY: demo test bench lint docs wheel install system smsc clean

demo: $(INSTALLED)
	$(VENV)/bin/pushgw demo

test: $(INSTALLED) system smsc lint
	$(RUN) -m twisted.trial tests

bench: $(INSTALLED) smsc
	$(RUN) bench/run.py

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(INSTALLED)
	$(RUN) -m gateway.config sample > etc/pushgw.toml.new
	mv etc/pushgw.toml.new etc/pushgw.toml
	$(RUN) -m gateway.config reference > docs/reference/configuration.md.new
	mv docs/reference/configuration.md.new docs/reference/configuration.md

# A module that was removed would come back from build/lib.
wheel: $(INSTALLED)
	rm -rf build
	$(RUN) -m pip wheel --disable-pip-version-check --quiet --no-deps --wheel-dir dist .

install: $(INSTALLED)

# The last step writes the list of plugins that twistd looks into.
$(INSTALLED): setup.cfg pyproject.toml
	rm -rf build
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	$(RUN) -c 'from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))'
	touch $(INSTALLED)

# What is missing is installed where that is possible; otherwise the tests that need it are skipped. Postfix gets no
# configuration, and so is not started, and takes the place of no other mail server: the tests run their own.
system:
	@missing=; \
	for package in $(SYSTEM_PACKAGES); do \
	    dpkg-query --show --showformat='$${Status}\n' $$package 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing$$missing"; \
	    case "$$missing" in *postfix*) \
	        echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections;; \
	    esac; \
	    apt-get update -qq; \
	    for package in $$missing; do \
	        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-remove --no-install-recommends $$package \
	            >/dev/null || echo "Not installed, tests that need it are skipped: $$package"; \
	    done; \
	    exit 0; \
	fi; \
	echo "Not installed, tests that need it are skipped:$$missing"

# The SMSC that the tests and measurements send to, and that nobody here wrote.
smsc: $(INSTALLED)
	@if [ -d $(VENV)/npm/node_modules/smpp ]; then exit 0; fi; \
	if [ -n "$(SYSTEM_PACKAGES)" ] && ! command -v npm >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing npm"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -qq --yes --no-install-recommends nodejs npm >/dev/null; \
	fi; \
	command -v npm >/dev/null && npm install --prefix $(VENV)/npm --no-audit --no-fund --silent $(SMSC) && exit 0; \
	echo "Not installed, tests that need it are skipped: the npm package $(SMSC)"

clean:
	rm -rf $(VENV) build dist demo pushgw.egg-info _trial_temp* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache
