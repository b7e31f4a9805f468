"""Finds out what a database from the past has forgotten: reads what each wallet sent since, until nothing is open.

It only asks and books (handlers/past.py). Payments are held meanwhile, and it rests where none are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from bot.wallets import Wallet
from bot.workers.wakeup import Bell
from handlers import past
from handlers.past import State
from nwc.client import WalletClient
from nwc.evidence import Listing
from nwc.ports import Clock
from nwc.trouble import WalletError, WalletTrouble
from storage.db import Database

log = structlog.get_logger(__name__)

OVERLAP_SECONDS: Final = 2 * 86_400
"""How long before it was paid an invoice may have been made: lists are by the time of making."""
RETRY_SECONDS: Final = (1, 2, 3, 4, 5, 5, 10, 15, 30)
TRIES: Final = 3
"""For one list, before the wallet is left alone for a while."""


class Recollection:
    """The one task for all of `wallets`. `bell` rings when payments come to be held."""

    def __init__(
        self,
        wallets: Mapping[str, Wallet],
        db: Database,
        clock: Clock,
        bell: Bell,
        *,
        request_seconds: int,
        operators: Callable[[], frozenset[str]],
    ) -> None:
        """`request_seconds`: for how long a request to pay may be on its way, with a margin for clocks."""
        self._wallets = wallets
        self._db = db
        self._clock = clock
        self._bell = bell
        self._request_seconds = request_seconds
        self._operators = operators

    async def run(self) -> None:
        """Runs for ever."""
        tries = 0
        while True:
            found = await self._db.read(past.state)
            if found is None:
                tries = 0
                await self._bell.wait()
                continue
            for name in sorted(set(self._wallets) - set(found.read)):
                await self._read(name, found)
            await self._finish()
            await self._bell.wait(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1

    async def _read(self, name: str, found: State) -> None:
        client = self._wallets[name].client
        asked_at = self._clock.now()
        try:
            everything, settled = await read_sent(client, found.since)
        except WalletTrouble as trouble:
            log.info("wallet_list_unread", wallet=name, reason=str(trouble))
            return
        counts = not past.asked_too_early(found, asked_at, self._request_seconds)
        await self._db.write(
            lambda tx: past.note_lists(tx, name, settled, everything, counts=counts, now=self._clock.now())
        )

    async def _finish(self) -> None:
        over = await self._db.write(
            lambda tx: past.finish(tx, self._wallets.keys(), self._operators(), self._clock.now())
        )
        if over:
            log.info("past_recollected")


async def read_sent(client: WalletClient, since: int) -> tuple[Listing, Listing]:
    """What the wallet sent since then, unix seconds: with what is not paid, and without. Raises WalletTrouble."""
    since = max(0, since - past.MARGIN_SECONDS - OVERLAP_SECONDS)
    # In this order: what settles in between is then in both, or in the one that counts as settled.
    everything = await _patiently(client, since, unpaid=True)
    return everything, await _patiently(client, since, unpaid=False)


async def _patiently(client: WalletClient, since: int, *, unpaid: bool) -> Listing:
    """What the wallet sent. Raises WalletTrouble."""
    for _ in range(TRIES - 1):
        try:
            return await client.list_transactions(since, direction="outgoing", unpaid=unpaid)
        except WalletError:
            raise  # it was heard and answered: to ask at once again is no use, and may be one question too many
        except WalletTrouble:
            continue
    return await client.list_transactions(since, direction="outgoing", unpaid=unpaid)
