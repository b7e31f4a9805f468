"""A desk whose settlements are reported, proven and paid by hand: each step of the handlers as one call.

Nothing here stands in for the books: they are real, and after each test they are held against all their rules.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Final

from handlers import payment, proof, settlement, wallet_trouble
from handlers.payment import Go, PaymentPolicy
from handlers.proof import WalletWord
from handlers.settlement import Received
from ledger.decide.attempt import WalletProfile
from ledger.model import Attempt, Leg, Settlement
from ledger.states import AttemptState, EvidenceClass, SettlementStatus
from nwc.event import Event
from nwc.evidence import Evidence, Source
from nwc.keys import npub_of
from nwc.messages import ErrorAnswer, Transaction
from nwc.proof_of_payment import Payment, PaymentCheck
from nwc.requests import SignedRequest
from storage import attempts, legs, settlements, wallets
from storage.attempts import NewAttempt
from storage.db import Tx
from storage.verify import Report, check_books
from tests.handlers.desk import ATM, ATM2, BOSS, SETTINGS, Desk, key
from tests.ledger.build import hash_of, preimage
from tests.nwc.made import invoice

POLICY: Final = SETTINGS.payments
LANDING: Final = SETTINGS.landing
INVOICE_SECONDS: Final = 3_600


def report(payment_hash: str, **changes: Any) -> dict[str, Any]:
    """What a machine says of a cash-out of 100,000 sats for 2,000.00 GTQ, with 8 % of fees; None leaves a field out."""
    said = {
        "v": 1,
        "type": "settlement",
        "payment_hash": payment_hash,
        "tx_type": "cash_out",
        "wire_sats": 108_000,
        "principal_sats": 100_000,
        "fee_sats": 8_000,
        "fiat_amount": "2000.00",
        "currency": "GTQ",
        "exchange_rate": "50",
        "created_at": 1_790_000_000,
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


CASH_IN: Final = {"tx_type": "cash_in", "wire_sats": 92_000}
"""Changes that make a report one of a cash-in of the same principal."""


def row(payment_hash: str, amount_sats: int = 108_000, **changes: Any) -> Transaction:
    """What a wallet knows of a payment."""
    said = {"direction": "incoming", "state": "settled", "settled_at": 1_790_000_000, **changes}
    return Transaction(payment_hash=payment_hash, amount_msat=amount_sats * 1_000, **said)


@dataclass
class Till:
    """`policy` may be replaced. Hashes and preimages are numbered: attempt 1 pays the invoice of `hash_of(1)`."""

    desk: Desk
    policy: PaymentPolicy = POLICY
    client: str = key("main client")
    """The key of the connection to the wallet `main`."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def now(self) -> int:
        return self.desk.now

    def advance(self, seconds: int) -> None:
        self.desk.now += seconds

    async def connect(self, client: str, *, profile: WalletProfile = WalletProfile.UNKNOWN) -> None:
        """The bot is started with another connection to the wallet `main`, by the same service."""

        def work(tx: Tx) -> None:
            wallets.register(tx, "main", wallet_pubkey=key("main"), client_pubkey=client, now=self.now)
            wallets.set_profile(tx, "main", profile)

        await self.desk.tx(work)
        self.client = client

    async def with_second_machine(self) -> None:
        """Ericeira, with a wallet of its own."""
        await self.desk.ask(
            BOSS, "machine.add", npub=npub_of(ATM2), name="ericeira", wallet="second", fiat="GTQ",
            cash_in_fee="0.05", cash_out_fee="0.05",
        )  # fmt: skip

    # --- what comes in ---

    async def receive(self, body: Any, *, atm: str = ATM, event: Event | None = None, repeat: bool = False) -> Received:
        """A report, in an envelope of its own unless `event` is given."""
        text = body if isinstance(body, str) else json.dumps(body)
        came = event or self.event(atm)
        return await self.desk.tx(
            lambda tx: settlement.receive(tx, came, text, policy=LANDING, repeat=repeat, now=self.now)
        )

    def event(self, atm: str = ATM) -> Event:
        return Event(self._id("event"), atm, self.now, 21_000, (), "", "00" * 64)

    async def prove(
        self,
        settlement_id: int,
        found: Payment | None = Payment.SETTLED,
        *,
        row: Transaction | None = None,
        elsewhere: str | None = None,
        when_supported: bool = False,
    ) -> SettlementStatus | None:
        """The wallet says this of the payment; None: it can't look anything up."""
        word = WalletWord(PaymentCheck(found, "by its word", row=row) if found else None, elsewhere)
        return await self.desk.tx(
            lambda tx: proof.apply(
                tx, settlement_id, word, policy=POLICY.attempt, when_supported=when_supported, now=self.now
            )
        )

    async def settlement(self, settlement_id: int) -> Settlement:
        found = await self.desk.tx(lambda tx: settlements.get(tx, settlement_id))
        assert found is not None
        return found

    async def receipts(self) -> list[tuple[int, str, str | None]]:
        """(kind, status, reason) of every receipt, in order."""
        found = []
        for body in await self._bodies("event", "replaceable"):
            content = json.loads(body["content"])
            if content.get("type") == "receipt":
                found.append((body["kind"], content["status"], content["reason"]))
        return found

    async def told(self) -> list[str]:
        """What the operator was told unasked."""
        return [dm["text"] for dm in await self.desk.dms(BOSS) if dm["answers"] is None]

    async def _bodies(self, *kinds: str) -> list[dict[str, Any]]:
        def work(tx: Tx) -> list[dict[str, Any]]:
            rows = tx.all("SELECT kind, body FROM outbox ORDER BY id")
            return [json.loads(row["body"]) for row in rows if row["kind"] in kinds]

        return await self.desk.tx(work)

    # --- paying ---

    async def leg(self, leg_id: int) -> Leg:
        found = await self.desk.tx(lambda tx: legs.get(tx, leg_id))
        assert found is not None
        return found

    async def attempt(self, number: int) -> Attempt:
        found = await self.desk.tx(lambda tx: attempts.get(tx, hash_of(number)))
        assert found is not None
        return found

    async def open(self, leg_id: int) -> Go:
        return (await self.desk.tx(lambda tx: payment.open_leg(tx, leg_id, self.policy, self.now)))[0]

    async def ready(self, leg_id: int, number: int, *, amount_msat: int | None = None) -> Attempt | None:
        """The payee gave an invoice for what is due, an hour valid."""
        due = (await self.leg(leg_id)).due_msat if amount_msat is None else amount_msat
        text = invoice(due, preimage=bytes.fromhex(preimage(number)), created_at=self.now)
        new = NewAttempt(hash_of(number), text, due, None, self.now + INVOICE_SECONDS, None)
        return await self.desk.tx(lambda tx: payment.ready(tx, leg_id, new, self.policy, self.now))

    async def send(self, number: int, *, request: SignedRequest | None = None) -> bool:
        signed = request or self.request(number)
        return await self.desk.tx(lambda tx: payment.send(tx, hash_of(number), signed, self.policy, self.now))

    def request(self, number: int, *, life: int = 600) -> SignedRequest:
        tags = (("expiration", str(self.now + life)),)
        event = Event(self._id("request"), self.client, self.now, 23_194, tags, "sealed", "00" * 64)
        return SignedRequest(event, hash_of(number), self.now + life)

    async def sent(self, leg_id: int, number: int) -> SignedRequest:
        """A leg on its way: opened, with an invoice, the request published."""
        assert await self.open(leg_id) is Go.YES
        assert await self.ready(leg_id, number) is not None
        request = self.request(number)
        assert await self.send(number, request=request)
        return request

    async def paid(self, leg_id: int, number: int) -> None:
        await self.sent(leg_id, number)
        assert await self.learn(number) is AttemptState.SETTLED

    async def learn(
        self, number: int, cls: EvidenceClass = EvidenceClass.PROOF, *, fees_msat: int = 0, source: str = "lookup"
    ) -> AttemptState | None:
        """A piece of evidence comes; proof with the right preimage."""
        proven = preimage(number) if cls is EvidenceClass.PROOF else None
        found = Evidence(cls, Source.LOOKUP, proven, "came", fees_msat)
        return await self.desk.tx(
            lambda tx: payment.learn(
                tx, hash_of(number), found, source=source, asked_at=self.now, policy=self.policy, now=self.now
            )
        )

    async def answer(self, request: SignedRequest, code: str, message: str = "") -> tuple[str | None, bool]:
        """The wallet's error answers a request: what bot/wallets.py does in one commit."""
        answer = ErrorAnswer(code, message)

        def work(tx: Tx) -> tuple[str | None, bool]:
            payment_hash, first = payment.answered(tx, request.id, self.now, ask_soon=True, policy=self.policy)
            if payment_hash is not None and first:
                wallet_trouble.heed(
                    tx,
                    "main",
                    request_id=request.id,
                    payment_hash=payment_hash,
                    answer=answer,
                    operators={BOSS},
                    now=self.now,
                )
            return payment_hash, first

        return await self.desk.tx(work)

    async def release(self, number: int) -> None:
        """Time passes and everything comes in that makes it certain that attempt `number` never settles."""
        expires_at = (await self.attempt(number)).expires_at
        self.desk.now = max(self.desk.now, expires_at + POLICY.attempt.release_margin)
        await self.learn(number, EvidenceClass.NEGATIVE)
        assert await self.missing(number) != ()
        self.advance(POLICY.attempt.release_gap)
        await self.learn(number, EvidenceClass.NEGATIVE)
        await self.learn(number, EvidenceClass.NEGATIVE, source="list")
        await self.desk.tx(
            lambda tx: payment.note_control(tx, hash_of(number), EvidenceClass.PROOF, asked_at=self.now, now=self.now)
        )
        assert await self.missing(number, clock_sane=False) == ("a clock that agrees with the wallet's",)
        assert await self.missing(number) == ()

    async def missing(self, number: int, *, clock_sane: bool = True) -> tuple[str, ...]:
        """What keeps the attempt from being released; where nothing does, it is."""
        return await self.desk.tx(
            lambda tx: payment.release(tx, hash_of(number), 0, self.policy, self.now, clock_sane=clock_sane)
        )

    async def balance(self, sats: int, *, granted: bool = False) -> None:
        """The wallet tells its balance."""
        await self.desk.tx(
            lambda tx: wallet_trouble.balance_seen(tx, "main", sats * 1_000, {BOSS}, self.now, granted=granted)
        )

    async def violations(self) -> list[str]:
        """What is wrong with the books; the look is taken within the transaction of nobody."""

        def work(tx: Tx) -> list[str]:
            found = Report()
            check_books(tx, found)
            return [str(violation) for violation in found.violations]

        return await self.desk.db.read(work)

    def _id(self, what: str) -> str:
        return hashlib.sha256(f"{what} {next(self._numbers)}".encode()).hexdigest()
