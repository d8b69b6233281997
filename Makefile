# What continuous integration checks, step by step, in the environment .venv: see CONTRIBUTING.md.
# `lint`, `types` and `examples` run the lines of .ci/run, so that there is one list of commands.

.PHONY: setup tests fast lint format types examples coverage

setup:
	python3 -m venv .venv && .venv/bin/pip install -q -e ".[dev]"

tests:
	.venv/bin/python -m pytest

# One wing without its slow tests: make fast WING=sequences
fast:
	.venv/bin/python -m pytest -m "not slow" seqembed/$(WING) tests/$(WING)

lint:
	bash -ec "$$(grep '^\.venv/bin/ruff ' .ci/run)"

format:
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

types:
	bash -ec "$$(grep '^\.venv/bin/mypy' .ci/run)"

examples:
	bash -ec "$$(grep '^\.venv/bin/python examples/' .ci/run)"

# One wing, or all tests without WING. It includes the doctests.
coverage:
	.venv/bin/coverage run -m pytest -n 0 seqembed/$(WING) tests/$(WING)
	.venv/bin/coverage report $(if $(WING),--include="seqembed/$(WING)/*")
