"""Every run tries the same examples: what fails once fails again. `make soak` searches for new ones instead."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import Phase, settings

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2 * 1024**3

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
# `make mutants`: few examples, and that one fails is enough, no smaller one is looked for.
settings.register_profile(
    "hasty", derandomize=True, deadline=None, database=None, max_examples=25, phases=[Phase.explicit, Phase.generate]
)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("repeatable")  # pytest --hypothesis-profile=searching overrides it


def pytest_configure(config: pytest.Config) -> None:
    """Databases of tests are in memory where there is room for that: the bot waits for the disk at every commit, which
    is for its operators and not for tests. PYTEST_DEBUG_TEMPROOT or --basetemp names another place."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted: `record_property("figures", "…")`. In whichever process they ran."""
    told = [
        f"{report.nodeid.rpartition('::')[2]}: {value}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, value in report.user_properties
        if report.when == "call" and name == "figures"
    ]
    if told:
        terminalreporter.section("figures")
        for line in told:
            terminalreporter.write_line(line)
