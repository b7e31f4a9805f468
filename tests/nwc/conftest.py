"""No test lives on what another has decoded."""

from __future__ import annotations

import pytest

from nwc import bolt11


@pytest.fixture(autouse=True)
def _no_invoice_is_known() -> None:
    bolt11.decode.cache_clear()
