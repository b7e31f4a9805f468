"""Lists are read to the end, or known not to be, whatever a wallet makes of offset, limit and until."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nwc.listing import MAX_LOST_PAGES, PAGE_ROWS, PAGE_TRIES, read_all
from nwc.messages import Transaction, TransactionPage
from nwc.trouble import WalletError, WalletGarbled, WalletSilent, WalletTrouble
from tests.nwc.made import NOW


def rows_of(count: int) -> list[Transaction]:
    """Newest first, a second apart."""
    return [Transaction("outgoing", f"{n:064x}", 1_000, created_at=NOW - n) for n in range(count)]


class Book:
    """A wallet's list. The flags are the ways in which wallets are known to differ."""

    def __init__(
        self,
        rows: list[Transaction],
        *,
        cap: int = 10_000,
        offset: bool = True,
        limit: bool = True,
        until: bool = True,
        unreadable: int = 0,
    ) -> None:
        self.rows = rows
        self.cap = cap
        self.flags = (offset, limit, until)
        self.unreadable = unreadable
        self.asked: list[tuple[int, int, int]] = []
        self.before_page: Callable[[int], None] = lambda number: None

    async def ask(self, offset: int, limit: int, until: int) -> TransactionPage:
        self.before_page(len(self.asked))
        self.asked.append((offset, limit, until))
        with_offset, with_limit, with_until = self.flags
        rows = [row for row in self.rows if not with_until or (row.created_at or 0) <= until]
        rows = rows[offset:] if with_offset else rows
        rows = rows[: min(limit if with_limit else self.cap, self.cap)]
        unreadable = self.unreadable if not self.asked[1:] else 0
        return TransactionPage(tuple(rows), unreadable)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 20, 101])
@pytest.mark.parametrize("cap", [3, 5, 10_000])
async def test_an_honest_wallet_is_read_to_the_end(count: int, cap: int) -> None:
    """Also one that caps the page below what was asked for: a short page is not the end."""
    book = Book(rows_of(count), cap=cap)
    found = await read_all(book.ask, NOW, page_rows=5)
    assert found.complete
    assert list(found.rows) == book.rows


async def test_pages_are_bounded() -> None:
    book = Book(rows_of(100))
    found = await read_all(book.ask, NOW, page_rows=5, max_pages=4)
    assert found.complete is False
    assert len(found.rows) == 20
    assert [offset for offset, _, _ in book.asked] == [0, 5, 10, 15]


async def test_an_unreadable_row_leaves_a_doubt() -> None:
    book = Book(rows_of(3), unreadable=1)
    found = await read_all(book.ask, NOW)
    assert not found.complete
    assert len(found.rows) == 3
    assert [offset for offset, _, _ in book.asked] == [0, 4], "it has its place in the list"


async def test_a_page_of_unreadable_rows_alone_ends_it_in_doubt() -> None:
    found = await read_all(Book([], unreadable=2).ask, NOW)
    assert not found.complete


@pytest.mark.parametrize(("count", "complete"), [(3, True), (9, True), (10, True), (11, True), (40, True), (57, True)])
async def test_a_wallet_that_ignores_offset_is_read_by_time(count: int, complete: bool) -> None:
    book = Book(rows_of(count), offset=False, cap=20)
    found = await read_all(book.ask, NOW)
    assert found.complete is complete
    assert len(found.rows) == count


async def test_by_time_it_is_asked_from_the_start_of_what_is_left() -> None:
    book = Book(rows_of(20), offset=False, cap=12)
    await read_all(book.ask, NOW)
    assert book.asked[2:] == [(0, PAGE_ROWS, NOW - 11), (0, PAGE_ROWS, NOW - 19)]


async def test_a_wallet_that_ignores_limit_too_is_read_by_time() -> None:
    found = await read_all(Book(rows_of(60), offset=False, limit=False).ask, NOW)
    assert found.complete
    assert len(found.rows) == 60


async def test_a_wallet_that_ignores_everything_is_not_trusted() -> None:
    found = await read_all(Book(rows_of(60), offset=False, limit=False, until=False).ask, NOW)
    assert not found.complete
    few = await read_all(Book(rows_of(9), offset=False, limit=False, until=False).ask, NOW)
    assert few.complete


async def test_by_time_needs_times() -> None:
    rows = [Transaction("outgoing", f"{n:064x}", 1_000) for n in range(12)]
    assert not (await read_all(Book(rows, offset=False).ask, NOW)).complete


async def test_by_time_gets_stuck_where_one_second_fills_a_page() -> None:
    rows = [Transaction("outgoing", f"{n:064x}", 1_000, created_at=NOW) for n in range(30)]
    assert not (await read_all(Book(rows, offset=False, cap=12).ask, NOW)).complete


async def test_by_time_is_bounded_too() -> None:
    found = await read_all(Book(rows_of(500), offset=False, cap=12).ask, NOW, max_pages=5)
    assert not found.complete


async def test_by_time_with_an_unreadable_row() -> None:
    book = Book(rows_of(30), offset=False, cap=12)

    def spoil(number: int) -> None:
        if number == 3:
            book.rows[13] = Transaction("outgoing", "ff" * 32, 1_000, created_at=None)

    book.before_page = spoil
    assert not (await read_all(book.ask, NOW)).complete


async def test_a_new_payment_between_two_pages_loses_nothing() -> None:
    book = Book(rows_of(12))
    old = list(book.rows)

    def pay(number: int) -> None:
        if number == 1:
            book.rows.insert(0, Transaction("outgoing", "ee" * 32, 1_000, created_at=NOW))

    book.before_page = pay
    found = await read_all(book.ask, NOW, page_rows=5)
    assert found.complete
    assert set(old) <= set(found.rows)


async def test_what_the_wallet_raises_goes_through() -> None:
    """A first page that does not come is not asked for again here: the wallet may be down."""
    asked = []

    async def ask(offset: int, limit: int, until: int) -> TransactionPage:
        asked.append(offset)
        raise WalletSilent("no answer")

    with pytest.raises(WalletSilent):
        await read_all(ask, NOW)
    assert asked == [0]


class Lossy(Book):
    """Of its first pages every one is lost so often; those after are not."""

    def __init__(self, rows: list[Transaction], *, times: int, lost_pages: int, trouble: WalletTrouble) -> None:
        super().__init__(rows)
        self.trouble = trouble
        self.losses = [0, *[times] * lost_pages, *[0] * len(rows)]
        self.requests = 0

    async def ask(self, offset: int, limit: int, until: int) -> TransactionPage:
        self.requests += 1
        if self.losses[len(self.asked)]:
            self.losses[len(self.asked)] -= 1
            raise self.trouble
        return await super().ask(offset, limit, until)


@pytest.mark.parametrize("trouble", [WalletSilent("lost"), WalletGarbled("mangled")])
async def test_a_lost_page_is_asked_for_again(trouble: WalletTrouble) -> None:
    """Of 300 rows some page is lost nearly always where one answer in twenty is: the list would never be read."""
    book = Lossy(rows_of(300), times=PAGE_TRIES - 1, lost_pages=5, trouble=trouble)
    found = await read_all(book.ask, NOW)
    assert (found.complete, list(found.rows)) == (True, book.rows)
    assert book.requests == len(book.asked) + 5 * (PAGE_TRIES - 1)


@pytest.mark.parametrize(
    ("times", "lost_pages", "trouble", "requests"),
    [
        (PAGE_TRIES, 1, WalletSilent("lost"), 1 + PAGE_TRIES),
        (1, MAX_LOST_PAGES + 1, WalletSilent("lost"), 2 * (MAX_LOST_PAGES + 1)),
        (1, 1, WalletError("RATE_LIMITED", "slow down"), 2),
    ],
)
async def test_not_for_ever(times: int, lost_pages: int, trouble: WalletTrouble, requests: int) -> None:
    """Not one page, not the whole list, and what the wallet refuses not at all."""
    book = Lossy(rows_of(60), times=times, lost_pages=lost_pages, trouble=trouble)
    with pytest.raises(type(trouble)):
        await read_all(book.ask, NOW, page_rows=1)
    assert book.requests == requests


async def test_ten_rows_may_be_a_full_page() -> None:
    found = await read_all(Book(rows_of(10), offset=False, until=False, cap=10).ask, NOW)
    assert not found.complete


async def test_by_time_with_a_row_that_can_not_be_read() -> None:
    book = Book(rows_of(15), offset=False, cap=20)

    async def ask(offset: int, limit: int, until: int) -> TransactionPage:
        page = await book.ask(offset, limit, until)
        return page if len(book.asked) < 3 else TransactionPage(page.rows, unreadable=1)

    assert not (await read_all(ask, NOW)).complete
