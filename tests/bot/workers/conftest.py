"""The till of the handlers' tests, and a bank beside it."""

from __future__ import annotations

import pytest

from tests.bot.workers.on_a_wire import Bank
from tests.handlers.conftest import desk, owed, till
from tests.handlers.till import Till

__all__ = ["desk", "owed", "till"]


@pytest.fixture
def bank(till: Till) -> Bank:
    return Bank(till)
