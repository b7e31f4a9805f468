"""Lightning addresses over HTTP on loopback, for accounts of the Lightning network.

Source: LUD-06 (payRequest), LUD-12 (comments), LUD-16 (Lightning address), LUD-21 (verify). It counts the invoices that
each user was asked for: a second one for a payment that is under way is how money is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.demo.books import Invoice
from bot.demo.http import LoopbackServer
from bot.demo.lightning import LightningNetwork

_LONGEST_AMOUNT = 19


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user takes: amounts in msat, the longest comment in characters, seconds that an invoice lives."""

    least_msat: int = 1000
    most_msat: int = 100_000_000_000
    comment_length: int = 200
    expiry_seconds: int = 3600


class AddressServer:
    """Serves `user@127.0.0.1:port` for every account that is named in `users` (user to account).

    `metadata`, `pay_request` and `invoice` are the points where a dishonest server differs.
    """

    def __init__(
        self, network: LightningNetwork, *, port: int = 0, limits: Limits | None = None, verify: bool = True
    ) -> None:
        self.network = network
        self.limits = limits or Limits()
        self.verify = verify
        self.users: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self._server = LoopbackServer(
            Starlette(
                routes=[
                    Route("/.well-known/lnurlp/{user}", self._on_pay_request),
                    Route("/lnurlp/{user}/callback", self._on_callback),
                    Route("/lnurlp/verify/{payment_hash}", self._on_verify),
                ]
            ),
            port,
        )

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> str:
        return await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    def add(self, user: str, account: str | None = None) -> str:
        """The Lightning address of `user`, who is paid into `account` (of the same name where none is given)."""
        self.network.add_account(account or user)
        self.users[user] = account or user
        return self.address(user)

    def address(self, user: str) -> str:
        return f"{user}@{self.url.removeprefix('http://')}"

    # -- what an answer says -----------------------------------------------------------------------------------------

    def metadata(self, user: str) -> str:
        """The JSON text whose hash is in every invoice."""
        return json.dumps([["text/plain", f"Payment to {user}"], ["text/identifier", self.address(user)]])

    def pay_request(self, user: str) -> dict[str, Any]:
        return {
            "tag": "payRequest",
            "callback": f"{self.url}/lnurlp/{user}/callback",
            "minSendable": self.limits.least_msat,
            "maxSendable": self.limits.most_msat,
            "metadata": self.metadata(user),
            "commentAllowed": self.limits.comment_length,
        }

    def invoice(self, user: str, amount_msat: int, comment: str | None) -> Invoice:
        return self.network.make_invoice(
            self.users[user],
            amount_msat,
            description_hash=hashlib.sha256(self.metadata(user).encode()).hexdigest(),
            expiry_seconds=self.limits.expiry_seconds,
            metadata={"comment": comment} if comment else None,
        )

    # -- over HTTP ---------------------------------------------------------------------------------------------------

    async def respond_pay_request(self, user: str) -> Response:
        return JSONResponse(self.pay_request(user))

    async def respond_callback(self, user: str, amount_msat: int, comment: str | None) -> Response:
        invoice = self.invoice(user, amount_msat, comment)
        answer: dict[str, Any] = {"status": "OK", "pr": invoice.bolt11, "routes": []}
        if self.verify:
            answer["verify"] = f"{self.url}/lnurlp/verify/{invoice.payment_hash}"
        return JSONResponse(answer)

    async def _on_pay_request(self, request: Request) -> Response:
        user = request.path_params["user"]
        if user not in self.users:
            return _error("there is no such user", 404)
        return await self.respond_pay_request(user)

    async def _on_callback(self, request: Request) -> Response:
        user = request.path_params["user"]
        if user not in self.users:
            return _error("there is no such user", 404)
        amount = request.query_params.get("amount", "")
        if not (amount.isascii() and amount.isdigit() and len(amount) <= _LONGEST_AMOUNT):
            return _error("amount must be a whole number of msat")
        if not self.limits.least_msat <= int(amount) <= self.limits.most_msat:
            return _error(f"amount must be from {self.limits.least_msat} to {self.limits.most_msat} msat")
        comment = request.query_params.get("comment")
        if comment is not None and len(comment) > self.limits.comment_length:
            return _error(f"a comment has at most {self.limits.comment_length} characters")
        self.asked[user] += 1
        return await self.respond_callback(user, int(amount), comment)

    async def _on_verify(self, request: Request) -> Response:
        invoice = self.network.books.invoice(request.path_params["payment_hash"])
        if not self.verify or invoice is None:
            return _error("Not found", 404)
        settled = invoice.settled_at is not None
        preimage = invoice.preimage if settled else None
        return JSONResponse({"status": "OK", "settled": settled, "preimage": preimage, "pr": invoice.bolt11})


def _error(reason: str, status: int = 200) -> Response:
    """An LNURL error. The protocol has them with HTTP status 200."""
    return JSONResponse({"status": "ERROR", "reason": reason}, status)
