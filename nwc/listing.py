"""A wallet's transactions read to the end, or known not to be.

NIP-47 pages by offset and limit. Wallets cap the limit as they like, and some ignore offset or limit: so a short page
does not mean the end. Pages are asked for until one is empty or brings nothing new. A page that is lost on the way is
asked for again: of a long list one nearly always is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nwc.evidence import Listing
from nwc.messages import Transaction, TransactionPage
from nwc.trouble import WalletGarbled, WalletSilent

PAGE_ROWS = 25  # at 1.5 kB a row a page stays below what NIP-44 carries
MAX_PAGES = 400
# No wallet is known to cap a page below this, so fewer rows are all there are.
SMALLEST_CAP = 10
PAGE_TRIES = 3
# Of one reading; each costs as long as an answer is waited for.
MAX_LOST_PAGES = 40

AskPage = Callable[[int, int, int], Awaitable[TransactionPage]]
"""offset, limit, until (unix seconds, inclusive) -> one page, newest first."""


async def read_all(ask: AskPage, until: int, *, page_rows: int = PAGE_ROWS, max_pages: int = MAX_PAGES) -> Listing:
    """All rows created up to `until`. `complete` is False where the wallet's paging leaves any doubt.

    What `ask` raises goes through: half a list is no list. Only a lost page is asked for again, and not the first one:
    there the wallet may be down, and whoever reads the list asks again later.
    """
    ask = _patient(ask)
    rows: dict[tuple[object, ...], Transaction] = {}
    complete = True
    offset = 0
    biggest = 0
    for _ in range(max_pages):
        page = await ask(offset, page_rows, until)
        complete = complete and page.unreadable == 0
        received = len(page.rows) + page.unreadable
        new = {_identity(row): row for row in page.rows if _identity(row) not in rows}
        rows.update(new)
        if received == 0:
            return _listing(rows, complete)
        if not new:
            # The same rows again: the wallet ignores `offset`. What is older must be asked for by time.
            older = await _older_by_time(ask, rows, biggest, page_rows, max_pages)
            return _listing(rows, complete and older)
        biggest = max(biggest, received)
        offset += received
    return _listing(rows, False)


def _patient(ask: AskPage) -> AskPage:
    heard, lost = False, 0

    async def ask_again(offset: int, limit: int, until: int) -> TransactionPage:
        nonlocal heard, lost
        tries = PAGE_TRIES if heard else 1
        while True:
            try:
                page = await ask(offset, limit, until)
            except (WalletSilent, WalletGarbled):
                tries, lost = tries - 1, lost + 1
                if not tries or lost > MAX_LOST_PAGES:
                    raise
            else:
                heard = True
                return page

    return ask_again


async def _older_by_time(
    ask: AskPage, rows: dict[tuple[object, ...], Transaction], biggest: int, page_rows: int, max_pages: int
) -> bool:
    """Adds older rows to `rows`, asking up to the oldest second seen. True if certainly none is left."""
    if len(rows) < SMALLEST_CAP:
        return True
    for _ in range(max_pages):
        times = [row.created_at for row in rows.values() if row.created_at is not None]
        if len(times) < len(rows):
            return False
        oldest = min(times)
        page = await ask(0, page_rows, oldest)
        if page.unreadable or any(row.created_at is None or row.created_at > oldest for row in page.rows):
            return False  # it ignores `until` as well
        new = {_identity(row): row for row in page.rows if _identity(row) not in rows}
        rows.update(new)
        if not new:
            return len(page.rows) < max(biggest, SMALLEST_CAP)
    return False


def _identity(row: Transaction) -> tuple[object, ...]:
    return (row.direction, row.payment_hash, row.created_at, row.state, row.settled_at)


def _listing(rows: dict[tuple[object, ...], Transaction], complete: bool) -> Listing:
    return Listing(tuple(rows.values()), complete)
