"""The words in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.replies.english import general, lps, machines, payments, settlements
from handlers.replies.plain import Wording

TEXTS: Final[Mapping[str, Wording]] = {
    **general.TEXTS,
    **lps.TEXTS,
    **machines.TEXTS,
    **payments.TEXTS,
    **settlements.TEXTS,
}
