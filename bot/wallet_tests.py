"""Asks a wallet for everything that can be asked without paying, and says how that went."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from bot.wallets import Wallet
from handlers import wallet_trial
from handlers.payment_evidence import is_settled
from handlers.replies.wallets import INVENTED, NO_END, NO_RELAY, NOT_OFFERED, PART_OF_LIST
from handlers.wallet_test import Trial, WalletTest, found_text
from handlers.wallet_trial import MARK, TRIAL_MSAT, WalletTrial
from ledger.errors import Code, Refusal, said
from nwc import bolt11
from nwc.bolt11 import BadInvoice, Invoice
from nwc.evidence import Listing, proves, says_not_found
from nwc.messages import (
    GET_BALANCE,
    GET_INFO,
    LIST_TRANSACTIONS,
    LOOKUP_INVOICE,
    MAKE_INVOICE,
    Answer,
    ErrorAnswer,
    NodeInfo,
    PayResult,
    Transaction,
)
from nwc.ports import Clock
from nwc.profile import Found, Signs, profile_of
from nwc.requests import NEEDED_METHODS, SignedRequest, WalletInfo
from nwc.trouble import WalletError, WalletSilent, WalletTrouble
from storage import wallets
from storage.db import Database

LISTED_SECONDS: Final = 3_600
TRIAL_SECONDS: Final = 600
"""So long the invoice of a trial is valid; the request for half of that."""

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

    def __init__(
        self,
        wallets: Mapping[str, Wallet],
        db: Database,
        clock: Clock,
        *,
        ask_seconds: float,
        may_pay: Callable[[], bool],
    ) -> None:
        self._wallets = wallets
        self._may_pay = may_pay
        self._db = db
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
        balance, lookup, node, listing = await asyncio.gather(
            self._try(client.get_balance, asked=GET_BALANCE in methods),
            self._look_up_nothing(wallet, info.value),
            self._try(client.get_info, asked=GET_INFO in methods),
            self._try(
                lambda: client.list_transactions(self._clock.now() - LISTED_SECONDS), asked=LIST_TRANSACTIONS in methods
            ),
        )
        now = self._clock.now()
        found = _found(info.value, node, lookup)
        rows = () if listing.value is None else listing.value.rows
        if found is not None:
            await self._note(wallet, found, rows)
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
            found=found,
            preimages=_shows_preimages(rows),
            metadata=_gives_back_metadata(rows),
        )

    async def get_to_know(self, name: str) -> bool:
        """Finds out what kind of wallet this is, and keeps it. False where its answers tell nothing for now."""
        wallet = self._wallets[name]
        info = wallet.client.info
        if info is None:
            return False
        lookup, node = await asyncio.gather(
            self._look_up_nothing(wallet, info),
            self._try(wallet.client.get_info, asked=GET_INFO in info.methods),
        )
        found = _found(info, node, lookup)
        if found is not None:
            await self._note(wallet, found, ())
        return found is not None

    async def pay_itself(self, name: str) -> WalletTrial:
        """Has the wallet pay one sat to itself. Refuses `wallet_error` and `paused` before anything is paid."""
        wallet = self._wallets[name]
        invoice = await self._own_invoice(wallet)
        if not self._may_pay():
            raise Refusal(Code.PAUSED, "nothing is paid now: say status")
        now = self._clock.now()
        # Kept before the request leaves. It leaves once: what becomes of it later, the wallet's list tells.
        await self._db.write(lambda tx: wallet_trial.begin(tx, name, invoice.payment_hash, now))
        request = wallet.client.prepare_pay(invoice.text, expires_at=now + TRIAL_SECONDS // 2, metadata={MARK: name})
        answer = await self._publish_trial(wallet, request)
        return await self._learn_trial(wallet, invoice.payment_hash, answer, now)

    async def _own_invoice(self, wallet: Wallet) -> Invoice:
        """One sat, made by the wallet itself. Refuses `wallet_error`."""
        name, client = wallet.name, wallet.client
        if not await wallet.can_be_heard(self._ask_seconds):
            raise silent(name, said(NO_RELAY))
        info: _Tried[WalletInfo] = await self._try(client.ready)
        if info.value is None:
            raise silent(name, str(info.trouble))
        lacking = sorted((NEEDED_METHODS | {MAKE_INVOICE}) - info.value.methods)
        if lacking:
            raise no_trial(name, said("it does not offer {methods}", methods=", ".join(lacking)))
        made = await self._try(lambda: client.make_invoice(TRIAL_MSAT, "satmachine wallet try", TRIAL_SECONDS))
        if made.value is None:
            raise no_trial(name, str(made.trouble))
        try:
            invoice = bolt11.decode(made.value)
        except BadInvoice as bad:
            raise no_trial(name, str(bad)) from None
        if invoice.amount_msat != TRIAL_MSAT:
            raise no_trial(name, said("its invoice is for another amount"))
        return invoice

    async def _publish_trial(self, wallet: Wallet, request: SignedRequest) -> _Tried[Answer]:
        answered = wallet.trials.setdefault(request.id, asyncio.get_running_loop().create_future())

        async def publish() -> Answer:
            await wallet.client.publish(request)
            return await answered

        try:
            return await self._try(publish)
        finally:
            del wallet.trials[request.id]
            wallet.client.forget(request.id)

    async def _learn_trial(self, wallet: Wallet, payment_hash: str, answer: _Tried[Answer], since: int) -> WalletTrial:
        """What the answer and the wallet's list say of it."""
        listing = await self._try(lambda: wallet.client.list_transactions(since - LISTED_SECONDS))
        rows = [] if listing.value is None else [row for row in listing.value.rows if row.payment_hash == payment_hash]
        shown = next((row for row in rows if row.direction == "outgoing"), None)
        result = answer.value if isinstance(answer.value, PayResult) else None
        fees = [each.fees_paid_msat for each in (result, shown) if each is not None]
        fees_msat = next((fee for fee in fees if fee is not None), None)
        paid = result is not None or any(is_settled(row) for row in rows)
        if paid:
            now = self._clock.now()
            await self._db.write(lambda tx: wallet_trial.settle(tx, wallet.name, payment_hash, fees_msat, now))
        refusal = answer.value if isinstance(answer.value, ErrorAnswer) else None
        return WalletTrial(
            paid=paid,
            preimage=any(proves(each.preimage, payment_hash) for each in (result, shown) if each is not None),
            metadata=None if shown is None else MARK in shown.metadata,
            fees_msat=fees_msat,
            error=f"{refusal.code} {refusal.message}".strip() if refusal is not None else None,
            milliseconds=answer.milliseconds,
        )

    async def _look_up_nothing(self, wallet: Wallet, info: WalletInfo) -> _Tried[Transaction]:
        """A payment that nobody ever made."""
        return await self._try(
            lambda: wallet.client.lookup_invoice(secrets.token_hex(32)), asked=LOOKUP_INVOICE in info.methods
        )

    async def _note(self, wallet: Wallet, found: Found, rows: Sequence[Transaction]) -> None:
        """Keeps what was found, where the configuration leaves it to us."""
        if not wallet.finds_profile:
            return
        now = self._clock.now()
        text = found_text(found, preimages=_shows_preimages(rows), metadata=_gives_back_metadata(rows), now=now)
        await self._db.write(
            lambda tx: wallets.find_profile(tx, wallet.name, found.profile, text, repays=found.repays, now=now)
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


def _found(info: WalletInfo, node: _Tried[NodeInfo], lookup: _Tried[Transaction]) -> Found | None:
    """None where it did not really answer: revoked, asked too often, or not in time."""
    not_found = lookup.trouble if isinstance(lookup.trouble, WalletError) else None
    if lookup.value is None and (not_found is None or not says_not_found(not_found)):
        return None
    if node.trouble is not None and not isinstance(node.trouble, WalletError):
        return None
    return profile_of(Signs(info, node.value, not_found))


def _shows_preimages(rows: Sequence[Transaction]) -> bool | None:
    """None where it has paid nothing."""
    paid = [row for row in rows if row.direction == "outgoing" and row.settled_at is not None]
    return any(proves(row.preimage, row.payment_hash) for row in paid) if paid else None


def _gives_back_metadata(rows: Sequence[Transaction]) -> bool | None:
    """Each payment of ours names its leg, or that it is a trial. None where there may be none of ours."""
    ours = any({"leg", MARK} & row.metadata.keys() for row in rows if row.direction == "outgoing")
    return True if ours else None


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


def no_trial(name: str, why: object) -> Refusal:
    return Refusal(
        Code.WALLET_ERROR,
        "wallet {wallet} can't be tried like that: {why}. Nothing was paid",
        field="wallet",
        wallet=name,
        why=why,
    )
