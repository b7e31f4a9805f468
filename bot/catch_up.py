"""Reads every stored event of a query from one relay that gives only some hundred at a time. Knows no Nostr library.

Relays answer with the newest few hundred and don't say that there were more. So one asks again for what is older, with
the oldest second asked for twice, because a page may end in the middle of it; a short page means nothing, since each
relay has its own limit. A second that holds more events than a page can't be passed this way: there the relay is asked
for its list of ids (NIP-77), and what is missing is fetched by id.
"""

from __future__ import annotations

from typing import Protocol

PAGE_EVENTS = 500
MAX_PAGES = 400
IDS_PER_PAGE = 200
CROWD = 50
"""So many events of one second on one page may be a relay's limit; no relay known gives fewer."""


class PageFailed(Exception):
    """The relay did not answer, or not to the end. Nothing may be concluded from what it gave."""


class Pages(Protocol):
    """One relay and one query. Both raise PageFailed; events are handed on by whoever implements this."""

    async def read(self, since: int, until: int | None, limit: int) -> dict[str, int]:
        """Ids and `created_at` of one page: the newest events from `since` to `until`, both included."""
        ...

    async def read_ids(self, ids: tuple[str, ...]) -> dict[str, int]:
        """The same for these events, whatever their age."""
        ...

    async def list_ids(self, second: int) -> set[str] | None:
        """All ids that the relay has of this query in this second. None where it doesn't tell (NIP-77)."""
        ...


async def catch_up(pages: Pages, since: int) -> bool:
    """Reads all from `since` (unix seconds) on. True when nothing is known to be left out. Raises PageFailed."""
    known: set[str] = set()
    until: int | None = None
    whole = True
    for _ in range(MAX_PAGES):
        page = await pages.read(since, until, PAGE_EVENTS)
        if not page:
            return whole
        fresh = page.keys() - known
        known |= fresh
        oldest = min(page.values())
        if fresh and oldest != until:
            until = oldest
            continue
        # Nothing older came: the second `oldest` may be too full to page through.
        if len(page) >= CROWD:
            whole = await _second(pages, oldest, known) and whole
        until = oldest - 1
        if until < since:
            return whole
    return False


async def _second(pages: Pages, second: int, known: set[str]) -> bool:
    """Reads what else there is in one second. False when the relay doesn't list it, or doesn't give what it lists."""
    listed = await pages.list_ids(second)
    if listed is None:
        return False
    missing = sorted(listed - known)
    while missing:
        asked = missing[:IDS_PER_PAGE]
        found = await pages.read_ids(tuple(asked))
        known |= found.keys()
        if not found.keys() & set(asked):
            return False
        missing = [event_id for event_id in missing if event_id not in known]
    return True
