"""Reads each wallet's whole list since the bot met it, and has the books held against it.

It asks wallets and reads; what it books is what the scanner books: proof that a list shows, and payments that nothing
explains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import structlog

from bot.wallets import Wallet
from handlers import payment_evidence, reconciliation
from handlers.reconciliation import Comparison, Difference, Reconciliation, WalletList
from handlers.replies.wallets import NO_END, NO_LIST, NO_RELAY
from ledger.errors import Code, Refusal
from ledger.facts import WalletRow
from nwc.evidence import Listing, proves
from nwc.messages import LIST_TRANSACTIONS, Transaction
from nwc.ports import Clock
from nwc.trouble import WalletTrouble
from storage import attempts, settlements, wallets
from storage.db import Database, Tx
from storage.errors import TookTooLong

log = structlog.get_logger(__name__)

HEARD_SECONDS: Final = 30
LISTS_AT_ONCE: Final = 4
LIST_SECONDS: Final = 1_800
"""For the whole list of one wallet."""
READ_SECONDS: Final = 1_800
OVERLAP_SECONDS: Final = 2 * 86_400
"""How long before it settled an invoice may have been made: lists are by the time of making."""
ROWS_A_STRETCH: Final = 2_000
"""A long list is asked for in stretches of time: wallets go through all that they skip."""
TRIES: Final = 3
LOOKUPS: Final = 50
"""So many that a list lacks are looked up one by one, for some lists have gaps."""
ROWS_A_COMMIT: Final = 200


class Reconciler:
    """Compares the books with all of `wallets`, which is filled after construction."""

    def __init__(
        self,
        wallets: Mapping[str, Wallet],
        db: Database,
        clock: Clock,
        *,
        policy: payment_evidence.Policy,
        retry_seconds: float,
    ) -> None:
        """`retry_seconds`: so long after a wallet gave no list it is asked again, twice."""
        self._wallets = wallets
        self._db = db
        self._clock = clock
        self._policy = policy
        self._retry_seconds = retry_seconds
        self._lists = asyncio.Semaphore(LISTS_AT_ONCE)

    async def reconcile(self) -> Reconciliation:
        """May take many minutes."""
        try:
            begins = await self._db.read_apart(self._begins, seconds=READ_SECONDS)
            lists = await asyncio.gather(*(self._list(*begin) for begin in begins))
            comparison = await self._db.read_apart(
                lambda tx: reconciliation.compare(tx, lists, self._policy), seconds=READ_SECONDS
            )
        except TookTooLong:
            raise Refusal(
                Code.INTERNAL, "the books are too long to be compared here: run satmachine verify on the host"
            ) from None
        differences = await self._looked_up(comparison)
        for listed in lists:
            await self._book(listed, comparison.telling.get(listed.name, []))
        log.info("reconciled", differences=len(differences) + comparison.more, **comparison.counts)
        found = Reconciliation(differences, comparison.more, comparison.counts, lists)
        operators = self._policy.payments.operators
        await self._db.write(lambda tx: reconciliation.heed(tx, found, operators, self._clock.now()))
        return found

    def _begins(self, tx: Tx) -> list[tuple[str, int, int]]:
        """Each wallet, since when its list is compared, and about how many payments that are."""
        begins = []
        for name in sorted(self._wallets):
            known = wallets.get(tx, name)
            if known is not None:
                since = max(known.created_at, known.connected_at)
                now = self._clock.now()
                paid = len(attempts.settled_between(tx, name, since, now))
                proven = len(settlements.proven_between(tx, name, since, now))
                begins.append((name, since, paid + proven))
        return begins

    # --- the wallets' lists ------------------------------------------------------------------------------------------

    async def _list(self, name: str, since: int, expected: int) -> WalletList:
        listed = WalletList(name, since, self._clock.now())
        wallet = self._wallets[name]
        try:
            if not await wallet.can_be_heard(HEARD_SECONDS):
                listed.error = NO_RELAY
            elif LIST_TRANSACTIONS not in (await wallet.client.ready()).methods:
                listed.error = NO_LIST
            else:
                async with self._lists, asyncio.timeout(LIST_SECONDS):
                    listed.asked_at = self._clock.now()
                    await self._read_list(wallet, listed, expected)
        except WalletTrouble as trouble:
            listed.error = str(trouble)
        except TimeoutError:
            listed.error = NO_END
        if listed.error is not None:
            listed.rows.clear()
            listed.complete = False
            log.info("wallet_list_unread", wallet=name, reason=listed.error)
        return listed

    async def _read_list(self, wallet: Wallet, listed: WalletList, expected: int) -> None:
        complete = True
        for begin, end in _stretches(max(0, listed.since - OVERLAP_SECONDS), listed.asked_at, expected):
            listing = await self._patiently(wallet, begin, end)
            complete = complete and listing.complete
            listed.take(listing.rows)
        listed.complete = complete

    async def _patiently(self, wallet: Wallet, since: int, until: int | None) -> Listing:
        """One stretch of the list. Raises WalletTrouble."""
        for _ in range(TRIES - 1):
            try:
                return await wallet.client.list_transactions(since, until)
            except WalletTrouble:
                await asyncio.sleep(self._retry_seconds)
        return await wallet.client.list_transactions(since, until)

    async def _looked_up(self, comparison: Comparison) -> list[Difference]:
        """The differences without what the wallet shows when it is asked for the one payment."""
        kept, asked = [], 0
        for difference in comparison.differences:
            if difference.wallet is not None and difference.lacking is not None and asked < LOOKUPS:
                asked += 1
                if await self._shows(self._wallets[difference.wallet], difference.lacking):
                    continue
            kept.append(difference)
        return kept

    async def _shows(self, wallet: Wallet, lacking: WalletRow) -> bool:
        """Whether the wallet, asked for this payment alone, has it settled and for this amount."""
        try:
            row = await wallet.client.lookup_invoice(lacking.payment_hash)
        except WalletTrouble:
            return False
        settled = row.state == "settled" or (lacking.outgoing and proves(row.preimage, lacking.payment_hash))
        found = WalletRow(row.payment_hash, row.direction == "outgoing", row.amount_msat, row.fees_paid_msat or 0)
        same = (found.payment_hash, found.outgoing) == (lacking.payment_hash, lacking.outgoing)
        return settled and same and found.is_of(lacking.amount_msat)

    async def _book(self, listed: WalletList, rows: list[Transaction]) -> None:
        """As part of a list: the mark from which the scanner goes on is not this reading's to move."""
        for first in range(0, len(rows), ROWS_A_COMMIT):
            part = Listing(tuple(rows[first : first + ROWS_A_COMMIT]), False)
            await self._db.write(partial(self._note, listed=listed, part=part))

    def _note(self, tx: Tx, listed: WalletList, part: Listing) -> None:
        payment_evidence.note_list(
            tx,
            listed.name,
            part,
            starts_at=listed.since,
            asked_at=listed.asked_at,
            policy=self._policy,
            now=self._clock.now(),
        )


def _stretches(since: int, until: int, expected: int) -> Iterator[tuple[int, int | None]]:
    """Stretches of time with about so many payments each, overlapping by a second; the last has no end."""
    number = max(1, -(-expected // ROWS_A_STRETCH))
    length = max(2, (until - since) // number)
    begin = since
    while number > 1 and begin + length < until:
        yield begin, begin + length
        begin += length - 1  # whether a wallet takes the ends as in or out is its own affair
    yield begin, None
