"""Asks a wallet for everything that can be asked without paying, and says how that went."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, TypeVar

from bot.wallets import Wallet
from handlers.replies.wallets import INVENTED, NO_END, NO_RELAY, NOT_OFFERED, PART_OF_LIST
from handlers.wallet_test import Trial, WalletTest
from ledger.errors import Code, Refusal, said
from nwc.evidence import Listing, says_not_found
from nwc.messages import GET_BALANCE, LIST_TRANSACTIONS, LOOKUP_INVOICE, Transaction
from nwc.ports import Clock
from nwc.requests import WalletInfo
from nwc.trouble import WalletError, WalletSilent, WalletTrouble

LISTED_SECONDS: Final = 3_600

T = TypeVar("T")


class _Tried(Generic[T]):
    """What came of a question, and how long that took."""

    def __init__(self, found: T | WalletTrouble | None, milliseconds: int) -> None:
        """`found` None: not asked, for the wallet does not offer it."""
        self.value = None if isinstance(found, WalletTrouble) else found
        self.trouble = found if isinstance(found, WalletTrouble) else None
        self.milliseconds = milliseconds

    @property
    def answered(self) -> bool:
        return self.value is not None or isinstance(self.trouble, WalletError)

    def trial(self, error: str | None = None) -> Trial:
        """With `error` where the answer itself is not as it must be."""
        if self.trouble is not None:
            return Trial(error or str(self.trouble), self.milliseconds)
        return Trial(error if self.value is not None else NOT_OFFERED, self.milliseconds)


class WalletTests:
    """Tests any of `wallets`, which is filled after construction."""

    def __init__(self, wallets: Mapping[str, Wallet], clock: Clock, *, ask_seconds: float) -> None:
        self._wallets = wallets
        self._clock = clock
        self._ask_seconds = ask_seconds

    async def test(self, name: str) -> WalletTest:
        """Refuses `wallet_error` where the wallet gives no answer at all."""
        wallet = self._wallets[name]
        if not await wallet.can_be_heard(self._ask_seconds):
            raise silent(name, said(NO_RELAY))
        client = wallet.client
        info: _Tried[WalletInfo] = await self._try(client.refresh_info)
        if info.value is None:
            raise silent(name, str(info.trouble))
        methods = info.value.methods
        balance, lookup, listing = await asyncio.gather(
            self._try(client.get_balance, asked=GET_BALANCE in methods),
            self._try(lambda: client.lookup_invoice(secrets.token_hex(32)), asked=LOOKUP_INVOICE in methods),
            self._try(
                lambda: client.list_transactions(self._clock.now() - LISTED_SECONDS), asked=LIST_TRANSACTIONS in methods
            ),
        )
        now = self._clock.now()
        tried: tuple[_Tried[int], _Tried[Transaction], _Tried[Listing]] = (balance, lookup, listing)
        if any(each.answered for each in tried):
            wallet.last_answer_at = now
        elif any(each.trouble is not None for each in tried):
            raise silent(name, "; ".join(dict.fromkeys(str(each.trouble) for each in tried if each.trouble)))
        return WalletTest(
            methods=tuple(sorted(methods)),
            encryption=tuple(sorted(info.value.encryptions)),
            info=info.trial(),
            balance=balance.trial(),
            lookup=_lookup_trial(lookup),
            listing=listing.trial(None if listing.value is None or listing.value.complete else PART_OF_LIST),
            balance_msat=balance.value,
            lookup_answer=str(lookup.trouble) if isinstance(lookup.trouble, WalletError) else None,
            listed=None if listing.value is None else len(listing.value.rows),
            asked_at=now,
        )

    async def _try(self, ask: Callable[[], Awaitable[T]], *, asked: bool = True) -> _Tried[T]:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def milliseconds() -> int:
            return round((loop.time() - began) * 1_000)

        if not asked:
            return _Tried(None, 0)
        try:
            # A list takes several requests.
            async with asyncio.timeout(3 * self._ask_seconds):
                return _Tried(await ask(), milliseconds())
        except TimeoutError:
            return _Tried(WalletSilent(NO_END), milliseconds())
        except WalletTrouble as trouble:
            return _Tried(trouble, milliseconds())


def _lookup_trial(lookup: _Tried[Transaction]) -> Trial:
    """Here it is well that the wallet finds nothing."""
    if isinstance(lookup.trouble, WalletError) and says_not_found(lookup.trouble):
        return Trial(None, lookup.milliseconds)
    if lookup.value is not None:
        return lookup.trial(INVENTED)
    return lookup.trial()


def silent(name: str, why: object) -> Refusal:
    return Refusal(
        Code.WALLET_ERROR,
        "wallet {wallet} does not answer: {why}. Look whether its service runs and the connection still exists there; "
        "the relays must be those of the connection. Nothing is lost meanwhile",
        field="wallet",
        wallet=name,
        why=why,
    )
