"""Servers of payees (LNURL, LUD-06 and LUD-21), among them slow, broken and greedy ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from nwc.fetch import FetchFailed
from tests.simulation.clockwork import Clockwork
from tests.simulation.lightning import Invoice, Lightning

HOST = "payee.example"


@dataclass(slots=True)
class Payee:
    name: str
    verifies: bool = False
    """Whether it offers LUD-21."""
    down_until: float = 0.0
    asked: int = 0
    """How many invoices it was asked for."""
    last: Invoice | None = None

    @property
    def address(self) -> str:
        return f"{self.name}@{HOST}"


@dataclass(slots=True)
class Payees:
    clockwork: Clockwork
    lightning: Lightning
    chaos: float = 1.0
    expiry_seconds: tuple[int, ...] = (300, 600, 900, 3_600)
    verifying: float = 0.3
    by_name: dict[str, Payee] = field(default_factory=dict)

    def add(self, name: str) -> Payee:
        made = self.by_name[name] = Payee(name, verifies=self.clockwork.chance.random() < self.verifying)
        return made

    async def get_json(self, url: str) -> object:
        """Raises FetchFailed."""
        clock = self.clockwork
        parts = urlsplit(url)
        payee = self.by_name[parts.path.rpartition("/")[2].partition("!")[0]]
        await asyncio.sleep(self._seconds())
        if clock.elapsed < payee.down_until and not clock.friendly:
            raise FetchFailed("{host} does not answer", host=HOST)
        if clock.maybe(0.02 * self.chaos):
            return {"status": "ERROR", "reason": "try later"}
        if parts.path.startswith("/.well-known/"):
            return {
                "tag": "payRequest",
                "callback": f"https://{HOST}/pay/{payee.name}",
                "minSendable": 1_000,
                "maxSendable": 10**12,
                "metadata": "[]",
                "commentAllowed": 40,
            }
        if parts.path.startswith("/verify/"):
            return self._verify(parts.path.partition("!")[2])
        return self._invoice(payee, int(parse_qs(parts.query)["amount"][0]))

    def _seconds(self) -> float:
        clock = self.clockwork
        return clock.between(1, 25) if clock.maybe(0.02 * self.chaos) else clock.between(0.01, 0.2)

    def _invoice(self, payee: Payee, amount_msat: int) -> object:
        clock = self.clockwork
        payee.asked += 1
        if payee.last is not None and clock.maybe(0.01 * self.chaos):
            return {"pr": payee.last.text}  # the same one again
        if clock.maybe(0.01 * self.chaos):
            amount_msat += clock.chance.choice((1, 1_000, amount_msat * 999))
        expiry = 90 if clock.maybe(0.01 * self.chaos) else clock.chance.choice(self.expiry_seconds)
        made = payee.last = self.lightning.make_invoice(payee.name, amount_msat, expiry)
        answer = {"pr": made.text, "routes": []}
        if payee.verifies:
            answer["verify"] = f"https://{HOST}/verify/{payee.name}!{made.payment_hash}"
        return answer

    def _verify(self, payment_hash: str) -> object:
        invoice = self.lightning.by_hash[payment_hash]
        paid = invoice.settled_at is not None
        return {"status": "OK", "settled": paid, "pr": invoice.text, "preimage": invoice.preimage if paid else None}
