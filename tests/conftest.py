"""Every run tries the same examples: what fails once fails again. `make soak` searches for new ones instead."""

import pytest
from hypothesis import Phase, settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
# `make mutants`: few examples, and that one fails is enough, no smaller one is looked for.
settings.register_profile(
    "hasty", derandomize=True, deadline=None, database=None, max_examples=25, phases=[Phase.explicit, Phase.generate]
)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("repeatable")  # pytest --hypothesis-profile=searching overrides it


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
