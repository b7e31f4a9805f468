"""One wallet over NIP-47: what it can do, what it answers, what it reports.

Requests that pay are signed by `prepare_pay`, stored by the caller, and only then given to `publish`: the same bytes
may be published again, and every answer to them, however late and however often, reaches `on_answer`. Reads have a
request each and end within their time. Whose event it is, and which request it answers, is checked before anything
is decrypted.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from nwc import bolt11
from nwc.event import Event
from nwc.evidence import Listing
from nwc.listing import read_all
from nwc.messages import (
    GET_BALANCE,
    GET_INFO,
    INFO_KIND,
    LIST_TRANSACTIONS,
    LOOKUP_INVOICE,
    MAKE_INVOICE,
    NOTIFICATION_KINDS,
    PAY_INVOICE,
    REQUEST_KIND,
    RESPONSE_KIND,
    Answer,
    Balance,
    ErrorAnswer,
    MalformedAnswer,
    NodeInfo,
    Notification,
    Transaction,
    TransactionPage,
    parse_answer,
    parse_notification,
    request_text,
)
from nwc.ports import Cipher, Clock, Wire
from nwc.requests import NIP44, SignedRequest, WalletInfo, read_info
from nwc.trouble import WalletError, WalletGarbled, WalletNotReady, WalletSilent
from nwc.uri import WalletUri

# A read that a wallet finds hours later is of no use to anybody. The margin is for clocks that differ.
READ_MARGIN_SECONDS = 60
MAX_KNOWN_REQUESTS = 50_000
MAX_SEEN_EVENTS = 10_000
MAX_PENDING_READS = 500

_Result = TypeVar("_Result", Balance, NodeInfo, Transaction, TransactionPage)


@dataclass(slots=True)
class _Read:
    method: str
    answered: asyncio.Future[Answer]
    unreadable: str | None = field(default=None)


class WalletClient:
    """A wallet, as the holder of its connection sees it. Lives in one event loop; `receive` never blocks."""

    def __init__(
        self,
        uri: WalletUri,
        wire: Wire,
        cipher: Cipher,
        clock: Clock,
        on_answer: Callable[[str, Answer], None],
        on_notification: Callable[[Notification], None],
        *,
        timeout_seconds: float = 30,
        info_retry_seconds: int = 5,
    ) -> None:
        """`on_answer(request id, answer)` gets the answers to pay requests alone. `cipher` holds the URI's secret."""
        self._wallet = uri.wallet_pubkey
        self._wire = wire
        self._cipher = cipher
        self._clock = clock
        self._on_answer = on_answer
        self._on_notification = on_notification
        self._timeout_seconds = timeout_seconds
        self._info_retry_seconds = info_retry_seconds
        self._info: WalletInfo | None = None
        self._info_asked_at: int | None = None
        self._asking_info = asyncio.Lock()
        self._pays: OrderedDict[str, None] = OrderedDict()
        self._reads: dict[str, _Read] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._clock_heard: tuple[int, int] | None = None

    @property
    def wallet_pubkey(self) -> str:
        return self._wallet

    @property
    def info(self) -> WalletInfo | None:
        """The newest info event that was usable, or None while there is none."""
        return self._info

    def clock_difference(self, within_seconds: int) -> int | None:
        """Seconds that the wallet's clock is ahead of ours (negative: behind), by its newest answer to a question of
        ours; None where it has not answered any so recently."""
        if self._clock_heard is None or not 0 <= self._clock.now() - self._clock_heard[0] <= within_seconds:
            return None
        return self._clock_heard[1]

    # --- readiness ---------------------------------------------------------------------------------------------------

    async def ready(self) -> WalletInfo:
        """The wallet's info, fetched if need be. Raises WalletNotReady; asks the relays at most so often."""
        async with self._asking_info:  # those who wait here are answered by the fetch that is under way
            if self._info is not None:
                return self._info
            now = self._clock.now()
            if self._info_asked_at is not None and 0 <= now - self._info_asked_at < self._info_retry_seconds:
                raise WalletNotReady("the wallet's info event is not there yet")
            self._info_asked_at = now
            return await self.refresh_info()

    async def refresh_info(self) -> WalletInfo:
        """Asks the relays for the info event now. Raises WalletNotReady where there is no usable one."""
        event = await self._wire.fetch_info(self._wallet)
        if event is not None and event.pubkey == self._wallet and event.kind == INFO_KIND:
            self._learn(event)
        if self._info is None:
            reason = "none of its relays has the wallet's info event" if event is None else "its info event is unusable"
            raise WalletNotReady(f"{reason}: is the wallet service running?")
        return self._info

    def _learn(self, event: Event) -> None:
        info = read_info(event)
        if info is not None and (self._info is None or info.created_at >= self._info.created_at):
            self._info = info

    # --- paying ------------------------------------------------------------------------------------------------------

    def prepare_pay(
        self,
        invoice: str,
        *,
        expires_at: int,
        amount_msat: int | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> SignedRequest:
        """A signed `pay_invoice` request, not sent. `amount_msat` only for an invoice that names none.

        Raises WalletNotReady before the info event is known, BadInvoice for what is no invoice.
        """
        if self._info is None:
            raise WalletNotReady("the wallet's info event is not there yet")
        payment_hash = bolt11.decode(invoice).payment_hash
        params: dict[str, object] = {"invoice": invoice}
        if amount_msat is not None:
            params["amount"] = amount_msat
        if metadata:
            params["metadata"] = dict(metadata)
        return SignedRequest(self._sign(self._info, PAY_INVOICE, params, expires_at), payment_hash, expires_at)

    def expect(self, request_id: str) -> None:
        """From now on answers to this pay request count: for requests of an earlier run."""
        _remember(self._pays, request_id, MAX_KNOWN_REQUESTS)

    def forget(self, request_id: str) -> None:
        """Answers to this pay request are of no more use: its attempt has ended."""
        self._pays.pop(request_id, None)

    async def publish(self, request: SignedRequest) -> bool:
        """Gives the request to the relays. False says that none acknowledged it: the wallet may have it all the same.

        The caller has stored it before. Publishing the same request again sends the same bytes.
        """
        self.expect(request.id)
        return await self._wire.publish(request.event)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def request(self, method: str, params: Mapping[str, object], timeout_seconds: float | None = None) -> Answer:
        """Asks once and waits for the answer, which may be an ErrorAnswer.

        Raises WalletNotReady, WalletSilent (no answer in time), WalletGarbled (only unreadable ones). For methods
        that move no money.
        """
        if method == PAY_INVOICE:
            raise ValueError("a payment is prepared, stored, and then published")
        info = await self.ready()
        if len(self._reads) >= MAX_PENDING_READS:
            raise WalletSilent("too many requests wait for this wallet")
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        expires_at = self._clock.now() + math.ceil(seconds) + READ_MARGIN_SECONDS
        event = self._sign(info, method, params, expires_at)
        read = _Read(method, asyncio.get_running_loop().create_future())
        self._reads[event.id] = read
        try:
            async with asyncio.timeout(seconds):
                if not await self._wire.publish(event) and not self._wire.connected():
                    raise WalletSilent(f"no relay of the wallet is connected: {method} was not asked")
                return await read.answered
        except TimeoutError:
            if read.unreadable is not None:
                raise WalletGarbled(f"the answer to {method} can't be read: {read.unreadable}") from None
            raise WalletSilent(f"the wallet did not answer {method} within {seconds:g} s") from None
        finally:
            del self._reads[event.id]

    async def lookup_invoice(self, payment_hash: str, timeout_seconds: float | None = None) -> Transaction:
        """What the wallet knows of a hash. Raises WalletTrouble; a WalletError may mean "not found" (evidence)."""
        params = {"payment_hash": payment_hash}
        return await self._result(Transaction, LOOKUP_INVOICE, params, timeout_seconds)

    async def list_transactions(
        self,
        since: int,
        until: int | None = None,
        direction: Literal["incoming", "outgoing"] | None = None,
        *,
        unpaid: bool = False,
    ) -> Listing:
        """Everything created from `since` to `until` (unix seconds, default now), all pages. Raises WalletTrouble."""

        async def ask(offset: int, limit: int, page_until: int) -> TransactionPage:
            params: dict[str, object] = {"from": since, "until": page_until, "limit": limit, "offset": offset}
            params |= {"unpaid": unpaid} | ({"type": direction} if direction else {})
            return await self._result(TransactionPage, LIST_TRANSACTIONS, params, None)

        # A wallet whose clock runs ahead dates its newest rows in our future.
        return await read_all(ask, self._clock.now() + READ_MARGIN_SECONDS if until is None else until)

    async def get_balance(self) -> int:
        """The balance in msat. Raises WalletTrouble."""
        return (await self._result(Balance, GET_BALANCE, {}, None)).amount_msat

    async def get_info(self) -> NodeInfo:
        """The wallet's node, as far as it tells. Raises WalletTrouble."""
        return await self._result(NodeInfo, GET_INFO, {}, None)

    async def make_invoice(self, amount_msat: int, description: str = "", expiry_seconds: int = 3600) -> str:
        """The text of a new invoice, unchecked. Raises WalletTrouble."""
        params = {"amount": amount_msat, "description": description, "expiry": expiry_seconds}
        return (await self._result(Transaction, MAKE_INVOICE, params, None)).invoice or ""

    async def _result(
        self, wanted: type[_Result], method: str, params: Mapping[str, object], timeout_seconds: float | None
    ) -> _Result:
        answer = await self.request(method, params, timeout_seconds)
        if isinstance(answer, wanted):
            return answer
        # An unreadable answer never ends a read, so what is left is the wallet's refusal.
        refusal = cast(ErrorAnswer, answer)
        raise WalletError(refusal.code, refusal.message)

    # --- what comes --------------------------------------------------------------------------------------------------

    def receive(self, event: Event) -> bool:
        """Takes an event that a relay delivered, verified. True if it was of this wallet and for us. Never waits.

        Repeated deliveries of one event count once; different answers to one pay request are all handed on.
        """
        if event.pubkey != self._wallet or event.id in self._seen:
            return False
        if event.kind == INFO_KIND:
            self._learn(event)
            return True
        if event.kind in NOTIFICATION_KINDS:
            _remember(self._seen, event.id, MAX_SEEN_EVENTS)
            return self._notified(event)
        request_id = self._asked(event) if event.kind == RESPONSE_KIND else None
        if request_id is None:
            return False
        _remember(self._seen, event.id, MAX_SEEN_EVENTS)
        self._answered(request_id, event)
        return True

    def _asked(self, event: Event) -> str | None:
        """The request of ours that this event says it answers."""
        for request_id in event.tag_values("e"):
            if request_id in self._pays or request_id in self._reads:
                return request_id
        return None

    def _answered(self, request_id: str, event: Event) -> None:
        read = self._reads.get(request_id)
        if read is not None:
            now = self._clock.now()
            self._clock_heard = (now, event.created_at - now)
        method = read.method if read else PAY_INVOICE
        plain_text = self._decrypt(event.content)
        answer = MalformedAnswer("it can't be decrypted") if plain_text is None else parse_answer(method, plain_text)
        if read is None:
            self._on_answer(request_id, answer)
        elif isinstance(answer, MalformedAnswer):
            read.unreadable = answer.reason  # a readable one may still come
        elif not read.answered.done():
            read.answered.set_result(answer)

    def _notified(self, event: Event) -> bool:
        plain_text = self._decrypt(event.content)
        notification = None if plain_text is None else parse_notification(plain_text)
        if not isinstance(notification, Notification):
            return False
        self._on_notification(notification)
        return True

    # --- encryption --------------------------------------------------------------------------------------------------

    def _sign(self, info: WalletInfo, method: str, params: Mapping[str, object], expires_at: int) -> Event:
        encrypt = self._cipher.nip44_encrypt if info.encryption == NIP44 else self._cipher.nip04_encrypt
        content = encrypt(self._wallet, request_text(method, params))
        tags = (("p", self._wallet), ("encryption", info.encryption), ("expiration", str(expires_at)))
        return self._cipher.sign(REQUEST_KIND, tags, content, self._clock.now())

    def _decrypt(self, content: str) -> str | None:
        """A payload tells its own form (NIP-04 has ?iv=): some wallets answer in another one than they were asked."""
        decrypt = self._cipher.nip04_decrypt if "?iv=" in content else self._cipher.nip44_decrypt
        try:
            return decrypt(self._wallet, content)
        except ValueError:
            return None


def _remember(known: OrderedDict[str, None], key: str, most: int) -> None:
    known[key] = None
    known.move_to_end(key)
    if len(known) > most:
        known.popitem(last=False)
